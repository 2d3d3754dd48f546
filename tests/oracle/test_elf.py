"""Every symbol, note, probe and library that binutils' readelf sees in this machine's binaries, and no other.

A sample of the ELF files in /usr/bin and /usr/lib; `ELF_ORACLE=/usr/bin:/usr/lib` compares all that are in
these folders, which takes minutes, and prints how much that was.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from probee.elf.consts import SHN, SHT, STB, STT, name_of
from probee.elf.file import Elf
from probee.usdt.notes import iter_probes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from probee.elf.symbols import Symbol, SymbolTable

pytestmark = [pytest.mark.slow, pytest.mark.needs("binutils")]

ALL = os.environ.get("ELF_ORACLE", "")
SAMPLE = 40
MOST_BYTES = 8 << 20
SMALL = 1 << 20

_ROW = re.compile(
    r" *\d+: ([0-9a-f]+) +(0x[0-9a-f]+|\d+) (\w+|<.*?>: \d+) +(\w+|<.*?>: \d+) +\w+ +"
    r"(?:\[.*?\] +)?(\w+)(?: (.*))?$"
)
_NOTE = re.compile(r"  (\S.*?|)\s+0x([0-9a-f]{8})\s")
_BUILD_ID = re.compile(r"\s    Build ID: ([0-9a-f]+)")
_PROBE = re.compile(r"(?:^|\s)    (Provider|Name|Location|Arguments): ?(.*)")
_DYNAMIC = re.compile(r" 0x[0-9a-f]+ \((NEEDED|SONAME|RUNPATH|RPATH)\) .*\[(.*)\]")
_NUMBERED = re.compile(r"<(?:OS|processor) specific>: (\d+)")
_SPECIAL: dict[int, str] = {SHN.UNDEF: "UND", SHN.ABS: "ABS", SHN.COMMON: "COM"}
# In files that don't say that they are for GNU's systems, its numbers have no names.
_OTHERS = {"IFUNC": "GNU_IFUNC", "UNIQUE": "GNU_UNIQUE", "<OS specific>: 10": "GNU_IFUNC"}
_UNNAMED_BIND = "<OS specific>: 10"
_OF_COMPILER = "GA"
"""Owners of notes by which a compiler tells of itself: their names hold numbers, which readelf explains."""


def iter_elf_files(folders: list[str]) -> Iterator[Path]:
    for folder in folders:
        for where, _, names in os.walk(folder):
            for name in sorted(names):
                path = Path(where, name)
                if not path.is_symlink() and path.is_file():
                    with path.open("rb") as file:
                        if file.read(4) == b"\x7fELF":
                            yield path


def choose_files() -> list[Path]:
    if ALL:
        return list(iter_elf_files(ALL.split(":")))
    files = [path for path in iter_elf_files(["/usr/bin", "/usr/lib"]) if path.stat().st_size < MOST_BYTES]
    return sorted(random.Random(5).sample(files, min(SAMPLE, len(files))))


class Shown:
    """What readelf shows of a file."""

    def __init__(self, path: Path) -> None:
        command = ["readelf", "-Wsdn", str(path)]
        done = subprocess.run(command, capture_output=True, env={**os.environ, "LC_ALL": "C"}, check=False)
        self.complaints = done.stderr.decode(errors="replace")
        self.symbols: dict[str, list[tuple[int, int, str, str, str, str]]] = {}
        self.notes: list[tuple[str, int]] = []
        self.build_id: str | None = None
        self.probes: list[list[str]] = []
        self.dynamic: list[tuple[str, str]] = []
        table = ""
        for line in done.stdout.decode("utf-8", "surrogateescape").split("\n"):
            if line.startswith("Symbol table '"):
                table = line.split("'")[1]
                self.symbols[table] = []
            elif found := _ROW.match(line):
                self._symbol(table, *found.groups())
            elif found := _DYNAMIC.match(line):
                self.dynamic.append((found[1], found[2]))
            else:
                self._note(line)

    def _symbol(
        self, table: str, value: str, size: str, kind: str, bind: str, section: str, name: str | None
    ) -> None:
        bind = "GNU_UNIQUE" if bind == _UNNAMED_BIND else bind
        kind, bind = [_OTHERS.get(text, _NUMBERED.sub(r"\1", text)) for text in (kind, bind)]
        self.symbols[table].append((int(value, 16), int(size, 0), kind, bind, section, name or ""))

    def _note(self, line: str) -> None:
        if (found := _NOTE.match(line)) and not line.startswith("    "):
            if not found[1].startswith(_OF_COMPILER):
                self.notes.append((found[1], int(found[2], 16)))
        if found := _BUILD_ID.search(line):
            self.build_id = self.build_id or found[1]
        elif found := _PROBE.search(line):
            if found[1] == "Provider":
                self.probes.append([])
            self.probes[-1].append(found[2])


def compare(path: Path, counts: Counter[str]) -> list[str]:
    """What differs, in words."""
    shown, elf = Shown(path), Elf(path.read_bytes(), str(path))
    found = [*compare_symbols(elf, shown, counts)]
    all_notes = [(note.owner, len(note.desc)) for note in elf.iter_notes()]
    notes = [note for note in all_notes if not note[0].startswith(_OF_COMPILER)]
    if notes != shown.notes:
        found.append(f"notes: {notes} and {shown.notes}")
    ours = elf.build_id.hex() if elf.build_id is not None else None
    if ours != shown.build_id:
        found.append(f"build id: {ours} and {shown.build_id}")
    probes = list(iter_probes(elf))
    places = [
        [p.provider, p.name, f"0x{p.location:016x}", f"0x{p.semaphore:016x}", p.arguments] for p in probes
    ]
    if places != [_normal(probe) for probe in shown.probes]:
        found.append(f"probes: {places[:3]} and {shown.probes[:3]}")
    dynamic = elf.dynamic
    listed = dict(shown.dynamic)
    theirs = (
        tuple([text for tag, text in shown.dynamic if tag == "NEEDED"]),
        listed.get("SONAME", ""),
        listed.get("RUNPATH", listed.get("RPATH", "")),
    )
    if (dynamic.needed, dynamic.soname, dynamic.runpath) != theirs:
        found.append(f"dynamic: {dynamic} and {theirs}")
    counts["files"] += 1
    counts["notes"] += len(notes)
    counts["build ids"] += ours is not None
    counts["probes"] += len(probes)
    counts["libraries"] += len(dynamic.needed)
    return found


def _normal(probe: list[str]) -> list[str]:
    provider, name, places, *arguments = probe
    location, _, semaphore = [part.split(": ")[-1] for part in places.split(", ")]
    return [provider, name, location, semaphore, (arguments or [""])[0]]


def compare_symbols(elf: Elf, shown: Shown, counts: Counter[str]) -> Iterator[str]:
    tables = {t.section.name: t for t in elf.symbol_tables if t.elf is elf}
    if set(tables) != set(shown.symbols):
        yield f"tables: {set(tables)} and {set(shown.symbols)}"
        return
    for name, table in tables.items():
        rows = shown.symbols[name]
        if len(table) != len(rows):
            yield f"{name}: {len(table)} symbols and {len(rows)}"
            continue
        counts["symbols"] += len(rows)
        for index, row in enumerate(rows):
            symbol = table.symbol(index)
            if not is_same(table, symbol, row):
                yield f"{name}[{index}]: {symbol} and {row}"
    yield from compare_functions(elf, shown, counts)


def compare_functions(elf: Elf, shown: Shown, counts: Counter[str]) -> Iterator[str]:
    """What probes can be put on, by name: every function once."""
    if elf.find_section_of_type(SHT.SYMTAB) is None and (elf.minidebug or elf.go_table) is not None:
        return  # there are functions that no table of symbols has
    expected = {
        (name.partition("@")[0], value)
        for rows in shown.symbols.values()
        for value, _, kind, _, section, name in rows
        if kind in ("FUNC", "GNU_IFUNC") and section != "UND" and name.partition("@")[0]
    }
    found = [(s.name, s.value) for s in elf.iter_functions()]
    counts["functions"] += len(found)
    if set(found) != expected or len(found) != len(expected):
        yield f"functions: {len(found)} and {len(expected)}, such as {list(expected ^ set(found))[:3]}"


def is_same(table: SymbolTable, symbol: Symbol, row: tuple[int, int, str, str, str, str]) -> bool:
    value, size, kind, bind, section, name = row
    numbers = (symbol.value, symbol.size, _spell(STT, symbol.type), _spell(STB, symbol.bind))
    if numbers != (value, size, kind, bind):
        return False
    index = _SPECIAL.get(symbol.section, str(symbol.section))
    # Sections that only some CPUs or systems know are shown by their own names.
    if index != section and symbol.section < SHN.LORESERVE:
        return False
    # readelf shows sections' names in place of their symbols', which have none.
    if kind == "SECTION" and not symbol.name:
        return True
    base, at, version = name.partition("@") if name[:1] != "@" else (name, "", "")
    version = re.sub(r" \(\d+\)$", "", version).lstrip("@")
    if not at:
        # The symbol that stands for a version is not shown with it.
        return symbol.name == base and symbol.version in ("", symbol.name)
    return (symbol.name, symbol.version) == (base, version)


def _spell(names: type[STT] | type[STB], number: int) -> str:
    text = name_of(names, number)
    return text if not text.startswith("0x") else str(number)


def test_readelf_sees_the_same() -> None:
    counts: Counter[str] = Counter()
    differing = {str(path): found for path in choose_files() if (found := compare(path, counts))}
    print(dict(counts), {path: found[:3] for path, found in list(differing.items())[:60]}, len(differing))
    assert not differing
    assert counts["symbols"] > 1000
