"""bpftrace itself prints the same values; only BEGIN runs, so that nothing is traced.

Accepted differences, of bpftrace 0.17: a blank after a histogram's `@x:`.
"""

from __future__ import annotations

import subprocess

import pytest

from events.fakes import encode_event, frame, make_layout
from probee.ctype.types import INT64
from probee.events.aggregate import Histogram, hist_bound, lhist_bound
from probee.render.histogram import render_histogram
from probee.render.output import Context
from probee.render.printf import compile_format
from probee.spec.values import Buffer, Hist, LHist, Str

pytestmark = pytest.mark.needs("root", "bpf", "bpftrace")


def run(script: str) -> str:
    command = ["bpftrace", "-e", f"BEGIN {{ {script} exit() }}"]
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
