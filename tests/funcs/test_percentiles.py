"""`print(@h, p50, p99_9)`: what is asked for, what it comes to, and how it is shown."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.scripts import Script, complaints, registers
from builders.shown import Shown
from probee.events.aggregate import Histogram, find_percentile, hist_bound
from probee.funcs import find
from probee.spec.bundle import Variable
from probee.spec.values import Hist, LHist

AT = "uprobe:program:main"


def _show(type: Hist | LHist, value: object, *numbers: int, key: bool = False, as_json: bool = False) -> str:
    from probee.ctype.types import INT64

    shown = Shown(json=as_json)
    variable = Variable("@h", INT64 if key else None, type, "h")
    shown.output.map(variable, [(5, value)] if key else value, *numbers)
    text = shown.out
    shown.close()
    return text


@pytest.mark.parametrize(
    ("call", "numbers"),
    [
        ("print(@h, p50)", (0, 0, 50_000)),
        ("print(@h, p50, p99_9, p100)", (0, 0, 50_000, 99_900, 100_000)),
        ("print(@h, 5, p0)", (5, 0, 0)),
        ("print(@h, 5, 10, p1_05)", (5, 10, 1_050)),
        ("print(@h, 5)", (5,)),
    ],
)
def test_what_is_asked_for(call: str, numbers: tuple[int, ...]) -> None:
    script = Script(f"begin {{ @h = hist(1); {call}; }}")
    assert [e.numbers for e in script.bundle.events] == [numbers]


@pytest.mark.parametrize(
    ("body", "marked", "message"),
    [
        ("@c = count(); print(@c, p50);", "p50", "percentiles are of hist() and lhist(), count_t provided"),
        ("print(p50);", "p50", "void type passed to print() is not printable"),
        ("@h = hist(1); print(@h, p100_5);", "p100_5", "expected a percentile of at most 100, got p100_5"),
        ("@h = hist(1); print(@h, pid);", "pid", "print() expects constant integers as top and div"),
        ("@h = hist(1); print(@h, -1);", "-1", "print() expects a positive number, got -1"),
        (
            "@h = hist(1); print(@h, 1, 2, 3);",
            "print(@h, 1, 2, 3)",
            "print() takes up to 3 arguments (4 provided)",
        ),
        ("print(5, 1);", "print(5, 1)", "Non-map print() only takes 1 argument, 2 found"),
    ],
)
def test_what_is_wrong(body: str, marked: str, message: str) -> None:
    assert (marked, message) in complaints(f"begin {{ {body} }}")


def test_names_that_are_no_percentiles() -> None:
    assert [find(name) for name in ("p", "p101", "p05", "p5_", "p5_1234", "pp5")] == [None] * 6


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 5000), min_size=1, max_size=60), st.integers(0, 100_000), st.integers(0, 5))
def test_it_is_in_the_bucket_of_the_one_that_is_meant(values: list[int], thousandths: int, k: int) -> None:
    script = Script(f"{AT} {{ @h = hist(arg0, {k}); }}")
    for value in values:
        script.run(0, registers(value))
    histogram = script["@h"]
    rank = max(-(-len(values) * thousandths // 100_000), 1)
    meant = sorted(values)[rank - 1]
    bounds = [hist_bound(Hist(k), n) for n in range(Hist(k).buckets + 1)]
    low = max(b for b in bounds if b is not None and b <= meant)
    high = min(b for b in bounds if b is not None and b > meant)
    assert low <= find_percentile(histogram, thousandths) < high


def _lhist(*counts: int) -> Histogram:
    return Histogram(LHist(0, 100, 50), counts)


@pytest.mark.parametrize(
    ("counts", "percents", "values"),
    [
        ((0, 1, 0, 0), (0, 50, 100), (25, 25, 25)),
        ((0, 50, 50, 0), (1, 50, 51, 100), (0, 49, 50, 99)),
        ((3, 1, 0, 0), (50, 100), (-1, 25)),
        ((0, 1, 0, 9), (50, 100), (100, 100)),
        ((0, 0, 0, 0), (50,), (0,)),
    ],
)
def test_values(counts: tuple[int, ...], percents: tuple[int, ...], values: tuple[int, ...]) -> None:
    assert tuple(find_percentile(_lhist(*counts), p * 1000) for p in percents) == values


def test_as_text() -> None:
    bar = "@" * 52
    line = f"[0, 50)                1 |{bar}|\np50: 25, p99.9: 25\n\n"
    assert _show(LHist(0, 100, 50), _lhist(0, 1, 0, 0), 0, 0, 50_000, 99_900) == f"@h:\n{line}"
    assert _show(LHist(0, 100, 50), _lhist(0, 1, 0, 0), 0, 0, 50_000, 99_900, key=True) == f"@h[5]:\n{line}"


def test_as_json() -> None:
    type, value = LHist(0, 100, 50), _lhist(0, 1, 0, 0)
    buckets = [{"min": 0, "max": 49, "count": 1}]
    assert json.loads(_show(type, value, 0, 0, 99_900, as_json=True)) == {
        "type": "hist",
        "data": {"@h": buckets},
        "percentiles": {"@h": {"p99.9": 25}},
    }
    assert json.loads(_show(type, value, 0, 0, 5_000, key=True, as_json=True)) == {
        "type": "hist",
        "data": {"@h": {"5": buckets}},
        "percentiles": {"@h": {"5": {"p5": 25}}},
    }
    assert "percentiles" not in _show(type, value, as_json=True)
