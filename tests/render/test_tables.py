"""Output for other programs: CSV, folded stacks, one JSON array."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probee.ctype.types import INT64
from probee.events.aggregate import Histogram, Stats
from probee.events.stack import Taken
from probee.render.array import ArraySink
from probee.render.output import Context
from probee.render.sink import HELD, Sink
from probee.render.tables import CsvOutput, FoldedOutput, quote
from probee.spec.bundle import Variable
from probee.spec.values import Count, LHist, Stack, Str, Tuple
from probee.spec.values import Stats as StatsType
from probee.symbols.frame import Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from probee.render.text import TextOutput


class Symbols:
    """Names of code: by address."""

    def user(
        self, pid: int, program: int, addresses: list[int], python: tuple[int, ...] = ()
    ) -> list[tuple[Frame, ...]]:
        names = {1: ("leaf", "caller"), 2: ("a;b",)}
        return [tuple(Frame(a, name) for name in names.get(a, ("",))) for a in addresses]

    def kernel(self, addresses: list[int]) -> list[tuple[Frame, ...]]:
        return [(Frame(a, f"k{a}"),) for a in addresses]


class Pages:
    """Two files, for what goes to the output and for all else."""

    def __init__(self) -> None:
        self.files = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115

    def make(self, kind: Callable[[Sink, Sink, Context], TextOutput]) -> TextOutput:
        out, err = (Sink(file.fileno(), "file") for file in self.files)
        return kind(out, err, Context(symbols=Symbols))

    def read(self) -> tuple[str, str]:
        for file in self.files:
            file.seek(0)
        out, err = (file.read().decode() for file in self.files)
        return out, err


@pytest.fixture
def pages() -> Iterator[Pages]:
    pages = Pages()
    yield pages
    for file in pages.files:
        file.close()


HISTOGRAM = Histogram(LHist(0, 10, 5), (2, 0, 3, 4))


@pytest.mark.parametrize(
    ("variable", "entries", "options", "rows"),
    [
        (Variable("@x", None, INT64, "x"), -5, (), ["@x,,,-5"]),
        (Variable("@x", None, INT64, "x"), None, (), ["@x,,,0"]),
        (Variable("@x", INT64, INT64, "x"), [(2, 7), (1, 9)], (), ["@x,2,,7", "@x,1,,9"]),
        (Variable("@x", INT64, INT64, "x"), [(2, 7), (1, 9)], (1, 3), ["@x,1,,3"]),
        (Variable("@x", Tuple((Str(9), INT64)), Count(), "x"), [((b'a"b', 1), 1)], (), ['@x,"a""b, 1",,1']),
        (
            Variable("@x", None, StatsType(True), "x"), Stats(2, 5, 10), (),
            ["@x,,count,2", "@x,,average,5", "@x,,total,10"],
        ),
        (
            Variable("@x", INT64, LHist(0, 10, 5), "x"), [(1, HISTOGRAM)], (0, 0, 50_000),
            ["@x,1,..-1,2", "@x,1,0..4,0", "@x,1,5..9,3", "@x,1,10..,4", "@x,1,p50,9"],
        ),
    ],
)  # fmt: skip
def test_rows_of_a_table(
    pages: Pages, variable: Variable, entries: Any, options: tuple[int, ...], rows: list[str]
) -> None:
    output = pages.make(CsvOutput)
    output.map(variable, entries, *options)
    output.value(INT64, 23)
    output.end()
    output.flush()
    assert pages.read() == ("\n".join(["map,key,field,value", *rows, ""]), "23\n")


@given(st.binary(max_size=20).filter(lambda text: b"\0" not in text))
def test_any_text_is_one_field(text: bytes) -> None:
    line = io.StringIO((b"x,%b,y\n" % quote(text)).decode("latin-1"), newline="")
    assert list(csv.reader(line)) == [["x", text.decode("latin-1"), "y"]]


def _taken(*frames: int, pid: int = 7) -> Taken:
    return Taken((frames, pid, 0, False))


USER, KERNEL = Stack(False, "bpftrace", 9), Stack(True, "bpftrace", 9)


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        (USER, _taken(1, 3), "0x3;caller;leaf 5"),
        (USER, _taken(2), "a:b 5"),
        (Tuple((KERNEL, USER, Str(9))), (_taken(8, 9, pid=0), _taken(2), b"me"), "me;a:b;k9_[k];k8_[k] 5"),
        (Tuple((USER, INT64), ("s", "n")), {"s": _taken(), "n": 4}, "4 5"),
    ],
)
def test_folded_stacks(pages: Pages, key: Any, value: Any, line: str) -> None:
    output = pages.make(FoldedOutput)
    output.map(Variable("@x", key, Count(), "x"), [(value, 5)])
    output.flush()
    assert pages.read() == (f"{line}\n", "")


def test_what_has_no_stack_or_no_number_is_not_folded(pages: Pages) -> None:
    output = pages.make(FoldedOutput)
    output.map(Variable("@x", INT64, Count(), "x"), [(1, 5)])
    output.map(Variable("@s", USER, StatsType(True), "s"), [(_taken(2), Stats(1, 2, 2))])
    output.value(INT64, 23)
    output.end()
    output.flush()
    out, err = pages.read()
    assert out == ""
    assert err.startswith("@x[1]: 5\n@s[")
    assert err.endswith("{ .count = 1, .average = 2, .total = 2 }\n23\n")


@pytest.mark.parametrize("pieces", [[], [b"1\n"], [b"1\n2\n", b"", b'{"a": "\\n"}\n']])
def test_lines_become_an_array(pieces: list[bytes]) -> None:
    with tempfile.TemporaryFile() as file:
        sink = ArraySink(file.fileno(), "file")
        for piece in pieces:
            sink.write(piece)
            sink.flush()
        sink.close()
        file.seek(0)
        values = json.loads(file.read())
    assert values == [json.loads(line) for line in b"".join(pieces).splitlines()]


def test_a_sink_that_holds_writes_when_it_is_full_or_closed() -> None:
    with tempfile.TemporaryFile() as file:
        sink = Sink(file.fileno(), "file", hold=True)
        sink.write(b"x" * (HELD - 1))
        sink.flush()
        assert file.seek(0, 2) == 0
        sink.write(b"x")
        sink.flush()
        assert file.seek(0, 2) == HELD
        sink.write(b"x")
        sink.close()
        assert file.seek(0, 2) == HELD + 1
