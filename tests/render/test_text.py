from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from events.fakes import encode_event, frame, make_layout
from probee.base.errors import InternalError
from probee.base.source import Source, Span
from probee.ctype.types import (
    BOOL,
    INT32,
    INT64,
    UINT8,
    UINT64,
    Array,
    CType,
    Enum,
    Member,
    Ptr,
    Struct,
    Void,
)
from probee.events.aggregate import Histogram, Stats
from probee.events.batch import Batch, stride_of
from probee.render.output import Context
from probee.render.sink import Sink
from probee.render.text import TextOutput
from probee.render.value import compile_text
from probee.spec.bundle import Variable
from probee.spec.values import Avg, Buffer, Count, Hist, LHist, Min, Str, Sum, Timestamp, Tuple
from probee.spec.values import Stats as StatsType

if TYPE_CHECKING:
    from collections.abc import Callable

DAY = 86_400 * 10**9


class Screen:
    """A TextOutput and what it has printed."""

    def __init__(self, clock: Callable[[], int] = lambda: DAY) -> None:
        self.pipes = [os.pipe(), os.pipe()]
        out, err = (Sink(write, "pipe") for _, write in self.pipes)
        self.output = TextOutput(out, err, Context(clock=clock))

    def read(self, which: int = 0) -> str:
        self.output.flush()
        os.write(self.pipes[which][1], b"\0")
        return os.read(self.pipes[which][0], 1 << 16)[:-1].decode()

    def close(self) -> None:
        for pair in self.pipes:
            for fd in pair:
                os.close(fd)


@pytest.fixture
def screen() -> Any:
    screen = Screen()
    yield screen
    screen.close()


def keyed(value: CType, key: CType = INT64) -> Variable:
    return Variable("@x", key, value, "x")


def scalar(value: CType) -> Variable:
    return Variable("@x", None, value, "x")


@pytest.mark.parametrize(
    ("type", "value", "text"),
    [
        (INT64, -5, "-5"),
        (BOOL, False, "false"),
        (Ptr(Void()), 0xFFFF, "0xffff"),
        (Void(), None, "null"),
        (Str(4), b"abc", "abc"),
        (Str(4), "abc", "abc"),
        (Buffer(4), b"a\x00~\x7f", r"a\x00~\x7f"),
        (Tuple((INT32, Str(2))), (1, b"a"), "(1, a)"),
        (Tuple((INT32, Str(2)), ("a", "b")), {"a": 1, "b": b"x"}, "{ .a = 1, .b = x }"),
        (Array(UINT8, 3), [1, 2, 3], "[1,2,3]"),
        (Struct("s", 0, ()), {}, "{}"),
        (Enum("e", 4, True, (("A", -1),)), -1, "A"),
        (Enum("e", 4, True, (("A", -1),)), -2, "4294967294"),
        (StatsType(True), Stats(3, 2, 6), "{ .count = 3, .average = 2, .total = 6 }"),
        (Timestamp(), 0, "(?)"),
    ],
)
def test_values(type: CType, value: Any, text: str) -> None:
    assert compile_text(type, Context())(value) == text.encode()


def test_members_of_anonymous_structs_are_the_outer_ones() -> None:
    inner = Struct("", 4, (Member("b", INT32, 0),), "union")
    type = Struct("s", 8, (Member("a", INT32, 0), Member("", inner, 32)))
    assert compile_text(type, Context())({"a": 1, "b": 2}) == b"{ .a = 1, .b = 2 }"


