"""`.gdb_index`: name → unit, address → unit (GDB's manual, appendix "Index Section Format"), versions 4 to 9.

All numbers are little-endian whatever the file is.
"""

from __future__ import annotations

import struct
from functools import cached_property

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .file import Dwarf
    from .unit import Unit

_FUNCTION = 3
_TYPE = 1
_UNIT = struct.Struct("<QQ")
_RANGE = struct.Struct("<QQI")


class GdbIndex:
    """The index of `dwarf`. Raises DwarfError where there is none, or when its version isn't known."""

    def __init__(self, dwarf: Dwarf) -> None:
        self._dwarf = dwarf
        self._section = section = dwarf.need(".gdb_index")
        version = self._number(0)
        if not 4 <= version <= 9:
            raise section.error(f"expected version 4 to 9, got {version}")
        self._fold = version >= 5
        self._units, self._types, self._addresses, self._symbols = [self._number(4 * i) for i in range(1, 5)]
        after = self._number(20)
        # Since version 9 a table of shortcuts stands between the symbols and the constants.
        self._symbols_end = after
        self._pool = self._number(24) if version >= 9 else after
        offsets = (self._units, self._types, self._addresses, self._symbols, after, self._pool)
        if list(offsets) != sorted(offsets) or self._pool > section.size:
            raise section.error("expected tables in order")

    def iter_function_units(self, name: bytes) -> Iterator[Unit]:
        """Units with a function `name`, none twice."""
        return self._iter_units(name, _FUNCTION)

    def iter_type_units(self, name: bytes) -> Iterator[Unit]:
        """Compile units with a type `name`, none twice."""
        return self._iter_units(name, _TYPE)

    def iter_ranges(self) -> Iterator[tuple[int, int, int]]:
        """(first address, address after the last, offset of the unit)."""
        data = self._section.take(self._addresses, self._symbols - self._addresses)
        for low, high, index in _RANGE.iter_unpack(data[: len(data) // _RANGE.size * _RANGE.size]):
            offset = self._unit_offset(index)
            if offset is not None and low < high:
                yield low, high, offset

    def _iter_units(self, name: bytes, kind: int) -> Iterator[Unit]:
        vector = self._find_vector(name)
        if vector is None:
            return
        seen = set()
        for i in range(self._number(vector)):
            entry = self._number(vector + 4 + 4 * i)
            offset = self._unit_offset(entry & 0xFFFFFF)
            if entry >> 28 & 7 == kind and offset is not None and offset not in seen:
                seen.add(offset)
                yield self._dwarf.unit(offset)

    def _find_vector(self, name: bytes) -> int | None:
        """Offset of the list of units of `name`, or None."""
        slots = (self._symbols_end - self._symbols) // 8
        if not slots:
            return None
        if slots & (slots - 1):
            raise self._section.error(f"expected a power of 2 of slots, got {slots}", self._symbols)
        value = 0
        for byte in name.lower() if self._fold else name:
            value = (value * 67 + byte - 113) & 0xFFFFFFFF
        at, step = value & (slots - 1), (value * 17 & (slots - 1)) | 1
        for _ in range(slots):
            text, vector = self._number(self._symbols + 8 * at), self._number(self._symbols + 8 * at + 4)
            if not text and not vector:
                return None
            if self._section.string(self._pool + text) == name:
                return self._pool + vector
            at = (at + step) & (slots - 1)
        return None

    def _unit_offset(self, index: int) -> int | None:
        """Offset of compile unit number `index`, None for type units."""
        return self._offsets[index] if index < len(self._offsets) else None

    @cached_property
    def _offsets(self) -> list[int]:
        data = self._section.take(self._units, self._types - self._units)
        return [offset for offset, _ in _UNIT.iter_unpack(data[: len(data) // 16 * 16])]

    def _number(self, offset: int) -> int:
        return int.from_bytes(self._section.take(offset, 4), "little")
