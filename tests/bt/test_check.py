"""What checking finds wrong, where, and in which words; and what it lets pass."""

from __future__ import annotations

import pytest

from builders.scripts import Script, complaints, errors, warnings
from probee.base.errors import TargetError

AT = "uprobe:program:main"


def _mismatch(name: str, new: str, old: str) -> str:
    kind = "variable" if name.startswith("$") else "map"
    return (
        f"Type mismatch for {name}: trying to assign value of type '{new}' "
        f"when {kind} already has a type '{old}'"
    )


@pytest.mark.parametrize(
    ("body", "marked", "message"),
    [
        # names
        ("print($x);", "$x", "Undefined or undeclared variable: $x"),
        ("if (1) { $x = 1; } print($x);", "$x", "Undefined or undeclared variable: $x"),
        ("print(@x);", "@x", "Undefined map: @x"),
        ("clear(@x);", "@x", "Undefined map: @x"),
        ("foo(1);", "foo", "Unknown function: 'foo'"),
        ("$x = bar;", "bar", "Unknown identifier: 'bar'"),
        (
            "$a = 1; let $a = 2;",
            "let $a",
            "Variable $a was already declared. Variable shadowing is not allowed.",
        ),
        # types that do not go together
        (
            '$x = 1; $x = "a";',
            '$x = "a"',
            _mismatch("$x", "string[2]", "int8"),
        ),
        (
            "@x = count(); @x = 5;",
            "@x = 5",
            _mismatch("@x", "int8", "count_t"),
        ),
        (
            "@x = count(); @x = sum(5);",
            "sum(5)",
            _mismatch("@x", "sum_t", "count_t"),
        ),
        (
            '@x = "a"; @x++;',
            "@x++",
            _mismatch("@x", "uint64", "string[2]"),
        ),
        (
            '@x[1] = 1; @x["a"] = 1;',
            '@x["a"]',
            "Argument mismatch for @x: trying to access with arguments: 'string[2]' "
            "when map expects arguments: 'int8'",
        ),
        (
            "@x[1, 2] = 1; @x[1] = 1;",
            "@x[1]",
            "Argument mismatch for @x: trying to access with arguments: 'int8' "
            "when map expects arguments: '(int8,int8)'",
        ),
        (
            "@x = 1; @x[1] = 1;",
            "@x[1]",
            "@x used as a map with an explicit key (non-scalar map), previously used without an explicit key "
            "(scalar map)",
        ),
        (
            "@x[1] = 1; @x = 1;",
            "@x",
            "@x used as a map without an explicit key (scalar map), previously used with an explicit key "
            "(non-scalar map)",
        ),
        ('$x = "a" == 1;', '"a" == 1', "Type mismatch for '==': comparing string[2] with int8"),
        (
            '$s = "a"; $x = $s - "b";',
            '$s - "b"',
            "The - operator can not be used on expressions of types string[2], string[2]",
        ),
        ('$x = -"a";', '-"a"', "The - operator can not be used on expressions of type 'string[2]'"),
        ('$s = "a"; if ($s) { }', "$s", "Invalid condition: string"),
        (
            '$x = pid ? "a" : 2;',
            'pid ? "a" : 2',
            "Branches must return the same type or compatible types: have 'string[2]' and 'int8'",
        ),
        (
            "let $x : int8 = 300;",
            "let $x : int8 = 300",
            _mismatch("$x", "int16", "int8"),
        ),
        ("let $x : strnig = 3;", "strnig", 'Cannot resolve unknown type "strnig"'),
        ('$x = (int32)"a";', "(int32)", 'Cannot cast from "string[2]" to "int32"'),
        ('$x = printf("a");', '$x = printf("a")', "Invalid expression for assignment"),
        ("@x = clear(@y); @y = 1;", "@x = clear(@y)", "Value 'void' cannot be assigned to a map."),
        ("@x[clear(@y)] = 1; @y = 1;", "clear(@y)", "Invalid map key type: void"),
        ("@x = hist(1); $y = (1, @x);", "@x", "Map type hist_t cannot exist inside a tuple."),
        ("@x = hist(1); $y = @x;", "$y = @x", "Value 'hist_t' cannot be assigned to a scratch variable."),
        (
            "@x = hist(1); @y = @x;",
            "@y = @x",
            "Map value 'hist_t' cannot be assigned from one map to another. The function that returns this "
            "type must be called directly e.g. `@y = hist(retval);`.",
        ),
        ("@x = hist(1); @y[@x] = 1;", "@y[@x]", "Value 'hist_t' cannot be used as a map key."),
        (
            "@x = hist(1); print(@x + 1);",
            "@x + 1",
            "Type mismatch for '+': comparing hist_t with int8",
        ),
        ("$x = 5 / 0;", "5 / 0", "unable to fold literals due to overflow or underflow"),
        ("break;", "break", "'break' statement is not allowed in a probe"),
        ('return "a";', 'return "a"', "Probe return values can only be integers. Found string[2]"),
        # calls
        ("count();", "count()", "count() must be assigned directly to a map"),
        ("$x = sum(1);", "sum(1)", "sum() must be assigned directly to a map"),
        ("@x = sum();", "sum()", "sum() requires one argument (0 provided)"),
        ("@x = lhist(1, 2);", "lhist(1, 2)", "lhist() requires 4 arguments (2 provided)"),
        ("printf();", "printf()", "printf() requires at least one argument (0 provided)"),
        ("print(1, 2, 3, 4);", "print(1, 2, 3, 4)", "print() takes up to 3 arguments (4 provided)"),
        ("$x = pid(1, 2);", "pid(1, 2)", "pid() takes up to one argument (2 provided)"),
        ('@x = sum("a");', '"a"', "sum() only supports integer arguments (string[2] provided)"),
        ("clear(5);", "5", "clear() expects a map argument"),
        ("@x[1] = 1; clear(@x[1]);", "@x[1]", "clear() expects a map argument"),
        ("printf(5);", "5", "printf() expects a string literal as format"),
        ("$x = 3; @y = hist(1, $x);", "$x", "hist() expects a constant integer as k"),
        ("@y = hist(1, 6);", "6", "hist: bits must be 0..5, got 6"),
        ("@y = lhist(1, 0, 10, 0);", "0", "lhist() step must be >= 1 (0 provided)"),
        (
            "@y = lhist(1, 10, 0, 1);",
            "lhist(1, 10, 0, 1)",
            "lhist() min must be less than max (provided min 10 and max 0)",
        ),
        (
            "@y = lhist(1, 0, 10, 20);",
            "20",
            "lhist() step is too large for the given range (provided step 20 for range 10)",
        ),
        (
            "@y = lhist(1, 0, 5000, 1);",
            "lhist(1, 0, 5000, 1)",
            "lhist() too many buckets, must be <= 1000 (would need 5000)",
        ),
        ("$x = str(1, -1);", "-1", "str() cannot use negative length (-1)"),
        ("$x = nsecs(mono);", "mono", "Invalid timestamp mode: mono"),
        (
            '$x = strftime("%H", nsecs(monotonic));',
            "nsecs(monotonic)",
            "strftime() can not take a monotonic timestamp",
        ),
        (
            "@x = hist(1); print(@x[1]);",
            "@x[1]",
            "@x used as a map with an explicit key (non-scalar map), previously used without an explicit key "
            "(scalar map)",
        ),
        (
            "@x[1] = hist(1); print(@x[1]);",
            "@x[1]",
            "Map type hist_t cannot print the value of individual keys. You must print the whole map.",
        ),
        ("print(5, 1);", "print(5, 1)", "Non-map print() only takes 1 argument, 2 found"),
        (
            "@x = 1; has_key(@x, 1);",
            "@x",
            "call to has_key() expects a map with explicit keys (non-scalar map)",
        ),
        (
            "@x[1] = 1; delete(@x);",
            "@x",
            "@x used as a map without an explicit key (scalar map), previously used with an explicit key "
            "(non-scalar map)",
        ),
        # printf
        (
            'printf("%d %d", 1);',
            'printf("%d %d", 1)',
            "printf: not enough arguments for format string (1 supplied, 2 expected)",
        ),
        (
            'printf("%d", 1, 2);',
            'printf("%d", 1, 2)',
            "printf: too many arguments for format string (2 supplied, 1 expected)",
        ),
        ('printf("%d %d", 1, "a");', '"a"', "printf: unsupported format specifier for type 'string[2]': d"),
        # what belongs to other probes
        ("$x = arg0;", "arg0", 'The arg0 builtin can not be used with "begin" probes'),
        (
            "$x = retval;",
            "retval",
            "The retval builtin can only be used with 'uretprobe' probes (begin used here)",
        ),
        ("$x = func;", "func", "The func builtin can not be used with 'begin' probes"),
        # not yet
    ],
)
def test_what_is_wrong(body: str, marked: str, message: str) -> None:
    assert (marked, message) in complaints(f"begin {{ {body} }}")


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        ("$count = 1; print($cuont);", "did you mean $count?"),
        ("@bytes = 1; print(@byte);", "did you mean @bytes?"),
        ("prinft(1);", "did you mean printf or print?"),
        ("let $x : unit32;", "did you mean uint32 or int32?"),
        ("@x = lhist(1);", "usage: lhist(n, min, max, step)"),
        ("$x = str();", "usage: str(address [, length])"),
        ("count();", "@name = count();"),
    ],
)
def test_hints(body: str, hint: str) -> None:
    assert hint in [d.hint for d in errors(f"begin {{ {body} }}")]


