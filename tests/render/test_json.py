from __future__ import annotations

import json
import os
import tempfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.fakes import TYPES, encode_event, frame, make_layout, values
from probee.base.errors import InternalError
from probee.base.source import Source, Span
from probee.ctype.types import BOOL, INT32, INT64, UINT64, Array, CType, Enum, Ptr, Void
from probee.events.aggregate import Histogram, Stats
from probee.events.batch import Batch, stride_of
from probee.events.decode import Form, compile_value
from probee.render.json import JsonOutput, compile_json, quote
from probee.render.output import Context
from probee.render.sink import Sink
from probee.render.value import compile_text
from probee.spec.bundle import Variable
from probee.spec.values import Avg, Buffer, Count, Hist, LHist, Str, Timestamp, Tuple
from probee.spec.values import Stats as StatsType


class Page:
    """A JsonOutput and the lines it has printed."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115
        self.output = JsonOutput(Sink(self.file.fileno(), "file"), Context(clock=lambda: 86_400 * 10**9))

    def read(self) -> str:
        self.output.flush()
        self.file.seek(0)
        return self.file.read().decode()


@pytest.fixture
def page() -> Any:
    page = Page()
    yield page
    page.file.close()


@pytest.mark.parametrize(
    ("type", "value", "text"),
    [
        (INT64, -5, "-5"),
        (INT64, 2**53, "9007199254740992"),
        (INT64, 2**53 + 1, '"9007199254740993"'),
        (UINT64, 2**64 - 1, '"18446744073709551615"'),
        (BOOL, True, "true"),
        (Void(), None, "null"),
        (Ptr(Void()), 16, "16"),
        (Enum("e", 4, False, (("A", 1),)), 1, "1"),
        (Str(9), b'a"\\\n\x01\xc3\xa4\xff', '"a\\"\\\\\\n\\u0001ä\\\\xff"'),
        (Buffer(3), b"a\xff", "[97,255]"),
        (Tuple((INT32, Str(2))), (1, b"a"), '[1,"a"]'),
        (Tuple((INT32, INT32), ("a", "b")), {"a": 1, "b": 2}, '{"a": 1, "b": 2}'),
        (Array(INT32, 2), [1, 2], "[1,2]"),
        (StatsType(True), Stats(2, 6, 12), '{"count": 2, "average": 6, "total": 12}'),
        (Timestamp("%s"), 23 * 10**9, '"23"'),
    ],
)
def test_values(type: CType, value: Any, text: str) -> None:
    assert compile_json(type, Context())(value) == text


@pytest.mark.parametrize(
    ("variable", "entries", "line"),
    [
        (Variable("@x", None, INT64, "x"), 5, '{"type": "map", "data": {"@x": 5}}\n'),
        (Variable("@x", None, INT64, "x"), None, '{"type": "map", "data": {"@x": 0}}\n'),
        (Variable("@x", Tuple((Str(4), INT64)), Count(), "x"), [((b"a b", 2), 3), ((b"c", 1), 1)],
         '{"type": "map", "data": {"@x": {"c,1": 1, "ab,2": 3}}}\n'),
        (Variable("@x", INT64, INT64, "x"), [], ""),
        (Variable("@x", None, Avg(True), "x"), 5, '{"type": "stats", "data": {"@x": 5}}\n'),
        (Variable("@x", INT64, StatsType(True), "x"), [(1, Stats(2, 6, 12))],
         '{"type": "stats", "data": {"@x": {"1": {"count": 2, "average": 6, "total": 12}}}}\n'),
        (Variable("@x", None, LHist(0, 10, 5), "x"), Histogram(LHist(0, 10, 5), (1, 0, 2, 3)),
         '{"type": "hist", "data": {"@x": [{"max": -1, "count": 1},{"min": 0, "max": 4, "count": 0},'
         '{"min": 5, "max": 9, "count": 2},{"min": 10, "count": 3}]}}\n'),
        (Variable("@x", None, Hist(), "x"), Histogram(Hist(), (0,) * 66),
         '{"type": "hist", "data": {"@x": []}}\n'),
        (Variable("@x", None, Hist(), "x"), None, ""),
    ],
)  # fmt: skip
def test_maps(page: Page, variable: Variable, entries: Any, line: str) -> None:
    page.output.map(variable, entries)
    assert page.read() == line


def test_messages(page: Page) -> None:
    page.output.attached(2)
    page.output.lost(23)
    page.output.time("%d\n")
    page.output.value(Tuple((INT64, Str(4))), (1, b"a"))
    page.output.warning("map full", Span(Source("a.bt", "x\n  y"), 4, 5))
    page.output.end()
    assert page.read() == (
        '{"type": "attached_probes", "count": 2, "data": {"probes": 2}}\n'
        '{"type": "lost_events", "count": 23, "data": {"events": 23}}\n'
        '{"type": "time", "data": "02\\n"}\n'
        '{"type": "value", "data": [1,"a"]}\n'
        '{"type": "runtime_error", "msg": "map full", "filename": "a.bt", "line": 2, "col": 3}\n'
    )


def test_top_and_div(page: Page) -> None:
    page.output.map(Variable("@x", INT64, INT64, "x"), [(1, 10), (2, 30), (3, 20)], 2, 10)
    page.output.map(Variable("@h", None, Hist(), "h"), Histogram(Hist(), (0, 30, 1)), 0, 10)
    first, second = map(json.loads, page.read().splitlines())
    assert first["data"] == {"@x": {"3": 2, "2": 3}}
    assert second["data"] == {"@h": [{"min": 0, "max": 0, "count": 3}, {"min": 1, "max": 1, "count": 0}]}


def test_printf_is_one_object_a_record(page: Page) -> None:
    layout = make_layout([INT32, Str(8)], format='%d "%s" {}\n')
    data = b"".join(frame(encode_event(layout, [n, b"\xff"])) for n in range(2))
    page.output.events(Batch(layout, stride_of(layout), 2, memoryview(data)))
    lines = page.read().splitlines()
    assert lines[0] == '{"type": "printf", "data": "0 \\"\\\\xff\\" {}\\n"}'
    assert json.loads(lines[1]) == {"type": "printf", "data": '1 "\\xff" {}\n'}
    odd = make_layout([], id=9, kind="exit")
    with pytest.raises(InternalError):
        page.output.events(Batch(odd, stride_of(odd), 0, b""))


@given(TYPES.flatmap(lambda t: st.tuples(st.just(t), st.lists(values(t), min_size=1, max_size=3))))
def test_every_value_is_a_line_of_json(case: tuple) -> None:
    type, sent = case
    layout = make_layout([type], kind="print_value")
    data = b"".join(frame(encode_event(layout, [value])) for value in sent)
    read, write = os.pipe()
    output = JsonOutput(Sink(write, "pipe"))
    output.events(Batch(layout, stride_of(layout), len(sent), memoryview(data)))
    output.flush()
    os.close(write)
    with open(read, "rb") as file:
        lines = [json.loads(line) for line in file]
    encode = compile_json(type, Context())
    assert lines == [{"type": "value", "data": json.loads(encode(value))} for value in sent]


@given(TYPES, st.data())
def test_any_bytes_of_the_right_size_can_be_shown(type: CType, data: st.DataObject) -> None:
    memory = data.draw(st.binary(min_size=type.size, max_size=type.size))
    value = compile_value(type, Form(raw=True))(memory)
    json.loads(compile_json(type, Context())(value))
    assert isinstance(compile_text(type, Context())(value), bytes)


@given(st.binary())
def test_any_bytes_are_a_json_string(data: bytes) -> None:
    assert json.loads(quote(data)) == data.decode("utf-8", "backslashreplace")
