"""Macros of C text in expressions: constants by their value, the rest by what their text says."""

from __future__ import annotations

import pytest

from builders.scripts import Script, complaints, errors
from probee.bt.cmacros import _MOST


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 + 3", 5),
        ('"a" "b"', "ab"),
        ("cpu + 1", 1),
        ("(5 > $a ? 1 : 2)", 2),
        ("$a + 1", 8),
        ("{ let $b = $a; $b * 2 }", 14),
        ("sizeof(uint32)", 4),
        ("(uint8)300", 44),
        ("twice(4)", 8),
        ("OTHER * 2", 14),
    ],
)
def test_what_a_macro_stands_for(text: str, value: object) -> None:
    script = Script(
        f"#define M {text}\n#define OTHER $a\nmacro twice(x) {{ x * 2 }} begin {{ let $a = 7; print(M); }}"
    )
    assert script.run().values() == [value]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("M+1", "Macro recursion: M"),
        ("{", "unable to expand macro as an expression: {"),
        ("1 2", "unable to expand macro as an expression: 1 2"),
        ("return 5", "unable to expand macro as an expression: return 5"),
        ("nosuch", "Unknown identifier: 'nosuch'"),
    ],
)
def test_what_is_no_expression(text: str, message: str) -> None:
    ((_, said),) = complaints(f"#define M {text}\nbegin {{ print(M); }}")
    assert said == message


def test_macros_that_name_each_other() -> None:
    (error,) = errors("#define A B\n#define B A + comm\nbegin { print(A); }")
    assert error.message == "Macro recursion: A->B"
    assert "expanded from" in error.render()


def test_what_macros_come_to_is_bounded() -> None:
    lines = [f"#define M{n} M{n + 1} + M{n + 1}\n" for n in range(40)]
    found = errors("".join(lines) + "#define M40 nsecs\nbegin { print(M0); }")
    assert f"macros come to more than {_MOST} expressions" in [d.message for d in found]


@pytest.mark.parametrize("head", ["#define A nsecs\n", "macro m(a) { a }\n"])
def test_hundreds_of_else_if(head: str) -> None:
    links = "".join([f" else if ($x == {n}) {{ print({n}) }}" for n in range(480)])
    script = Script(f"{head}begin {{ let $x = 477; if ($x == 1000) {{ print(1000) }}{links} }}")
    assert script.run().values() == [477]
