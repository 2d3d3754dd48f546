"""Symbol tables (gABI chapter 4, "Symbol Table").

A name is found without parsing the table: first in the string table, then by its offset in the column
of st_name. Linkers merge the tails of names ("open" may stand inside "uv_fs_open"), so every place where
the name ends a string is looked for.
"""

from __future__ import annotations

import struct
from functools import cached_property

from ..base.record import record
from .consts import SHN, SHT, STB, STT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .file import Elf, Section
    from .versions import Versions

_SYM = {32: "IIIBBH", 64: "IBBHQQ"}
# Where st_info, st_shndx, st_value and st_size stand in them; st_name is first.
_POSITIONS = {32: (3, 5, 1, 2), 64: (1, 3, 4, 5)}
_LONGEST_NAME = 1 << 16
_LONGEST_VERSION = 512
_CHUNK = 1 << 14
_FUNCTIONS = (STT.FUNC, STT.GNU_IFUNC)
_FUNCTION_INFOS = frozenset([bind << 4 | kind for bind in range(16) for kind in _FUNCTIONS])


@record
class Symbol:
    """One entry of a symbol table.

    `value` is a virtual address, `size` in bytes (0 when unknown), `type` and `bind` are `consts.STT` and
    `consts.STB`, `section` is a section's index or `consts.SHN`, `table` is ".symtab" or ".dynsym".
    `version` is "" for none; a `hidden` version is not the one a linker takes by default.
    """

    name: str
    value: int
    size: int
    type: int
    bind: int
    section: int
    table: str
    version: str = ""
    hidden: bool = False

    @property
    def is_defined(self) -> bool:
        """Whether the symbol is in this file, not imported."""
        return self.section != SHN.UNDEF

    @property
    def is_function(self) -> bool:
        """Whether it is code: FUNC, or GNU_IFUNC, whose value is the resolver and not the function."""
        return self.type in _FUNCTIONS

    @property
    def is_local(self) -> bool:
        return self.bind == STB.LOCAL


