"""Header, sections and segments of an ELF file (gABI chapters 4 and 5), 32 and 64 bit, both byte orders.

Promises: nothing is read before it is asked for; malformed bytes raise `FormatError` and nothing else;
the work and the memory are bounded by the size of the file.
"""

from __future__ import annotations

import struct
from functools import cached_property

from ..base.errors import FormatError
from ..base.record import record
from .consts import DF_1_PIE, ELFCLASS, ELFDATA, ET, PF, PN_XNUM, PT, SHN, SHT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, Protocol

    from .dynamic import Dynamic
    from .gopclntab import GoTable
    from .notes import Note
    from .symbols import Symbol, SymbolTable

    class Image(Protocol):
        """The bytes of a file: `bytes`, `mmap.mmap` and alike."""

        def __len__(self) -> int: ...
        def __getitem__(self, key: slice, /) -> bytes: ...
        def __buffer__(self, flags: int, /) -> memoryview: ...
        def find(self, sub: bytes, start: int = ..., end: int = ..., /) -> int: ...


_EHDR = {32: "16sHHIIIIIHHHHHH", 64: "16sHHIQQQIHHHHHH"}
_SHDR = {32: "10I", 64: "IIQQQQIIQQ"}
_PHDR = {32: "8I", 64: "IIQQQQQQ"}
_LONGEST_NAME = 4096
GO_TABLES = (".gopclntab", ".data.rel.ro.gopclntab")
"""Sections that have Go's own table of functions."""


@record
class Header:
    """The fields of Ehdr after e_ident, by their names without `e_`."""

    type: int
    machine: int
    version: int
    entry: int
    phoff: int
    shoff: int
    flags: int
    ehsize: int
    phentsize: int
    phnum: int
    shentsize: int
    shnum: int
    shstrndx: int


@record
class Section:
    """A section header, by the names of Shdr without `sh_`. `index` is its number in the file."""

    index: int
    name: str
    type: int
    flags: int
    addr: int
    offset: int
    size: int
    link: int
    info: int
    addralign: int
    entsize: int


@record
class Segment:
    """A program header, by the names of Phdr without `p_`."""

    type: int
    flags: int
    offset: int
    vaddr: int
    paddr: int
    filesz: int
    memsz: int
    align: int


