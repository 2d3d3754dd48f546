"""Which units to look into for a name, and where in them; cheapest way first.

1. `.debug_names` and `.gdb_index`, one hash look-up each.
2. The section's bytes are searched for the name, or for a reference to where it stands in `.debug_str`:
   no entry is parsed, and after a hit the rest of that unit is passed over.

An index may not know every unit, nor every spelling of a name, so that a name it doesn't have is looked for
by the second way too.
"""

from __future__ import annotations

from bisect import bisect_right

from .consts import AT
from .die import iter_dies_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from .die import Die
    from .file import Dwarf
    from .section import DebugSection
    from .unit import Unit

# From here on it takes less time to walk all units than to search for each place where the name may stand.
_MOST_PLACES = 24


def iter_indexed_units(
    dwarf: Dwarf, name: bytes, tags: frozenset[int], *, types: bool = False
) -> Iterator[Unit]:
    """The units that an index gives for `name`; nothing where there is no index."""
    if dwarf.find(".debug_names") is not None and name.isascii():
        from .names import iter_name_units

        yield from iter_name_units(dwarf, name, tags)
    if dwarf.find(".gdb_index") is not None:
        from .gdb_index import GdbIndex

        index = GdbIndex(dwarf)
        yield from index.iter_type_units(name) if types else index.iter_function_units(name)


class Mentions:
    """Where the units of `dwarf` mention `name`. Those that are skeletons are not looked into."""

    def __init__(self, dwarf: Dwarf, name: bytes) -> None:
        self._dwarf, self._name = dwarf, name
        self._places = _places(dwarf, name)
        # Names that dwz moved are referred to by their places in the other file, in numbers of the same size.
        moved = _places(dwarf.alt, name) if dwarf.alt is not None else []
        self._places = None if self._places is None or moved is None else [*self._places, *moved]

    def iter_units(self) -> Iterator[Unit]:
        """Every unit that may have an entry of that name, in order."""
        units = list(self._dwarf.iter_units())
        if self._places is None:
            yield from units
            return
        found: set[Unit] = set()
        for size in {unit.layout.offset_size for unit in units}:
            found.update(_iter_hits(self._dwarf, units, self._needles(size)))
            found.update(self._iter_indirect(units, size))
        yield from sorted(found, key=lambda unit: unit.offset)

    def iter_dies(self, unit: Unit, tags: frozenset[int], into: frozenset[int]) -> Iterator[Die]:
        """Entries of `unit` with a tag of `tags` that may mention the name, not all of which do.

        Those that lie deeper than `into` goes may be among them, or may not.
        """
        # A reference to a table of strings is too short a number to search for.
        indexed = unit.root.has(AT.STR_OFFSETS_BASE) or unit.skeleton is not None
        if self._places is None or indexed:
            yield from unit.root.iter_descendants(tags, into=into)
            return
        positions = set()
        for needle in self._needles(unit.layout.offset_size):
            at = unit.data.find(needle)
            while at >= 0:
                positions.add(at)
                at = unit.data.find(needle, at + 1)
        for die in iter_dies_at(unit, sorted(positions)):
            if die.tag in tags:
                yield die

    def _needles(self, size: int) -> list[bytes]:
        """What an entry with the name has among its bytes, where offsets have `size` bytes."""
        places = [place for place in self._places or () if place < 1 << 8 * size]
        order: Literal["little", "big"] = "little" if self._dwarf.elf.little else "big"
        return [self._name + b"\0", *[place.to_bytes(size, order) for place in places]]

    def _iter_indirect(self, units: list[Unit], size: int) -> Iterator[Unit]:
        """Units whose table in `.debug_str_offsets` has the name."""
        section = self._dwarf.find(".debug_str_offsets")
        if section is None:
            return
        owners: dict[int, list[Unit]] = {}
        for unit in units:
            if unit.layout.offset_size == size and unit.root.has(AT.STR_OFFSETS_BASE):
                owners.setdefault(unit.str_offsets_base, []).append(unit)
        bases = sorted(owners)
        for needle in self._needles(size)[1:]:
            for at in _iter_finds(section, needle):
                index = bisect_right(bases, at) - 1
                if index >= 0 and (at - bases[index]) % size == 0:
                    yield from owners[bases[index]]


def _places(dwarf: Dwarf, name: bytes) -> list[int] | None:
    """Offsets in `.debug_str` where `name` stands; None when there are too many to be of use.

    Linkers merge tails, so when no string is the name, strings that end in it are meant.
    """
    section = dwarf.find(".debug_str")
    if section is None:
        return []
    whole = [at + 1 for at in _iter_finds(section, b"\0" + name + b"\0")]
    if section.find(name + b"\0", 0, len(name) + 1) == 0:
        whole.append(0)
    if whole:
        return whole if len(whole) <= _MOST_PLACES else None
    tails = []
    for at in _iter_finds(section, name + b"\0"):
        tails.append(at)
        if len(tails) > _MOST_PLACES:
            return None
    return tails


def _iter_hits(dwarf: Dwarf, units: list[Unit], needles: list[bytes]) -> Iterator[Unit]:
    section = dwarf.need(".debug_info")
    starts = [unit.offset for unit in units]
    for needle in needles:
        at = section.find(needle)
        while at >= 0:
            unit = units[bisect_right(starts, at) - 1]
            yield unit
            at = section.find(needle, unit.end)


def _iter_finds(section: DebugSection, needle: bytes) -> Iterator[int]:
    at = section.find(needle)
    while at >= 0:
        yield at
        at = section.find(needle, at + 1)