@pytest.mark.parametrize(
    ("variable", "entries", "text"),
    [
        (keyed(INT64), [(1, 5), (2, -3), (3, 4)], "@x[2]: -3\n@x[3]: 4\n@x[1]: 5\n"),
        (keyed(Str(4), Str(4)), [(b"b", b"1"), (b"a", b"2")], "@x[a]: 2\n@x[b]: 1\n"),
        (keyed(Count(), Tuple((INT64, Str(4)))), [((1, b"b"), 2), ((1, b"a"), 2), ((-1, b"z"), 2)],
         "@x[-1, z]: 2\n@x[1, a]: 2\n@x[1, b]: 2\n"),
        (keyed(Ptr(Void()), Str(4)), [(b"b", 1), (b"a", 2)], "@x[a]: 0x2\n@x[b]: 0x1\n"),
        (keyed(Min(True)), [(1, 3), (2, -9)], "@x[2]: -9\n@x[1]: 3\n"),
        (keyed(Avg(True)), [(1, 3), (2, -9)], "@x[2]: -9\n@x[1]: 3\n"),
        (keyed(StatsType(True)), [(1, Stats(1, 9, 9)), (2, Stats(5, 1, 5))],
         "@x[2]: { .count = 5, .average = 1, .total = 5 }\n"
         "@x[1]: { .count = 1, .average = 9, .total = 9 }\n"),
        (keyed(INT64, Str(8)), [(b"(a)", 1)], "@x[(a)]: 1\n"),
        (keyed(Tuple((INT64, INT64)), INT64), [(1, (2, 3))], "@x[1]: (2, 3)\n"),
        (keyed(INT64), [], ""),
        (scalar(INT64), 5, "@x: 5\n"),
        (scalar(INT64), None, "@x: 0\n"),
        (scalar(Str(4)), None, "@x: \n"),
        (scalar(StatsType(False)), None, "@x: { .count = 0, .average = 0, .total = 0 }\n"),
        (scalar(Hist()), None, ""),
        (scalar(Hist()), Histogram(Hist(), (0,) * 66), "@x:\n\n"),
    ],
)  # fmt: skip
def test_maps(screen: Screen, variable: Variable, entries: Any, text: str) -> None:
    screen.output.map(variable, entries)
    assert screen.read() == text


@pytest.mark.parametrize(
    ("value", "entries", "top", "div", "text"),
    [
        (INT64, [(1, 1), (2, 5), (3, 4), (4, -9)], 2, 2, "@x[3]: 2\n@x[2]: 2\n"),
        (INT64, [(1, -7)], 9, 2, "@x[1]: -3\n"),
        (Sum(False), [(1, 7)], 0, 2, "@x[1]: 3\n"),
        (StatsType(True), [(1, Stats(2, 50, 100))], 0, 10,
         "@x[1]: { .count = 2, .average = 5, .total = 100 }\n"),
        (BOOL, [(1, True)], 0, 5, "@x[1]: true\n"),
    ],
)  # fmt: skip
def test_top_and_div(screen: Screen, value: CType, entries: Any, top: int, div: int, text: str) -> None:
    screen.output.map(keyed(value), entries, top, div)
    assert screen.read() == text


def test_keyed_histograms_go_up_by_their_total(screen: Screen) -> None:
    type = LHist(0, 100, 100)
    entries = [(1, Histogram(type, (3, 0, 0))), (2, Histogram(type, (0, 2, 0)))]
    screen.output.map(keyed(type), entries)
    bar = "@" * 52
    assert screen.read() == (
        f"@x[2]:\n[0, 100)               2 |{bar}|\n\n@x[1]:\n(..., 0)               3 |{bar}|\n\n"
    )


def test_events(screen: Screen) -> None:
    layout = make_layout([Tuple((INT32, INT32))], kind="print_value")
    data = b"".join(frame(encode_event(layout, [(n, -n)])) for n in range(2))
    screen.output.events(Batch(layout, stride_of(layout), 2, memoryview(data)))
    line = make_layout([UINT64], id=8, format="<%d>")
    screen.output.events(Batch(line, stride_of(line), 1, memoryview(frame(encode_event(line, [23])))))
    assert screen.read() == "(0, 0)\n(1, -1)\n<23>"
    odd = make_layout([], id=9, kind="exit")
    with pytest.raises(InternalError):
        screen.output.events(Batch(odd, stride_of(odd), 0, b""))


def test_what_is_said_about_the_program_goes_to_stderr(screen: Screen) -> None:
    source = Source("stdin", "BEGIN { x }")
    screen.output.attached(1)
    screen.output.attached(2)
    screen.output.lost(23)
    screen.output.warning("map full", Span(source, 8, 9), "more room")
    screen.output.value(INT64, 5)
    screen.output.time("%Y")
    screen.output.end()
    assert screen.read(1) == (
        "Attached 1 probe\nAttached 2 probes\nLost 23 events\n"
        "stdin:1:9-10: WARNING: map full\nBEGIN { x }\n        ~\nHINT: more room\n"
    )
    assert screen.read() == "5\n1970\n\n"
