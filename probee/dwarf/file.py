"""Debug information of one file: its sections and units, found and kept as they are asked for.

Promises: nothing is parsed before it is asked for; malformed bytes raise `DwarfError`, a `FormatError`; what
is in another file that nobody handed over is an error that names that file, never left out in silence.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property

from ..elf.debuglink import parse_alt_link
from .abbrev import AbbrevTable
from .consts import AT, UT
from .section import DwarfError, find_debug_section
from .unit import Unit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..elf.file import Elf
    from .aranges import AddressIndex
    from .die import Die
    from .forms import Layout
    from .line import LineTable
    from .scope import Scopes
    from .section import DebugSection, Kept
    from .types import Types

    OpenSplit = Callable[[str, str], Elf | None]

_MOST_KEPT = 64 << 20


class Dwarf:
    """The DWARF of `elf`, which may be a separate debug file.

    `binary` is then the file it was taken from (for symbols), `alt` the file of `.gnu_debugaltlink` (dwz),
    and `open_split(name, folder)` opens the `.dwo` file of a split unit, whose name is relative to `folder`;
    `package` is the `.dwp` that has split units of this file. `parts` are what a split unit has of the
    sections of a package: offset and size. `kept` has inflated sections of earlier runs.
    """

    def __init__(
        self,
        elf: Elf,
        *,
        binary: Elf | None = None,
        alt: Elf | None = None,
        open_split: OpenSplit | None = None,
        split: bool = False,
        package: Elf | None = None,
        parts: dict[str, tuple[int, int]] | None = None,
        kept: Kept | None = None,
    ) -> None:
        self.elf, self.binary = elf, binary
        self.alt = Dwarf(alt, kept=kept) if alt is not None else None
        self._open_split = open_split
        self._package, self._parts, self.kept = package, parts or {}, kept
        self._suffix = ".dwo" if split else ""
        self._sections: dict[str, DebugSection | None] = {}
        self._abbrev_tables: dict[tuple[int, Layout], AbbrevTable] = {}
        self._units: dict[str, list[Unit]] = {}
        self._by_offset: dict[tuple[str, int], Unit] = {}
        self._bytes: dict[Unit, bytes] = {}
        self._kept_size = 0
        self._split_units: dict[Unit, Unit] = {}
        self._scopes: dict[Unit, Scopes] = {}
        self.line_tables: dict[int, LineTable] = {}

    # Sections

    def find(self, name: str) -> DebugSection | None:
        """Section `name` (".debug_info"), or None."""
        if name not in self._sections:
            section = find_debug_section(self.elf, name + self._suffix, self.kept)
            if section is not None and name in self._parts:
                section = section.part(*self._parts[name])
            self._sections[name] = section
        return self._sections[name]

    def need(self, name: str) -> DebugSection:
        """Section `name`. Raises DwarfError when the file doesn't have it."""
        section = self.find(name)
        if section is None:
            raise DwarfError(f"expected section {name + self._suffix}", path=self.elf.path)
        return section

    @property
    def is_present(self) -> bool:
        """Whether the file has debug information at all."""
        return self.find(".debug_info") is not None

    def alternate(self, unit: Unit) -> Dwarf:
        """The file that dwz moved shared entries to. Raises DwarfError when it wasn't handed over."""
        if self.alt is None:
            link = parse_alt_link(self.elf)
            name = repr(link.name) if link is not None else "a supplementary file that isn't named"
            raise unit.error(f"expected the alternate debug file {name}, which isn't there")
        return self.alt

    # Units

    def iter_units(self) -> Iterator[Unit]:
        """Units of `.debug_info` in order; those with the types of version 4 are `iter_type_units`."""
        return self._iter_units(".debug_info")

    def iter_type_units(self) -> Iterator[Unit]:
        """Type units, of `.debug_info` and of `.debug_types`."""
        for unit in self._iter_units(".debug_info"):
            if unit.is_types:
                yield unit
        yield from self._iter_units(".debug_types")

    def unit(self, offset: int, section: str = ".debug_info") -> Unit:
        """The unit that begins at `offset`."""
        key = section, offset
        if key not in self._by_offset:
            self._by_offset[key] = Unit(self, self.need(section), offset)
        return self._by_offset[key]

    def unit_around(self, offset: int) -> Unit:
        """The unit of `.debug_info` that contains `offset`."""
        units = self._units.get(".debug_info", [])
        if not units or units[-1].end <= offset:
            for unit in self._iter_units(".debug_info"):
                if unit.end > offset:
                    return unit
            raise self.need(".debug_info").error("expected an offset in a unit", offset)
        return units[bisect_right(units, offset, key=lambda u: u.offset) - 1]

    def die(self, offset: int) -> Die:
        """The entry at `offset` in `.debug_info`."""
        unit = self.unit_around(offset)
        return unit.die(offset - unit.offset)

    def type_die(self, signature: int, user: Die) -> Die:
        """The type with `signature`, which `user` refers to."""
        unit = self._types.get(signature)
        if unit is None:
            raise user.error(f"expected a type unit with signature {signature:#x}")
        return unit.die(unit.type_offset)

    @cached_property
    def _types(self) -> dict[int | None, Unit]:
        return {unit.id: unit for unit in self.iter_type_units()}

    def _iter_units(self, name: str) -> Iterator[Unit]:
        section = self.find(name)
        known = self._units.setdefault(name, [])
        index = offset = 0
        while section is not None and offset < section.size:
            if index == len(known):
                known.append(self.unit(offset, name))
            yield known[index]
            offset = known[index].end
            index += 1

    # Split units

    def whole(self, unit: Unit) -> Unit:
        """`unit` itself, or the split unit that it is the skeleton of.

        Raises DwarfError with the name of the file that isn't there.
        """
        name = unit.dwo_name
        if name is None:
            return unit
        if unit not in self._split_units:
            self._split_units[unit] = self._find_split(unit, name)
        return self._split_units[unit]

    def _find_split(self, unit: Unit, name: str) -> Unit:
        folder = unit.root.find_string(AT.COMP_DIR) or ""
        wanted = unit.id if unit.type == UT.SKELETON else unit.root.find_constant(AT.GNU_DWO_ID)
        packed = self._open_packed(wanted)
        if packed is not None:
            return self._pick(packed, unit, wanted, name)
        elf = self._open_split(name, folder) if self._open_split is not None else None
        if elf is None:
            raise unit.error(f"expected split debug file {name!r} of folder {folder!r}, which isn't there")
        split = Dwarf(elf, alt=self.alt.elf if self.alt is not None else None, split=True)
        return self._pick(split, unit, wanted, name)

    def _open_packed(self, wanted: int | None) -> Dwarf | None:
        """The part of the package that the unit with that id is."""
        if self._package is None or wanted is None:
            return None
        from .package import find_parts

        parts = find_parts(self._package, wanted)
        alt = self.alt.elf if self.alt is not None else None
        return Dwarf(self._package, alt=alt, split=True, parts=parts) if parts is not None else None

    def _pick(self, split: Dwarf, unit: Unit, wanted: int | None, name: str) -> Unit:
        """The unit of `split` that `unit` is the skeleton of."""
        for found in split.iter_units():
            if found.is_types:
                continue
            if wanted in (found.id, found.root.find_constant(AT.GNU_DWO_ID)):
                found.skeleton = unit
                return found
        raise unit.error(f"expected a unit with id {wanted or 0:#x} in {split.elf.path or name!r}")

    # What is kept here

    @cached_property
    def types(self) -> Types:
        """The types of this file as `ctype` values."""
        from .types import Types

        return Types()

    @cached_property
    def addresses(self) -> AddressIndex:
        """Which unit's code is where."""
        from .aranges import AddressIndex

        return AddressIndex(self)

    def scopes(self, unit: Unit) -> Scopes:
        """What stands in what in `unit`."""
        if unit not in self._scopes:
            from .scope import Scopes

            self._scopes[unit] = Scopes(unit)
        return self._scopes[unit]

    def unit_bytes(self, unit: Unit) -> bytes:
        """The bytes of `unit`; of all units together 64 MiB are kept, or one if it is larger."""
        data = self._bytes.get(unit)
        if data is None:
            data = unit.section.take(unit.offset, unit.size)
            self._kept_size += unit.size
            while self._bytes and self._kept_size > _MOST_KEPT:
                oldest = next(iter(self._bytes))
                self._kept_size -= len(self._bytes.pop(oldest))
            self._bytes[unit] = data
        return data

    def abbrev_table(self, offset: int, layout: Layout) -> AbbrevTable:
        """The abbreviations at `offset`, which many units may share."""
        key = offset, layout
        if key not in self._abbrev_tables:
            self._abbrev_tables[key] = AbbrevTable(self.need(".debug_abbrev"), offset, layout)
        return self._abbrev_tables[key]