def test_every_independent_error_is_told_once_and_in_order() -> None:
    text = "begin { print($a); foo(); @x = sum(); } bgein { print($b); } end { nothing(); }"
    assert [span for span, _ in complaints(text)] == ["$a", "foo", "sum()", "bgein", "$b", "nothing"]


def test_one_mistake_is_one_error() -> None:
    assert len(complaints("begin { $x = foo + 1; $y = $x * 2; @z[$y] = $y; print(@z); }")) == 1


def test_types_are_merged_from_uses_in_any_order() -> None:
    script = Script(
        "begin { $a = @x; @y = $a; print(@z[1]); if (0) { @x = 5; } } "
        f'{AT} {{ @x = (int32)arg0; @z[(uint64)2] = "abc"; @z[1] = "a"; }}'
    )
    types = {v.name: (str(v.key) if v.key else None, str(v.value)) for v in script.bundle.variables}
    assert types == {"@x": (None, "int32"), "@y": (None, "int32"), "@z": ("uint64", "string[4]")}


@pytest.mark.parametrize(
    ("body", "type"),
    [
        ("@x = 1;", "int8"),
        ("@x = 128;", "int16"),
        ("@x = -129;", "int16"),
        ("@x = 40000;", "int32"),
        ("@x = 1; @x = (uint8)2;", "uint8"),
        ("@x = 300; @x = (uint8)2;", "uint16"),
        ("@x = (int8)1; @x = (uint8)2;", "int16"),
        ("@x = (int32)1; @x = (uint8)2;", "int32"),
        ("@x = (int64)1; @x = (uint64)2;", "int64"),
        ("@x = 9223372036854775808;", "uint64"),
        ("@y = 1; @x = @y + 2;", "int64"),
        ("@x = (uint32)1 + (uint32)2;", "uint64"),
        ("@x = (uint32)1 + (int32)2;", "int64"),
        ("@x = (uint64)10 + 2;", "uint64"),
        ("@x = (uint64)10 + (-1);", "int64"),
        ("@x = (uint32)2 - (uint32)1;", "int64"),
        ("@x = (1 == 2) + (1 == 1);", "bool"),
        ("@x = 1 && 2;", "bool"),
        ("@x++;", "uint64"),
        ("@x--;", "int64"),
        ("@x = -1; @x++;", "int64"),
        ("@x = pid;", "uint32"),
        ("@x = nsecs;", "uint64"),
        ("@x = comm;", "string[16]"),
        ("@x = (1, comm);", "(int8,string[16])"),
        ("@x = sum(5);", "sum_t"),
        ("@x = sum(pid);", "usum_t"),
        ("@x = sum(pid); @x = sum(-1);", "sum_t"),
        ("@y = count(); @x = (uint64)@y;", "uint64"),
        ("@y = min(-1); @x = (int64)@y;", "int64"),
        ('@x = strftime("%H", nsecs);', "timestamp"),
        ("$a = 1; $a = $a + 1; @x = $a;", "int64"),
    ],
)
def test_types(body: str, type: str) -> None:
    assert str(Script(f"begin {{ {body} }}").variable("@x").value) == type


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("begin { 5; }", [("5", "Return value discarded.")]),
        ("begin { _ = 5; pid; }", [("pid", "Return value discarded.")]),
        ("begin { exit(); @x = 1; @y = 1; }", [("@x = 1", "Unreachable statement.")]),
        ("begin { return; @x = 1; }", [("@x = 1", "Unreachable statement.")]),
        ("begin { let $x; print($x); $x = 1; }", [("$x", "Variable used before it was assigned: $x")]),
        ("let @x = hash(5); begin { }", [("let @x = hash(5);", "Unused map: @x")]),
        ("begin { $x = pid / 0; }", [("0", "Divide or modulo by 0: 1 is being used as the result.")]),
        (
            "begin { $x = (int64)7 / (int32)2; }",
            [
                (
                    "(int64)7 / (int32)2",
                    "signed operands for '/' can lead to undefined behavior "
                    "(cast to unsigned to silence warning)",
                )
            ],
        ),
        ("begin { $x = pid / 2; $y = -7 / 2; }", []),
        ("begin { print($1); }", [("$1", "Positional parameter $1 is empty or not provided. ")]),
        (
            "begin { print(str(nsecs, 5000)); }",
            [("5000", "length param (5000) is too long and will be shortened to 1024 bytes")],
        ),
    ],
)
def test_warnings(text: str, found: list[tuple[str, str]]) -> None:
    assert warnings(text) == found


