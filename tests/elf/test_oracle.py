"""The same of real and of built files as binutils' readelf says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from builders.elf import ElfBuilder
from probee.elf.consts import PF, PT, SHF, SHN, SHT, STB, STT, name_of
from probee.elf.file import Elf
from probee.elf.resolve import resolve_symbol

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.needs("binutils")

# Spellings of readelf's that are not the constants' names.
OTHER_TYPES = {"IFUNC": "GNU_IFUNC", "<OS specific>: 10": "GNU_IFUNC"}
OTHER_BINDS = {"UNIQUE": "GNU_UNIQUE", "<OS specific>: 10": "GNU_UNIQUE"}
IMPORTED = " (import)"
MOST_SYMBOLS = 3000


def readelf(*arguments: object) -> list[str]:
    done = subprocess.run(
        ["readelf", *map(str, arguments)],
        capture_output=True,
        text=True,
        errors="surrogateescape",
        env={**os.environ, "LC_ALL": "C"},
        check=True,
    )
    return done.stdout.splitlines()


def real_files() -> list[Path]:
    """The interpreter, the libraries it has mapped, and some programs that every machine has."""
    mapped = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if ".so" in line}
    files = {Path(sys.executable).resolve(), *map(Path, mapped)}
    files |= {Path(p).resolve() for p in ("/bin/ls", "/bin/sh", "/usr/bin/env", "/usr/bin/readelf")}
    return sorted(p for p in files if p.is_file() and p.stat().st_size < 40 << 20)


def parse(path: Path) -> Elf:
    return Elf(path.read_bytes(), str(path))


def symbols_by_readelf(path: Path) -> dict[str, list[tuple[int, int, str, str, str, str]]]:
    """Of each table: value, size, type, bind, section and name with version, in order."""
    row = re.compile(
        r" *\d+: ([0-9a-f]+) +(0x[0-9a-f]+|\d+) (\w+|<.*?>: \d+) +(\w+|<.*?>: \d+) +\w+ +"
        r"(?:\[.*\] +)?(\w+)(?: (.*))?$"
    )
    tables: dict[str, list[tuple[int, int, str, str, str, str]]] = {}
    name = ""
    for line in readelf("-sW", path):
        if started := re.match(r"Symbol table '(.*)' contains", line):
            name = started[1]
        elif found := row.match(line):
            value, size, kind, bind, section, symbol = found.groups()
            symbol = re.sub(r" \(\d+\)$", IMPORTED, symbol or "")
            kind, bind = OTHER_TYPES.get(kind, kind), OTHER_BINDS.get(bind, bind)
            rows = tables.setdefault(name, [])
            rows.append((int(value, 16), int(size, 0), kind, bind, section, symbol))
    return tables


def check_symbols(path: Path) -> None:
    expected = symbols_by_readelf(path)
    elf = parse(path)
    for table in elf.symbol_tables:
        rows = expected[table.section.name]
        assert len(table) == len(rows)
        for index in range(0, len(rows), len(rows) // MOST_SYMBOLS + 1):
            symbol, (value, size, kind, bind, section, name) = table.symbol(index), rows[index]
            assert (symbol.value, symbol.size) == (value, size), name
            assert name_of(STT, symbol.type) == kind, name
            assert name_of(STB, symbol.bind) == bind, name
            special = {SHN.UNDEF: "UND", SHN.ABS: "ABS", SHN.COMMON: "COM"}
            assert special.get(symbol.section, str(symbol.section)) == section
            if kind == "SECTION":
                continue
            base, _, version = name.partition("@")
            assert symbol.name == base
            if (
                symbol.name != symbol.version
            ):  # readelf shows no version of the symbol that stands for a version
                assert symbol.version == version.removesuffix(IMPORTED).lstrip("@")
            # A copy relocation is defined here with an import's version, which is neither default nor hidden.
            if symbol.is_defined and not name.endswith(IMPORTED):
                assert symbol.hidden == ("@" in name and not version.startswith("@"))


def check_lookups(path: Path) -> None:
    """Every 20th function is found by its name, at its address, wherever it stands."""
    elf = parse(path)
    rows = [r for table in symbols_by_readelf(path).values() for r in table]
    functions = [r for r in rows if r[2] in ("FUNC", "GNU_IFUNC") and r[4] != "UND" and r[5]]
    for value, _, _, _, _, name in functions[:: len(functions) // 40 + 1]:
        base = name.partition("@")[0]
        assert value in {s.value for s in elf.find_symbols(base)}, name
    expected = {(r[5].partition("@")[0], r[0]) for r in functions}
    assert {(s.name, s.value) for s in elf.iter_functions()} == expected


def check_segments(path: Path) -> None:
    row = re.compile(
        r"  (\S+) +0x([0-9a-f]+) 0x([0-9a-f]+) 0x[0-9a-f]+ 0x([0-9a-f]+) 0x([0-9a-f]+) ([R ][W ][E ]) (\w+)"
    )
    expected = [found.groups() for line in readelf("-lW", path) if (found := row.match(line))]
    elf = parse(path)
    assert len(expected) == len(elf.segments)
    for segment, (kind, offset, vaddr, filesz, memsz, flags, align) in zip(
        elf.segments, expected, strict=True
    ):
        assert kind in (name_of(PT, segment.type), f"LOOS+{segment.type - 0x60000000:#x}") or kind.startswith(
            "GNU"
        )
        numbers = [int(x, 16) for x in (offset, vaddr, filesz, memsz, align)]
        assert [segment.offset, segment.vaddr, segment.filesz, segment.memsz, segment.align] == numbers
        assert segment.flags & 7 == sum(f for f, c in zip((PF.R, PF.W, PF.X), flags, strict=True) if c != " ")


def check_sections(path: Path) -> None:
    row = re.compile(r" *\[ *\d+\] (.*?) +[\w$.<>: ]+ ([0-9a-f]{8,}) ([0-9a-f]{6,}) ([0-9a-f]{6,}) ")
    expected = [found.groups() for line in readelf("-SW", path) if (found := row.match(line))]
    sections = parse(path).sections
    assert len(expected) == len(sections)
    for section, (name, addr, offset, size) in zip(sections, expected, strict=True):
        if section.index:
            assert section.name == name
        assert [section.addr, section.offset, section.size] == [int(x, 16) for x in (addr, offset, size)]


def check_build_id(path: Path) -> None:
    found = re.search(r"Build ID: ([0-9a-f]+)", "\n".join(readelf("-n", path)))
    build_id = parse(path).build_id
    assert (build_id.hex() if build_id is not None else None) == (found[1] if found else None)


def check_interp_and_needed(path: Path) -> None:
    elf = parse(path)
    found = re.search(r"program interpreter: (.*)\]", "\n".join(readelf("-lW", path)))
    assert elf.interp == (found[1] if found else None)
    dynamic = "\n".join(readelf("-dW", path))
    assert list(elf.dynamic.needed) == re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)
    assert [elf.dynamic.soname] == (re.findall(r"\(SONAME\).*\[(.*)\]", dynamic) or [""])
    assert elf.is_pie == bool(re.search(r"\(FLAGS_1\).*\bPIE\b", dynamic))


CHECKS = [
    check_symbols,
    check_lookups,
    check_segments,
    check_sections,
    check_build_id,
    check_interp_and_needed,
]


@pytest.mark.parametrize("path", real_files(), ids=lambda path: path.name)
def test_real(path: Path) -> None:
    for check in CHECKS:
        check(path)


PROGRAM = """
__attribute__((noinline)) static int hidden(int x) { return x + 1; }
__attribute__((noinline)) int visible(int x) { return hidden(x) * 2; }
__attribute__((weak, noinline)) int feeble(int x) { return x; }
static int chosen(int x) { return x; }
static void *choose(void) { return chosen; }
int indirect(int) __attribute__((ifunc("choose")));
__thread int local_to_thread;
int main(int argc, char **argv) {
    (void)argv;
    return visible(argc) + feeble(1) + indirect(2) + local_to_thread;
}
"""
FLAGS = {
    "pie": ["-fPIE", "-pie"],
    "no-pie": ["-fno-PIE", "-no-pie"],
    "static": ["-static", "-no-pie"],
    "static-pie": ["-static-pie", "-fPIE"],
    "shared": ["-shared", "-fPIC", "-Wl,-soname,libtarget.so.1"],
    "sysv-hash": ["-Wl,--hash-style=sysv"],
    "no-build-id": ["-Wl,--build-id=none"],
    "object": ["-c"],
}


@pytest.mark.needs("cc")
@pytest.mark.parametrize("kind", FLAGS)
def test_compiled(cc: Callable[..., Path], kind: str) -> None:
    path = cc(PROGRAM, *FLAGS[kind])
    for check in CHECKS:
        check(path)
    elf = parse(path)
    assert elf.is_pie == (kind in ("pie", "static-pie", "sysv-hash", "no-build-id"))
    if kind == "object":
        return
    for name in ("hidden", "visible", "feeble", "indirect", "main"):
        at = resolve_symbol(elf, name)
        code = elf.find_section(".text")
        assert code is not None
        assert code.offset <= at.file_offset < code.offset + code.size
        assert at.file_offset - code.offset == at.address - code.addr


@pytest.mark.needs("cc")
def test_versioned(cc: Callable[..., Path], tmp_path: Path) -> None:
    script = tmp_path / "versions"
    script.write_text("V1 { global: f; };\nV2 { global: f; visible; local: *; } V1;\n")
    source = (
        "int old(void) { return 1; }\nint new(void) { return 2; }\nint visible(void) { return 3; }\n"
        '__asm__(".symver old,f@V1");\n__asm__(".symver new,f@@V2");\n'
    )
    path = cc(source, "-shared", "-fPIC", f"-Wl,--version-script={script}")
    for check in CHECKS:
        check(path)
    elf = parse(path)
    assert resolve_symbol(elf, "f").address == resolve_symbol(elf, "new").address
    assert resolve_symbol(elf, "f@V1").address == resolve_symbol(elf, "old").address
    assert resolve_symbol(elf, "f@V2").address == resolve_symbol(elf, "f").address


@pytest.mark.needs("cc")
def test_stripped(cc: Callable[..., Path]) -> None:
    path = cc(PROGRAM, "-rdynamic")
    assert not parse(path).is_stripped
    main = resolve_symbol(parse(path), "main").file_offset
    subprocess.run(["strip", path], check=True)
    for check in CHECKS:
        check(path)
    elf = parse(path)
    assert elf.is_stripped
    assert resolve_symbol(elf, "main").file_offset == main


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("little", [False, True])
@pytest.mark.parametrize("extended", [False, True])
def test_built(tmp_path: Path, bits: int, little: bool, extended: bool) -> None:
    built = ElfBuilder(bits=bits, little=little, extended=extended, type=2)
    built.section(".text", data=bytes(64), address=0x1000, flags=SHF.ALLOC | SHF.EXECINSTR)
    built.section(".bss", SHT.NOBITS, address=0x2000, flags=SHF.ALLOC | SHF.WRITE, size=64)
    built.load(".text", flags=PF.R | PF.X)
    built.note("GNU", 3, bytes(range(20)), section=".note.gnu.build-id")
    built.symbol("local", 0x1000, 8, bind=STB.LOCAL)
    built.symbol("f", 0x1010, 1 << 20, type=STT.FUNC)
    built.symbol("data", 0x2000, 8, type=STT.OBJECT, section=".bss")
    built.symbol("absolute", 5, type=STT.NOTYPE, section=SHN.ABS)
    built.symbol("puts", section=SHN.UNDEF, table=".dynsym")
    built.symbol("f", 0x1010, 8, table=".dynsym")
    path = tmp_path / "built"
    path.write_bytes(built.build())
    for check in CHECKS[:-1]:
        check(path)
