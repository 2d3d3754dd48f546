"""What covers an address, of ranges that may overlap and lie in one another."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MOST_LOOKED_AT = 256
"""Ranges that are looked at for one address: bounds the work on tables made to be slow."""


class Intervals:
    """Ranges [start, end), in ascending order of their starts."""

    __slots__ = ("starts", "ends", "_reach")

    def __init__(self, starts: Sequence[int], ends: Sequence[int]) -> None:
        self.starts, self.ends = starts, ends
        # The furthest end so far tells where no earlier range can cover an address any more.
        self._reach = list(accumulate(ends, max))

    def innermost(self, address: int) -> int:
        """Number of the range that covers `address` and has the nearest start, -1 when there is none."""
        last = bisect_right(self.starts, address) - 1
        if last >= 0 and address < self.ends[last]:
            return last
        return next(self.covering(address), -1)

    def covering(self, address: int) -> Iterator[int]:
        """Numbers of the ranges that cover `address`, the one with the nearest start first."""
        last = bisect_right(self.starts, address) - 1
        for index in range(last, max(last - _MOST_LOOKED_AT, -1), -1):
            if self._reach[index] <= address:
                return
            if address < self.ends[index]:
                yield index
