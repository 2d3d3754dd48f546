"""Functions of one's own: their parameters, what they return and from where."""

from __future__ import annotations

from typing import Any

import pytest

from builders.scripts import Script, complaints, errors

from .in_kernel import check_agreement, live_target

_SCRIPTS: list[tuple[str, list[Any]]] = [
    (
        "fn add($a : int64, $b : int64) : int64 { return $a + $b; } "
        "begin { print(add(1, 2)); $a = 5; print(add($a, add(1, $a))); print($a); }",
        [3, 11, 5],
    ),
    (
        "fn root($n : uint64) : uint64 { for $i : 0..10 { if $i * $i > $n { return $i; } } return 99; } "
        "begin { print(root(30)); print(root(1000)); }",
        [6, 99],
    ),
    (
        'fn name($x : uint8) : string { if $x == 1 { return "one"; } else { return "another"; } } '
        'begin { print(name(1)); $s = name(2); print($s); print(name(1) == "one"); }',
        ["one", "another", True],
    ),
    (
        "fn count_it() : void { @n++; if @n > 1 { return; } @m++; } "
        'begin { count_it(); count_it(); count_it(); printf("%d %d", @n, @m); }',
        [3, 1],
    ),
    (
        "fn maybe($x : int32) : int32 { if $x { return 5; } return 0; } "
        "begin { print(maybe(1)); print(maybe(0)); }",
        [5, 0],
    ),
    (
        "fn inner($i : int64) : int64 { $s = (int64)0; for $k : 0..$i { if $k == 3 { continue; } $s += $k; } "
        "return $s; } begin { for $i : 0..9 { print(inner($i)); if inner($i) > 5 { break; } } }",
        [0, 0, 1, 3, 3, 7],
    ),
    (
        "macro twice(x) { x * 2 } fn f($a : uint8) : uint64 { return twice($a + 1); } "
        "macro m(x) { f(x) } begin { print(m(4)); }",
        [10],
    ),
    (
        "fn change($x : int64) : int64 { $x++; return $x; } begin { $x = 1; print(change($x)); print($x); }",
        [2, 1],
    ),
]


@pytest.mark.parametrize(("text", "values"), _SCRIPTS)
def test_calls(text: str, values: list[Any]) -> None:
    assert Script(text).run().values() == values


@pytest.mark.kernel
@pytest.mark.parametrize(("text", "values"), _SCRIPTS)
def test_calls_in_the_kernel(text: str, values: list[Any]) -> None:
    assert check_agreement(Script(text, target=live_target())) == values


@pytest.mark.parametrize(
    ("text", "marked", "message"),
    [
        (
            "fn f() : int8 { return 500; } begin { f(); }",
            "return 500;",
            "Function f is of type int8, cannot return int16",
        ),
        (
            "fn f() : void { return 5; } begin { f(); }",
            "return 5;",
            "Function f is of type void, cannot return int8",
        ),
        (
            "fn f() : int8 { return; } begin { f(); }",
            "return;",
            "Function f is of type int8, cannot return void",
        ),
        (
            "fn f($x : int8) : int8 { return f($x); } begin { f(1); }",
            "f($x)",
            "Recursive function call detected. Call chain: f > f",
        ),
        ("fn f($x : int8) : int8 { } begin { f(); }", "f()", "Function `f` requires 1 arguments, got 0"),
        (
            'fn f($x : int8) : int8 { return 1; } begin { f("a"); }',
            '"a"',
            "Type mismatch for $x: trying to assign value of type 'string[2]' when variable already has a "
            "type 'int8'",
        ),
        (
            "fn f() : void { break; } begin { while (1) { f(); } }",
            "break",
            "'break' statement is not allowed in a function",
        ),
        ("fn f() : void { $y; } begin { $y = 1; f(); }", "$y", "Undefined or undeclared variable: $y"),
        ("fn f() : void { } fn f() : void { } begin { }", "fn f() : void { }", "Redefinition of function: f"),
    ],
)
def test_errors(text: str, marked: str, message: str) -> None:
    assert complaints(text) == [(marked, message)]


def test_calls_that_double_are_refused() -> None:
    macros = "".join([f"macro m{n}() {{ m{n - 1}; m{n - 1}; }} " for n in range(1, 40)])
    (error,) = errors(f"macro m0() {{ 1 }} {macros} begin {{ m39; }}")
    assert error.message == "macros and functions come to more than 5000 calls"
