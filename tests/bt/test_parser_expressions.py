"""Expressions: precedence, and what the same characters mean in different places."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .shapes import compact, expression, shape

# Loosest first; each rank binds tighter than the one before.
RANKS = [["||"], ["&&"], ["|"], ["^"], ["&"], ["==", "!="], ["<", ">", "<=", ">="], ["<<", ">>"], ["+", "-"]]
RANKS.append(["*", "/", "%"])
RANK = {op: rank for rank, ops in enumerate(RANKS) for op in ops}


@pytest.mark.parametrize("first", RANK)
@pytest.mark.parametrize("second", RANK)
def test_each_pair_of_operators(first: str, second: str) -> None:
    left_first = RANK[first] >= RANK[second]
    expected = f"((a {first} b) {second} c)" if left_first else f"(a {first} (b {second} c))"
    assert compact(expression(f"a {first} b {second} c")) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-a * !b", "((-a) * (!b))"),
        ("-a.b", "(-(a.b))"),
        ("!a == b", "((!a) == b)"),
        ("*$a++", "(*($a++))"),
        ("*@x**@y", "((*@x) * (*@y))"),
        ("-~!*$a", "(-(~(!(*$a))))"),
        ("- -1", "(-(-1))"),
        ("++$a + --@b[1]", "((++$a) + (--@b[1]))"),
        ("$a++ + $b--", "(($a++) + ($b--))"),
        ("$a+++$b", "(($a++) + $b)"),
        ("&$a + 1", "((&$a) + 1)"),
        ("&@a == 0", "((&@a) == 0)"),
        ("a ? b : c ? d : e", "(a ? b : (c ? d : e))"),
        ("a ? b ? c : d : e", "(a ? (b ? c : d) : e)"),
        ("a || b ? c : d", "((a || b) ? c : d)"),
        ("a ?: b", "(a ?: b)"),
        ("a ? : b", "(a ?: b)"),
        ("comptime a == b", "((comptime a) == b)"),
        ("a.b->c[1].2++.d", None),
        ("$a.b->c[1].2.d", "((((($a.b)->c)[1]).2).d)"),
        ("$a.0.1", "(($a.0).1)"),
        ("args.if + args->struct", "((args.if) + (args->struct))"),
        ("@x[1][2]", "(@x[1][2])"),
        ("@[a, b]", "@[a, b]"),
        ("@x[(a, b)]", "@x[a, b]"),
        ("@x[(a, b), c]", "@x[<a, b>, c]"),
        ("@x[(a,)]", "@x[<a>]"),
        ("@x[()]", "@x[<>]"),
        ("x[1]", "(x[1])"),
        ("()", "<>"),
        ("(a)", "a"),
        ("(a,)", "<a>"),
        ("(a, b)", "<a, b>"),
        ("(a, b,)", "<a, b>"),
        ("((a, b), c)", "<<a, b>, c>"),
        ("(a=1)", "<a=1>"),
        ("(a=1, b=(c=2))", "<a=1, b=<c=2>>"),
        ("(a == 1)", "(a == 1)"),
        ("(a)(b)", "((a)b)"),
        ("(a)*b", "((a)(*b))"),
        ("(a)-1", "((a)(-1))"),
        ("(a)&$b", "((a)(&$b))"),
        ("(a) && b", "(a && b)"),
        ("(a) != b", "(a != b)"),
        ("(a)->b", "(a->b)"),
        ("(pid)*b", "(pid * b)"),
        ("(arg1)-1", "(arg1 - 1)"),
        ("(cpu)-1", "(cpu - 1)"),
        ("(a*)b", "((a*)b)"),
        ("(a * b)", "(a * b)"),
        ("(a[4])b", "((a[4])b)"),
        ("(a[4])", "(a[4])"),
        ("(struct x *)a->b", "((struct x *)(a->b))"),
        ("((struct x *)a)->b", "(((struct x *)a)->b)"),
        ("(uint8)a + b", "(((uint8)a) + b)"),
        ("(uint8)(a + b)", "((uint8)(a + b))"),
        ("-(int8)a", "(-((int8)a))"),
        ("(int8)-(int16)a", "((int8)(-((int16)a)))"),
        ("(typeof($a))b", "((typeof($a))b)"),
        ("1 /* + 2 */ + 3 // 4\n", "(1 + 3)"),
    ],
)
def test_grouping(text: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(Exception, match="requires a variable or map"):
            expression(text)
    else:
        assert compact(expression(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0x1Fu", 'Integer value=31 text="0x1Fu" unsigned=true'),
        ('"a\\n\\x00"', "String value=b'a\\n\\x00'"),
        ("true", "Boolean value=true"),
        ("false", "Boolean value=false"),
        ("$1", "Positional number=1"),
        ("$#", "Positional number=0"),
        ("@", 'MapAccess name="@"'),
        ("f()", 'Call name="f"'),
        (
            "f(a, typeof(int8))",
            'Call name="f"\n  args: Identifier name="a"\n  args: TypeName base=""\n'
            '    typeof: TypeName base="int8"',
        ),
        ("f(typeof(a))", 'Call name="f"\n  args: TypeName base=""\n    typeof: Identifier name="a"'),
        ("sizeof(int8)", 'SizeOf\n  of: TypeName base="int8"'),
        ("sizeof(a)", 'SizeOf\n  of: Identifier name="a"'),
        ("sizeof(a*)", 'SizeOf\n  of: TypeName base="a" pointers=1'),
        ("sizeof(a[2])", 'SizeOf\n  of: TypeName base="a" dims=(2)'),
        ("sizeof(pid)", 'SizeOf\n  of: Identifier name="pid"'),
        ("sizeof(a.b)", 'SizeOf\n  of: FieldAccess name="b"\n    operand: Identifier name="a"'),
        ("typeinfo(struct x)", 'TypeInfo\n  of: TypeName base="struct x"'),
        ("offsetof(struct x, a.b)", 'OffsetOf path=("a", "b")\n  of: TypeName base="struct x"'),
        ("offsetof($x, if)", 'OffsetOf path=("if")\n  of: Variable name="$x"'),
        (
            "if a { 1 } else { 2 }",
            'IfExpr\n  condition: Identifier name="a"\n  then: BlockExpr\n'
            '    value: Integer value=1 text="1"\n'
            '  otherwise: BlockExpr\n    value: Integer value=2 text="2"',
        ),
        (
            "{ f(); 1 }",
            'BlockExpr\n  body: ExprStmt\n    expr: Call name="f"\n  value: Integer value=1 text="1"',
        ),
    ],
)
def test_nodes(text: str, expected: str) -> None:
    assert shape(expression(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("int8", 'base="int8"'),
        ("struct sk_buff **", 'base="struct sk_buff" pointers=2'),
        ("union u", 'base="union u"'),
        ("enum e", 'base="enum e"'),
        ("uint8[4][2]", 'base="uint8" dims=(4, 2)'),
        ("uint8[]", 'base="uint8" dims=(0)'),
        ("uint8*[4]", 'base="uint8" pointers=1 dims=(4)'),
        ("string[64]", 'base="string" length=64'),
        ("string[64]*", 'base="string" pointers=1 length=64'),
        ("string[64][2]", 'base="string" dims=(2) length=64'),
        ("inet[1] *", 'base="inet" pointers=1 length=1'),
        ("uint8[4]*", 'base="" pointers=1\n  typeof: TypeName base="uint8" dims=(4)'),
        ("uint8*[4]*", 'base="" pointers=1\n  typeof: TypeName base="uint8" pointers=1 dims=(4)'),
        ("typeof(int8)*", 'base="" pointers=1\n  typeof: TypeName base="int8"'),
    ],
)
def test_types(text: str, expected: str) -> None:
    cast = expression(f"({text})a")
    assert shape(cast.type) == "TypeName " + expected  # type: ignore[attr-defined]


def test_spans_cover_what_a_person_would_mark() -> None:
    root = expression("(a + b) * f(c)[1]")
    assert root.span.text == "(a + b) * f(c)[1]"
    assert root.left.span.text == "a + b"  # type: ignore[attr-defined]
    assert root.right.span.text == "f(c)[1]"  # type: ignore[attr-defined]
    call = root.right.operand  # type: ignore[attr-defined]
    assert (call.span.text, call.name_span.text) == ("f(c)", "f")


# ---- properties ------------------------------------------------------------------------------

# A generated expression is a pair of texts that must mean the same, and how tight its root binds:
# one with every parenthesis, one with those alone that precedence asks for.
Pair = tuple[str, str, int]
TERNARY, PREFIX, PRIMARY = -1, len(RANKS), len(RANKS) + 1


def _needing(pair: Pair, rank: int) -> str:
    return pair[1] if pair[2] >= rank else f"({pair[1]})"


def _binary(op: str, left: Pair, right: Pair) -> Pair:
    rank = RANK[op]
    tight = f"{_needing(left, rank)} {op} {_needing(right, rank + 1)}"
    return f"(({left[0]}) {op} ({right[0]}))", tight, rank


def _prefix(op: str, operand: Pair) -> Pair:
    return f"({op}({operand[0]}))", f"{op} {_needing(operand, PREFIX)}", PREFIX


def _ternary(condition: Pair, then: Pair, otherwise: Pair) -> Pair:
    full = f"(({condition[0]}) ? ({then[0]}) : ({otherwise[0]}))"
    return full, f"{_needing(condition, 0)} ? {then[1]} : {otherwise[1]}", TERNARY


def _inside(before: str, after: str, inner: Pair) -> Pair:
    return before + inner[0] + after, before + inner[1] + after, PRIMARY


def _field(operand: Pair) -> Pair:
    return f"(({operand[0]}).x)", f"{_needing(operand, PRIMARY)}.x", PRIMARY


# No bare names: `(x) - 1` is a cast.
LEAVES = st.sampled_from(["1", "0x2u", "$a", "@m", '"s"', "pid", "true", "$1", "f(2)", "@m[1, $b]"])
PAIRS: st.SearchStrategy[Pair] = st.recursive(
    LEAVES.map(lambda text: (text, text, PRIMARY)),
    lambda inner: st.one_of(
        st.builds(_binary, st.sampled_from(list(RANK)), inner, inner),
        st.builds(_prefix, st.sampled_from(["-", "!", "~", "*", "(int8)", "comptime"]), inner),
        st.builds(_ternary, inner, inner, inner),
        st.builds(_inside, st.sampled_from(["f(", "g(1, "]), st.just(")"), inner),
        st.builds(_inside, st.just("@m["), st.just("]"), inner),
        st.builds(_field, inner.filter(lambda pair: not pair[0].isalnum())),
    ),
    max_leaves=20,
)


@given(PAIRS)
def test_parentheses_that_say_what_precedence_says_change_nothing(pair: Pair) -> None:
    assert shape(expression(pair[0])) == shape(expression(pair[1]))


@given(PAIRS)
def test_white_space_and_comments_change_nothing(pair: Pair) -> None:
    assert shape(expression(pair[1].replace(" ", " /* { */\n// /\n\t"))) == shape(expression(pair[1]))
