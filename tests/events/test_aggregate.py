from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probee.base.errors import FormatError, InternalError
from probee.ctype.types import UINT64
from probee.events.aggregate import Histogram, Stats, compile_merge, empty_value, hist_bound, lhist_bound
from probee.spec.values import Avg, Count, Hist, LHist, Max, Min, Sum
from probee.spec.values import Stats as StatsType

SIGN = 1 << 63
S64 = st.integers(-(2**63), 2**63 - 1)


def words(*cpu: int) -> bytes:
    return struct.pack(f"={len(cpu)}Q", *(word & 2**64 - 1 for word in cpu))


@given(st.lists(S64, min_size=1, max_size=4))
def test_sums_wrap_at_64_bits(parts: list[int]) -> None:
    total = sum(parts)
    data = [words(p) for p in parts]
    assert compile_merge(Sum(False))(data) == total % 2**64
    assert compile_merge(Sum(True))(data) == (total + 2**63) % 2**64 - 2**63
    assert compile_merge(Count())(data) == total % 2**64


@given(st.lists(st.tuples(S64, st.booleans()), min_size=1, max_size=4))
def test_extremes_are_of_the_cpus_that_had_a_value(cpus: list[tuple[int, bool]]) -> None:
    def kept(flipped: int) -> list[bytes]:
        return [words((value ^ flipped) if is_set else 0, is_set) for value, is_set in cpus]

    seen = [value for value, is_set in cpus if is_set]
    assert compile_merge(Min(True))(kept(~SIGN)) == min(seen, default=0)
    assert compile_merge(Max(True))(kept(SIGN)) == max(seen, default=0)
    assert compile_merge(Min(False))(kept(-1)) == min([v % 2**64 for v in seen], default=0)
    assert compile_merge(Max(False))(kept(0)) == max([v % 2**64 for v in seen], default=0)


@pytest.mark.parametrize(
    ("total", "count", "average"), [(7, 2, 3), (-7, 2, -3), (-1, 2, 0), (0, 0, 0), (5, 0, 0)]
)
def test_averages_are_cut_towards_zero(total: int, count: int, average: int) -> None:
    data = [words(total, count), words(0, 0)]
    assert compile_merge(Avg(True))(data) == average
    assert compile_merge(StatsType(True))(data) == Stats(count, average, total)


def test_empty_values() -> None:
    assert [empty_value(t) for t in (Count(), Sum(True), Min(True), Max(False), Avg(True))] == [0] * 5
    assert empty_value(StatsType(False)) == Stats(0, 0, 0)
    assert empty_value(Hist()).buckets == []


@given(st.integers(0, 5), st.integers(0, 2**64 - 1))
def test_every_number_is_in_the_one_bucket_whose_bounds_hold_it(k: int, value: int) -> None:
    type = Hist(k)
    holding = [
        bucket
        for bucket in range(1, type.buckets)
        if hist_bound(type, bucket) <= value < hist_bound(type, bucket + 1)
    ]
    # What a program computes: the position of the highest bit, and the k bits after it.
    parts = 1 << k
    power = max(value.bit_length() - 1 - k, 0)
    index = value if value < 2 * parts else ((power + 1) << k) + (value >> power) - parts
    assert holding == [1 + index]


@given(
    st.integers(0, 5),
    st.lists(st.dictionaries(st.integers(0, 66), st.integers(0, 9)), min_size=1, max_size=3),
)
def test_histograms_add_up(k: int, cpus: list[dict[int, int]]) -> None:
    type = Hist(k)
    spread = -(-type.buckets // 60)
    data = [words(*[cpu.get(n // spread, 0) for n in range(type.buckets)]) for cpu in cpus]
    merged = compile_merge(type)(data)
    assert merged.total == sum(sum(struct.unpack(f"={type.buckets}Q", cpu)) for cpu in data)
    assert merged.total == sum(count for _, _, count in merged.buckets)
    lows = [low for low, _, _ in merged.buckets[1:]]
    assert lows == [high for _, high, _ in merged.buckets[:-1]]


def test_linear_buckets() -> None:
    type = LHist(-10, 25, 10)
    assert type.buckets == 6
    assert Histogram(type, (1, 2, 0, 3, 4, 5)).buckets == [
        (None, -10, 1), (-10, 0, 2), (0, 10, 0), (10, 20, 3), (20, 25, 4), (25, None, 5),
    ]  # fmt: skip
    assert [lhist_bound(LHist(0, 30, 10), bucket) for bucket in range(6)] == [None, 0, 10, 20, 30, None]


def test_bytes_of_another_size() -> None:
    with pytest.raises(FormatError):
        compile_merge(Count())([bytes(7)])
    with pytest.raises(InternalError):
        compile_merge(UINT64)  # type: ignore[arg-type]
