"""Go's own table of functions, `.gopclntab`: names and entries that stripping leaves alone.

Format: Go's runtime/symtab.go (`pcHeader`, `functab`, `_func`), versions 1.2, 1.16, 1.18 and 1.20. All of
it is in the program's byte order; offsets are from where their header field says.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from functools import cached_property

from ..base.record import record
from .consts import STB, STT
from .symbols import Symbol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .file import Elf, Section

_LONGEST_NAME = 1 << 16
_MOST_TRIES = 100
"""Places that may be those of a name's offset: small numbers stand everywhere."""
_FUNC, _LOCAL = int(STT.FUNC), int(STB.LOCAL)
_ASSEMBLY = 1 << 2
"""`funcFlag_ASM`, since Go 1.17."""


@record
class _Version:
    """How a version of the table is laid out.

    `header` counts the words after the first 8 bytes, of which `names` and `functions` are the numbers of two
    offsets (-1: from the start of all, right behind the header), `text` that of the address all entries are
    relative to (-1: they are addresses). `flag` is where in `_func` the flags are, -1 for none; addresses
    before it take a word of the machine where entries do.
    """

    header: int
    text: int
    names: int
    functions: int
    flag: int


_VERSIONS = {
    0xFFFFFFFB: _Version(header=1, text=-1, names=-1, functions=-1, flag=-1),
    0xFFFFFFFA: _Version(header=7, text=-1, names=2, functions=6, flag=33),
    0xFFFFFFF0: _Version(header=8, text=2, names=3, functions=7, flag=33),
    0xFFFFFFF1: _Version(header=8, text=2, names=3, functions=7, flag=37),
}


@record
class GoFunction:
    """A function of Go: its virtual address, and the bytes to the next one, padding included.

    `is_assembly`: written by hand, so that arguments are where its author put them.
    """

    name: str
    entry: int
    size: int
    is_assembly: bool


