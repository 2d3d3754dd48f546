"""What each CPU counted on its own, merged into one value: sums, extremes, averages, histograms."""

from __future__ import annotations

import struct

from ..base.bits import U64, signed
from ..base.errors import FormatError, InternalError
from ..base.record import record
from ..spec.values import SERIES_WORDS, Avg, Count, Hist, LHist, Max, Min, Sum, TSeries
from ..spec.values import Stats as StatsType
from .decode import find_by_class

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from ..spec.values import Aggregate

_SIGN = 1 << 63


@record
class Stats:
    """What `stats()` keeps: how many values, their average (towards zero) and their total."""

    count: int
    average: int
    total: int


@record
class Histogram:
    """What `hist()` and `lhist()` keep: `counts` of every bucket of `type`, the empty ones too."""

    type: Hist | LHist
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """How many values were counted."""
        return sum(self.counts)

    @property
    def buckets(self) -> list[tuple[int | None, int | None, int]]:
        """(low, high, count) from the first bucket that counted to the last.

        `low` is included and `high` is not; None stands for no bound.
        """
        first, last = used_buckets(self.counts)
        bound = hist_bound if isinstance(self.type, Hist) else lhist_bound
        return [
            (bound(self.type, n), bound(self.type, n + 1), self.counts[n])  # type: ignore[arg-type]
            for n in range(first, last)
        ]


@record
class Series:
    """What `tseries()` keeps: (number, value) of the intervals that had values, in order.

    Interval n begins n * `type.interval` nanoseconds after 1970. They need not be of one span of `type.count`
    intervals: old ones stay until a new one comes to their place (see `find_span`).
    """

    type: TSeries
    values: tuple[tuple[int, int], ...]

    @property
    def last(self) -> int:
        """The number of the newest interval, 0 where there is none."""
        return self.values[-1][0] if self.values else 0


def find_span(all_series: Sequence[Series], of: Series) -> list[tuple[int, int | None]]:
    """Numbers and values of the intervals of one series that are shown: the last `type.count` up to the
    newest one of all series of a map, from the first on that it has; None is an interval without values."""
    last = max([series.last for series in all_series], default=0)
    start = last - of.type.count + 1
    shown = {number: value for number, value in of.values if number >= start}
    # As bpftrace has it, whose numbers have no sign: nothing, before there could have been so many intervals.
    if start < 0 or not shown:
        return []
    return [(number, shown.get(number)) for number in range(min(shown), last + 1)]


