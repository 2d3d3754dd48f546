"""Header, sections, segments, notes and the dynamic section, of files built here."""

from __future__ import annotations

import mmap
import tempfile

import pytest

from builders.elf import ElfBuilder
from probee.base.errors import FormatError
from probee.elf.consts import DF_1_PIE, DT, EM, ET, PF, PT, SHF, SHT
from probee.elf.file import Elf

KINDS = [(64, True), (64, False), (32, True), (32, False)]
every_kind = pytest.mark.parametrize(("bits", "little"), KINDS)


def program(bits: int = 64, little: bool = True, **options: bool) -> ElfBuilder:
    """Code at file offset != address, data after it."""
    elf = ElfBuilder(bits=bits, little=little, entry=0x401010, **options)
    code = SHF.ALLOC | SHF.EXECINSTR
    elf.section(".text", data=b"\xcc" * 0x80, flags=code, address=0x401000, align=16)
    elf.section(".data", data=b"\x11" * 0x20, flags=SHF.ALLOC | SHF.WRITE, address=0x602000)
    elf.section(".bss", SHT.NOBITS, flags=SHF.ALLOC | SHF.WRITE, address=0x602020, size=1 << 30)
    elf.load(".text", flags=PF.R | PF.X)
    elf.load(".data", flags=PF.R | PF.W)
    return elf


@every_kind
def test_header(bits: int, little: bool) -> None:
    elf = Elf(program(bits, little).build(), "x")
    assert (elf.bits, elf.little, elf.machine) == (bits, little, EM.X86_64)
    assert (elf.header.type, elf.header.entry) == (ET.DYN, 0x401010)


@every_kind
@pytest.mark.parametrize("extended", [False, True])
def test_sections_and_segments(bits: int, little: bool, extended: bool) -> None:
    elf = Elf(program(bits, little, extended=extended).build())
    assert [s.name for s in elf.sections] == ["", ".text", ".data", ".bss", ".shstrtab"]
    text, data, bss = elf.sections[1:4]
    assert (text.index, text.type, text.addr, text.size) == (1, SHT.PROGBITS, 0x401000, 0x80)
    assert text.addralign == 16
    assert elf.contents(data) == b"\x11" * 0x20
    assert (bss.size, elf.contents(bss)) == (1 << 30, b"")
    assert [(s.type, s.flags, s.vaddr, s.filesz) for s in elf.segments] == [
        (PT.LOAD, PF.R | PF.X, 0x401000, 0x80),
        (PT.LOAD, PF.R | PF.W, 0x602000, 0x20),
    ]
    assert elf.find_section(".data") == data
    assert elf.find_section(".nope") is None
    assert elf.find_section_of_type(SHT.NOBITS) == bss


@every_kind
def test_addresses(bits: int, little: bool) -> None:
    elf = Elf(program(bits, little).build())
    start = elf.sections[1].offset
    assert elf.file_offset(0x401000) == start
    assert elf.file_offset(0x40107F) == start + 0x7F
    assert elf.file_offset(0x401080) is None
    assert elf.file_offset(0x400FFF) is None
    assert elf.address_of(start + 0x7F) == 0x40107F
    assert elf.address_of(start - 1) is None


def test_only_executable_segments_hold_code() -> None:
    elf = Elf(program().build())
    start = elf.sections[2].offset
    assert elf.file_offset(0x602004) is None
    assert elf.file_offset(0x602004, code=False) == start + 4
    assert elf.address_of(start + 4) is None
    assert elf.address_of(start + 4, code=False) == 0x602004
    assert elf.file_offset(0x602020, code=False) is None, "that is .bss, which isn't in the file"


def test_no_tables() -> None:
    data = bytearray(ElfBuilder().build())
    data[40:48] = bytes(8)  # e_shoff
    elf = Elf(data[:64])
    assert elf.sections == ()
    assert elf.segments == ()
    assert elf.is_stripped
    assert list(elf.iter_notes()) == []
    assert elf.find_symbols("main") == []


@every_kind
def test_notes(bits: int, little: bool) -> None:
    built = ElfBuilder(bits=bits, little=little)
    built.note("stapsdt", 3, b"12345", section=".note.stapsdt")
    built.note("stapsdt", 3, b"", section=".note.stapsdt")
    built.note("GNU", 5, b"\1" * 12, section=".note.gnu.property", align=8)
    built.note("GNU", 5, b"\2" * 16, section=".note.gnu.property", align=8)
    built.note("GNU", 3, bytes(range(20)), section=".note.gnu.build-id")
    elf = Elf(built.build())
    assert [(n.owner, n.type, n.desc) for n in elf.iter_notes()] == [
        ("stapsdt", 3, b"12345"),
        ("stapsdt", 3, b""),
        ("GNU", 5, b"\1" * 12),
        ("GNU", 5, b"\2" * 16),
        ("GNU", 3, bytes(range(20))),
    ]
    assert elf.build_id == bytes(range(20))


def test_build_id_in_another_section_or_none() -> None:
    built = ElfBuilder()
    built.note("stapsdt", 3, bytes(4), section=".notes")
    assert Elf(built.build()).build_id is None
    built.note("GNU", 3, b"id", section=".notes")
    assert Elf(built.build()).build_id == b"id"


