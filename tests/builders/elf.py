"""Writes small ELF files: sections, segments, symbols with versions, notes; 32 and 64 bit, both byte orders.

elf = ElfBuilder()
elf.section(".text", data=bytes(64), address=0x1000, flags=SHF.ALLOC | SHF.EXECINSTR)
elf.load(".text", flags=PF.R | PF.X)
elf.symbol("main", 0x1000, size=32)
data = elf.build()
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from probee.elf.consts import EM, ET, PT, SHN, SHT, STB, STT

_SYM_SIZE = {32: 16, 64: 24}


@dataclass
class BuiltSection:
    """One section to be written; `link` is the name of another. `size` differs from the data's for NOBITS."""

    name: str
    type: int
    data: bytes = b""
    flags: int = 0
    address: int = 0
    link: str = ""
    info: int = 0
    align: int = 1
    entsize: int = 0
    size: int | None = None
    offset: int = 0


@dataclass
class BuiltSegment:
    """One segment to be written: the place of `section`, but for what is given."""

    type: int
    flags: int
    section: str
    offset: int | None = None
    vaddr: int | None = None
    filesz: int | None = None


@dataclass
class BuiltSymbol:
    name: str
    value: int
    size: int
    type: int
    bind: int
    section: str | int
    version: str
    hidden: bool


class Strings:
    """A string table. With `tails`, a name that is the tail of an earlier one is not written again."""

    def __init__(self, *, tails: bool = False) -> None:
        self.data = bytearray(1)
        self._tails = tails

    def add(self, name: str) -> int:
        text = name.encode("utf-8", "surrogateescape") + b"\0"
        at = self.data.find(text) if self._tails or text == b"\0" else -1
        if at < 0:
            at = len(self.data)
            self.data += text
        return at


