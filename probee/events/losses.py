"""What was lost, exactly: the counters that programs add to when a ring or a map is full."""

from __future__ import annotations

from ..base.errors import InternalError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..spec.bundle import Counter


class Losses:
    """The counters of a script, in the `view` of its globals map."""

    __slots__ = ("counters", "_words", "_seen")

    def __init__(self, counters: Iterable[Counter], view: memoryview) -> None:
        self.counters = tuple(counters)
        self._words = view.cast("B").cast("Q")  # so that a counter is read in one go
        self._seen = [0] * len(self.counters)
        for counter in self.counters:
            if counter.offset % 8 or not 0 <= counter.offset < len(view):
                raise InternalError(f"a counter is at {counter.offset} of {len(view)} bytes of globals")

    def totals(self) -> list[tuple[Counter, int]]:
        """Every counter that is not 0, and how much was lost since the start."""
        counts = [(counter, self._words[counter.offset // 8]) for counter in self.counters]
        return [(counter, count) for counter, count in counts if count]

    def deltas(self) -> list[tuple[Counter, int]]:
        """Every counter that grew since the last call, and by how much."""
        grown = []
        for n, counter in enumerate(self.counters):
            count = self._words[counter.offset // 8]
            if count != self._seen[n]:
                grown.append((counter, count - self._seen[n]))
                self._seen[n] = count
        return grown

    def last_result(self, counter: Counter) -> int:
        """What the last failure that a counter of kind "helper" counted gave."""
        number: int = self._words[counter.offset // 8 + 1]
        return number - (1 << 64) if number >> 63 else number

    def total(self, kind: str, probe: str | None = None) -> int:
        """How much of one kind was lost since the start, by all probes or one."""
        return sum(
            [
                count
                for counter, count in self.totals()
                if counter.kind == kind and probe in (None, counter.probe)
            ]
        )
