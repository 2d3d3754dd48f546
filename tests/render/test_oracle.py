"""bpftrace itself prints the same values; only BEGIN runs, so that nothing is traced.

Accepted differences, of bpftrace 0.17 to the current one: a blank after a histogram's `@x:`; in JSON, `, `
between the buckets of an array, and keys that keep their spaces.
"""

from __future__ import annotations

import json
import subprocess
import tempfile

import pytest

from events.fakes import encode_event, frame, make_layout
from probee.ctype.types import INT64
from probee.events.aggregate import Histogram, Stats, hist_bound, lhist_bound
from probee.render.histogram import render_histogram
from probee.render.json import JsonOutput
from probee.render.output import Context
from probee.render.printf import compile_format
from probee.render.sink import Sink
from probee.spec.bundle import Variable
from probee.spec.values import Avg, Buffer, Count, Hist, LHist, Str, Tuple
from probee.spec.values import Stats as StatsType

pytestmark = pytest.mark.needs("root", "bpf", "bpftrace")


def run(script: str, *options: str) -> str:
    command = ["bpftrace", *options, "-e", f"BEGIN {{ {script} exit() }}"]
    result = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60)
    return result.stdout.partition("\n")[2]


def test_printf() -> None:
    cases = [
        *[
            (f, INT64, n)
            for f in ("%d", "%5d", "%-7u", "%08x", "%ld", "%lx", "%hhd", "%.4d")
            for n in (-42, 300)
        ],
        *[("%c", INT64, 65), ("%p", INT64, 4096), ("%p", INT64, 0)],
        *[(f, Str(64), b"text") for f in ("%s", "%9s", "%-9s", "%.2s", "%6.2s")],
        ("%r", Buffer(5), b"a\x01\xffz~"),
    ]
    layout = make_layout([t for _, t, _ in cases], format="|".join(f for f, _, _ in cases) + "\n")
    ours = compile_format(layout, Context())(frame(encode_event(layout, [v for _, _, v in cases])))
    sources = {
        INT64: str,
        Str(64): lambda v: f'"{v.decode()}"',
        Buffer(5): lambda v: r'buf("a\x01\xffz~", 5)',
    }
    theirs = "".join(f'printf("{f}|", {sources[t](v)});' for f, t, v in cases)
    assert run(theirs).split("\n")[0] == ours.decode().replace("\n", "|")


@pytest.mark.parametrize("type", [Hist(), LHist(100, 5000, 100), LHist(0, 10240, 1024)])
def test_histograms(type: Hist | LHist) -> None:
    numbers = [-101, -1, 0, 1, 2, 3, 3, 3, 7, 8, 100, 1023, 1024, 4999, 5000, 70000]
    bound = hist_bound if isinstance(type, Hist) else lhist_bound
    counts = [0] * type.buckets
    for number in numbers:
        below = [b for b in range(1, type.buckets) if bound(type, b) <= number]
        counts[max(below, default=0)] += 1
    call = "hist({})" if isinstance(type, Hist) else f"lhist({{}}, {type.min}, {type.max}, {type.step})"
    theirs = run("".join(f"@x = {call.format(n)};" for n in numbers))
    lines = theirs.strip("\n").splitlines()
    assert lines[0] == "@x: "
    assert lines[1:] == render_histogram(Histogram(type, tuple(counts))).decode().splitlines()


def test_json_of_maps() -> None:
    theirs = run(
        '@a[1, "xy"] = 5; @a[-1, "b"] = 3; @b = avg(-7); @c = stats(5); @d = (1, "t"); @e = hist(5);'
        "@e = hist(-1); @f[7] = count();",
        "-f",
        "json",
    )
    histogram = Histogram(Hist(), (1, 0, 0, 0, 1) + (0,) * 61)
    maps = [
        (Tuple((INT64, Str(64))), INT64, [((1, b"xy"), 5), ((-1, b"b"), 3)]),
        (None, Avg(True), -7),
        (None, StatsType(True), Stats(1, 5, 5)),
        (None, Tuple((INT64, Str(64))), (1, b"t")),
        (None, Hist(), histogram),
        (INT64, Count(), [(7, 1)]),
    ]
    with tempfile.TemporaryFile() as file:
        output = JsonOutput(Sink(file.fileno(), "file"))
        for name, (key, value, entries) in zip("abcdef", maps, strict=True):
            output.map(Variable(f"@{name}", key, value, name), entries)
        output.flush()
        file.seek(0)
        ours = [json.loads(line) for line in file]
    assert [json.loads(line) for line in theirs.splitlines() if line] == ours
