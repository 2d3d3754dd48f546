"""Go's own table of functions, of every version, and the version of Go that made a program."""

from __future__ import annotations

import contextlib
import struct
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders.elf import ElfBuilder
from builders.gopclntab import TEXT, GoProgram, build_go
from probee.base.errors import FormatError, TargetError
from probee.elf.consts import SHF
from probee.elf.file import Elf
from probee.elf.gobuildinfo import parse_go_version, parse_version
from probee.elf.resolve import resolve_symbol

if TYPE_CHECKING:
    from pathlib import Path

TABLES = ("1.2", "1.16", "1.18", "1.20")


def program(**facts: Any) -> GoProgram:
    made = GoProgram(**facts)
    made.function("runtime.text")
    made.function("main.(*T).work", bytes(0x30))
    made.function("main.main", assembly=True)
    return made


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("little", [False, True])
def test_functions(table: str, bits: int, little: bool) -> None:
    elf = Elf(program(table=table, bits=bits, little=little).build())
    found = [(s.name, s.value, s.size, s.table) for s in elf.iter_functions()]
    assert found == [
        ("runtime.text", TEXT, 0x10, ".gopclntab"),
        ("main.(*T).work", TEXT + 0x10, 0x30, ".gopclntab"),
        ("main.main", TEXT + 0x40, 0x10, ".gopclntab"),
    ]
    assert [s.name for s in elf.iter_functions(lambda name: "main." in name)] == [found[1][0], found[2][0]]
    assert [s.value for s in elf.find_symbols("main.(*T).work")] == [TEXT + 0x10]
    assert elf.find_symbols("work") == elf.find_symbols("nope") == []
    table_of_go = elf.go_table
    assert table_of_go is not None
    assert len(table_of_go) == 3
    main = table_of_go.find_at(TEXT + 0x40)
    assert main is not None
    assert (main.name, main.size, main.is_assembly) == ("main.main", 0x10, table != "1.2")
    assert table_of_go.find_at(TEXT + 0x41) is table_of_go.find_at(TEXT + 0x50) is None


def test_probes_find_them() -> None:
    elf = Elf(program().build(), "x")
    place = resolve_symbol(elf, "main.(*T).work", 8)
    assert (place.address, place.file_offset) == (TEXT + 0x18, elf.file_offset(TEXT + 0x18))
    message = r"no function main\.mian in x: stripped, has the 3 functions"
    with pytest.raises(TargetError, match=message) as caught:
        resolve_symbol(elf, "main.mian")
    assert caught.value.hint == "did you mean main.main?"


def test_a_symbol_table_comes_first() -> None:
    built = program().builder()
    built.symbol("main.main", TEXT + 0x40, 8)
    elf = Elf(built.build())
    assert [s.table for s in elf.iter_functions()] == [".symtab"]
    assert elf.find_symbols("runtime.text") == []
    assert elf.go_table is not None


def test_position_independent() -> None:
    """The header's address stands in a relocation; since Go 1.26 nowhere."""
    made = program(text_told=False, section=".data.rel.ro.gopclntab")
    elf = Elf(made.build())
    assert next(elf.iter_functions()).value == TEXT
    built = made.builder()
    built.section(".rela.dyn", data=struct.pack("<QQq", 8, 8, 5) + struct.pack("<QQq", 0x600018, 8, 0x7000))
    assert next(Elf(built.build()).iter_functions()).value == 0x7000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((0, bytes(4)), r"\.gopclntab\+0x0: expected a function table of Go 1.2 to 1.20, got 00 00"),
        ((4, b"\x01"), "expected a function table"),
        ((6, b"\x03"), "expected a function table"),
        ((7, b"\x04"), "expected a function table"),
        ((8, b"\xff\xff\xff\xff"), r"\.gopclntab\+0x8: expected 4294967295 functions"),
        ((32, b"\xff\xff\xff"), "expected 3 functions"),
        ((64, b"\xff\xff\xff"), "expected 3 functions"),
    ],
)
def test_malformed(change: tuple[int, bytes], message: str) -> None:
    made = program()
    table = bytearray(made.encode_table())
    at, data = change
    table[at : at + len(data)] = data
    built = made.builder()
    built.sections[-1].data = bytes(table)
    with pytest.raises(FormatError, match=message):
        list(Elf(built.build(), "x").iter_functions())