@pytest.mark.parametrize(
    ("text", "marked", "message"),
    [
        (
            "let @x = hash(5); begin { @x[1] = count(); }",
            "@x",
            "Incompatible map types. Type from declaration: hash. Type from value/key type: percpuhash",
        ),
        (
            "config = { max_strlne = 5 } begin { }",
            "max_strlne = 5",
            "max_strlne: not a known configuration option",
        ),
        (
            "config = { max_strlen = 0 } begin { }",
            "max_strlen = 0",
            "max_strlen: expected a number of at least 1",
        ),
    ],
)
def test_heads_of_scripts(text: str, marked: str, message: str) -> None:
    assert (marked, message) in complaints(text)


def test_a_thing_that_is_not_there_is_a_target_error_with_a_span() -> None:
    with pytest.raises(TargetError, match=r"No matches for uprobe .*:read_lin\.") as caught:
        Script("uprobe:program:read_lin { }")
    assert caught.value.span is not None
    assert caught.value.span.text == "uprobe:program:read_lin"
    assert str(caught.value.hint).endswith("; did you mean read_line?")


@pytest.mark.parametrize(
    "text",
    [
        "begin { print(" + "+".join(["pid"] * 250) + "); }",
        "begin { print(" + "!" * 250 + "pid); }",
        "begin { if (pid) { @x[" + "~" * 240 + "1] = 1; } }",
    ],
)
def test_trees_too_deep_to_walk(text: str) -> None:
    assert [message for _, message in complaints(text)] == ["nested more than 200 levels deep"]


def test_what_is_long_but_not_deep() -> None:
    chain = " else ".join(f"if (pid == {n}) {{ @x = {n}; }}" for n in range(400))
    script = Script(f"begin {{ {chain} else {{ @x = -1; }} @y = {' + '.join(['pid'] * 150)}; }}")
    script.machine.pid = 377
    script.run()
    assert (script["@x"], script["@y"]) == (377, 150 * 377)