class SymbolTable:
    """One table of `elf`, with its strings. Raises FormatError when the headers contradict each other."""

    def __init__(self, elf: Elf, section: Section) -> None:
        self.elf, self.section = elf, section
        self.name = ".dynsym" if section.type == SHT.DYNSYM else ".symtab"
        self._sym = struct.Struct(elf.order + _SYM[elf.bits])
        self.entry_size = self._sym.size
        if section.entsize != self.entry_size or section.size % self.entry_size:
            got = f"{section.size} bytes in entries of {section.entsize}"
            raise elf.error(f"expected entries of {self.entry_size} bytes, got {got}", section=section.name)
        if not 0 < section.link < len(elf.sections):
            raise elf.error(f"expected the index of a string table, got {section.link}", section=section.name)
        self._start, self._end = elf.bounds(section)
        self._strings = elf.sections[section.link]
        self._strings_start, self._strings_end = elf.bounds(self._strings)

    def __len__(self) -> int:
        return (self._end - self._start) // self.entry_size

    def symbol(self, index: int) -> Symbol:
        """The symbol with number `index`."""
        at = self._start + index * self.entry_size
        row = self._sym.unpack(self.elf.data[at : at + self.entry_size])
        info, shndx, value, size = [row[i] for i in _POSITIONS[self.elf.bits]]
        return self._symbol(index, self.read_name(row[0]), info, shndx, value, size)

    def find(self, name: str) -> list[Symbol]:
        """All symbols called `name`, of any version, in table order.

        In `.symtab`, where linkers write the version into the name (memcpy@@GLIBC_2.14), such names are left
        out when there is a plain one and the file has a `.dynsym`, where they are too.
        """
        wanted = name.encode("utf-8", "surrogateescape")
        if not wanted or b"\0" in wanted:
            return []
        found = self._find(wanted + b"\0")
        if self.name == ".dynsym" or (found and self.elf.dynsym is not None):
            return found
        # By name, since in separate debug files its type is NOBITS.
        if self.elf.find_section(".gnu.version_d") is None:
            return found
        return self._find(wanted + b"\0", wanted + b"@")

    def find_beginning(self, start: str) -> list[Symbol]:
        """All symbols whose names begin with `start`, in table order."""
        wanted = b"\0" + start.encode("utf-8", "surrogateescape")
        offsets = {offset + 1 for offset in self._string_offsets(wanted)}
        return [self.symbol(index) for index in self._indices(offsets)] if offsets else []

    def find_exports(self, name: str) -> list[Symbol]:
        """The defined symbols called `name` by way of the GNU hash section, [] when there is none."""
        section = self.elf.find_section_of_type(SHT.GNU_HASH)
        if section is None or section.link != self.section.index:
            return []
        from .gnu_hash import iter_hash_candidates

        wanted = name.encode("utf-8", "surrogateescape")
        found = [self.symbol(i) for i in iter_hash_candidates(self.elf, section, wanted) if i < len(self)]
        return [symbol for symbol in found if symbol.name == name]

    def iter_functions(
        self, matches: Callable[[str], object] | None = None, seen: set[int] | None = None
    ) -> Iterator[Symbol]:
        """Defined functions in table order, only those whose name `matches` accepts.

        `seen` holds hashes of (name, address): what is in it is passed over, what is found is put into it.
        Hashes, because the names of a big program take 20 MB, and those of a malicious one anything.
        """
        at_info, at_shndx, at_value, at_size = _POSITIONS[self.elf.bits]
        names, seen = self._string_bytes, set() if seen is None else seen
        for first, rows in self._chunks():
            for index, row in enumerate(rows, first):
                if row[at_info] not in _FUNCTION_INFOS or not row[at_shndx]:
                    continue
                start = row[0]
                end = names.find(b"\0", start, start + _LONGEST_NAME)
                if end < 0:
                    raise self._name_error(start)
                name = names[start:end].decode("utf-8", "surrogateescape")
                base = name.partition("@")[0] if "@" in name else name
                if not base or (matches is not None and not matches(base)):
                    continue
                key = hash((base, row[at_value]))
                if key not in seen:
                    seen.add(key)
                    yield self._symbol(index, name, row[at_info], row[at_shndx], row[at_value], row[at_size])

    # The search

    def _find(self, *needles: bytes) -> list[Symbol]:
        offsets = {offset for needle in needles for offset in self._string_offsets(needle)}
        return [self.symbol(index) for index in self._indices(offsets)] if offsets else []

    def _string_offsets(self, needle: bytes) -> Iterator[int]:
        data, start, end = self.elf.data, self._strings_start, self._strings_end
        at = data.find(needle, start, end)
        while at >= 0:
            yield at - start
            at = data.find(needle, at + 1, end)

    def _indices(self, offsets: set[int]) -> Iterator[int]:
        """Numbers of the symbols whose st_name is one of `offsets`.

        Rows are first filtered by the low two bytes of st_name, each a column of the table, all rows at once.
        """
        hits = (1 << 8 * len(self)) - 1
        for place, column in enumerate(self._low_columns):
            wanted = bytearray(256)
            for offset in offsets:
                wanted[offset >> 8 * place & 0xFF] = 0xFF
            hits &= int.from_bytes(column.translate(wanted), "little")
        found = hits.to_bytes(len(self), "little")
        data, order = self.elf.data, self.elf.order + "I"
        index = found.find(0xFF)
        while index >= 0:
            at = self._start + index * self.entry_size
            if struct.unpack(order, data[at : at + 4])[0] in offsets:
                yield index
            index = found.find(0xFF, index + 1)

    @cached_property
    def _low_columns(self) -> tuple[bytes, bytes]:
        first, second = (0, 1) if self.elf.little else (3, 2)
        data, size = self.elf.data, self.entry_size
        return data[self._start + first : self._end : size], data[self._start + second : self._end : size]

    def _chunks(self) -> Iterator[tuple[int, Iterator[tuple[int, ...]]]]:
        """Rows by the ten thousand, with the number of the first: a copy of the whole table is too much."""
        step = _CHUNK * self.entry_size
        for at in range(self._start, self._end, step):
            rows = self._sym.iter_unpack(self.elf.data[at : min(at + step, self._end)])
            yield (at - self._start) // self.entry_size, rows

    # One symbol

    def _symbol(self, index: int, name: str, info: int, shndx: int, value: int, size: int) -> Symbol:
        version, hidden = "", False
        if "@" in name[1:]:
            base, _, version = name.partition("@")
            name, hidden, version = base, not version.startswith("@"), version.lstrip("@")
            if len(version) > _LONGEST_VERSION:
                raise self.elf.error(
                    f"expected a shorter version of symbol {index}", section=self.section.name
                )
        elif self._versions is not None:
            version, hidden = self._versions.find(index)
        if shndx == SHN.XINDEX:
            shndx = self._extended_index(index)
        return Symbol(name, value, size, info & 15, info >> 4, shndx, self.name, version, hidden)

    @cached_property
    def _versions(self) -> Versions | None:
        if self.name != ".dynsym":
            return None
        from .versions import parse_versions

        return parse_versions(self.elf)

    def _extended_index(self, index: int) -> int:
        at = index * 4
        if at + 4 > len(self._extended_indices):
            raise self.elf.error(
                f"expected an extended section index of symbol {index}", section=self.section.name
            )
        (number,) = struct.unpack_from(self.elf.order + "I", self._extended_indices, at)
        return int(number)

    @cached_property
    def _extended_indices(self) -> bytes:
        for section in self.elf.sections:
            if section.type == SHT.SYMTAB_SHNDX and section.link == self.section.index:
                return self.elf.contents(section)
        return b""

    def read_name(self, offset: int) -> str:
        """The name at `offset` of the table's strings, as it is written there."""
        start = self._strings_start + offset
        end = self.elf.data.find(b"\0", start, min(start + _LONGEST_NAME, self._strings_end))
        if start >= self._strings_end or end < 0:
            raise self._name_error(offset)
        return self.elf.data[start:end].decode("utf-8", "surrogateescape")

    def _name_error(self, offset: int) -> Exception:
        return self.elf.error("expected a name that ends in NUL", section=self._strings.name, at=offset)

    @cached_property
    def _string_bytes(self) -> bytes:
        return self.elf.data[self._strings_start : self._strings_end]
