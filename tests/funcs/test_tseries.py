"""Numbers over time: what is kept of them, and how it is shown."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from bt.in_kernel import check_agreement, live_target
from builders.scripts import Script, complaints, make_target, warnings
from builders.shown import Shown
from probee.base.errors import FeatureError
from probee.events.aggregate import Series, compile_merge, find_span
from probee.spec.asked import Asked
from probee.spec.values import TSeries

if TYPE_CHECKING:
    from collections.abc import Iterator

CLOCK = Asked(settings=(("dummy_ts_map", "@ts"), ("unstable_tseries", "enable")))
STABLE = "config = { unstable_tseries = enable } "


def _run(body: str, **facts: Any) -> Script:
    return Script(f"begin {{ @ts = (uint64)0; {body} }}", asked=CLOCK, **facts).run()


def _show(script: Script, name: str, *, json: bool = False) -> str:
    shown = Shown(json=json)
    value = script[name]
    shown.output.map(script.variable(name), list(value.items()) if isinstance(value, dict) else value)
    text = shown.out
    shown.close()
    return text


@pytest.mark.parametrize(
    ("agg", "values"),
    [
        ("", ((1, 3), (2, 7))),
        (', "sum"', ((1, 15), (2, 7))),
        (', "avg"', ((1, 5), (2, 7))),
        (', "min"', ((1, 3), (2, 7))),
        (', "max"', ((1, 8), (2, 7))),
    ],
)
@pytest.mark.parametrize("key", ["", "[5]"])
def test_values_of_an_interval_are_one(agg: str, values: tuple[tuple[int, int], ...], key: str) -> None:
    calls = "".join([f"@a{key} = tseries({n}, 10ns, 4{agg}); @ts += 1; " for n in (8, 4, 3)])
    script = _run(f"@ts += 10; {calls} @ts += 10; @a{key} = tseries(7, 10ns, 4{agg});")
    found = script["@a"][5] if key else script["@a"]
    assert found.values == values


def test_an_interval_takes_the_place_of_one_that_is_too_old() -> None:
    script = _run('for $i : 1..6 { @ts = (uint64)$i * 10; @a = tseries($i, 10ns, 3, "sum"); }')
    assert script["@a"].values == ((3, 3), (4, 4), (5, 5))
    assert find_span([script["@a"]], script["@a"]) == [(3, 3), (4, 4), (5, 5)]


@pytest.mark.parametrize("agg", ["", "sum", "min", "max", "avg"])
def test_cpus_are_merged_within_the_newest_interval(agg: str) -> None:
    call = f"tseries(-5, 10ns, 2{f', {chr(34)}{agg}{chr(34)}' if agg else ''})"
    script = Script(f"begin {{ @ts = (uint64)15; }} self:signal:SIGUSR1 {{ @a = {call}; }}", asked=CLOCK)
    script.run(0).run(1, cpu=0).run(1, cpu=1)
    assert script["@a"].values == ((1, -10 if agg == "sum" else -5),)


def test_of_several_cpus_the_last_written_value_counts() -> None:
    merge = compile_merge(TSeries(False, 10, 1))
    cpus = [(5, 30, 4), (6, 35, 4), (7, 99, 3)]  # value, when, interval + 1
    data = [b"".join([word.to_bytes(8, "little") for word in cpu]) for cpu in cpus]
    assert merge(data).values == ((3, 6),)
    assert merge([bytes(24)]).values == ()


GRAPH = """\
@a:
             -3                                                  9
hh:mm:ss.ms  |___________________________________________________|
00:00:00.200 *            .                                      | -3
00:00:00.300 |            .                                      | -
00:00:00.400 |            .                                      * 9
             v___________________________________________________v
             -3                                                  9