class Elf:
    """One ELF file. `data` stays the caller's; a memory view that has no `find` of its own is copied.

    `bits` is 32 or 64, `order` is the `struct` prefix "<" or ">", `path` is for messages only. `base` is
    where `data` begins in a file that holds it, see `archive`.
    Raises FormatError when the header isn't that of an ELF file.
    """

    def __init__(self, data: Image | memoryview, path: str = "", base: int = 0) -> None:
        self.data: Image = _image(data) if isinstance(data, memoryview) else data
        self.path, self.base = path, base
        ident = self.data[0:16]
        if ident[:4] != b"\x7fELF":
            raise self.error(f"expected an ELF file (7f 45 4c 46), got {_describe_start(self.data)}")
        if len(ident) < 16 or ident[4] not in (ELFCLASS.ELF32, ELFCLASS.ELF64):
            raise self.error("expected class 1 (32 bit) or 2 (64 bit)", at=4)
        if ident[5] not in (ELFDATA.LSB, ELFDATA.MSB):
            raise self.error("expected byte order 1 (little) or 2 (big)", at=5)
        self.bits = 32 if ident[4] == ELFCLASS.ELF32 else 64
        self.little = ident[5] == ELFDATA.LSB
        self.order = "<" if self.little else ">"
        self.header = Header(*self.unpack(_EHDR[self.bits], 0, "header")[1:])

    def error(self, message: str, *, section: str = "", at: int = 0) -> FormatError:
        """A `FormatError` about this file, to be raised by the caller."""
        return FormatError(message, path=self.path, section=section, offset=at)

    def unpack(self, layout: str, at: int, what: str) -> tuple[int, ...]:
        """The fields of a `struct` layout (without byte-order mark) at file offset `at`."""
        form = self.order + layout
        size = struct.calcsize(form)
        if at + size > len(self.data):
            raise self.error(f"expected {what} of {size} bytes, got {max(len(self.data) - at, 0)}", at=at)
        return struct.unpack(form, self.data[at : at + size])

    # Header

    @property
    def machine(self) -> int:
        """e_machine: see `consts.EM`."""
        return self.header.machine

    @cached_property
    def is_pie(self) -> bool:
        """Whether this is a position independent executable (a shared library is not)."""
        if self.header.type != ET.DYN:
            return False
        if self.dynamic.flags_1 & DF_1_PIE:
            return True
        # Linkers before binutils 2.26 don't set the flag. libc.so.6 has an interpreter too, and a soname.
        return self.interp is not None and not self.dynamic.soname

    @cached_property
    def interp(self) -> str | None:
        """Path of the program's dynamic loader, or None."""
        for segment in self.segments:
            if segment.type == PT.INTERP and segment.filesz:
                path = self.segment_contents(segment).partition(b"\0")[0]
                return path.decode("utf-8", "surrogateescape")
        return None

    # Sections

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """All sections in file order; section 0 is the null section. Empty when there is no table."""
        header = self.header
        if not header.shoff:
            return ()
        first = self._section_zero
        count = header.shnum or first[5]
        names_index = first[6] if header.shstrndx == SHN.XINDEX else header.shstrndx
        rows = list(self._table(_SHDR[self.bits], header.shoff, header.shentsize, count, "section headers"))
        if names_index >= len(rows):
            raise self.error(f"expected shstrndx below {len(rows)}, got {names_index}")
        names = self._span(rows[names_index][4], rows[names_index][5]) if names_index else b""
        return tuple([Section(i, self._section_name(names, row[0]), *row[1:]) for i, row in enumerate(rows)])

    def find_section(self, name: str) -> Section | None:
        """The first section called `name`, or None."""
        return next((s for s in self.sections if s.name == name), None)

    def find_section_of_type(self, kind: int) -> Section | None:
        """The first section of type `kind` (`consts.SHT`), or None."""
        return next((s for s in self.sections if s.type == kind), None)

    def contents(self, section: Section) -> bytes:
        """The bytes of a section as they stand in the file (compressed ones stay so), b"" for NOBITS."""
        start, end = self.bounds(section)
        return self.data[start:end]

    def bounds(self, section: Section) -> tuple[int, int]:
        """File offsets of a section's first byte and past its last one, checked to be in the file."""
        if section.type == SHT.NOBITS:
            return 0, 0
        end = section.offset + section.size
        if end > len(self.data):
            raise self.error(
                f"expected {section.size} bytes at {section.offset:#x}, the file has {len(self.data)}",
                section=section.name,
            )
        return section.offset, end

    @property
    def _section_zero(self) -> tuple[int, ...]:
        return self.unpack(_SHDR[self.bits], self.header.shoff, "section 0")

    def _section_name(self, names: bytes, at: int) -> str:
        if not at and not names:
            return ""
        end = names.find(b"\0", at, at + _LONGEST_NAME)
        if end < 0:
            raise self.error("expected a section name that ends in NUL", section=".shstrtab", at=at)
        return names[at:end].decode("utf-8", "surrogateescape")

    # Segments

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """All program headers in file order."""
        header = self.header
        count = header.phnum
        if count == PN_XNUM and header.shoff:
            count = self._section_zero[7]
        if not header.phoff or not count:
            return ()
        rows = self._table(_PHDR[self.bits], header.phoff, header.phentsize, count, "program headers")
        if self.bits == 64:
            return tuple([Segment(*row) for row in rows])
        # 32-bit headers have p_flags in the last place but one.
        return tuple([Segment(r[0], r[6], r[1], r[2], r[3], r[4], r[5], r[7]) for r in rows])

    def segment_contents(self, segment: Segment) -> bytes:
        """The bytes of a segment that are in the file."""
        return self._span(segment.offset, segment.filesz, "segment")

    def file_offset(self, address: int, *, code: bool = True) -> int | None:
        """Where in the file the byte at virtual `address` is loaded from, or None.

        With `code`, only executable segments count: the result is what a uprobe is attached to.
        """
        for segment in self._loads(code):
            if segment.vaddr <= address < segment.vaddr + segment.filesz:
                return address - segment.vaddr + segment.offset
        return None

    def address_of(self, offset: int, *, code: bool = True) -> int | None:
        """The virtual address that file offset `offset` is loaded at, or None: `file_offset` reversed."""
        for segment in self._loads(code):
            if segment.offset <= offset < segment.offset + segment.filesz:
                return offset - segment.offset + segment.vaddr
        return None

    def _loads(self, code: bool) -> list[Segment]:
        return self._code_segments if code else [s for s in self.segments if s.type == PT.LOAD]

    @cached_property
    def _code_segments(self) -> list[Segment]:
        return [s for s in self.segments if s.type == PT.LOAD and s.flags & PF.X]

    # Other chapters

    @cached_property
    def symbol_tables(self) -> tuple[SymbolTable, ...]:
        """`.symtab` and `.dynsym`, those that are there, in this order.

        Where `.symtab` was stripped but put into `.gnu_debugdata`, it is that one.
        """
        table = self._symbol_table(SHT.SYMTAB)
        if table is None and self.minidebug is not None:
            table = self.minidebug._symbol_table(SHT.SYMTAB)
        return tuple([t for t in (table, self.dynsym) if t is not None])

    @cached_property
    def dynsym(self) -> SymbolTable | None:
        """`.dynsym`, or None."""
        return self._symbol_table(SHT.DYNSYM)

    def find_symbols(self, name: str) -> list[Symbol]:
        """All symbols called `name`, of any version, of `.symtab` and then `.dynsym`. Parses no table.

        A program of Go that was stripped has them in its own table.
        """
        found = [symbol for table in self.symbol_tables for symbol in table.find(name)]
        if not found and self._stripped_go is not None:
            found = self._stripped_go.find(name)
        return found

    def find_exports(self, name: str) -> list[Symbol]:
        """Symbols called `name` that other files can link to, of any version: the quickest search there is.

        Empty when there are none or when the file has no GNU hash section, so ask `find_symbols` next.
        """
        return self.dynsym.find_exports(name) if self.dynsym is not None else []

    def iter_functions(self, matches: Callable[[str], object] | None = None) -> Iterator[Symbol]:
        """Every defined function (FUNC, GNU_IFUNC) once, `.symtab` first; only names that `matches` accepts.

        Two entries are the same function when name (without version) and address agree.
        """
        seen: set[int] = set()
        for table in self.symbol_tables:
            yield from table.iter_functions(matches, seen)
        if self._stripped_go is not None:
            yield from self._stripped_go.iter_functions(matches, seen)

    @cached_property
    def function_count(self) -> int:
        """How many functions `iter_functions` gives."""
        return sum(1 for _ in self.iter_functions())

    @cached_property
    def go_table(self) -> GoTable | None:
        """Go's own table of functions, or None in what is not of Go."""
        section = next((s for s in self.sections if s.name in GO_TABLES and s.size), None)
        if section is None:
            return None
        from .gopclntab import GoTable

        return GoTable(self, section)

    @property
    def _stripped_go(self) -> GoTable | None:
        """Go's table where there is no other one."""
        return self.go_table if self.is_stripped else None

    @property
    def is_stripped(self) -> bool:
        """Whether the file has no `.symtab`, nor one in `.gnu_debugdata`."""
        return self.find_section_of_type(SHT.SYMTAB) is None and self.minidebug is None

    @cached_property
    def minidebug(self) -> Elf | None:
        """The file in section `.gnu_debugdata`, or None."""
        if self.find_section(".gnu_debugdata") is None:
            return None
        from .minidebug import parse_minidebug

        return parse_minidebug(self)

    @cached_property
    def dynamic(self) -> Dynamic:
        """The dynamic section; an empty one when the file is static."""
        from .dynamic import parse_dynamic

        return parse_dynamic(self)

    def iter_notes(self) -> Iterator[Note]:
        """All notes, from the note sections, or from the note segments when there is no section table."""
        from .notes import iter_notes

        return iter_notes(self)

    @cached_property
    def build_id(self) -> bytes | None:
        """The linker's build id, usually 20 bytes, or None."""
        from .notes import find_build_id

        return find_build_id(self)

    def _symbol_table(self, kind: int) -> SymbolTable | None:
        from .symbols import SymbolTable

        section = self.find_section_of_type(kind)
        return SymbolTable(self, section) if section is not None and section.size else None

    def _table(
        self, layout: str, start: int, entsize: int, count: int, what: str
    ) -> Iterator[tuple[int, ...]]:
        form = struct.Struct(self.order + layout)
        if entsize != form.size:
            raise self.error(f"expected {what} of {form.size} bytes each, got {entsize}", at=start)
        return form.iter_unpack(self._span(start, count * entsize, what))

    def _span(self, start: int, size: int, what: str = "contents") -> bytes:
        if start + size > len(self.data):
            left = max(len(self.data) - start, 0)
            raise self.error(f"expected {what} of {size} bytes, got {left}", at=start)
        return self.data[start : start + size]


def _describe_start(data: Image) -> str:
    """What a file that is no ELF file begins with, in words where it is a script."""
    start = bytes(data[:128])
    if start[:2] == b"#!":
        interpreter = start[2:].split(b"\n")[0].decode("utf-8", "backslashreplace").strip()
        return f"a script of {interpreter}, which is the program that runs"
    return start[:4].hex(" ") or "nothing"


def _image(view: memoryview) -> Image:
    whole: Any = view.obj
    if hasattr(whole, "find") and len(whole) == view.nbytes and view.contiguous:
        image: Image = whole
        return image
    return bytes(view)
