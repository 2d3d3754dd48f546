"""Units: headers of versions 2 to 5, and what forms of their entries refer to (DWARF 5, section 7.5.1)."""

from __future__ import annotations

from functools import cached_property

from .abbrev import AbbrevTable
from .consts import AT, FORM, TAG, UT
from .die import Die
from .forms import STRING_INDICES, Layout, read_uleb, skip
from .lists import find_ranges
from .scope import NAMED_SCOPES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .abbrev import Abbrev
    from .file import Dwarf
    from .forms import Value
    from .section import DebugSection, DwarfError

_DWARF64 = 0xFFFFFFFF
_RESERVED = 0xFFFFFFF0
_HEAD = 1 << 9
_FUNCTIONS = frozenset({TAG.SUBPROGRAM})
_NAMESPACES = frozenset({TAG.NAMESPACE, TAG.MODULE})


class Unit:
    """One unit: `offset` and `size` in bytes (header and all) in `section`, `type` of `consts.UT`.

    `id` is the signature of a type unit, whose type is at `type_offset`, or the id that connects a skeleton
    to its split unit. `skeleton` is set by who found the split unit by it, `walked_to` by who walked over
    entries, the first of which is at `root_at`.
    """

    layout: Layout

    def __init__(self, dwarf: Dwarf, section: DebugSection, offset: int) -> None:
        self.dwarf, self.section, self.offset = dwarf, section, offset
        self.skeleton: Unit | None = None
        self.id: int | None = None
        self.type_offset = 0
        self.walked_to = 0
        self._parse_header()

    def __repr__(self) -> str:
        return f"<Unit {self.offset:#x} {self.name!r}>"

    def _parse_header(self) -> None:
        reader = self.section.reader(self.offset)
        length, offset_size = reader.read_u32(), 4
        if length == _DWARF64:
            length, offset_size = reader.read_u64(), 8
        elif length >= _RESERVED:
            raise self.error(f"expected a length below {_RESERVED:#x}, got {length:#x}")
        self.size = length + (12 if offset_size == 8 else 4)
        if self.offset + self.size > self.section.size:
            left = self.section.size - self.offset
            raise self.error(f"expected a unit of {self.size:#x} bytes, got {left:#x}")
        version = reader.read_u16()
        if not 2 <= version <= 5:
            raise self.error(f"expected version 2 to 5, got {version}")
        read_offset = reader.read_u64 if offset_size == 8 else reader.read_u32
        if version == 5:
            self.type, address_size = reader.read_struct("BB")
            self._abbrev_offset = read_offset()
        else:
            self.type = UT.TYPE if "types" in self.section.name else UT.COMPILE
            self._abbrev_offset, address_size = read_offset(), reader.read_u8()
        if address_size not in (2, 4, 8):
            raise self.error(f"expected addresses of 2, 4 or 8 bytes, got {address_size}")
        if self.type in (UT.SKELETON, UT.SPLIT_COMPILE):
            self.id = reader.read_u64()
        elif self.type in (UT.TYPE, UT.SPLIT_TYPE):
            self.id, self.type_offset = reader.read_u64(), read_offset()
        elif self.type not in (UT.COMPILE, UT.PARTIAL):
            raise self.error(f"expected a unit type of 1 to 6, got {self.type}")
        self.layout = Layout(version, offset_size, address_size, self.dwarf.elf.little)
        self.root_at = reader.at - reader.start - self.offset
        if self.root_at > self.size:
            raise self.error(f"expected a unit of at least {self.root_at} bytes, got {self.size}")

    def error(self, message: str, at: int = 0) -> DwarfError:
        """A `DwarfError` at `at` bytes from the unit's first, to be raised by the caller."""
        return self.section.error(message, self.offset + at)

    @property
    def version(self) -> int:
        return self.layout.version

    @property
    def end(self) -> int:
        """Offset of the next unit."""
        return self.offset + self.size

    @property
    def is_types(self) -> bool:
        return self.type in (UT.TYPE, UT.SPLIT_TYPE)

    # Entries

    @property
    def data(self) -> bytes:
        """The bytes of the unit. Only those of the units last read are kept."""
        return self.dwarf.unit_bytes(self)

    @cached_property
    def head(self) -> bytes:
        """As many bytes as the root has, so that asking the roots of all units does not read all of them."""
        for size in (_HEAD, 16 * _HEAD):
            head = self.section.take(self.offset, min(size, self.size))
            try:
                code, at = read_uleb(head, self.root_at)
                at = skip(head, at, self.abbrev(code, self.root_at).steps, self.layout)
            except IndexError:
                continue
            if at <= len(head):
                return head
        return self.data

    @cached_property
    def abbrevs(self) -> AbbrevTable:
        """The abbreviations of its entries."""
        return self.dwarf.abbrev_table(self._abbrev_offset, self.layout)

    def abbrev(self, code: int, at: int) -> Abbrev:
        """The abbreviation `code`, which the entry at `at` uses."""
        found = self.abbrevs.find(code)
        if found is None:
            raise self.error(f"expected the number of an abbreviation, got {code}", at)
        return found

    def die(self, at: int) -> Die:
        """The entry at `at` bytes from the unit's first, which must be the beginning of one."""
        if not self.root_at <= at < self.size:
            raise self.error(f"expected a reference in {self.root_at:#x}..{self.size:#x}, got {at:#x}")
        try:
            code, after = read_uleb(self.head if at == self.root_at else self.data, at)
        except IndexError:
            raise self.error("expected the number of an abbreviation", at) from None
        return Die(self, at, self.abbrev(code, at), after)

    @cached_property
    def root(self) -> Die:
        """The entry of the unit itself."""
        return self.die(self.root_at)

    @property
    def name(self) -> str:
        """Path of the source file, "" when there is none."""
        return self.root.name or ""

    @cached_property
    def language(self) -> int:
        """DW_LANG, 0 when it isn't told."""
        return self.root.find_constant(AT.LANGUAGE) or 0

    @cached_property
    def function_ranges(self) -> list[tuple[int, int, int]]:
        """Sorted (first address, address after the last, place) of the code of the unit's functions.

        Functions that are described in their class, which no compiler does today, are found when there are no
        others.
        """
        return self._function_ranges(_NAMESPACES) or self._function_ranges(NAMED_SCOPES)

    def _function_ranges(self, into: frozenset[int]) -> list[tuple[int, int, int]]:
        found = []
        for die in self.root.iter_descendants(_FUNCTIONS, into=into):
            found += [(low, high, die.at) for low, high in find_ranges(die)]
        return sorted(found)

    # What forms refer to

    def string(self, form: int, value: Value) -> bytes:
        """The string that a value of a string form is."""
        if isinstance(value, bytes):
            return value
        if form in STRING_INDICES:
            return self.dwarf.need(".debug_str").string(self.string_offset(value))
        if form == FORM.STRP:
            return self.dwarf.need(".debug_str").string(value)
        if form == FORM.LINE_STRP:
            return self.dwarf.need(".debug_line_str").string(value)
        return self.dwarf.alternate(self).need(".debug_str").string(value)

    def string_offset(self, index: int) -> int:
        """Offset in `.debug_str` of string number `index` of this unit."""
        size = self.layout.offset_size
        section = self.dwarf.need(".debug_str_offsets")
        return self._number(section, self.str_offsets_base + index * size, size)

    def address(self, index: int) -> int:
        """Address number `index` of this unit."""
        owner = self.skeleton or self
        size = self.layout.address_size
        section = owner.dwarf.need(".debug_addr")
        return self._number(section, owner.addr_base + index * size, size)

    def _number(self, section: DebugSection, offset: int, size: int) -> int:
        return int.from_bytes(section.take(offset, size), self.layout.order)

    def find_offset(self, *names: int) -> int | None:
        """An offset into another section that the root has in the first of `names` it has, or None."""
        for name in names:
            found = self.root.find_value(name)
            # Before version 4 it was a constant of the size of an offset.
            if found is not None and found[0] in (FORM.SEC_OFFSET, FORM.DATA4, FORM.DATA8):
                assert isinstance(found[1], int)
                return found[1]
        return None

    @cached_property
    def str_offsets_base(self) -> int:
        base = self.find_offset(AT.STR_OFFSETS_BASE)
        return base if base is not None else self._after_header(8)

    @cached_property
    def addr_base(self) -> int:
        base = self.find_offset(AT.ADDR_BASE, AT.GNU_ADDR_BASE)
        return base if base is not None else self._after_header(8)

    @cached_property
    def rnglists_base(self) -> int:
        base = self.find_offset(AT.RNGLISTS_BASE)
        return base if base is not None else self._after_header(12)

    @cached_property
    def loclists_base(self) -> int:
        base = self.find_offset(AT.LOCLISTS_BASE)
        return base if base is not None else self._after_header(12)

    def _after_header(self, size: int) -> int:
        """Split units leave the base out: it is after the header, which version 4 doesn't have."""
        if self.version < 5:
            return 0
        return size + 8 if self.layout.offset_size == 8 else size

    @cached_property
    def low_pc(self) -> int:
        """What addresses in lists are relative to, 0 when it isn't told."""
        owner = self.skeleton or self
        return owner.root.find_address(AT.LOW_PC) or 0

    @property
    def is_skeleton(self) -> bool:
        """Whether the rest of the unit is in another file."""
        if self.version < 5 and self.dwarf.find(".debug_addr") is None:
            return False
        return self.type in (UT.COMPILE, UT.SKELETON) and self.dwo_name is not None

    @property
    def dwo_name(self) -> str | None:
        """Name of the file that holds the rest of this unit, or None when it is whole."""
        if self.type == UT.SPLIT_COMPILE:
            return None
        root = self.root
        return root.find_string(AT.DWO_NAME) or root.find_string(AT.GNU_DWO_NAME)
