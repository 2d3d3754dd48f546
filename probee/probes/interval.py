"""interval: a timer on one CPU.

`interval:s:1`, `interval:ms:100`, `interval:us:500`, `interval:hz:99`, `interval:1s`, `interval:1000` (ns).
"""

from __future__ import annotations

import re

from ..spec.abi import ProgType
from ..spec.bundle import IntervalLink
from .provider import Point, Provider, Site

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..spec.target import Target

UNITS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
"""Nanoseconds of each unit of time."""

_SHORT = re.compile(r"(\d+)([a-z]*)")
_COUNT = re.compile(
    r"0[xX](?P<hex>[0-9a-fA-F]{1,16})|(?P<digits>\d[\d_]{0,25})(?:[eE](?P<exponent>\d\d?))?", re.A
)
_LONGEST = 1 << 63


class _Interval(Provider):
    name = "interval"
    aliases = ("i",)
    usage = "interval:s:1, interval:ms:100, interval:us:500, interval:hz:99, or interval:1s"
    program_type = ProgType.PERF_EVENT

    def expand(self, point: Point, target: Target, pid: int = 0) -> list[Site]:
        probe = ":".join((self.name, *point.args))
        return [Site(probe, "", IntervalLink("", parse_period(self, point), probe, point.span))]


def parse_period(kind: Provider, point: Point) -> int:
    """The nanoseconds that an attach point of a timer says. Raises SourceError."""
    period = _parse(kind, point)
    if 0 < period < UNITS["us"]:
        message = f"Invalid rate of {kind.name} probe. Minimum is 1000 or 1us. Found: {period} nanoseconds"
        raise kind.wrong(point, message)
    if not 0 < period < _LONGEST:
        message = f"{kind.name} of {period} ns: expected a time of at least 1 ns, below 292 years"
        raise kind.misspelled(point, message)
    return period


def _parse(kind: Provider, point: Point) -> int:
    if len(point.args) == 1:
        match = _SHORT.fullmatch(point.args[0])
        if match and (match[2] or "ns") in UNITS:
            return int(match[1][:20]) * UNITS[match[2] or "ns"]
        raise kind.misspelled(point, f"expected a time with its unit, got {point.args[0]!r}")
    if len(point.args) != 2:
        message = f"expected {kind.name}:UNIT:N, got {len(point.args)} parts after the name"
        raise kind.misspelled(point, message)
    unit, count = point.args
    number = parse_count(count)
    if number == 0:
        raise kind.misspelled(point, f"expected a positive integer as time, got {count!r}")
    if unit == "hz":
        return UNITS["s"] // number
    if unit not in ("s", "ms", "us"):
        raise kind.misspelled(point, f"{unit!r} is not an accepted unit: expected s, ms, us or hz")
    return number * UNITS[unit]


def parse_count(text: str) -> int:
    """A positive number as the language writes them: `1000`, `1_000`, `1e3`, `0x3e8`. 0 for what is none."""
    match = _COUNT.fullmatch(text)
    if match is None:
        return 0
    if match["hex"]:
        return int(match["hex"], 16)
    return int(match["digits"].replace("_", "") + "0" * int(match["exponent"] or 0))


PROVIDERS = (_Interval(),)