@given(st.data())
def test_mutated(data: st.DataObject) -> None:
    made = program(table=data.draw(st.sampled_from(TABLES)))
    table = bytearray(made.encode_table())
    for _ in range(data.draw(st.integers(1, 4))):
        table[data.draw(st.integers(0, len(table) - 1))] = data.draw(st.integers(0, 255))
    built = made.builder()
    built.sections[-1].data = bytes(table[: data.draw(st.integers(0, len(table)))])
    elf = Elf(built.build(), "x")
    for read in (read_all, read_one, read_at):
        with contextlib.suppress(FormatError):
            read(elf)


def read_all(elf: Elf) -> None:
    assert all(symbol.name for symbol in elf.iter_functions())


def read_one(elf: Elf) -> None:
    assert {symbol.name for symbol in elf.find_symbols("main.main")} <= {"main.main"}


def read_at(elf: Elf) -> None:
    found = [elf.go_table.find_at(at) for at in range(TEXT, TEXT + 0x60)] if elf.go_table is not None else []
    assert all(function is None or function.size >= 0 for function in found)


# -- the version --------------------------------------------------------------------------------


def test_version() -> None:
    assert parse_go_version(Elf(program(version="go1.23.3").build())) == "go1.23.3"
    assert parse_go_version(Elf(ElfBuilder().build())) is None


def test_version_by_pointer() -> None:
    """As Go had it before 1.18."""
    built = ElfBuilder()
    text = b"go1.17"
    data = struct.pack("<QQ", 0x5010, len(text)) + text
    built.section(".data", data=data, flags=SHF.ALLOC, address=0x5000, align=16)
    built.load(".data", flags=6)
    built.section(".go.buildinfo", data=b"\xff Go buildinf:" + bytes([8, 0]) + struct.pack("<QQ", 0x5000, 0))
    assert parse_go_version(Elf(built.build())) == "go1.17"
    built.sections[-1].data = built.sections[-1].data[:16] + struct.pack("<QQ", 0x9000, 0)
    with pytest.raises(FormatError, match=r"\.go\.buildinfo\+0x0: expected 16 bytes at 0x9000"):
        parse_go_version(Elf(built.build()))


@pytest.mark.parametrize("data", [b"", bytes(40), b"\xff Go buildinf:"])
def test_no_version(data: bytes) -> None:
    built = ElfBuilder()
    built.section(".go.buildinfo", data=data)
    with pytest.raises(FormatError, match="expected Go's build information"):
        parse_go_version(Elf(built.build()))


@pytest.mark.parametrize(
    ("text", "version"),
    [("go1.23.3", (1, 23)), ("go1.9", (1, 9)), ("devel go1.22-f1d6b1a Thu", (1, 22)), ("devel +f1d", None)],
)
def test_parse_version(text: str, version: tuple[int, int] | None) -> None:
    assert parse_version(text) == version


# -- what Go itself makes -----------------------------------------------------------------------


@pytest.mark.needs("go")
@pytest.mark.parametrize("flags", [(), ("-buildmode=pie",)])
def test_stripped_by_go(tmp_path: Path, flags: tuple[str, ...]) -> None:
    """A stripped program has the functions of the same one with symbols, where they are there."""
    source = 'package main\n\nimport "os"\n\nfunc main() { os.Stdout.WriteString("x") }\n'
    whole, stripped = build_go(tmp_path, source, *flags), tmp_path / "stripped"
    subprocess.run(["strip", "-o", stripped, whole], check=True)
    known = {(s.name.removesuffix(".abi0"), s.value) for s in Elf(whole.read_bytes()).iter_functions()}
    found = {(s.name, s.value) for s in Elf(stripped.read_bytes()).iter_functions()}
    # Type arguments are only in symbols; the ends of the code are no functions.
    differing = {name for name, _ in found - known}
    assert all("[...]" in name for name in differing)
    assert len(found & known) > 1000
    version = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout
    assert parse_go_version(Elf(stripped.read_bytes())) == version.strip()
