"""Positions, excerpts and carets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from probee.base.errors import SourceError, TargetError
from probee.base.source import Diagnostic, Source, Span

TEXT = "BEGIN\n{\n\t@x = foo;\n}\n"
SOURCE = Source("a.bt", TEXT)


def span_of(text: str) -> Span:
    start = TEXT.index(text)
    return Span(SOURCE, start, start + len(text))


def test_error_with_caret() -> None:
    assert Diagnostic("ERROR", "unknown name", span_of("foo"), "did you mean 'fo'?").render() == (
        "a.bt:3:7-10: ERROR: unknown name\n    @x = foo;\n         ~~~\nHINT: did you mean 'fo'?"
    )


def test_error_over_lines() -> None:
    span = Span(SOURCE, TEXT.index("{"), TEXT.index("}") + 1)
    assert Diagnostic("WARNING", "odd", span).render() == ("a.bt:2-4: WARNING: odd\n{\n    @x = foo;\n}")


def test_end_of_text_has_a_place() -> None:
    span = Span(Source("stdin", "BEGIN {"), 7, 7)
    assert Diagnostic("ERROR", "expected }", span).render() == (
        "stdin:1:8-9: ERROR: expected }\nBEGIN {\n       ~"
    )


def test_without_a_place() -> None:
    assert TargetError("no such thing", hint="look").render() == "ERROR: no such thing\nHINT: look"
    assert SourceError([Diagnostic("ERROR", "a"), Diagnostic("ERROR", "b")]).render() == "ERROR: a\nERROR: b"


@given(st.text(alphabet="ab\n\t", max_size=60), st.integers(0, 60))
def test_position_is_found_again(text: str, offset: int) -> None:
    offset = min(offset, len(text))
    line, column = Source("s", text).position(offset)
    assert sum(len(part) + 1 for part in text.split("\n")[: line - 1]) + column - 1 == offset
