"""Against pyelftools, entry by entry and row by row, and gcc against clang and the two kinds of indexes."""

from __future__ import annotations

import shutil
import subprocess
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest

from probee.dwarf.consts import AT
from probee.dwarf.file import Dwarf
from probee.dwarf.index import iter_indexed_units
from probee.dwarf.line import line_table
from probee.dwarf.lists import find_location_list, find_ranges
from probee.dwarf.search import find_functions
from probee.elf.file import Elf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from probee.dwarf.die import Die

pytestmark = pytest.mark.needs("cc", "pyelftools")

SOURCE = """
#include <stdio.h>
#include <string.h>
struct pair { int a, b; struct pair *next; };
static inline int sum(struct pair p) { return p.a + p.b; }
static int rare(const char *s) { if (!s) { puts("rare"); puts("very"); } return strlen(s); }
int work(struct pair *list, const char *name, float weight)
{
    int total = 0;
    while (list) { total += sum(*list); list = list->next; if (total > 1000) total += rare(name); }
    return total * weight;
}
int main(int argc, char **argv) { struct pair p = {argc, 2, 0}; return work(&p, argv[0], 2.0f); }
"""
VARIANTS = [
    f"{compiler} -gdwarf-{version} -O{level}"
    for compiler in ("cc", "clang")
    for version in (2, 3, 4, 5)
    for level in (0, 2)
]


def build(tmp_path: Path, command: str) -> Path:
    source, path = tmp_path / "target.c", tmp_path / "target"
    source.write_text(SOURCE)
    subprocess.run([*command.split(), "-o", path, source], check=True)
    return path


def walk(die: Die) -> Iterator[Die]:
    yield die
    for child in die.iter_children():
        yield from walk(child)


def same_value(ours: Any, theirs: Any) -> bool:
    raw = theirs.raw_value
    if isinstance(raw, list):
        raw = bytes(raw)
    if theirs.form == "DW_FORM_flag_present":
        raw = 1
    if theirs.form == "DW_FORM_implicit_const":
        raw = theirs.value
    return bool(ours == raw)


def compare(path: Path) -> int:
    from elftools.elf.elffile import ELFFile

    data = path.read_bytes()
    dwarf, other = Dwarf(Elf(data)), ELFFile(BytesIO(data)).get_dwarf_info()
    count = 0
    for unit, cu in zip(dwarf.iter_units(), other.iter_CUs(), strict=True):
        assert (unit.offset, unit.version) == (cu.cu_offset, cu["version"])
        entries = [die for die in cu.iter_DIEs() if not die.is_null()]
        for die, their in zip(walk(unit.root), entries, strict=True):
            count += 1
            assert die.offset == their.offset
            attributes = list(die.iter_values())
            assert len(attributes) == len(their.attributes)
            for (_, _, value), attribute in zip(attributes, their.attributes.values(), strict=True):
                assert same_value(value, attribute), (die, attribute)
            name = their.attributes.get("DW_AT_name")
            assert die.find_bytes(AT.NAME) == (name.value if name else None)
            compare_lists(die, their, other, cu)
        compare_lines(unit, other, cu)
    return count


def compare_lists(die: Die, their: Any, other: Any, cu: Any) -> None:
    from elftools.dwarf.locationlists import LocationExpr, LocationParser

    attribute = their.attributes.get("DW_AT_location")
    if attribute is not None and "block" not in attribute.form and attribute.form != "DW_FORM_exprloc":
        parsed = LocationParser(other.location_lists()).parse_from_attribute(attribute, cu["version"], their)
        assert not isinstance(parsed, LocationExpr)
        base = cu.get_top_DIE().attributes.get("DW_AT_low_pc")
        start = base.value if base is not None else 0
        expected = []
        for entry in parsed:
            if hasattr(entry, "base_address"):
                start = entry.base_address
                continue
            shift = 0 if getattr(entry, "is_absolute", False) else start
            low, high = entry.begin_offset + shift, entry.end_offset + shift
            expected += [(low, high, bytes(entry.loc_expr))] if low < high else []
        assert find_location_list(die, AT.LOCATION) == expected
    low_pc, high_pc = their.attributes.get("DW_AT_low_pc"), their.attributes.get("DW_AT_high_pc")
    if low_pc is not None and high_pc is not None:
        end = high_pc.value if high_pc.form == "DW_FORM_addr" else low_pc.value + high_pc.value
        assert find_ranges(die) == ([(low_pc.value, end)] if low_pc.value < end else [])


def compare_lines(unit: Any, other: Any, cu: Any) -> None:
    if unit.layout.offset_size == 8:
        return  # pyelftools 0.33 reads the names of a 64-bit table at the wrong place.
    program = other.line_program_for_CU(cu)
    table = line_table(unit)
    assert (program is None) == (table is None)
    if table is None:
        return
    ours = [row[:5] for sequence in table.sequences for row in sequence.rows]
    states = [entry.state for entry in program.get_entries() if entry.state is not None]
    theirs = [(s.address, s.file, s.line, s.column, s.is_stmt) for s in states if not s.end_sequence]
    assert sorted(ours) == sorted((a, f, n, c, bool(stmt)) for a, f, n, c, stmt in theirs)
    names = [entry.name for entry in program["file_entry"]]
    assert [path.rpartition("/")[2] for path in table.files] == [
        name.decode().rpartition("/")[2] for name in names
    ]