"""


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_text(utc: None) -> None:
    script = _run("@ts = 200ms; @a = tseries(-3, 100ms, 3); @ts = 400ms; @a = tseries(9, 100ms, 3);")
    assert _show(script, "@a") == GRAPH


def test_text_of_one_interval_has_room_on_both_sides(utc: None) -> None:
    script = _run('@ts = 3s; @b["x"] = tseries(1, 1s, 1);')
    assert _show(script, "@b").splitlines()[:4] == [
        "@b[x]:",
        "                   0                                                   2",
        "hh:mm:ss.ns        |___________________________________________________|",
        "00:00:03.000000000 |                         *                         | 1",
    ]


def test_text_of_nothing() -> None:
    assert _show(_run("@ts = 100ns; @a = tseries(1, 100ns, 5);"), "@a") == "@a:\n<no data>\n"


def test_json() -> None:
    script = _run("@ts = 1500ms; @a[1, 2] = tseries(4, 100ms, 3); @a[3, 4] = tseries(5, 100ms, 3);")
    series = '[{"interval_start":"1970-01-01 00:00:01.500000000","value":%d}]'
    assert _show(script, "@a", json=True) == (
        f'{{"type": "tseries", "data": {{"@a": {{"1,2": {series % 4}, "3,4": {series % 5}}}}}}}\n'
    )


def test_all_series_of_a_map_are_shown_up_to_the_newest_interval() -> None:
    type = TSeries(False, 10, 4)
    old, new = Series(type, ((1, 5), (4, 6))), Series(type, ((7, 1),))
    assert find_span([old, new], old) == [(4, 6), (5, None), (6, None), (7, None)]
    assert find_span([old, new], new) == [(7, 1)]
    assert find_span([old], Series(type, ())) == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("tseries(1, 0, 5)", "tseries() interval_ns must be >= 1 (0 provided)"),
        ("tseries(1, 1s, 0)", "tseries() num_intervals must be >= 1 (0 provided)"),
        ("tseries(1, 1s, 1000001)", "tseries() num_intervals must be < 1000000 (1000001 provided)"),
        (
            'tseries(1, 1s, 5, "sun")',
            "tseries() expects one of the following aggregation functions: avg, max, min, sum "
            '("sun" provided)',
        ),
    ],
)
def test_what_is_wrong(call: str, message: str) -> None:
    assert complaints(f"{STABLE}begin {{ @a = {call}; }}") == [(call, message)]


def test_all_calls_for_a_map_are_alike() -> None:
    found = complaints(f"{STABLE}begin {{ @a = tseries(1, 1s, 5); @a = tseries(1, 1s, 6); }}")
    assert [message for _, message in found] == ["Different tseries bounds in a single map unsupported"]


def test_it_is_said_once_that_it_may_change() -> None:
    (warning,) = warnings("begin { @a = tseries(1, 1s, 5); @b = tseries(1, 1s, 5); }")
    assert warning[1].startswith("Script is using an unstable feature: tseries.")
    assert complaints("config = { unstable_tseries = error } begin { @a = tseries(1, 1s, 5); }")


def test_with_keys_there_is_room_for_what_a_cpu_can_have() -> None:
    with pytest.raises(FeatureError, match="2000 intervals take 48000 bytes a key"):
        Script(f"{STABLE}begin {{ @a[1] = tseries(1, 1s, 2000); }}")
    script = Script(f"{STABLE}begin {{ @a = tseries(1, 1s, 20000); }}").run()
    assert len(script["@a"].values) == 1


@pytest.mark.kernel
@pytest.mark.parametrize("agg", ["", ', "sum"', ', "avg"', ', "min"', ', "max"'])
def test_in_the_kernel(agg: str) -> None:
    calls = f"@a = tseries($i, 10ns, 7{agg}); @k[$i % 2] = tseries(-$i, 3ns, 5{agg});"
    text = f"begin {{ @ts = (uint64)100; unroll(9) {{ $i = (int64)@ts - 100; {calls} @ts += 4; }} }}"
    check_agreement(Script(text, target=live_target(), asked=CLOCK))


def test_the_clock_is_that_of_tai() -> None:
    script = Script(f"{STABLE}begin {{ @a = tseries(1, 1s, 5); }}", target=make_target())
    script.set_globals(script.bundle.tai_offset, 37_000_000_000)
    script.machine.time = 5_000_000_000
    assert script.run()["@a"].values == ((42, 1),)