def find_percentile(histogram: Histogram, thousandths: int) -> int:
    """The value below or at which so many thousandths of a percent of what was counted are; 0 of nothing.

    Within a bucket values are taken to be spread evenly. Of a bucket without bound it is the bound it has.
    """
    rank = max(-(-histogram.total * thousandths // 100_000), 1)
    for low, high, count in histogram.buckets:
        if rank > count:
            rank -= count
        elif low is None or high is None:
            return high - 1 if high is not None else low or 0
        else:
            return low + (high - low) * (2 * rank - 1) // (2 * count)
    return 0


def used_buckets(counts: Sequence[int]) -> tuple[int, int]:
    """Index of the first bucket that counted and the index after the last; (0, 0) if none did."""
    used = [n for n, count in enumerate(counts) if count]
    return (used[0], used[-1] + 1) if used else (0, 0)


def hist_bound(type: Hist, bucket: int) -> int | None:
    """Where bucket `bucket` of a power-of-two histogram starts, or ends when it is the number after."""
    if bucket == 0:
        return None
    index = bucket - 1
    parts = 1 << type.k
    if index < 2 * parts:
        return index
    return (parts + (index & (parts - 1))) << ((index >> type.k) - 1)


def lhist_bound(type: LHist, bucket: int) -> int | None:
    """Where bucket `bucket` of a linear histogram starts, or ends when it is the number after."""
    if bucket == 0 or bucket >= type.buckets:
        return None
    return min(type.min + (bucket - 1) * type.step, type.max)


def compile_merge(type: Aggregate) -> Callable[[Sequence[bytes]], Any]:
    """A function from the values of all CPUs, `type.size` bytes each, to the merged value.

    Values are int, Stats, Histogram or Series. Raises FormatError for bytes of another size.
    """
    make = find_by_class(_MERGES, type)
    if make is None:
        raise InternalError(f"no merge for {type}")
    unpack, size = struct.Struct(f"={type.size // 8}Q").unpack, type.size
    merge = make(type)

    def merge_bytes(values: Sequence[bytes]) -> Any:
        for value in values:
            if len(value) != size:
                raise FormatError(f"expected {size} bytes of {type}, got {len(value)}")
        return merge([unpack(value) for value in values])

    return merge_bytes


def empty_value(type: Aggregate) -> Any:
    """The merged value of an aggregate that nothing was added to."""
    return compile_merge(type)([bytes(type.size)])


def quotient(total: int, count: int) -> int:
    """`total / count` cut towards zero, as C has it; 0 for a count of 0."""
    if not count:
        return 0
    return -(-total // count) if total < 0 else total // count


def _number(word: int, is_signed: bool) -> int:
    return signed(word, 64) if is_signed else word & U64


def _merge_sum(type: Any) -> Callable[[list[tuple[int, ...]]], int]:
    is_signed = isinstance(type, Sum) and type.signed
    return lambda cpus: _number(sum([total for (total,) in cpus]), is_signed)


def _merge_extreme(type: Any) -> Callable[[list[tuple[int, ...]]], int]:
    # As programs keep them (see spec.values.Min), the largest word is the extreme of either kind.
    flipped = (_SIGN if type.signed else 0) ^ (U64 if isinstance(type, Min) else 0)

    def merge(cpus: list[tuple[int, ...]]) -> int:
        largest = max([word for word, is_set in cpus if is_set], default=None)
        return 0 if largest is None else _number(largest ^ flipped, type.signed)

    return merge


def _merge_stats(type: Any) -> Callable[[list[tuple[int, ...]]], Stats]:
    is_signed = type.signed

    def merge(cpus: list[tuple[int, ...]]) -> Stats:
        total = _number(sum([total for total, _ in cpus]), is_signed)
        count = sum([count for _, count in cpus]) & U64
        return Stats(count, quotient(total, count), total)

    return merge


def _merge_average(type: Any) -> Callable[[list[tuple[int, ...]]], int]:
    merge = _merge_stats(type)
    return lambda cpus: merge(cpus).average


def _merge_histogram(type: Any) -> Callable[[list[tuple[int, ...]]], Histogram]:
    return lambda cpus: Histogram(type, tuple([sum(counts) & U64 for counts in zip(*cpus, strict=True)]))


def _merge_series(type: TSeries) -> Callable[[list[tuple[int, ...]]], Series]:
    merge = _SERIES_MERGES[type.agg](type)

    def merge_all(cpus: list[tuple[int, ...]]) -> Series:
        found: dict[int, list[tuple[int, int]]] = {}
        for place in range(0, type.count * SERIES_WORDS, SERIES_WORDS):
            buckets = [words[place : place + SERIES_WORDS] for words in cpus]
            newest = max([epoch for _, _, epoch in buckets])
            if newest:
                found[newest - 1] = [(one, other) for one, other, epoch in buckets if epoch == newest]
        # The very first interval of the clock is shown as 0, as by bpftrace, which takes its number for none.
        return Series(type, tuple([(n, merge(found[n]) if n else 0) for n in sorted(found)]))

    return merge_all


def _merge_last(type: Any) -> Callable[[list[tuple[int, ...]]], int]:
    return lambda cpus: _number(max(cpus, key=_time_order)[0], type.signed)


def _time_order(bucket: tuple[int, ...]) -> int:
    return bucket[1]


def _merge_totals(type: Any) -> Callable[[list[tuple[int, ...]]], int]:
    return lambda cpus: _number(sum([total for total, _ in cpus]), type.signed)


_SERIES_MERGES: dict[str, Callable[[Any], Callable[[list[Any]], int]]] = {
    "": _merge_last,
    "avg": _merge_average,
    "max": lambda type: _merge_extreme(Max(type.signed)),
    "min": lambda type: _merge_extreme(Min(type.signed)),
    "sum": _merge_totals,
}

_MERGES: dict[type, Callable[[Any], Callable[[list[tuple[int, ...]]], Any]]] = {
    Count: _merge_sum,
    Sum: _merge_sum,
    Min: _merge_extreme,
    Max: _merge_extreme,
    Avg: _merge_average,
    StatsType: _merge_stats,
    Hist: _merge_histogram,
    LHist: _merge_histogram,
    TSeries: _merge_series,
}
