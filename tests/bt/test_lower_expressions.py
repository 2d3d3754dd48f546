"""What expressions are: widths, signs, short cuts, choices, and what they change."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.scripts import Script, evaluate, registers

_ALL = (1 << 64) - 1


def _signed(value: int) -> int:
    value &= _ALL
    return value - (1 << 64) if value >> 63 else value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("-7 % 3", -1),
        ("(uint64)7 - (uint64)9", -2),
        ("1 << 40", 1 << 40),
        ("-8 >> 1", -4),
        ("(uint64)-8 >> 1", (1 << 63) - 4),
        ("~0", (1 << 64) - 1),
        ("~(uint64)0", _ALL),
        ("!5", False),
        ("!0", True),
        ("6 & 3 | 8 ^ 1", 11),
        ("1 < 2", True),
        ("-1 < 1", True),
        ("(uint64)-1 > 5", True),
        ("-1 < (uint32)1", True),
        ("(int8)200", -56),
        ("(uint8)300", 44),
        ("(bool)7", True),
        ("(int64)(uint32)-1", 0xFFFFFFFF),
        ("0 || 5", True),
        ("5 && 0", False),
        ("1 ? 5 : 6", 5),
        ("0 ? 5 : 6", 6),
        ("7 ?: 6", 7),
        ("0 ?: 6", 6),
        ('1 ? "yes" : "no"', "yes"),
        ('0 ? "yes" : "no"', "no"),
        ("true == true", True),
        ('"abc" == "abc"', True),
        ('"abc" == "abd"', False),
        ('"abc" != "abcd"', True),
        ('(1, "a", (true, -5))', (1, "a", (True, -5))),
        ("9223372036854775808", 1 << 63),
        ("-9223372036854775808", -(1 << 63)),
        ("1e3", 1000),
        ("2ms", 2_000_000),
    ],
)
def test_values(text: str, value: Any) -> None:
    assert evaluate(text) == value


@pytest.mark.parametrize(
    ("text", "params", "value"),
    [
        ("$1 + 1", ("41",), 42),
        ("$1", ("-5",), -5),
        ("$1", ("0x10",), 16),
        ("$1", (), 0),
        ("$#", ("a", "b"), 2),
        ("str($1)", ("12",), "12"),
        ("str($1)", (), ""),
        ("str($1, 3)", ("abcdef",), "ab"),
        ('str($1, 3) == "ab"', ("abcdef",), True),
        ('str($1) == "abcdef"', ("abcdef",), True),
        ("$1", ("-",), "-"),
        ("$1", ("12x3",), "12x3"),
        ('$1 == "abc"', ("abc",), True),
    ],
)
def test_positional_parameters(text: str, params: tuple[str, ...], value: Any) -> None:
    assert evaluate(text, *params) == value


def test_division_by_zero_gives_one_and_is_counted() -> None:
    script = Script("uprobe:program:main { print(arg0 / arg1); print(arg0 % arg1); }")
    assert script.run(0, registers(7, 2)).values() == [3, 1]
    assert script.counter("div0") == 0
    assert script.run(0, registers(7, 0)).values() == [1, 1]
    assert script.counter("div0") == 2


def test_the_right_side_of_and_is_done_only_if_it_matters() -> None:
    script = Script("begin { $x = 0; $y = 0 && $x++; $z = 1 && $x++; $w = 1 || $x++; print($x); }")
    assert script.run().values() == [1]


def test_increments_as_values() -> None:
    script = Script('begin { $i = 5; $j = $i++ + ++$i; printf("%d %d %d", $i, $j, $i--); print(--$i); }')
    assert script.run().values() == [7, 12, 7, 5]


def test_arguments_before_a_change_keep_their_value() -> None:
    script = Script('begin { @x = 3; printf("%d %d %d", @x, @x++, @x); }')
    assert script.run().values() == [3, 3, 4]


def test_changes_happen_also_when_the_ring_is_full() -> None:
    script = Script('begin { printf("%d %s", @x++, comm); }', ring_bytes=64)
    for _ in range(5):
        script.run()
    assert len(script.events()) == 1
    assert (script["@x"], script.counter("lost")) == (5, 4)


def test_variables_are_as_wide_as_their_uses() -> None:
    script = Script("begin { $a = 1; print($a); $a = (uint8)200; print($a); $a = 70000; print($a); }")
    assert script.run().values() == [1, 200, 70000]


def test_declared_variables_keep_their_width() -> None:
    script = Script("begin { let $x : uint8 = 255; $x++; print($x); let $y : int16; $y--; print($y); }")
    assert script.run().values() == [0, -1]


def test_a_block_has_variables_of_its_own() -> None:
    script = Script('begin { if (1) { $a = 1; print($a); } if (1) { $a = "x"; print($a); } }')
    assert script.run().values() == [1, "x"]


def test_else_if() -> None:
    script = Script(
        'uprobe:program:main { if (arg0 < 5) { print("low"); } else if (arg0 < 9) { print("mid"); } '
        'else { print("high"); } }'
    )
    for number in (1, 5, 9):
        script.run(0, registers(number))
    assert script.values() == ["low", "mid", "high"]


def test_predicates_and_return() -> None:
    script = Script("uprobe:program:main / arg0 > 2 / { if (arg0 == 5) { return; } print(arg0); }")
    for number in range(7):
        script.run(0, registers(number))
    assert script.values() == [3, 4, 6]


def test_choices_for_their_effect() -> None:
    script = Script('uprobe:program:main { arg0 == 1 ? printf("one") : exit(); @after++; }')
    script.run(0, registers(1)).run(0, registers(2))
    assert [kind for kind, _ in script.events()] == ["printf"]
    assert [kind for kind, _ in script.events("control")] == ["exit"]
    assert script["@after"] == 1


def test_local_text() -> None:
    script = Script(
        'begin { $s = "long text"; $t = $s; $s = "ab"; printf("%s %s", $s, $t); $s = $s == "ab" ? $t : $s; '
        "print($s); let $u : string[8]; print($u); }"
    )
    assert script.run().values() == ["ab", "long text", "long text", ""]


# ---- against plain Python

_LEAVES = st.one_of(
    st.integers(-(1 << 63), (1 << 63) - 1).map(lambda n: (f"({n})", n)),
    st.sampled_from([("(int64)arg0", 0), ("(int64)arg1", 1)]),
)
_BINARY = ("+", "-", "*", "/", "%", "&", "|", "^", "<", "<=", ">", ">=", "==", "!=", "&&", "||")


def _extend(inner: Any) -> Any:
    return st.one_of(
        st.tuples(st.sampled_from(_BINARY), inner, inner),
        st.tuples(st.sampled_from(("-", "~", "!")), inner),
        st.tuples(st.just("?"), inner, inner, inner),
    )


_TREES = st.recursive(_LEAVES, _extend, max_leaves=12)


def _text(node: Any) -> str:
    if node[0] in ("-", "~", "!") and len(node) == 2:
        return f"(int64)({node[0]}{_text(node[1])})"
    if node[0] == "?":
        return f"({_text(node[1])} ? {_text(node[2])} : {_text(node[3])})"
    if len(node) == 3:
        return f"(int64)({_text(node[1])} {node[0]} {_text(node[2])})"
    return node[0] if "arg" in node[0] else f"(int64)({node[0]})"  # a cast is no literal: nothing is folded


def _python(node: Any, args: tuple[int, int]) -> int:
    """What 64-bit signed arithmetic gives."""
    op = node[0]
    if len(node) == 2 and op in ("-", "~", "!"):
        value = _python(node[1], args)
        return _signed({"-": -value, "~": ~value, "!": int(not value)}[op])
    if op == "?":
        return _python(node[2 if _python(node[1], args) else 3], args)
    if len(node) == 3:
        return _compute(op, _python(node[1], args), _python(node[2], args))
    return args[node[1]] if "arg" in op else int(node[1])


def _compute(op: str, a: int, b: int) -> int:
    if op in ("/", "%"):
        if b == 0:
            return 1
        quotient = abs(a) // abs(b) * (-1 if (a < 0) != (b < 0) else 1)
        return _signed(quotient if op == "/" else a - quotient * b)
    table = {
        "+": a + b,
        "-": a - b,
        "*": a * b,
        "&": a & b,
        "|": a | b,
        "^": a ^ b,
        "<": a < b,
        "<=": a <= b,
        ">": a > b,
        ">=": a >= b,
        "==": a == b,
        "!=": a != b,
        "&&": bool(a and b),
        "||": bool(a or b),
    }
    return _signed(int(table[op]))


_WORDS = st.integers(-(1 << 63), (1 << 63) - 1)


@settings(max_examples=60, deadline=None)
@given(_TREES, st.tuples(_WORDS, _WORDS))
def test_arithmetic_is_that_of_64_bits(tree: Any, args: tuple[int, int]) -> None:
    script = Script(f"uprobe:program:main {{ print((int64)({_text(tree)})); }}")
    assert script.run(0, registers(*args)).values() == [_python(tree, args)]