@dataclass
class ElfBuilder:
    """One file to be. `extended` writes all counts and section indices in their extended form."""

    bits: int = 64
    little: bool = True
    type: int = ET.DYN
    machine: int = EM.X86_64
    entry: int = 0
    tails: bool = False
    extended: bool = False
    hash: bool = True
    sections: list[BuiltSection] = field(default_factory=list)
    segments: list[BuiltSegment] = field(default_factory=list)
    tables: dict[str, list[BuiltSymbol]] = field(default_factory=dict)

    def pack(self, layout: str, *values: int) -> bytes:
        """Pack 64-bit layouts; `Q` shrinks to 32 bits in a 32-bit file."""
        if self.bits == 32:
            layout = layout.replace("Q", "I")
        return struct.pack(("<" if self.little else ">") + layout, *values)

    # What is in the file

    def section(
        self,
        name: str,
        type: int = SHT.PROGBITS,
        data: bytes = b"",
        *,
        flags: int = 0,
        address: int = 0,
        link: str = "",
        info: int = 0,
        align: int = 1,
        entsize: int = 0,
        size: int | None = None,
    ) -> BuiltSection:
        built = BuiltSection(name, type, data, flags, address, link, info, align, entsize, size)
        self.sections.append(built)
        return built

    def segment(
        self,
        type: int,
        section: str = "",
        *,
        flags: int = 0,
        offset: int | None = None,
        vaddr: int | None = None,
        filesz: int | None = None,
    ) -> None:
        self.segments.append(BuiltSegment(type, flags, section, offset, vaddr, filesz))

    def load(self, section: str, *, flags: int) -> None:
        """A PT_LOAD segment over one section."""
        self.segment(PT.LOAD, section, flags=flags)

    def symbol(
        self,
        name: str,
        value: int = 0,
        size: int = 0,
        *,
        type: int = STT.FUNC,
        bind: int = STB.GLOBAL,
        section: str | int = ".text",
        table: str = ".symtab",
        version: str = "",
        hidden: bool = False,
    ) -> None:
        """A symbol of `table` (".symtab" or ".dynsym"); `version` is for those of ".dynsym"."""
        built = BuiltSymbol(name, value, size, type, bind, section, version, hidden)
        self.tables.setdefault(table, []).append(built)

    def note(self, owner: str, type: int, desc: bytes, *, section: str = ".note", align: int = 4) -> None:
        """A note, in a section of its own name or appended to an earlier one's."""
        name = owner.encode() + b"\0"
        data = self.pack("III", len(name), len(desc), type) + name
        data += bytes(-len(data) % align) + desc
        data += bytes(-len(data) % align)
        for built in self.sections:
            if built.name == section:
                built.data += data
                return
        self.section(section, SHT.NOTE, data, align=align)

    def dynamic(self, entries: list[tuple[int, int | str]]) -> None:
        """The dynamic section with its strings; a string value is put into `.dynstr` by itself."""
        strings = Strings()
        values = [(tag, strings.add(v) if isinstance(v, str) else v) for tag, v in entries]
        base = 0x8000
        self.section(".dynstr.needed", SHT.STRTAB, bytes(strings.data), address=base)
        self.load(".dynstr.needed", flags=4)
        values += [(5, base), (10, len(strings.data)), (0, 0)]
        self.section(".dynamic", SHT.DYNAMIC, b"".join(self.pack("QQ", *v) for v in values))
        self.segment(PT.DYNAMIC, ".dynamic")

    # Writing

    def build(self) -> bytes:
        """The bytes of the file: header, segments, sections in order, section headers."""
        sections = [BuiltSection("", SHT.NULL), *self.sections]
        for table, symbols in self.tables.items():
            self._add_symbols(sections, table, symbols)
        names = Strings()
        named = [*sections, BuiltSection(".shstrtab", SHT.STRTAB)]
        name_offsets = [names.add(s.name) for s in named]
        named[-1].data = bytes(names.data)
        data = bytearray(self._header_size + len(self.segments) * self._segment_size)
        for built in named:
            data += bytes(-len(data) % built.align)
            built.offset = len(data)
            data += built.data
        data += bytes(-len(data) % 8)
        headers_at = len(data)
        for at, built in zip(name_offsets, named, strict=True):
            data += self._section_header(at, built, named)
        if self.extended:
            self._extend(data, headers_at, len(named))
        data[: self._header_size] = self._header(headers_at, len(named))
        segments = b"".join(self._segment_header(s, named) for s in self.segments)
        data[self._header_size : self._header_size + len(segments)] = segments
        return bytes(data)

    def _add_symbols(self, sections: list[BuiltSection], table: str, symbols: list[BuiltSymbol]) -> None:
        dynamic = table == ".dynsym"
        strings_name = ".dynstr" if dynamic else ".strtab"
        strings = Strings(tails=self.tails)
        indices = {s.name: i for i, s in enumerate(sections)}
        rows, extended = [bytes(_SYM_SIZE[self.bits])], [0]
        # The hash section leaves out the imports, so they come first.
        ordered = sorted(symbols, key=lambda s: s.section != SHN.UNDEF) if dynamic else symbols
        for s in ordered:
            index = indices[s.section] if isinstance(s.section, str) else s.section
            extended.append(index)
            beyond = self.extended and 0 < index < SHN.LORESERVE and not dynamic
            short = SHN.XINDEX if beyond else index
            rows.append(self._sym(strings.add(s.name), s, short))
        kind = SHT.DYNSYM if dynamic else SHT.SYMTAB
        entsize = _SYM_SIZE[self.bits]
        sections += [
            BuiltSection(table, kind, b"".join(rows), link=strings_name, align=8, entsize=entsize),
            BuiltSection(strings_name, SHT.STRTAB, bytes(strings.data)),
        ]
        if self.extended and not dynamic:
            data = b"".join(self.pack("I", i) for i in extended)
            sections.append(BuiltSection(".symtab_shndx", SHT.SYMTAB_SHNDX, data, link=table, entsize=4))
        if dynamic:
            self._add_versions(sections, ordered)
            if self.hash:
                self._add_hash(sections, ordered)

    def _sym(self, name: int, s: BuiltSymbol, index: int) -> bytes:
        info = s.bind << 4 | s.type
        if self.bits == 32:
            return self.pack("IIIBBH", name, s.value, s.size, info, 0, index)
        return self.pack("IBBHQQ", name, info, 0, index, s.value, s.size)

    def _add_versions(self, sections: list[BuiltSection], symbols: list[BuiltSymbol]) -> None:
        versions = list(dict.fromkeys(s.version for s in symbols if s.version))
        if not versions:
            return
        numbers = {"": 1, **{v: i for i, v in enumerate(versions, 2)}}
        indices = [0, *[numbers[s.version] | (0x8000 if s.hidden else 0) for s in symbols]]
        data = b"".join(self.pack("H", i) for i in indices)
        sections.append(BuiltSection(".gnu.version", SHT.GNU_VERSYM, data, link=".dynsym", entsize=2))
        strings, rows = Strings(), b""
        for version in versions:
            following = 28 if version != versions[-1] else 0
            rows += self.pack("HHHHIII", 1, 0, numbers[version], 1, 0, 20, following)
            rows += self.pack("II", strings.add(version), 0)
        name = ".gnu.version_d"
        sections.append(BuiltSection(name, SHT.GNU_VERDEF, rows, link=".verstr", info=len(versions)))
        sections.append(BuiltSection(".verstr", SHT.STRTAB, bytes(strings.data)))

    def _add_hash(self, sections: list[BuiltSection], symbols: list[BuiltSymbol]) -> None:
        """One bucket, so that the symbols need no order, and a bloom filter that lets everything through."""
        first = 1 + sum(1 for s in symbols if s.section == SHN.UNDEF)
        hashes = [_gnu_hash(s.name) for s in symbols[first - 1 :]]
        chain = [h & ~1 for h in hashes[:-1]] + [h | 1 for h in hashes[-1:]]
        data = self.pack("IIII", 1, first, 1, 0) + b"\xff" * (self.bits // 8)
        data += self.pack("I", first if hashes else 0) + b"".join(self.pack("I", h) for h in chain)
        sections.append(BuiltSection(".gnu.hash", SHT.GNU_HASH, data, link=".dynsym", align=8))

    @property
    def _header_size(self) -> int:
        return 52 if self.bits == 32 else 64

    @property
    def _segment_size(self) -> int:
        return 32 if self.bits == 32 else 56

    def _header(self, sections_at: int, count: int) -> bytes:
        ident = b"\x7fELF" + bytes([self.bits // 32, 1 if self.little else 2, 1]) + bytes(9)
        segments, shnum, shstrndx = len(self.segments), count, count - 1
        if self.extended:
            segments, shnum, shstrndx = 0xFFFF, 0, 0xFFFF
        first = self.pack(
            "HHIQQQI", self.type, self.machine, 1, self.entry, self._header_size, sections_at, 0
        )
        section_size = 40 if self.bits == 32 else 64
        return (
            ident
            + first
            + self.pack("6H", self._header_size, self._segment_size, segments, section_size, shnum, shstrndx)
        )

    def _extend(self, data: bytearray, sections_at: int, count: int) -> None:
        first = BuiltSection("", SHT.NULL, size=count, info=len(self.segments))
        header = self._section_header(0, first, [], link=count - 1)
        data[sections_at : sections_at + len(header)] = header

    def _section_header(
        self, name: int, s: BuiltSection, sections: list[BuiltSection], *, link: int = 0
    ) -> bytes:
        if s.link:
            link = next(i for i, other in enumerate(sections) if other.name == s.link)
        size = len(s.data) if s.size is None else s.size
        fields = (s.type, s.flags, s.address, s.offset, size, link, s.info, s.align, s.entsize)
        return self.pack("IIQQQQIIQQ", name, *fields)

    def _segment_header(self, s: BuiltSegment, sections: list[BuiltSection]) -> bytes:
        where = next((x for x in sections if x.name == s.section), BuiltSection("", 0))
        offset = where.offset if s.offset is None else s.offset
        vaddr = where.address if s.vaddr is None else s.vaddr
        filesz = len(where.data) if s.filesz is None else s.filesz
        memsz = max(filesz, where.size or 0)
        if self.bits == 32:
            return self.pack("8I", s.type, offset, vaddr, vaddr, filesz, memsz, s.flags, where.align)
        return self.pack("IIQQQQQQ", s.type, s.flags, offset, vaddr, vaddr, filesz, memsz, where.align)


def _gnu_hash(name: str) -> int:
    value = 5381
    for byte in name.encode():
        value = value * 33 + byte
    return value & 0xFFFFFFFF
