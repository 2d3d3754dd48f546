"""Functions of a file by address."""

from __future__ import annotations

import struct
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.elf import ElfBuilder
from builders.gopclntab import TEXT, GoProgram
from probee.base.errors import FormatError
from probee.elf.consts import PF, SHF, SHT, STB, STT
from probee.elf.file import Elf
from probee.symbols.table import FunctionTable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def frame(size: int = 0x1000, **fields: object) -> ElfBuilder:
    """Code at 0x1000, data at 0x9000."""
    elf = ElfBuilder(**fields)  # type: ignore[arg-type]
    elf.section(".text", data=bytes(size), address=0x1000, flags=SHF.ALLOC | SHF.EXECINSTR)
    elf.section(".data", data=bytes(64), address=0x9000, flags=SHF.ALLOC | SHF.WRITE)
    elf.load(".text", flags=PF.R | PF.X)
    return elf


def table(elf: ElfBuilder, debug: ElfBuilder | None = None) -> FunctionTable:
    return FunctionTable(Elf(elf.build(), "x"), Elf(debug.build(), "y") if debug else None)


@pytest.mark.parametrize(("bits", "little"), [(64, True), (64, False), (32, True), (32, False)])
def test_find(bits: int, little: bool) -> None:
    elf = frame(bits=bits, little=little)
    elf.symbol("first", 0x1000, 16)
    elf.symbol("second", 0x1020, 16, bind=STB.LOCAL)
    found = table(elf)
    assert len(found) == 2
    assert found.find(0x1000) == ("first", 0)
    assert found.find(0x100F) == ("first", 15)
    assert found.find(0x1028) == ("second", 8)
    for address in (0, 0xFFF, 0x1010, 0x1030, 1 << 64):
        assert found.find(address) is None


def test_without_sizes() -> None:
    elf = frame()
    for name, value in (("a", 0x1000), ("alias_of_a", 0x1000), ("b", 0x1100)):
        elf.symbol(name, value)
    found = table(elf)
    assert found.find(0x10FF) == ("a", 0xFF)
    assert found.find(0x1FFF) == ("b", 0xEFF)
    assert found.find(0x2000) is None


def test_innermost() -> None:
    elf = frame()
    elf.symbol("outer", 0x1000, 0x100)
    elf.symbol("inner", 0x1010, 0x10)
    found = table(elf)
    assert found.find(0x1018) == ("inner", 8)
    assert found.find(0x1028) == ("outer", 0x28)


@pytest.mark.parametrize(
    ("names", "best"),
    [
        ([("__libc_malloc", STB.GLOBAL), ("malloc", STB.GLOBAL), ("__malloc", STB.GLOBAL)], "malloc"),
        ([("a", STB.LOCAL), ("long_global", STB.GLOBAL), ("w", STB.WEAK)], "long_global"),
        ([("local", STB.LOCAL), ("_weak", STB.WEAK)], "_weak"),
        ([("bb", STB.GLOBAL), ("aa", STB.GLOBAL), ("aaa", STB.GLOBAL)], "aa"),
    ],
)
def test_aliases(names: list[tuple[str, STB]], best: str) -> None:
    elf = frame()
    for name, bind in names:
        elf.symbol(name, 0x1000, 16, bind=bind)
    assert table(elf).find(0x1004) == (best, 4)


def test_labels_come_last() -> None:
    elf = frame()
    elf.symbol("function", 0x1000, 16)
    elf.symbol("label", 0x1008, type=STT.NOTYPE)
    elf.symbol("assembly", 0x1020, type=STT.NOTYPE)
    elf.symbol("$x", 0x1028, type=STT.NOTYPE, bind=STB.LOCAL)
    found = table(elf)
    assert found.find(0x100C) == ("function", 12)
    assert found.find(0x1018) == ("label", 16)
    assert found.find(0x1024) == ("assembly", 4)
    assert found.find(0x1030) is None


def test_function_without_size_inside_of_another() -> None:
    elf = frame()
    elf.symbol("outer", 0x1000, 0x100)
    elf.symbol("entry", 0x1010)
    elf.symbol("label", 0x1010, type=STT.NOTYPE)
    assert table(elf).find(0x1018) == ("entry", 8)


def test_what_is_no_code() -> None:
    elf = frame()
    elf.symbol("imported", 0, section=0)
    elf.symbol("object", 0x1000, 8, type=STT.OBJECT)
    elf.symbol("in_data", 0x9000, 8, section=".data")
    elf.symbol("end_of_data", 0x9040, type=STT.NOTYPE, section=".data")
    assert len(table(elf)) == 0


