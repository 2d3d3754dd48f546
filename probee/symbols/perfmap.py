"""Functions that a JIT compiler made: /tmp/perf-PID.map, a line `START SIZE name` each, numbers in hex.

Linux's tools/perf/Documentation/jit-interface.txt. Compilers use memory again: of lines that overlap the last
one is right.
"""

from __future__ import annotations

from ..base.errors import FormatError
from .intervals import Intervals


class PerfMap:
    """The functions of one file."""

    def __init__(self, rows: list[tuple[int, int, str]]) -> None:
        """`rows`: start, size in bytes, name, in the order they were written."""
        order = sorted(range(len(rows)), key=lambda i: rows[i][0])
        self._order, self._rows = order, rows
        starts = [rows[i][0] for i in order]
        self._intervals = Intervals(starts, [rows[i][0] + rows[i][1] for i in order])

    def __len__(self) -> int:
        return len(self._rows)

    def find(self, address: int) -> tuple[str, int] | None:
        """Name of the function around `address`, and the offset in it in bytes; or None."""
        last = max([self._order[i] for i in self._intervals.covering(address)], default=None)
        if last is None:
            return None
        start, _, name = self._rows[last]
        return name, address - start


def parse_perf_map(text: str, path: str = "perf.map") -> PerfMap:
    """The functions that `text` lists. Raises FormatError, with the offset of the line, for other text.

    A last line without an end is left out: its compiler is still writing it.
    """
    rows: list[tuple[int, int, str]] = []
    at = 0
    for line in text.split("\n")[:-1]:
        parts = line.split(None, 2)
        try:
            if parts:
                start, size, name = parts
                rows.append((int(start, 16), int(size, 16), name.rstrip()))
        except ValueError as error:
            wanted = "expected start, size and name"
            raise FormatError(f"{wanted}, got {line[:80]!r}", path=path, offset=at) from error
        at += len(line) + 1
    return PerfMap(rows)
