"""Whatever the text: a tree or a SourceError, soon."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probee.base.errors import SourceError
from probee.base.source import Source
from probee.bt.dump import render_tree
from probee.bt.parser import parse

SAMPLES = [
    'uprobe:/bin/x:"A::f", k=kprobe:f /pid == $1/ { @x[tid, "a\\n"] = count(); if a { $x++ } else { f(1) } }',
    "struct a { int b; }; config = { a = 1; } let @m = hash(5); macro m($a, @b, c) { { c + 1 } }",
    "fn f($a : struct x *) : void { return (uint8[4])$a - -1 ? 2ms : 0x1f; }",
    "begin { for ($i : 0..10) { unroll(3) { let $y : inet[8] = (a=1, b=(2,)); break; } } while 1 { @++ } }",
    'begin { _ = sizeof(struct x) + offsetof(typeof($a), b.c) + comptime f("x") ?: $#; /* c */ // d\n }',
]
WORDS = {word for sample in SAMPLES for word in sample.replace("(", " ( ").split()}
PIECES = [*sorted(WORDS), *'({[)}]"/\n']


def outcome(text: str) -> str:
    """The dump, or the message as it is printed: both must be possible."""
    try:
        return render_tree(parse(Source("test", text), ["1"]))
    except SourceError as error:
        for diagnostic in error.diagnostics:
            assert diagnostic.span is not None
            assert 0 <= diagnostic.span.start <= diagnostic.span.end <= len(text)
        return error.render()


@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    outcome(text)
    outcome("begin { " + text)


@given(st.lists(st.sampled_from(PIECES), max_size=40), st.sampled_from(["", " "]))
def test_pieces_in_any_order(pieces: list[str], between: str) -> None:
    outcome(between.join(pieces))
    outcome("begin { " + between.join(pieces) + " }")


@given(st.sampled_from(SAMPLES), st.data())
def test_a_script_with_a_part_changed(sample: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(sample)))
    end = data.draw(st.integers(start, min(start + 8, len(sample))))
    outcome(sample[:start] + data.draw(st.sampled_from(PIECES)) + sample[end:])


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_beginning_of_a_script(sample: str) -> None:
    assert outcome(sample).startswith("Script ")
    for end in range(len(sample)):
        outcome(sample[:end])


@pytest.mark.parametrize(
    "unit",
    [
        "(",
        "{",
        "[",
        "a?",
        "a?:",
        "!",
        "-",
        "++",
        "(int8)",
        "@x[",
        "f(",
        "if a {",
        "a.b",
        "a+",
        "/",
        "/*",
        "//\n",
    ]
    + [
        "/ ",
        "/ /**/",
        '"',
        '\\"',
        "'",
        " ",
        "\n",
        "else if ",
        "a:",
        ",",
        "$",
        "@",
        "#",
        "struct a",
        "a{",
        "}",
    ]
    + [
        "(a",
        "(a*",
        "(a[",
        "struct a(",
        "k:f,",
        "1_",
        "begin{}",
        "#a\\\n",
        "typeof(",
        "__attribute__((",
        "0..",
        "\\",
    ],
)
@pytest.mark.parametrize(
    "head", ["", "begin { ", "begin { _ = ", "begin / ", "struct a { ", "struct a ", 'k:"']
)
def test_time_is_bounded(head: str, unit: str) -> None:
    text = head + unit * 3000
    began = time.process_time()
    outcome(text)
    assert time.process_time() - began < 1