def test_dynamic_symbols_and_versions() -> None:
    elf = frame()
    elf.symbol("memcpy@@GLIBC_2.14", 0x1000, 16)
    elf.symbol("exported", 0x1010, 16, table=".dynsym")
    found = table(elf)
    assert (found.find(0x1000), found.find(0x1010)) == (("memcpy", 0), ("exported", 0))


def test_separate_debug_file() -> None:
    elf, debug = frame(), ElfBuilder()
    debug.section(".text", SHT.NOBITS, address=0x1000, size=0x1000, flags=SHF.ALLOC | SHF.EXECINSTR)
    debug.symbol("static_function", 0x1000, 16, bind=STB.LOCAL)
    assert table(elf).find(0x1000) is None
    assert table(elf, debug).find(0x1004) == ("static_function", 4)


def test_name_that_does_not_end() -> None:
    elf = frame()
    elf.symbol("name", 0x1000, 16)
    data = bytearray(elf.build())
    parsed = Elf(bytes(data), "x")
    section = parsed.find_section(".symtab")
    assert section is not None
    struct.pack_into("<I", data, section.offset + 24, 0x10000)
    with pytest.raises(FormatError, match=r"x: \.strtab\+0x10000: expected a name that ends in NUL"):
        FunctionTable(Elf(bytes(data), "x")).find(0x1000)


@given(
    st.lists(st.tuples(st.integers(0, 80), st.integers(1, 40)), max_size=12),
    st.integers(0, 130),
)
def test_against_looking_at_all(rows: list[tuple[int, int]], at: int) -> None:
    elf = frame()
    for number, (start, size) in enumerate(rows):
        elf.symbol(f"f{number:02}", 0x1000 + start, size)
    covering = [start for start, size in rows if start <= at < start + size]
    found = table(elf).find(0x1000 + at)
    assert (found and found[1]) == (at - max(covering) if covering else None)


@settings(max_examples=200)
@given(st.data())
def test_mutated(data: st.DataObject) -> None:
    elf = frame(size=64)
    elf.symbol("one", 0x1000, 16)
    elf.symbol("two", 0x1010)
    elf.symbol("three", 0x1020, 16, table=".dynsym")
    raw = bytearray(elf.build())
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(16, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with suppress(FormatError):
        found = FunctionTable(Elf(bytes(raw), "x"))
        assert len(found) <= len(raw)
        for address in range(0xFF0, 0x1050, 8):
            name, offset = found.find(address) or ("", 0)
            assert len(name) <= len(raw)
            assert offset >= 0


def test_100_000_addresses() -> None:
    """Asked for: a second at most. Here twice that, since machines that test are busy ones."""
    elf = frame(size=20_000 * 16)
    for number in range(20_000):
        elf.symbol(f"function_{number}", 0x1000 + 16 * number, 16)
    parsed = Elf(elf.build(), "x")
    start = time.process_time()
    found = FunctionTable(parsed)
    last = [found.find(0x1000 + 3 * n) for n in range(100_000)][-1]
    assert time.process_time() - start < 2
    assert last == ("function_18749", 13)


@pytest.mark.needs("cc", "binutils")
def test_nm(cc: Callable[..., Path]) -> None:
    path = cc(
        "int one(int n) { return n; } static int two(void) { return 2; } int main(void) { return two(); }"
    )
    found = FunctionTable(Elf(path.read_bytes(), str(path)))
    done = subprocess.run(["nm", "-S", path], capture_output=True, text=True, check=True)
    rows = [line.split() for line in done.stdout.splitlines()]
    sized = [(int(r[0], 16), int(r[1], 16), r[3]) for r in rows if len(r) == 4 and r[2] in "Tt"]
    assert {"one", "two", "main"} <= {name for _, _, name in sized}
    for start, size, name in sized:
        assert found.find(start + size - 1) == (name, size - 1)


def test_stripped_go() -> None:
    made = GoProgram()
    made.function("main.work", bytes(0x30))
    made.function("main.main", bytes(0x10))
    table = FunctionTable(Elf(made.build()))
    assert table.find(TEXT) == ("main.work", 0)
    assert table.find(TEXT + 0x35) == ("main.main", 5)
    assert table.find(TEXT + 0x40) is table.find(TEXT - 1) is None
