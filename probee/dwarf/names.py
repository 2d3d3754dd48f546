"""`.debug_names`: name → unit (DWARF 5, section 6.1.1).

One hash look-up for each table: a linker that doesn't know the section only strings tables together. GDB's
own tables differ from the standard in all attributes but that of the unit, which is the only one used.
"""

from __future__ import annotations

from enum import IntEnum

from .consts import FORM
from .forms import Layout, read_uleb, read_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .file import Dwarf
    from .section import DebugSection, SectionReader
    from .unit import Unit

    # Code → (tag, [(attribute, form)]).
    Abbrevs = dict[int, tuple[int, list[tuple[int, int]]]]

_MOST_ENTRIES = 1 << 20


class IDX(IntEnum):
    """DW_IDX: attributes of entries."""

    COMPILE_UNIT = 1
    TYPE_UNIT = 2
    DIE_OFFSET = 3
    PARENT = 4
    TYPE_HASH = 5


def iter_name_units(dwarf: Dwarf, name: bytes, tags: frozenset[int]) -> Iterator[Unit]:
    """Units that have an entry `name` with a tag of `tags`, none twice. Tables need not know all units."""
    section = dwarf.find(".debug_names")
    seen: set[int] = set()
    offset = 0
    while section is not None and offset < section.size:
        table = NameTable(dwarf, section, offset)
        for tag, unit in table.iter_entries(name):
            if tag in tags and unit is not None and unit not in seen:
                seen.add(unit)
                yield dwarf.unit(unit)
        offset = table.end


def name_hash(name: bytes) -> int:
    """Bernstein's hash of the name in small letters. Beyond ASCII, folding of case is left to be done."""
    value = 5381
    for byte in name.lower():
        value = (value * 33 + byte) & 0xFFFFFFFF
    return value


class NameTable:
    """One table, at `offset` of the section and up to `end`."""

    def __init__(self, dwarf: Dwarf, section: DebugSection, offset: int) -> None:
        self._dwarf, self._section = dwarf, section
        reader = section.reader(offset)
        length, size = reader.read_u32(), 4
        if length == 0xFFFFFFFF:
            length, size = reader.read_u64(), 8
        self.end = reader.at - reader.start + length
        version, _ = reader.read_struct("HH")
        if version != 5:
            raise reader.error(f"expected version 5, got {version}")
        counts = reader.read_struct("7I")
        units, local_types, foreign_types, self._bucket_count, self._name_count, abbrevs_size, text = counts
        reader.read_bytes(-(-text // 4) * 4)
        self._layout = Layout(5, size, 8, dwarf.elf.little)
        self._unit_count = units
        self._units = reader.at - reader.start
        self._buckets = self._units + size * (units + local_types) + 8 * foreign_types
        self._hashes = self._buckets + 4 * self._bucket_count
        self._strings = self._hashes + (4 * self._name_count if self._bucket_count else 0)
        self._offsets = self._strings + size * self._name_count
        self._abbrevs = self._offsets + size * self._name_count
        self._pool = self._abbrevs + abbrevs_size
        if self._pool > self.end or self.end > section.size:
            raise reader.error(
                f"expected a table of {self._pool - offset:#x} bytes, got {self.end - offset:#x}"
            )

    def iter_entries(self, name: bytes) -> Iterator[tuple[int, int | None]]:
        """(tag, offset of the compile unit) of the entries called `name`, None for those in type units."""
        for index in self._iter_candidates(name_hash(name)):
            text = self._number(self._strings + index * self._layout.offset_size, self._layout.offset_size)
            if self._dwarf.need(".debug_str").string(text) == name:
                yield from self._iter_pool(index)

    def _iter_candidates(self, wanted: int) -> Iterator[int]:
        """Numbers (from 0) of the names with hash `wanted`; all of them where the table has no hashes."""
        count = self._bucket_count
        if not count:
            yield from range(self._name_count)
            return
        first = self._number(self._buckets + wanted % count * 4, 4)
        for index in range(first - 1, self._name_count if first else 0):
            found = self._number(self._hashes + index * 4, 4)
            if found % count != wanted % count:
                return
            if found == wanted:
                yield index

    def _iter_pool(self, index: int) -> Iterator[tuple[int, int | None]]:
        size = self._layout.offset_size
        at = self._pool + self._number(self._offsets + index * size, size)
        if not self._pool <= at < self.end:
            raise self._section.error(f"expected an entry in {self._pool:#x}..{self.end:#x}, got {at:#x}", at)
        abbrevs = self._parse_abbrevs()
        reader = self._section.reader(at)
        for _ in range(_MOST_ENTRIES):
            code = reader.read_uleb()
            if not code:
                return
            if code not in abbrevs:
                raise reader.error(f"expected the number of an abbreviation, got {code}")
            tag, attributes = abbrevs[code]
            values = {name: self._read_form(reader, form) for name, form in attributes}
            yield tag, self._unit_of(values)

    def _unit_of(self, values: dict[int, int]) -> int | None:
        if IDX.TYPE_UNIT in values:
            return None
        index = values.get(IDX.COMPILE_UNIT, 0)
        if index >= self._unit_count:
            raise self._section.error(f"expected a unit below {self._unit_count}, got {index}", self._units)
        return self._number(self._units + index * self._layout.offset_size, self._layout.offset_size)

    def _parse_abbrevs(self) -> Abbrevs:
        data = self._section.take(self._abbrevs, self._pool - self._abbrevs)
        abbrevs: Abbrevs = {}
        at = 0
        try:
            code, at = read_uleb(data, at)
            while code:
                tag, at = read_uleb(data, at)
                attributes: list[tuple[int, int]] = []
                while True:
                    name, at = read_uleb(data, at)
                    form, at = read_uleb(data, at)
                    if not name and not form:
                        break
                    attributes.append((name, form))
                abbrevs[code] = tag, attributes
                code, at = read_uleb(data, at)
        except IndexError:
            raise self._section.error("expected abbreviations that end with 0", self._abbrevs + at) from None
        return abbrevs

    def _read_form(self, reader: SectionReader, form: int) -> int:
        if form == FORM.FLAG_PRESENT:
            return 1
        at = reader.at - reader.start
        # No form of this section is longer than a hash, or a LEB128 number.
        data = self._section.take(at, min(10, self._section.size - at))
        try:
            _, value, used = read_value(data, 0, form, self._layout)
        except IndexError:
            raise reader.error(f"expected a number in form {form:#x}") from None
        reader.at += used
        return value if isinstance(value, int) else 0

    def _number(self, offset: int, size: int) -> int:
        return int.from_bytes(self._section.take(offset, size), self._layout.order)
