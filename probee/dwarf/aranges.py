"""`.debug_aranges`: address → unit (DWARF 5, section 6.1.2), and the same from the roots of the units."""

from __future__ import annotations

import struct
from bisect import bisect_right

from .lists import find_ranges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .file import Dwarf
    from .section import DebugSection, SectionReader
    from .unit import Unit

    Range = tuple[int, int, int]

_PAIRS = {2: "HH", 4: "II", 8: "QQ"}


class AddressIndex:
    """Which unit's code is at an address.

    `.debug_aranges` or `.gdb_index` tells; for units they leave out, and without them, the units' roots.
    """

    def __init__(self, dwarf: Dwarf) -> None:
        self._dwarf = dwarf
        self._listed = sorted(_iter_listed(dwarf))
        self._rest: list[Range] | None = None

    def find_unit(self, address: int) -> Unit | None:
        """The unit with code at `address`, or None."""
        offset = _find(self._listed, address)
        if offset is None:
            if self._rest is None:
                self._rest = sorted(self._iter_roots())
            offset = _find(self._rest, address)
        return self._dwarf.unit(offset) if offset is not None else None

    def find_listed(self, address: int) -> Unit | None:
        """The unit with code at `address` that a table tells, or None."""
        offset = _find(self._listed, address)
        return self._dwarf.unit(offset) if offset is not None else None

    def _iter_roots(self) -> Iterator[Range]:
        listed = {offset for _, _, offset in self._listed}
        for unit in self._dwarf.iter_units():
            if unit.offset in listed or unit.is_types:
                continue
            for low, high in find_ranges(unit.root):
                yield low, high, unit.offset


def _find(ranges: list[Range], address: int) -> int | None:
    index = bisect_right(ranges, address, key=lambda r: r[0]) - 1
    # Code that a linker threw away may leave short ranges over others.
    for low, high, offset in reversed(ranges[max(index - 3, 0) : index + 1]):
        if low <= address < high:
            return offset
    return None


def _iter_listed(dwarf: Dwarf) -> Iterator[Range]:
    section = dwarf.find(".debug_aranges")
    if section is not None:
        return _iter_sets(dwarf, section)
    if dwarf.find(".gdb_index") is None:
        return iter(())
    from .gdb_index import GdbIndex

    return GdbIndex(dwarf).iter_ranges()


def _iter_sets(dwarf: Dwarf, section: DebugSection) -> Iterator[Range]:
    """(first address, address after the last, offset of the unit), neighbours of one unit joined."""
    offset = 0
    while offset < section.size:
        reader = section.reader(offset)
        length, size = reader.read_u32(), 4
        if length == 0xFFFFFFFF:
            length, size = reader.read_u64(), 8
        end = reader.at - reader.start + length
        version = reader.read_u16()
        if version != 2:
            raise reader.error(f"expected version 2, got {version}", reader.at - 2)
        unit = reader.read_u64() if size == 8 else reader.read_u32()
        address_size, segment_size = reader.read_struct("BB")
        if address_size not in _PAIRS or segment_size:
            raise reader.error(f"expected addresses of 2, 4 or 8 bytes without segments, got {address_size}")
        # Pairs are aligned to their size, counted from the beginning of the set.
        start = offset + -(-(reader.at - reader.start - offset) // (2 * address_size)) * 2 * address_size
        yield from _join(
            _iter_pairs(section, start, end, struct.Struct(dwarf.elf.order + _PAIRS[address_size]), reader),
            unit,
        )
        offset = end


def _iter_pairs(
    section: DebugSection, start: int, end: int, pair: struct.Struct, reader: SectionReader
) -> Iterator[tuple[int, ...]]:
    if end < start:
        raise reader.error(f"expected a set that ends after {start:#x}, got {end:#x}")
    data = section.take(start, end - start)
    return pair.iter_unpack(data[: len(data) // pair.size * pair.size])


def _join(pairs: Iterator[tuple[int, ...]], unit: int) -> Iterator[Range]:
    low = high = 0
    for start, length in pairs:
        if start == high:
            high += length
            continue
        if low and low < high:
            yield low, high, unit
        low, high = start, start + length
    if low and low < high:
        yield low, high, unit
