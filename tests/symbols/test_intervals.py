"""Ranges that may overlap, against looking at all of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from probee.symbols.intervals import Intervals

ranges = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 30)), max_size=20)


@given(ranges, st.integers(0, 100))
def test_covering(rows: list[tuple[int, int]], address: int) -> None:
    rows = sorted((start, start + size) for start, size in rows)
    intervals = Intervals([r[0] for r in rows], [r[1] for r in rows])
    expected = [i for i, (start, end) in enumerate(rows) if start <= address < end]
    assert list(intervals.covering(address)) == expected[::-1]


def test_work_is_bounded() -> None:
    count = 10_000
    intervals = Intervals(range(count), [1 << 20, *range(1, count)])
    assert list(intervals.covering(count + 5)) == []
    assert list(intervals.covering(5)) == [0]
