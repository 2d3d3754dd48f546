"""Time series as text: a line an interval, with its value as a point between the smallest and the largest."""

from __future__ import annotations

import struct
import time

from ..events.aggregate import find_span
from .order import arrange

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ..spec.bundle import Variable

    Span = Sequence[tuple[int, int | None]]

_WIDTH = 53
_PADDING = 21
"""Characters for the smallest value; the rest of the width is for the largest."""

_SECOND = 1_000_000_000
_UNITS = ((_SECOND, "", 0), (1_000_000, ".ms", 3), (1_000, ".μs", 6), (0, ".ns", 9))
"""The least interval that is shown in a unit, how that is called, and its digits."""

_FLOAT = struct.Struct("=f")


def split_series(variable: Variable, entries: Any) -> list[tuple[Any, Span]]:
    """Key and intervals of each series that a reader gave, in the order shown; without keys of the only one,
    if there is one."""
    if variable.key is None:
        return [] if entries is None else [(None, find_span([entries], entries))]
    everything = [series for _, series in entries]
    return [(key, find_span(everything, series)) for key, series in arrange(variable.value, entries)]


def encode_series(type: Any, span: Span) -> str:
    """A JSON array of the intervals that have values."""
    from .json import encode_number

    parts = []
    for number, value in span:
        if value is not None:
            second, rest = divmod(number * type.interval, _SECOND)
            start = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(second))
            parts.append(f'{{"interval_start":"{start}.{rest:09}","value":{encode_number(value)}}}')
    return f"[{','.join(parts)}]"


def render_series(type: Any, span: Span) -> bytes:
    """The lines of the intervals `span`: their numbers and values, None where there was none."""
    if not span:
        return b"<no data>"
    low, high = _bounds(type, [value for _, value in span if value is not None])
    interval = type.interval if len(span) > 1 else 0
    name, digits = next((name, digits) for least, name, digits in _UNITS if interval >= least)
    width = len("hh:mm:ss ") + (digits + 1 if digits else 0)
    scale = f"{'':{width}}{low!s:<{_PADDING}}{high!s:>{_WIDTH - _PADDING}}"
    head = f"hh:mm:ss{name}"
    # Padded by its bytes, as bpftrace does.
    lines = [scale, f"{head}{' ' * (width - len(head.encode()))}|{'_' * (_WIDTH - 2)}|"]
    zero = int(_single(_WIDTH * _single(-low) / _single(high - low))) if low < 0 < high else 0
    for number, value in span:
        line = ["|", *" " * (_WIDTH - 2), "|"]
        if zero:
            line[zero] = "."
        if value is not None:
            line[_find_point(value, low, high)] = "*"
        start = _render_time(number * type.interval, digits)
        lines.append(f"{start} {''.join(line)} {'-' if value is None else value}")
    lines += [f"{'':{width}}v{'_' * (_WIDTH - 2)}v", scale]
    return "".join([f"{line}\n" for line in lines]).encode("utf-8", "surrogateescape")


def _bounds(type: Any, values: list[int]) -> tuple[int, int]:
    """The smallest and the largest value; where they are one, there is room on both sides of it."""
    low, high = min(values), max(values)
    if low == high:
        least, most = (-(1 << 63), (1 << 63) - 1) if type.signed else (0, (1 << 64) - 1)
        low, high = max(low - 1, least), min(high + 1, most)
    return low, high


def _render_time(nanoseconds: int, digits: int) -> str:
    second, rest = divmod(nanoseconds, _SECOND)
    text = time.strftime("%H:%M:%S", time.localtime(second))
    return f"{text}.{f'{rest:09}'[:digits]}" if digits else text


def _find_point(value: int, low: int, high: int) -> int:
    """The column of a value; in single precision, as bpftrace computes it."""
    if low == high:
        return _WIDTH // 2
    share = _single(_single(_single(_WIDTH - 1) * _single(value - low)) / _single(high - low))
    return max(0, min(_WIDTH - 1, int(share)))


def _single(value: float) -> float:
    single: float = _FLOAT.unpack(_FLOAT.pack(value))[0]
    return single
