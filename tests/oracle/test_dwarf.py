"""Parameters of functions: names, types and places as llvm-dwarfdump tells them.

Of a program that is compiled here, and of all debug files that `DWARF_ORACLE=/path:/path` names, of which up
to `MOST_FUNCTIONS` functions are compared, and how many that were is printed.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from probee.dwarf.expr import OPTIMISED_OUT, Cfa, Computed, Const, InMemory, InRegister, Register, split_sum
from probee.dwarf.file import Dwarf
from probee.dwarf.search import find_function_at
from probee.elf.debuglink import parse_alt_link
from probee.elf.file import Elf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from probee.dwarf.expr import Location
    from probee.dwarf.functions import Function, Parameter

pytestmark = [pytest.mark.slow, pytest.mark.needs("cc", "llvm_dwarfdump")]

ALL = os.environ.get("DWARF_ORACLE", "")
MOST_FUNCTIONS = 20_000
SOURCE = """
#include <stdlib.h>
struct point { int x, y; };
typedef struct { double d; } *handle;
enum kind { A, B };
static int used(const struct point *p, enum kind k, char *const *names, int (*call)(int)) {
    return p->x + k + (names ? names[0][0] : 0) + (call ? call(k) : 0);
}
__attribute__((noinline))
int by_value(struct point p, unsigned char c, handle h, ...) { return p.x * c + !h; }
__attribute__((noinline)) static int gone(int a, int b) { return a * 2 + (b - b); }
int main(int argc, char **argv) {
    struct point p = {argc, 2};
    int sum = 0;
    for (int i = 0; i < argc; i++) sum += by_value(p, i, 0) + gone(i, argc);
    return used(&p, A, argv, atoi(argv[0]) ? abs : 0) + sum;
}
"""

_ENTRY = re.compile(r"0x([0-9a-f]{8,16}):( +)DW_TAG_(\w+)")
_ATTRIBUTE = re.compile(r" +DW_AT_(\w+)\t\((.*)")
_RANGE = re.compile(r" +\[0x([0-9a-f]+), 0x([0-9a-f]+)\): (.*)")
_OFFSET = re.compile(r"(?:alt )?0x([0-9a-f]+)")
_QUOTED = re.compile(r'0x[0-9a-f]+ "(.*)"\)+$')
_KEYWORDS = re.compile(r"\b(?:struct|union|enum|class) ")
_OPERATIONS = {
    "register": re.compile(r"DW_OP_reg(\d+)(?: \w+)?|DW_OP_regx (\w+)"),
    "memory": re.compile(r"DW_OP_breg(\d+) \w+([+-]\d+)"),
    "frame": re.compile(r"DW_OP_fbreg ([+-]?\d+)"),
    "constant": re.compile(
        r"(?:DW_OP_lit(\d+)|DW_OP_const[1248][us] (0x[0-9a-f]+|[+-]?\d+)), DW_OP_stack_value"
    ),
}


@dataclass
class Dumped:
    """An entry as it is printed."""

    offset: int
    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    ranges: list[tuple[int, int, str]] = field(default_factory=list)
    parameters: list[Dumped] = field(default_factory=list)


def read_dump(path: Path) -> dict[int, Dumped]:
    """Functions and their parameters, by the offsets of all of them."""
    command = ["llvm-dwarfdump", "--debug-info", str(path)]
    entries: dict[int, Dumped] = {}
    inside: list[tuple[int, Dumped]] = []
    entry = Dumped(0, "")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="surrogateescape") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if found := _ENTRY.match(line):
                depth, entry = len(found[2]), Dumped(int(found[1], 16), found[3])
                while inside and inside[-1][0] >= depth:
                    inside.pop()
                if entry.tag == "formal_parameter" and inside and inside[-1][1].tag == "subprogram":
                    inside[-1][1].parameters.append(entry)
                if entry.tag in ("formal_parameter", "subprogram"):
                    entries[entry.offset] = entry
                inside.append((depth, entry))
            elif found := _ATTRIBUTE.match(line):
                entry.attributes[found[1]] = found[2].rstrip()
            elif found := _RANGE.match(line):
                text = found[3].rstrip()
                text = text[:-1] if text.count(")") > text.count("(") else text
                entry.ranges.append((int(found[1], 16), int(found[2], 16), text))
    return entries


def find_attribute(entries: dict[int, Dumped], entry: Dumped, name: str) -> str | None:
    """An attribute of an entry, or of the one it is an instance of."""
    for _ in range(4):
        if name in entry.attributes:
            return entry.attributes[name]
        origin = entry.attributes.get("abstract_origin") or entry.attributes.get("specification")
        found = _OFFSET.match(origin or "")
        if found is None or int(found[1], 16) not in entries:
            return None
        entry = entries[int(found[1], 16)]
    return None


def normal_type(text: str) -> str:
    # In C a function without parameters is one of (void), which is not always written.
    return re.sub(r"\s+", "", _KEYWORDS.sub("", text)).replace("(void)", "()")


def describe_theirs(text: str | None) -> tuple[object, ...] | None:
    """A place as a few numbers; None for one that is not compared."""
    if text is None:
        return ("nowhere",)
    for kind, pattern in _OPERATIONS.items():
        if found := pattern.fullmatch(text):
            numbers = [int(number, 0) for number in found.groups() if number is not None]
            return (kind, *[number & (1 << 64) - 1 if kind == "constant" else number for number in numbers])
    return None


def describe_ours(location: Location) -> tuple[object, ...] | None:
    if location == OPTIMISED_OUT:
        return ("nowhere",)
    if isinstance(location, InRegister):
        return ("register", location.number)
    if isinstance(location, Computed) and isinstance(location.value, Const):
        return ("constant", location.value.value & (1 << 64) - 1)
    if isinstance(location, InMemory):
        base, offset = split_sum(location.address, 64)
        if isinstance(base, Register):
            return ("memory", base.number, offset)
        if isinstance(base, Cfa):
            return ("frame", offset)
    return None


def place_of(parameter: Dumped, address: int) -> str | None:
    for low, high, text in parameter.ranges:
        if low <= address < high:
            return text
    written = parameter.attributes.get("location", "")
    return written[:-1] if written.startswith("DW_OP") else None


def compare(path: Path, most: int, counts: Counter[str]) -> list[str]:
    """What differs, in words."""
    elf = Elf(path.read_bytes(), str(path))
    dwarf, entries = Dwarf(elf), read_dump(path)
    # What the linker threw away is at 0.
    functions = [
        e
        for e in entries.values()
        if e.tag == "subprogram" and e.attributes.get("low_pc", "(0x0)").strip("(0x)")
    ]
    random.Random(7).shuffle(functions)
    found: list[str] = []
    for dumped in sorted(functions[:most], key=lambda one: one.offset):
        address = int(dumped.attributes["low_pc"].rstrip(")"), 16)
        ours = find_function_at(dwarf, address)
        where = f"{path.name}: {address:#x}"
        if ours is None:
            found.append(f"{where}: not found")
            continue
        counts["functions"] += 1
        texts = compare_parameters(entries, ours, dumped, address, counts)
        found += [f"{where} {ours.name}: {text}" for text in texts]
    return found


def compare_parameters(
    entries: dict[int, Dumped], ours: Function, dumped: Dumped, address: int, counts: Counter[str]
) -> Iterator[str]:
    # Compilers list some parameters of a function twice: GCC of clones, with two places; Go of results.
    groups: dict[str, list[Dumped]] = {}
    for parameter in dumped.parameters:
        groups.setdefault(find_name(entries, parameter), []).append(parameter)
    listed = {parameter.name: parameter for parameter in reversed(ours.parameters)}
    listed = dict(reversed(listed.items()))
    if any(parameter.moved for parameter in ours.parameters):
        # Clones list them in another order, and leave some out; ours are as the source declares them.
        for name in [name for name in listed if name not in groups]:
            location = listed.pop(name).location(address)
            if describe_ours(location) != ("nowhere",):
                yield f"{name} is at {location} and not there"
        listed = {name: listed[name] for name in groups if name in listed}
    # The order is told by the entries without a place, which were not read here where they have no name.
    if sorted(listed) != sorted(groups) or ("" not in groups and list(listed) != list(groups)):
        yield f"{list(listed)} and {list(groups)}"
        return
    frame = dumped.attributes.get("frame_base", "") == "DW_OP_call_frame_cfa)"
    for name, mine in listed.items():
        counts["parameters"] += 1
        yield from compare_types(mine, find_attribute(entries, groups[name][0], "type") or "", counts)
        yield from compare_places(mine, groups[name], address, frame, counts)


def find_name(entries: dict[int, Dumped], entry: Dumped) -> str:
    return re.sub(r'^"|"\)$', "", find_attribute(entries, entry, "name") or "")


def compare_types(mine: Parameter, theirs: str, counts: Counter[str]) -> Iterator[str]:
    typed = _QUOTED.search(theirs)
    # LLVM 14 leaves out what `restrict` belongs to.
    if typed is None or typed[1].startswith("restrict "):
        return
    counts["types"] += 1
    if normal_type(mine.type_name) != normal_type(typed[1]):
        yield f"{mine.name}: type {mine.type_name!r} and {typed[1]!r}"


def compare_places(
    mine: Parameter, group: list[Dumped], address: int, frame: bool, counts: Counter[str]
) -> Iterator[str]:
    places = [describe_theirs(place_of(theirs, address)) for theirs in group]
    if any("const_value" in theirs.attributes for theirs in group) or None in places:
        return
    if frame or not any(place is not None and place[0] == "frame" for place in places):
        counts["places"] += 1
        if describe_ours(mine.location(address)) not in places:
            yield f"{mine.name}: {mine.location(address)} and {places}"


@pytest.mark.parametrize("flags", ["-O0", "-O2"])
@pytest.mark.parametrize("version", [4, 5])
def test_compiled(cc: Callable[..., Path], flags: str, version: int) -> None:
    counts: Counter[str] = Counter()
    path = cc(SOURCE, f"-gdwarf-{version}", flags, "-Wno-unused-variable")
    assert compare(path, MOST_FUNCTIONS, counts) == []
    assert counts["places"] > 5


def test_debug_files() -> None:
    counts: Counter[str] = Counter()
    found: list[str] = []
    for name in filter(None, ALL.split(":")):
        path = Path(name)
        assert parse_alt_link(Elf(path.read_bytes(), name)) is None, "its entries are partly in another file"
        found += compare(path, MOST_FUNCTIONS - counts["functions"], counts)
    print(dict(counts), len(found), "\n".join(found[:60]))
    assert found == []
