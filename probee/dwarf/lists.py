"""Range lists and location lists of all versions (DWARF 5, sections 2.6.2, 2.17.3, 7.25, 7.28 and 7.29).

Addresses that a linker wrote for code it threw away (0, and the highest two) are left out.
"""

from __future__ import annotations

from enum import IntEnum

from .consts import AT, FORM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .die import Die
    from .section import DebugSection, SectionReader
    from .unit import Unit

    Entry = tuple[int, int, bytes]

_MOST_ENTRIES = 1 << 20


class RLE(IntEnum):
    """DW_RLE: entries of range lists."""

    END_OF_LIST = 0x00
    BASE_ADDRESSX = 0x01
    STARTX_ENDX = 0x02
    STARTX_LENGTH = 0x03
    OFFSET_PAIR = 0x04
    BASE_ADDRESS = 0x05
    START_END = 0x06
    START_LENGTH = 0x07


class LLE(IntEnum):
    """DW_LLE: entries of location lists."""

    END_OF_LIST = 0x00
    BASE_ADDRESSX = 0x01
    STARTX_ENDX = 0x02
    STARTX_LENGTH = 0x03
    OFFSET_PAIR = 0x04
    DEFAULT_LOCATION = 0x05
    BASE_ADDRESS = 0x06
    START_END = 0x07
    START_LENGTH = 0x08
    GNU_VIEW_PAIR = 0x09


# The entries of both kinds of lists do the same under the same names, which have other numbers.
_RANGES: dict[int, int] = {kind: LLE[kind.name] for kind in RLE}
_LOCATIONS: dict[int, int] = {kind: kind for kind in LLE}


def find_ranges(die: Die) -> list[tuple[int, int]]:
    """The code of an entry as (first address, address after the last); [] when it has none."""
    if die.has(AT.RANGES):
        return [(low, high) for low, high, _ in _iter_range_list(die) if _is_code(die.unit, low, high)]
    low = die.find_address(AT.LOW_PC)
    if low is None:
        return []
    high = die.find_address(AT.HIGH_PC)
    if high is None:
        # Since version 4 it may be a distance; without one, the entry is a single address.
        distance = die.find_constant(AT.HIGH_PC)
        high = low + (1 if distance is None else distance)
    return [(low, high)] if _is_code(die.unit, low, high) else []


def find_location_list(die: Die, name: int) -> list[tuple[int, int, bytes]] | None:
    """(first address, address after the last, expression) of a location list, None for a single expression.

    The entry for all other addresses, if there is one, is the last and from 0 to the highest address.
    """
    form, value = die.find_value(name) or (0, b"")
    if isinstance(value, bytes):
        return None
    unit = die.unit
    if unit.version >= 5:
        offset = _indexed(unit, ".debug_loclists", unit.loclists_base, value, form == FORM.LOCLISTX)
        entries = _iter_list(unit, unit.dwarf.need(".debug_loclists").reader(offset), _LOCATIONS)
    elif unit.skeleton is not None:
        entries = _iter_gnu_split(unit, unit.dwarf.need(".debug_loc").reader(value))
    else:
        entries = _iter_pairs(unit, unit.dwarf.need(".debug_loc").reader(value), expressions=True)
    listed = [entry for entry in entries if entry[0] < entry[1]]
    return sorted(listed, key=lambda entry: entry[1] - entry[0] > _highest(unit) - 1)


def _iter_range_list(die: Die) -> Iterator[Entry]:
    form, value = die.find_value(AT.RANGES) or (0, b"")
    if isinstance(value, bytes):
        raise die.error(f"expected the offset of a range list, got form {form:#x}")
    unit = die.unit
    if unit.version >= 5:
        offset = _indexed(unit, ".debug_rnglists", unit.rnglists_base, value, form == FORM.RNGLISTX)
        return _iter_list(unit, unit.dwarf.need(".debug_rnglists").reader(offset), _RANGES)
    if unit.skeleton is not None:
        # In version 4 the ranges of a split unit stay in the main file.
        value += unit.skeleton.find_offset(AT.GNU_RANGES_BASE) or 0
        unit = unit.skeleton
    return _iter_pairs(unit, unit.dwarf.need(".debug_ranges").reader(value), expressions=False)


