"""Macros: what a call becomes, what it can't see, and what messages say of it."""

from __future__ import annotations

from typing import Any

import pytest

from builders.scripts import Script, complaints, errors

from .in_kernel import check_agreement, live_target

_SCRIPTS: list[tuple[str, list[Any]]] = [
    ("macro inc($x) { $x += 1; } begin { $a = 1; inc($a); inc($a); print($a); }", [3]),
    ("macro inc($x) { $x++; $x } begin { $a = 1; $b = inc($a); print(($a, $b)); }", [(2, 2)]),
    ("macro set(@x) { @x[1] = 2; } begin { @a[1] = 1; set(@a); print(@a[1]); }", [2]),
    ("macro get(@x) { 1 + @x[1] } begin { @a[1] = 1; print(get(@a)); }", [2]),
    ("macro one() { $x = 1; $x } begin { $a = one; $x = 5; print(($a, one(), $x)); }", [(1, 1, 5)]),
    ("macro twice(x) { x * 2 } begin { $y = 4; print(twice($y + 1)); print(twice(twice(1))); }", [10, 4]),
    ("macro own(x) { $y = x + 1; $y } begin { $y = 2; $z = own($y); print(($y, $z)); }", [(2, 3)]),
    ("macro often(x) { x; x } begin { $n = 0; $m = often($n++); print(($n, $m)); }", [(2, 1)]),
    ("macro keep(x) { x } begin { $a = 1; print(keep($a)); }", [1]),
    ("macro b(x) { x + 1 } macro a(x) { b(x) * 2 } begin { print(a(1)); }", [4]),
    ("macro ident(one) { one } macro one() { 2 } begin { print(ident(1)); }", [1]),
    (
        "macro k($x) { 1 } macro k(@x) { 2 } macro k(x) { 3 } macro k(x, y) { 4 } "
        "begin { $q = 1; @q = 2; print((k($q), k(@q), k(5), k(1, 2))); }",
        [(1, 2, 3, 4)],
    ),
    ("macro m(t) { sizeof(t) + 2 } macro n(z) { print(m(typeof(z))); } begin { n(typeof(uint64*)); }", [10]),
    ("macro cast(a) { (a)300 } begin { print(cast(typeof(uint8))); }", [44]),
    ("macro off(r, f) { offsetof(r, f) } begin { print(off((a=1, b=2), b)); }", [1]),
    ("macro loop(n) { $s = (uint64)0; for $i : 0..n { $s += $i; } $s } begin { print(loop(4)); }", [6]),
    ('macro hello() { "hi" } begin { printf(hello()); print(hello); }', ["hi"]),
    ("macro strlen(x, y) { 1 } begin { print(delete(@a, 1)); @a[1] = 1; print(strlen(1, 2)); }", [False, 1]),
]


@pytest.mark.parametrize(("text", "values"), _SCRIPTS)
def test_calls(text: str, values: list[Any]) -> None:
    assert Script(text).run().values() == values


@pytest.mark.kernel
@pytest.mark.parametrize(("text", "values"), _SCRIPTS)
def test_calls_in_the_kernel(text: str, values: list[Any]) -> None:
    assert check_agreement(Script(text, target=live_target())) == values


_NONE_FITS = "Call to m() has arguments that do not match any definition."


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "macro m(@x) { 1 } begin { m(1); }",
            [
                ("m(1)", _NONE_FITS),
                ("1", "Mismatched arg. m() expects a map for arg @x but got an expression."),
            ],
        ),
        (
            "macro m($x) { 1 } begin { @a = 1; m(@a); }",
            [
                ("m(@a)", _NONE_FITS),
                ("@a", "Mismatched arg. m() expects a variable for arg $x but got a map."),
            ],
        ),
        ("macro m(x) { 1 } begin { m(); }", [("m()", _NONE_FITS)]),
        (
            "macro m() { n } macro n() { m } begin { m(); }",
            [("m", "Recursive macro call detected. Call chain: m > n > m")],
        ),
        (
            "macro m() { @z = 1; } begin { m(); }",
            [("@z", "Unhygienic access to map: @z. Maps must be passed into the macro as arguments.")],
        ),
        ("macro m() { $y } begin { $x = 1; m(); }", [("$y", "Undefined or undeclared variable: $y")]),
        (
            "macro m($x) { let $x = 1; } begin { $a = 1; m($a); }",
            [("let $x = 1", "Variable declaration shadows macro arg $x")],
        ),
        (
            "macro m($x, $x) { 1 } begin { }",
            [("$x", "Variable for macro argument has already been used: $x")],
        ),
        ("macro m(x) { 1 } macro m(y) { 2 } begin { }", [("macro m(y) { 2 }", "Redefinition of macro: m")]),
        (
            "macro m() { return; } begin { m(); }",
            [("return", "'return' statement is not allowed in a macro")],
        ),
        ("macro m() { break; } begin { m(); }", [("break", "'break' statement is not allowed in a macro")]),
        (
            "macro m(pid) { 1 } begin { }",
            [("pid", "syntax: builtin 'pid' can't be used as a macro argument")],
        ),
        (
            "macro m(x) { x + 1 } begin { print(m(typeof(5))); }",
            [("typeof(5)", "expected a value, got a type")],
        ),
    ],
)
def test_errors(text: str, found: list[tuple[str, str]]) -> None:
    assert complaints(text) == found


def test_messages_tell_where_a_macro_was_called() -> None:
    text = 'macro b($x) { $x = 1; } macro a($y) { b($y) } begin { $a = "text"; a($a); }'
    (error,) = errors(text)
    assert error.render().split("\n")[3:] == [
        "stdin:1:39-44: ERROR: expanded from",
        text,
        " " * 38 + "~~~~~",
        "stdin:1:68-73: ERROR: expanded from",
        text,
        " " * 67 + "~~~~~",
    ]
