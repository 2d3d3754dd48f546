"""Fills the tables by which programs unwind stacks without frame pointers: see `spec.unwind`.

A file's rows are made once, whatever process maps it. A process is told of when its stack was asked for, or
when it is followed; from then on its mappings are kept up to date by what the kernel says of them.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right

from ..base.errors import FormatError, KernelError
from ..base.record import record
from ..elf.cfi import parse_unwind_table
from ..spec.unwind import (
    BLOCK_SHIFT,
    BLOCKS,
    KEY_BITS,
    MOST_BLOCKS,
    MOST_ROWS,
    ROWS,
    RULES,
    SPACE_KEY,
    SPACE_VALUE,
    SPACES,
    WANTED,
)
from .space import find_bias

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from collections.abc import Mapping as Dict

    from ..spec.machine import MapHandle
    from .image import Image, ImageOpener
    from .maps import Mapping

_BLOCK = 1 << BLOCK_SHIFT
"""Bytes; and the most rows that a program looks ahead of one."""

_BITS = 64


@record
class _Stored:
    """Where the rows of a file are: `low` is the address in the file that its first block begins at."""

    low: int
    first: int
    count: int


class UnwindTables:
    """The tables in `maps`, handles by name."""

    def __init__(self, maps: Dict[str, MapHandle], images: ImageOpener) -> None:
        self._images = images
        self._spaces, self._wanted = maps[SPACES], maps[WANTED]
        self._blocks = maps[BLOCKS].view().cast("I")
        self._rows, self._rules = maps[ROWS].view().cast("I"), maps[RULES].view().cast("I")
        self._next_block = self._next_row = 0
        self._stored: dict[Image | bytes, _Stored | None] = {}
        self._keys: dict[int, dict[bytes, tuple[int, int]]] = {}

    def take_wanted(self) -> list[int]:
        """Processes whose stacks were asked for and of which nothing was known, since the last call."""
        pids = [int.from_bytes(key, "little") for key, _ in self._wanted.items()]
        for pid in pids:
            self._wanted.delete(pid.to_bytes(4, "little"))
        return pids

    def have(self, pid: int) -> bool:
        """Whether anything is known of process `pid`."""
        return pid in self._keys

    @property
    def pids(self) -> list[int]:
        """The processes of which something is known."""
        return list(self._keys)

    def add(self, pid: int, mappings: Iterable[Mapping]) -> None:
        """Tell of mappings that process `pid` has made over what was there. What is not code is passed
        over."""
        self._keys.setdefault(pid, {})
        for mapping in mappings:
            if mapping.is_executable:
                image = self._images.open_mapping(pid, mapping) if mapping.path else None
                stored = self._store(image) if image is not None else None
                self._put(pid, mapping, self._value(mapping, image, stored))

    def replace(self, pid: int, mappings: Iterable[Mapping]) -> None:
        """Tell of all mappings that process `pid` has."""
        before = self._keys.pop(pid, {})
        self.add(pid, mappings)
        for key in before.keys() - self._keys[pid].keys():
            self._spaces.delete(key)

    def prepare(self, image: Image) -> None:
        """Make the rows of a file before somebody maps it."""
        self._store(image)

    def forget(self, pid: int) -> None:
        """Take away what is known of process `pid`: it has ended, or runs another program."""
        for key in self._keys.pop(pid, ()):
            self._spaces.delete(key)

    def _value(self, mapping: Mapping, image: Image | None, stored: _Stored | None) -> bytes | None:
        """What a mapping's keys lead to, None where nothing is known of its code."""
        bias = find_bias(mapping, image) if image is not None else None
        if stored is None or bias is None:
            return None
        return SPACE_VALUE.pack(stored.low + bias & (1 << _BITS) - 1, stored.first, stored.count)

    def _put(self, pid: int, mapping: Mapping, value: bytes | None) -> None:
        """Have all addresses of a mapping lead to `value`: the longest prefix wins, so that old ones must
        go."""
        keys, new = self._keys[pid], {}
        for address, bits in split_range(mapping.start, mapping.end) if value is not None else ():
            key = SPACE_KEY.pack(KEY_BITS - _BITS + bits, pid, address.to_bytes(8, "big"))
            new[key] = address, address + (1 << _BITS - bits)
        for key, (start, end) in list(keys.items()):
            if start < mapping.end and mapping.start < end and key not in new:
                del keys[key]
                self._spaces.delete(key)
        for key, span in new.items():
            assert value is not None
            try:
                self._spaces.update(key, value)
            except KernelError:
                return  # full: such stacks say that they are cut
            keys[key] = span

    def _store(self, image: Image) -> _Stored | None:
        # One file may be mapped under many names, and from many mounts.
        key = image.elf.build_id or image
        if key not in self._stored:
            self._stored[key] = self._write(image)
        return self._stored[key]

    def _write(self, image: Image) -> _Stored | None:
        try:
            table = parse_unwind_table(image.elf)
        except FormatError:
            return None  # such a file's frames are not known, which the stack says
        starts = table.starts
        if not starts:
            return None
        low = starts[0] & ~(_BLOCK - 1)
        count = (starts[-1] - low >> BLOCK_SHIFT) + 1
        first, row = self._next_block, self._next_row
        if (
            first + count + 1 > MOST_BLOCKS
            or row + len(starts) > MOST_ROWS - _BLOCK
            or starts[-1] - low >> 32
        ):
            return None
        self._rows[row : row + len(starts)] = memoryview(array("I", [start - low for start in starts]))
        self._rules[row : row + len(starts)] = memoryview(table.rules)
        numbers = [
            row + max(bisect_right(starts, low + (block << BLOCK_SHIFT)) - 1, 0) for block in range(count + 1)
        ]
        self._blocks[first : first + count + 1] = memoryview(array("I", numbers))
        self._next_block, self._next_row = first + count + 1, row + len(starts)
        return _Stored(low, first, count)


def split_range(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The fewest (address, bits) whose common first bits make up the addresses from `start` to `end`."""
    while start < end:
        size = start & -start if start else 1 << _BITS - 1
        while size > end - start:
            size >>= 1
        yield start, _BITS - (size.bit_length() - 1)
        start += size
