"""Aggregations: what they hold, on every CPU, with and without keys, and read inside a script."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.scripts import Script, make_target, registers
from probee.events.aggregate import Histogram, Stats, hist_bound, lhist_bound

AT = "uprobe:program:main"
WORDS = st.integers(0, (1 << 64) - 1)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _feed(body: str, values: list[int], **options: Any) -> Script:
    """A script whose arg0 is each of the values, on one CPU after another."""
    script = Script(f"{AT} {{ {body} }}", **options)
    for index, value in enumerate(values):
        script.run(0, registers(value), cpu=index % script.target.cpus)
    return script


@pytest.mark.parametrize("access", ["@x", "@x[1]"])
@pytest.mark.parametrize(
    ("call", "values", "expected"),
    [
        ("count()", [9, 9, 9], 3),
        ("sum(arg0)", [1, 2, 39], 42),
        ("sum((int64)arg0)", [-5, 2], -3),
        ("sum(arg0)", [0], 0),
        ("min(arg0)", [7, 3, 9], 3),
        ("min(arg0)", [0, 3], 0),
        ("min((int32)arg0)", [7, -3, 9], -3),
        ("min((int64)arg0)", [-1 << 63, 5], -1 << 63),
        ("max(arg0)", [7, 3, 9], 9),
        ("max(arg0)", [0], 0),
        ("max((int64)arg0)", [-7, -3], -3),
        ("max(arg0)", [5, -1], (1 << 64) - 1),
        ("avg(arg0)", [1, 2, 6], 3),
        ("avg((int64)arg0)", [-1, -4], -2),
        ("stats(arg0)", [2, 4], Stats(2, 3, 6)),
        ("stats((int64)arg0)", [-10, -5, 5], Stats(3, -3, -10)),
    ],
)
def test_what_they_hold(access: str, call: str, values: list[int], expected: Any) -> None:
    for features in (("atomics_fetch",), ()):
        script = _feed(f"{access} = {call};", values, target=make_target(features=features))
        assert script["@x"] == (expected if access == "@x" else {1: expected})


@pytest.mark.parametrize("call", ["count()", "sum(1)", "min(1)", "avg(1)", "stats(1)"])
def test_nothing_was_written(call: str) -> None:
    script = Script(f"begin {{ if (0) {{ @x = {call}; @y[1] = {call}; }} }}").run()
    assert script["@y"] == {}
    data = script._globals()
    variable = script.variable("@x")
    assert not any(data[variable.offset : variable.offset + variable.value.size])


@settings(max_examples=60, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=8), st.sampled_from(["", "(int64)", "(int32)", "(uint8)"]))
def test_extremes(values: list[int], cast: str) -> None:
    bits, signed = {"": (64, False), "(int64)": (64, True), "(int32)": (32, True), "(uint8)": (8, False)}[
        cast
    ]
    cut = [v & (1 << bits) - 1 for v in values]
    seen = [v - (1 << bits) if signed and v >> (bits - 1) else v for v in cut]
    script = _feed(f"@min = min({cast}arg0); @max = max({cast}arg0);", values)
    assert (script["@min"], script["@max"]) == (min(seen), max(seen))


@settings(max_examples=80, deadline=None)
@given(WORDS | st.integers(0, 300), st.integers(0, 5))
def test_a_number_is_between_the_bounds_of_its_bucket(value: int, k: int) -> None:
    histogram = _feed(f"@x = hist(arg0, {k});", [value])["@x"]
    assert isinstance(histogram, Histogram)
    (bucket,) = [n for n, count in enumerate(histogram.counts) if count]
    low, high = hist_bound(histogram.type, bucket), hist_bound(histogram.type, bucket + 1)
    assert low is not None
    assert low <= value
    assert high is None or value < high


@settings(max_examples=30, deadline=None)
@given(st.integers(-(1 << 63), -1), st.integers(0, 5))
def test_negative_numbers_have_bucket_0(value: int, k: int) -> None:
    assert _feed(f"@x = hist((int64)arg0, {k});", [value])["@x"].counts[0] == 1


@settings(max_examples=80, deadline=None)
@given(st.integers(-100, 200), st.integers(-20, 50), st.integers(1, 100), st.integers(1, 20))
def test_linear_buckets(value: int, low: int, width: int, step: int) -> None:
    high = low + max(width, step)
    histogram = _feed(f"@x = lhist((int64)arg0, {low}, {high}, {step});", [value])["@x"]
    (bucket,) = [n for n, count in enumerate(histogram.counts) if count]
    lower, upper = lhist_bound(histogram.type, bucket), lhist_bound(histogram.type, bucket + 1)
    assert lower is None or lower <= value
    assert upper is None or value < upper


def test_each_cpu_has_a_slot_of_its_own() -> None:
    script = _feed("@c = count(); @s = sum(arg0);", [1, 2, 3, 4], target=make_target(3))
    variable = script.variable("@c")
    assert variable.stride & (variable.stride - 1) == 0
    data = script._globals()
    counts = [data[variable.offset + n * variable.stride] for n in range(3)]
    assert counts == [2, 1, 1]


def test_read_inside_the_script() -> None:
    body = (
        "@c = count(); @s = sum((int64)arg0 - 5); @m = min(arg0); @h[1] = max(arg0); @a = avg(arg0); "
        'if (@c == 3 && @h[1] > 6) { @hit++; } printf("%d %d %d %d %d %d", @c, @s, @m, @h[1], @a, @h[2]);'
    )
    script = _feed(body, [4, 2, 9])
    assert script.events()[-1][1] == (3, 0, 2, 9, 5, 0)
    assert script["@hit"] == 1


def test_deleted() -> None:
    script = _feed(
        "@c = count(); @k[arg0] = sum(arg0); if (arg0 == 3) { print(delete(@c)); delete(@k[1]); }", [1, 2, 3]
    )
    assert (script.values(), script["@c"], script["@k"]) == ([True], 0, {2: 2, 3: 3})
