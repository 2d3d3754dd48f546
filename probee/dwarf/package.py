"""DWARF packages (`.dwp`), all split units of a program in one: DWARF 5, section 7.3.5, and GNU's version 2.

`.debug_cu_index` is a hash table from a unit's id to a row: where in each section the unit's part is.
"""

from __future__ import annotations

from .section import find_debug_section

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..elf.file import Elf
    from .section import DebugSection

    Parts = dict[str, tuple[int, int]]

# DW_SECT: version 5, and what version 2 calls otherwise.
_SECTIONS = {
    1: ".debug_info", 3: ".debug_abbrev", 4: ".debug_line", 5: ".debug_loclists", 6: ".debug_str_offsets",
    7: ".debug_macro", 8: ".debug_rnglists",
}  # fmt: skip
_SECTIONS_2 = {**_SECTIONS, 2: ".debug_types", 5: ".debug_loc", 7: ".debug_macinfo", 8: ".debug_macro"}
_MOST_SECTIONS = 16
_MOST_SLOTS = 1 << 24
_HEADER = 16


def find_parts(elf: Elf, unit_id: int) -> Parts | None:
    """(offset, size) in each section of the unit with that id in a package; None when it is not in it."""
    section = find_debug_section(elf, ".debug_cu_index")
    if section is None:
        return None
    reader = section.reader(0)
    version = reader.read_u32()
    # Version 5 has two bytes of it, and two of nothing.
    version = version if version == 2 else version & 0xFFFF if elf.little else version >> 16
    if version not in (2, 5):
        raise section.error(f"expected version 2 or 5, got {version}")
    count, rows, slots = reader.read_u32(), reader.read_u32(), reader.read_u32()
    if count > _MOST_SECTIONS or slots > _MOST_SLOTS or slots & (slots - 1) or rows > slots:
        raise section.error(
            f"expected a table of sections and units, got {count}, {rows} in {slots} slots", 4
        )
    row = _find_row(section, unit_id, slots)
    if row is None:
        return None
    if not 0 < row <= rows:
        raise section.error(f"expected a row in 1..{rows}, got {row}")
    names = _SECTIONS_2 if version == 2 else _SECTIONS
    table = _HEADER + 12 * slots
    kinds = _numbers(section, table, count)
    offsets = _numbers(section, table + 4 * count * row, count)
    sizes = _numbers(section, table + 4 * count * (rows + row), count)
    found = zip(kinds, zip(offsets, sizes, strict=True), strict=True)
    return {names[kind]: part for kind, part in found if kind in names}


def _find_row(section: DebugSection, unit_id: int, slots: int) -> int | None:
    order = "little" if section.elf.little else "big"
    step, slot = unit_id >> 32 & slots - 1 | 1, unit_id & slots - 1
    for _ in range(slots):
        key = int.from_bytes(section.take(_HEADER + 8 * slot, 8), order)  # type: ignore[arg-type]
        (row,) = _numbers(section, _HEADER + 8 * slots + 4 * slot, 1)
        if key == unit_id and row:
            return row
        if not row:
            return None
        slot = slot + step & slots - 1
    return None


def _numbers(section: DebugSection, offset: int, count: int) -> tuple[int, ...]:
    import struct

    return struct.unpack(f"{section.elf.order}{count}I", section.take(offset, 4 * count))