def _indexed(unit: Unit, name: str, base: int, value: int, is_index: bool) -> int:
    """The offset of a list that is given by its number in the table at `base`, or by the offset itself."""
    if not is_index:
        return value
    size = unit.layout.offset_size
    section: DebugSection = unit.dwarf.need(name)
    return base + int.from_bytes(section.take(base + value * size, size), unit.layout.order)


def _iter_list(unit: Unit, reader: SectionReader, kinds: dict[int, int]) -> Iterator[Entry]:
    """The entries of a list of version 5."""
    base, locations = unit.low_pc, kinds is _LOCATIONS
    read_address = {2: reader.read_u16, 4: reader.read_u32, 8: reader.read_u64}[unit.layout.address_size]
    for _ in range(_MOST_ENTRIES):
        kind = kinds.get(code := reader.read_u8())
        if kind == LLE.END_OF_LIST:
            return
        if kind == LLE.BASE_ADDRESSX:
            base = unit.address(reader.read_uleb())
            continue
        if kind == LLE.BASE_ADDRESS:
            base = read_address()
            continue
        if kind == LLE.GNU_VIEW_PAIR:
            reader.read_uleb()
            reader.read_uleb()
            continue
        if kind == LLE.OFFSET_PAIR:
            low = base + reader.read_uleb()
            high = base + reader.read_uleb()
        elif kind == LLE.STARTX_ENDX:
            low, high = unit.address(reader.read_uleb()), unit.address(reader.read_uleb())
        elif kind == LLE.STARTX_LENGTH:
            low = unit.address(reader.read_uleb())
            high = low + reader.read_uleb()
        elif kind == LLE.START_END:
            low, high = read_address(), read_address()
        elif kind == LLE.START_LENGTH:
            low = read_address()
            high = low + reader.read_uleb()
        elif kind == LLE.DEFAULT_LOCATION:
            low, high = 0, _highest(unit)
        else:
            raise reader.error(f"expected the kind of a list entry, got {code:#x}", reader.at - 1)
        yield low, high, reader.read_bytes(reader.read_uleb()) if locations else b""
    raise reader.error(f"expected a list of fewer than {_MOST_ENTRIES} entries")


def _iter_pairs(unit: Unit, reader: SectionReader, *, expressions: bool) -> Iterator[Entry]:
    """The entries of a list of versions 2 to 4: pairs of addresses, relative to a base."""
    base, highest = unit.low_pc, _highest(unit)
    pair = {2: "HH", 4: "II", 8: "QQ"}[unit.layout.address_size]
    for _ in range(_MOST_ENTRIES):
        low, high = reader.read_struct(pair)
        if low == highest:
            base = high
            continue
        if not low and not high:
            return
        yield base + low, base + high, reader.read_bytes(reader.read_u16()) if expressions else b""
    raise reader.error(f"expected a list of fewer than {_MOST_ENTRIES} entries")


def _iter_gnu_split(unit: Unit, reader: SectionReader) -> Iterator[Entry]:
    """A location list of a split unit of version 4, which only GCC and Clang agreed on."""
    base = unit.low_pc
    for _ in range(_MOST_ENTRIES):
        kind = reader.read_u8()
        if kind == LLE.END_OF_LIST:
            return
        if kind == LLE.BASE_ADDRESSX:
            base = unit.address(reader.read_uleb())
            continue
        if kind == LLE.STARTX_ENDX:
            low, high = unit.address(reader.read_uleb()), unit.address(reader.read_uleb())
        elif kind == LLE.STARTX_LENGTH:
            low = unit.address(reader.read_uleb())
            high = low + reader.read_u32()
        elif kind == LLE.OFFSET_PAIR:
            low, high = base + reader.read_u32(), base + reader.read_u32()
        else:
            raise reader.error(f"expected the kind of a list entry, got {kind:#x}", reader.at - 1)
        yield low, high, reader.read_bytes(reader.read_u16())
    raise reader.error(f"expected a list of fewer than {_MOST_ENTRIES} entries")


def _highest(unit: Unit) -> int:
    return (1 << 8 * unit.layout.address_size) - 1


def _is_code(unit: Unit, low: int, high: int) -> bool:
    return 0 < low < min(high, _highest(unit) - 1)