def test_notes_without_sections() -> None:
    built = ElfBuilder()
    built.note("GNU", 3, b"four", section=".note")
    built.segment(PT.NOTE, ".note")
    data = bytearray(built.build())
    data[40:48] = bytes(8)
    data[60:64] = bytes(4)
    assert Elf(data).build_id == b"four"


@every_kind
def test_dynamic(bits: int, little: bool) -> None:
    built = ElfBuilder(bits=bits, little=little)
    entries = [
        (DT.NEEDED, "libm.so.6"),
        (DT.NEEDED, "libc.so.6"),
        (DT.SONAME, "libx.so"),
        (DT.RUNPATH, "/opt"),
    ]
    built.dynamic(entries)
    dynamic = Elf(built.build()).dynamic
    assert dynamic.needed == ("libm.so.6", "libc.so.6")
    assert (dynamic.soname, dynamic.runpath, dynamic.flags_1) == ("libx.so", "/opt", 0)


def test_dynamic_rpath_is_second_choice() -> None:
    built = ElfBuilder()
    built.dynamic([(DT.RPATH, "/old")])
    assert Elf(built.build()).dynamic.runpath == "/old"
    built = ElfBuilder()
    built.dynamic([(DT.RPATH, "/old"), (DT.RUNPATH, "/new")])
    assert Elf(built.build()).dynamic.runpath == "/new"


@pytest.mark.parametrize(
    ("type_", "interp", "entries", "pie"),
    [
        (ET.EXEC, True, [], False),
        (ET.DYN, True, [(DT.FLAGS_1, DF_1_PIE)], True),
        (ET.DYN, False, [(DT.FLAGS_1, DF_1_PIE)], True),
        (ET.DYN, True, [], True),
        (ET.DYN, True, [(DT.SONAME, "libc.so.6")], False),
        (ET.DYN, False, [], False),
    ],
)
def test_is_pie(type_: int, interp: bool, entries: list[tuple[int, int | str]], pie: bool) -> None:
    built = ElfBuilder(type=type_)
    built.dynamic(entries)
    if interp:
        built.section(".interp", data=b"/lib/ld.so\0")
        built.segment(PT.INTERP, ".interp")
    elf = Elf(built.build())
    assert elf.is_pie == pie
    assert elf.interp == ("/lib/ld.so" if interp else None)


def test_kinds_of_buffers() -> None:
    data = program().build()
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
            expected = Elf(data).sections
            assert Elf(mapped).sections == expected
            with memoryview(mapped) as view:
                elf = Elf(view)
                assert elf.data is mapped, "not copied"
                assert elf.sections == expected
            with memoryview(b"junk" + data)[4:] as view:
                assert Elf(view).sections == expected


# Malformed


def broken(at: int, value: bytes) -> bytes:
    data = bytearray(program().build())
    data[at : at + len(value)] = value
    return bytes(data)


_NO_ELF = "x: 0x0: expected an ELF file (7f 45 4c 46)"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", f"{_NO_ELF}, got nothing"),
        (b"#!/bin/sh\n", f"{_NO_ELF}, got a script of /bin/sh, which is the program that runs"),
        (b"\x7fELF\2", "x: 0x4: expected class 1 (32 bit) or 2 (64 bit)"),
        (b"\x7fELF\3" + bytes(59), "x: 0x4: expected class 1 (32 bit) or 2 (64 bit)"),
        (b"\x7fELF\2\3" + bytes(58), "x: 0x5: expected byte order 1 (little) or 2 (big)"),
        (b"\x7fELF\2\1\1" + bytes(9), "x: 0x0: expected header of 64 bytes, got 16"),
    ],
)
def test_malformed_header(data: bytes, message: str) -> None:
    with pytest.raises(FormatError) as raised:
        Elf(data, "x")
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (broken(58, b"\x20\0"), "expected section headers of 64 bytes each, got 32"),
        (broken(60, b"\xff\x7f"), "expected section headers of 2097088 bytes, got 320"),
        (broken(62, b"\x09\0"), "expected shstrndx below 5, got 9"),
        (broken(40, b"\xff" * 8), "expected section 0 of 64 bytes, got 0"),
    ],
)
def test_malformed_sections(data: bytes, message: str) -> None:
    elf = Elf(data)
    for _ in range(2):
        with pytest.raises(FormatError, match=message):
            _ = elf.sections


def test_malformed_segments() -> None:
    with pytest.raises(FormatError, match="expected program headers of 56 bytes each, got 57"):
        _ = Elf(broken(54, b"\x39\0")).segments
    with pytest.raises(FormatError, match="expected program headers of 3669904 bytes, got 624"):
        _ = Elf(broken(56, b"\xfe\xff")).segments


def test_section_outside_of_the_file() -> None:
    built = program()
    built.sections[1].size = 1 << 40
    elf = Elf(built.build(), "x")
    with pytest.raises(FormatError, match=r"x: \.data\+0x0: expected 1099511627776 bytes at "):
        elf.contents(elf.sections[2])


def test_note_longer_than_its_section() -> None:
    built = ElfBuilder()
    built.section(".note", SHT.NOTE, built.pack("III", 4, 99, 3) + b"GNU\0")
    with pytest.raises(FormatError, match=r"\.note\+0x0: expected a note of 99 bytes, got 16"):
        _ = Elf(built.build()).build_id
