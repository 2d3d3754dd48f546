"""What each CPU counted on its own, merged into one value: sums, extremes, averages, histograms."""

from __future__ import annotations

import struct

from ..base.bits import U64, signed
from ..base.errors import FormatError, InternalError
from ..base.record import record
from ..spec.values import Avg, Count, Hist, LHist, Max, Min, Sum
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

    Values are int, Stats or Histogram. Raises FormatError for bytes of another size.
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


_MERGES: dict[type, Callable[[Any], Callable[[list[tuple[int, ...]]], Any]]] = {
    Count: _merge_sum,
    Sum: _merge_sum,
    Min: _merge_extreme,
    Max: _merge_extreme,
    Avg: _merge_average,
    StatsType: _merge_stats,
    Hist: _merge_histogram,
    LHist: _merge_histogram,
}