class GoTable:
    """The table in `section` of `elf`. Raises FormatError when it is malformed, or of an unknown version."""

    def __init__(self, elf: Elf, section: Section) -> None:
        self.elf, self.section = elf, section
        self._data = elf.contents(section)
        magic, pad, quantum, word = self._unpack("IHBB", 0)
        version = _VERSIONS.get(magic)
        if version is None or pad or quantum not in (1, 2, 4) or word * 8 != elf.bits:
            got = self._data[:8].hex(" ")
            raise self._error(f"expected a function table of Go 1.2 to 1.20, got {got}", 0)
        self._version, self._word = version, "Q" if word == 8 else "I"
        fields = self._unpack(f"{version.header}{self._word}", 8)
        self._count = fields[0]
        self._relative = version.text >= 0
        self._names = fields[version.names] if version.names >= 0 else 0
        # Behind the names is the table of units.
        self._names_end = fields[version.names + 1] if version.names >= 0 else 0
        self._functions = fields[version.functions] if version.functions >= 0 else 8 + word
        self._base = 0 if version.functions < 0 else self._functions
        self._entry = "I" if self._relative else self._word
        self._text = self._find_text(fields[version.text]) if self._relative else 0
        room = len(self._data) - self._functions
        if self._names > len(self._data) or (2 * self._count + 1) * (4 if self._relative else word) > room:
            raise self._error(f"expected {self._count} functions, got {max(room, 0)} bytes", 8)

    def __len__(self) -> int:
        return self._count

    def find(self, name: str) -> list[Symbol]:
        """The functions called `name`, as symbols, in order of address."""
        wanted = name.encode("utf-8", "surrogateescape") + b"\0"
        offsets = set()
        end = self._names_end if self._names_end > self._names else len(self._data)
        at = self._data.find(wanted, self._names, end)
        while at >= 0:
            offsets.add(at - self._names)
            at = self._data.find(wanted, at + 1, end)
        return [self._symbol(index, name) for offset in sorted(offsets) for index in self._find_named(offset)]

    def _find_named(self, offset: int) -> list[int]:
        """Numbers of the functions whose name is at `offset`: one, but in malformed tables.

        The offset itself is searched for: reading those of all functions takes longer.
        """
        skip = 4 if self._relative else self.elf.bits // 8
        wanted, read = struct.pack(self.elf.order + "I", offset), struct.Struct(self.elf.order + self._entry)
        at = self._data.find(wanted, self._functions + skip)
        for _ in range(_MOST_TRIES):
            if at < 0:
                return []
            index = self._index_around(self._text + read.unpack_from(self._data, at - skip)[0])
            if index >= 0 and self._numbers[2 * index + 1] == at - skip - self._base:
                return [index]
            at = self._data.find(wanted, at + 1)
        return [index for index, found in enumerate(self._name_offsets) if found == offset]

    def find_at(self, entry: int) -> GoFunction | None:
        """The function that is entered at virtual address `entry`, or None."""
        found = self.find_around(entry)
        return found if found is not None and found.entry == entry else None

    def find_around(self, address: int) -> GoFunction | None:
        """The function with code at virtual `address`, or None."""
        index = self._index_around(address)
        if index < 0:
            return None
        name, entry = self._name(self._name_offsets[index]), self._text + self._entries[index]
        return GoFunction(name, entry, self._size(index), self._is_assembly(index))

    def find_name(self, address: int) -> tuple[str, int] | None:
        """Name of the function with code at virtual `address`, and the offset in it in bytes; or None."""
        index = self._index_around(address)
        if index < 0:
            return None
        return self._name(self._name_offsets[index]), address - self._text - self._entries[index]

    def _index_around(self, address: int) -> int:
        """Number of the function with code at virtual `address`, -1 for none."""
        entries, past = self._entries, address - self._text
        index = bisect_right(entries, past, 0, self._count) - 1
        return index if index >= 0 and past < entries[index + 1] else -1

    def iter_functions(
        self, matches: Callable[[str], object] | None = None, seen: set[int] | None = None
    ) -> Iterator[Symbol]:
        """All functions as symbols, in order of address, as `symbols.SymbolTable.iter_functions` has them."""
        entries, text = self._entries, self._text
        for index, offset in enumerate(self._name_offsets):
            name = self._name(offset)
            if not name or (matches is not None and not matches(name)):
                continue
            if not seen or hash((name, text + entries[index])) not in seen:
                yield self._symbol(index, name)

    def _symbol(self, index: int, name: str) -> Symbol:
        entry = self._text + self._entries[index]
        return Symbol(name, entry, self._size(index), _FUNC, _LOCAL, 1, self.section.name)

    def _size(self, index: int) -> int:
        return max(self._entries[index + 1] - self._entries[index], 0)

    # The table

    @cached_property
    def _numbers(self) -> tuple[int, ...]:
        """Entry and offset of its `_func` of each function in turn, and where the last function ends."""
        return self._unpack(f"{2 * self._count + 1}{self._entry}", self._functions)

    @cached_property
    def _entries(self) -> tuple[int, ...]:
        """Where all functions begin, from `_text` on, and where the last one ends."""
        return self._numbers[::2]

    @cached_property
    def _name_offsets(self) -> list[int]:
        read = struct.Struct(self.elf.order + "I").unpack_from
        skip = self._base + (4 if self._relative else self.elf.bits // 8)
        data, places = self._data, self._numbers[1::2]
        try:
            return [read(data, skip + at)[0] for at in places]
        except struct.error:
            raise self._error("expected a function", self._base + max(places)) from None

    def _is_assembly(self, index: int) -> bool:
        if self._version.flag < 0:
            return False
        at = self._base + self._numbers[2 * index + 1] + (4 if self._relative else self.elf.bits // 8)
        (flags,) = self._unpack("B", at + self._version.flag)
        return bool(flags & _ASSEMBLY)

    def _name(self, offset: int) -> str:
        start = self._names + offset
        end = self._data.find(b"\0", start, start + _LONGEST_NAME)
        if end < 0:
            raise self._error("expected a name that ends in NUL", start)
        return self._data[start:end].decode("utf-8", "surrogateescape")

    def _find_text(self, told: int) -> int:
        """The address that entries are relative to: what the header tells, or a relocation of it.

        Since Go 1.26 the header tells nothing; then it is where `.text` is.
        """
        if told:
            return told
        field = self.section.addr + 8 + 2 * self.elf.bits // 8
        relocations = self.elf.find_section(".rela.dyn") or self.elf.find_section(".rela")
        if relocations is not None and self.elf.bits == 64:
            form = struct.Struct(self.elf.order + "QQq")
            data = self.elf.contents(relocations)
            at = data.find(struct.pack(self.elf.order + "Q", field))
            if at >= 0 and at % form.size == 0 and at + form.size <= len(data):
                return int(form.unpack_from(data, at)[2])
        text = self.elf.find_section(".text")
        if text is None:
            raise self._error("expected the address of the program's text", 8)
        return text.addr

    def _unpack(self, layout: str, at: int) -> tuple[int, ...]:
        form = struct.Struct(self.elf.order + layout)
        if at + form.size > len(self._data):
            raise self._error(f"expected {form.size} bytes, got {max(len(self._data) - at, 0)}", at)
        return form.unpack_from(self._data, at)

    def _error(self, message: str, at: int) -> Exception:
        return self.elf.error(message, section=self.section.name, at=at)
