"""Writes small DWARF: units of entries, versions 2 to 5, 32- and 64-bit, both byte orders, any forms.

function = Entry(TAG.SUBPROGRAM, [(AT.NAME, FORM.STRP, "main"), (AT.LOW_PC, FORM.ADDR, 0x1000)])
dwarf = DwarfBuilder(version=4)
dwarf.unit([function])
elf = dwarf.elf()

A reference's value is the `Entry` it leads to, that of a string form the text, that of a block the bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from builders.elf import ElfBuilder, Strings
from probee.base.reader import Writer
from probee.dwarf.consts import AT, FORM, TAG, UT
from probee.elf.file import Elf

Value = "int | str | bytes | Entry"
_BLOCK_SIZES = {FORM.BLOCK1: "B", FORM.BLOCK2: "H", FORM.BLOCK4: "I"}
_SIZES = {
    FORM.DATA1: 1, FORM.DATA2: 2, FORM.DATA4: 4, FORM.DATA8: 8, FORM.DATA16: 16, FORM.FLAG: 1, FORM.REF1: 1,
    FORM.REF2: 2, FORM.REF4: 4, FORM.REF8: 8, FORM.REF_SIG8: 8, FORM.REF_SUP4: 4, FORM.REF_SUP8: 8,
    FORM.ADDRX1: 1, FORM.ADDRX2: 2, FORM.ADDRX3: 3, FORM.ADDRX4: 4, FORM.STRX1: 1, FORM.STRX2: 2,
    FORM.STRX3: 3, FORM.STRX4: 4,
}  # fmt: skip
_LEBS = (FORM.UDATA, FORM.ADDRX, FORM.STRX, FORM.LOCLISTX, FORM.RNGLISTX, FORM.REF_UDATA)
_STRINGS = (FORM.STRP, FORM.LINE_STRP)
_INDICES = (FORM.STRX, FORM.STRX1, FORM.STRX2, FORM.STRX3, FORM.STRX4)


@dataclass(eq=False)
class Entry:
    """One entry. A form may be (FORM.INDIRECT, form). `at` is its place in the unit, `offset` in all."""

    tag: int
    attributes: list[tuple[int, object, object]] = field(default_factory=list)
    children: list[Entry] = field(default_factory=list)
    at: int = 0
    offset: int = 0


class DwarfBuilder:
    """Sections to be. `sections` may be written to before `elf` is asked for."""

    def __init__(
        self, *, version: int = 5, bits: int = 64, little: bool = True, dwarf64: bool = False
    ) -> None:
        self.version, self.little, self.dwarf64 = version, little, dwarf64
        self.address_size, self.offset_size = bits // 8, 8 if dwarf64 else 4
        self.file = ElfBuilder(bits=bits, little=little)
        self.sections: dict[str, Writer] = {}
        self._strings = {".debug_str": Strings(), ".debug_line_str": Strings()}
        self._indices: list[int] = []
        self._code = 0

    def section(self, name: str) -> Writer:
        return self.sections.setdefault(name, Writer(little=self.little))

    def string(self, text: str, section: str = ".debug_str") -> int:
        """Offset of a string, which is put into its section."""
        return self._strings[section].add(text)

    def write_number(self, writer: Writer, value: int, size: int) -> None:
        writer.write_bytes((value % (1 << 8 * size)).to_bytes(size, "little" if self.little else "big"))

    def write_offset(self, writer: Writer, value: int) -> None:
        self.write_number(writer, value, self.offset_size)

    def write_length(self, writer: Writer, length: int) -> None:
        if self.dwarf64:
            writer.write_struct("I", 0xFFFFFFFF)
        self.write_offset(writer, length)

    def unit(
        self,
        children: list[Entry],
        attributes: list[tuple[int, object, object]] | None = None,
        *,
        type: int = UT.COMPILE,
        section: str = ".debug_info",
        signature: int = 0,
        type_entry: Entry | None = None,
    ) -> Entry:
        """A unit with its own abbreviations; returns its root."""
        root = Entry(TAG.COMPILE_UNIT, attributes or [], children)
        info, abbrevs = self.section(section), self.section(".debug_abbrev")
        abbrev_offset, start = len(abbrevs.data), len(info.data)
        # Twice: the first time tells where entries are, which references need.
        for _ in range(2):
            self._code = 0
            body, table = Writer(little=self.little), Writer(little=self.little)
            header = self._header(type, section, abbrev_offset, signature, type_entry)
            initial = 12 if self.dwarf64 else 4
            self._entry(root, body, table, initial + len(header), start)
            table.write_uleb(0)
        self.write_length(info, len(header) + len(body.data))
        info.write_bytes(header + bytes(body.data))
        abbrevs.write_bytes(bytes(table.data))
        return root

    def _header(
        self, type: int, section: str, abbrevs: int, signature: int, type_entry: Entry | None
    ) -> bytes:
        writer = Writer(little=self.little)
        writer.write_struct("H", self.version)
        if self.version >= 5:
            writer.write_struct("BB", type, self.address_size)
            self.write_offset(writer, abbrevs)
        else:
            self.write_offset(writer, abbrevs)
            writer.write_struct("B", self.address_size)
        if type in (UT.SKELETON, UT.SPLIT_COMPILE):
            writer.write_struct("Q", signature)
        elif type in (UT.TYPE, UT.SPLIT_TYPE) or section == ".debug_types":
            writer.write_struct("Q", signature)
            self.write_offset(writer, type_entry.at if type_entry else 0)
        return bytes(writer.data)

    def _entry(self, entry: Entry, body: Writer, table: Writer, base: int, start: int) -> None:
        self._code += 1
        entry.at, entry.offset = base + len(body.data), start + base + len(body.data)
        body.write_uleb(self._code)
        table.write_uleb(self._code)
        table.write_uleb(entry.tag)
        table.write_struct("B", bool(entry.children))
        for name, form, value in entry.attributes:
            indirect = isinstance(form, tuple)
            written = form[0] if isinstance(form, tuple) else form
            table.write_uleb(name)
            table.write_uleb(written)  # type: ignore[arg-type]
            if indirect:
                body.write_uleb(form[1])  # type: ignore[index]
                written = form[1]  # type: ignore[index]
            if written == FORM.IMPLICIT_CONST:
                table.write_sleb(value)  # type: ignore[arg-type]
            else:
                self._value(body, written, value)  # type: ignore[arg-type]
        table.write_bytes(b"\0\0")
        for child in entry.children:
            self._entry(child, body, table, base, start)
        if entry.children:
            body.write_uleb(0)

    def _value(self, body: Writer, form: int, value: object) -> None:
        if isinstance(value, Entry):
            value = value.offset if form == FORM.REF_ADDR else value.at
        if isinstance(value, str) and form in _STRINGS:
            value = self.string(value, ".debug_str" if form == FORM.STRP else ".debug_line_str")
        elif isinstance(value, str) and form in _INDICES:
            offset = self.string(value)
            if offset not in self._indices:
                self._indices.append(offset)
            value = self._indices.index(offset)
        if isinstance(value, str):
            body.write_string(value.encode())
        elif isinstance(value, bytes):
            if form in (FORM.BLOCK, FORM.EXPRLOC):
                body.write_uleb(len(value))
            elif form in _BLOCK_SIZES:
                body.write_struct(_BLOCK_SIZES[FORM(form)], len(value))
            body.write_bytes(value)
        elif form != FORM.FLAG_PRESENT:
            assert isinstance(value, int)
            self._number(body, form, value)

    def _number(self, body: Writer, form: int, value: int) -> None:
        if form in _LEBS:
            # References are padded, for their place may not be known the first time.
            body.write_bytes(bytes([value & 0x7F | 0x80, value >> 7 & 0x7F | 0x80, value >> 14]))
        elif form == FORM.SDATA:
            body.write_sleb(value)
        elif form == FORM.ADDR or (form == FORM.REF_ADDR and self.version == 2):
            self.write_number(body, value, self.address_size)
        else:
            self.write_number(body, value, _SIZES.get(FORM(form), self.offset_size))

    def aranges(self, unit: int, pairs: list[tuple[int, int]]) -> None:
        """A set of `.debug_aranges`: (address, length) of the unit at offset `unit`."""
        writer = Writer(little=self.little)
        writer.write_struct("H", 2)
        self.write_offset(writer, unit)
        writer.write_struct("BB", self.address_size, 0)
        initial = 12 if self.dwarf64 else 4
        while (len(writer.data) + initial) % (2 * self.address_size):
            writer.write_struct("B", 0)
        for pair in [*pairs, (0, 0)]:
            for number in pair:
                self.write_number(writer, number, self.address_size)
        section = self.section(".debug_aranges")
        self.write_length(section, len(writer.data))
        section.write_bytes(bytes(writer.data))

    def data(self) -> bytes:
        """The bytes of the file."""
        for name, strings in self._strings.items():
            self.section(name).write_bytes(bytes(strings.data))
        if self._indices:
            offsets = self.section(".debug_str_offsets")
            self.write_length(offsets, 4 + len(self._indices) * self.offset_size)
            offsets.write_struct("HH", 5, 0)
            for offset in self._indices:
                self.write_offset(offsets, offset)
        for name, writer in self.sections.items():
            self.file.section(name, data=bytes(writer.data))
        return self.file.build()

    def elf(self) -> Elf:
        return Elf(self.data(), "built")


def base_type(name: str = "int", size: int = 4, encoding: int = 5) -> Entry:
    return Entry(
        TAG.BASE_TYPE,
        [
            (AT.NAME, FORM.STRING, name),
            (AT.BYTE_SIZE, FORM.DATA1, size),
            (AT.ENCODING, FORM.DATA1, encoding),
        ],
    )