@pytest.mark.needs("clang")
@pytest.mark.parametrize("command", VARIANTS)
def test_entries(tmp_path: Path, command: str) -> None:
    assert compare(build(tmp_path, command)) > 20


@pytest.mark.parametrize(
    "flags", ["-gdwarf-5 -gdwarf64", "-g3 -Og -ffunction-sections", "-g -O2 -flto", "-g -O3 -gz"]
)
def test_entries_of_other_kinds(tmp_path: Path, flags: str) -> None:
    assert compare(build(tmp_path, f"cc {flags}")) > 20


@pytest.mark.needs("clang")
@pytest.mark.parametrize(
    "command", VARIANTS + ["clang -gdwarf-5 -gpubnames -O2", "clang -gdwarf-5 -gdwarf64"]
)
def test_functions(tmp_path: Path, command: str) -> None:
    dwarf = Dwarf(Elf(build(tmp_path, command).read_bytes()))
    for everywhere in (False, True):
        (work,) = find_functions(dwarf, "work", everywhere=everywhere)
        assert work.signature == "int work(struct pair *list, const char *name, float weight)"
    (symbol,) = dwarf.elf.find_symbols("work")
    assert work.entry == symbol.value
    assert work.ranges[0] == (symbol.value, symbol.value + symbol.size)
    (main,) = find_functions(dwarf, "main")
    assert main.body is not None
    assert main.entry is not None
    assert main.entry <= main.body
    names = {i.name for i in main.inlined} | {f.name for f in find_functions(dwarf, "sum")}
    assert "sum" in names


@pytest.mark.needs("clang")
@pytest.mark.parametrize("flags", ["-gdwarf-5 -O0", "-gdwarf-5 -O2", "-gdwarf-5 -gdwarf64 -O2"])
def test_debug_names(tmp_path: Path, flags: str) -> None:
    dwarf = Dwarf(Elf(build(tmp_path, f"clang -gpubnames {flags}").read_bytes()))
    if dwarf.find(".debug_names") is None:
        dwarf = Dwarf(Elf(build(tmp_path, f"clang -glldb {flags}").read_bytes()))
    for name in (b"work", b"main"):
        assert [u.name for u in iter_indexed_units(dwarf, name, frozenset({0x2E}))] == [
            str(tmp_path / "target.c")
        ]
    assert list(iter_indexed_units(dwarf, b"WORK", frozenset({0x2E}))) == []
    assert list(iter_indexed_units(dwarf, b"work", frozenset({0x13}))) == []


@pytest.mark.needs("gdb", "binutils")
@pytest.mark.parametrize("flags", ["", "-dwarf-5"])
@pytest.mark.parametrize("version", [4, 5])
def test_indexes_of_gdb(tmp_path: Path, flags: str, version: int) -> None:
    path = build(tmp_path, f"cc -gdwarf-{version} -O2")
    subprocess.run(["gdb-add-index", *flags.split(), path], check=True)
    dwarf = Dwarf(Elf(path.read_bytes()))
    index = ".debug_names" if flags else ".gdb_index"
    assert dwarf.find(index) is not None
    (unit,) = iter_indexed_units(dwarf, b"work", frozenset({0x2E}))
    assert unit.name.endswith("target.c")
    assert list(iter_indexed_units(dwarf, b"absent", frozenset({0x2E}))) == []
    (work,) = find_functions(dwarf, "work")
    assert [p.name for p in work.parameters] == ["list", "name", "weight"]
    if not flags:
        stripped = tmp_path / "stripped"
        shutil.copy(path, stripped)
        subprocess.run(["objcopy", "--remove-section=.debug_aranges", stripped], check=True)
        addresses = Dwarf(Elf(stripped.read_bytes())).addresses
        assert work.entry is not None
        assert addresses.find_listed(work.entry) is not None
        assert addresses.find_listed(1) is None


@pytest.mark.needs("gdb")
@pytest.mark.parametrize("flags", ["-g -O0", "-g -O2"])
def test_parameters_of_gdb(tmp_path: Path, flags: str) -> None:
    path = build(tmp_path, f"cc {flags}")
    command = ["gdb", "-nx", "-batch", "-ex", "ptype work", "-ex", "info line work", path]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    dwarf = Dwarf(Elf(path.read_bytes()))
    (work,) = find_functions(dwarf, "work")
    types = ", ".join(p.type_name for p in work.parameters)
    assert f"type = {work.returns_name} ({types})" in out
    assert f" starts at address {work.entry:#x} <work>" in out


@pytest.mark.needs("dwz")
def test_dwz(tmp_path: Path, cc: Callable[..., Path]) -> None:
    first = build(tmp_path, "cc -g -O2")
    second = tmp_path / "second"
    shutil.copy(first, second)
    subprocess.run(["dwz", "-m", tmp_path / "shared", first, second], check=True, cwd=tmp_path)
    shared = Elf((tmp_path / "shared").read_bytes())
    dwarf = Dwarf(Elf(first.read_bytes()), alt=shared)
    for everywhere in (False, True):
        (work,) = find_functions(dwarf, "work", everywhere=everywhere)
        assert work.signature == "int work(struct pair *list, const char *name, float weight)"
