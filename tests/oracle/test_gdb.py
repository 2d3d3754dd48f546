"""Parameters of functions: names and types as gdb tells them.

Of a program that is compiled here, and of all files with debug information that `GDB_ORACLE=/path:/path`
names, of which up to `MOST_FUNCTIONS` functions are compared, and how many that were is printed.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from probee.dwarf.file import Dwarf
from probee.dwarf.search import find_function_at
from probee.elf.file import Elf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from probee.dwarf.functions import Function

pytestmark = [pytest.mark.slow, pytest.mark.needs("cc", "gdb")]

ALL = os.environ.get("GDB_ORACLE", "")
MOST_FUNCTIONS = 10_000
SOURCE = """
#include <stdlib.h>
struct point { int x, y; };
typedef struct { double d; } *handle;
enum kind { A, B };
union word { int i; float f; };
static int used(const struct point *p, enum kind k, char *const *names, int (*call)(int), int (*grid)[3]) {
    return p->x + k + (names ? names[0][0] : 0) + (call ? call(k) : 0) + (grid ? grid[0][1] : 0);
}
__attribute__((noinline))
int by_value(struct point p, unsigned char c, handle h, union word w, ...) { return p.x * c + !h + w.i; }
int main(int argc, char **argv) {
    struct point p = {argc, 2};
    union word w = {3};
    int sum = 0;
    for (int i = 0; i < argc; i++) sum += by_value(p, i, 0, w);
    return used(&p, A, argv, atoi(argv[0]) ? abs : 0, 0) + sum;
}
"""

# Run by gdb's own Python: of each address the function around it and what is an argument there.
ASK = """
import gdb, json, os
gdb.execute("set print type nested-type-limit unlimited", to_string=True)
for text in open(os.environ["ADDRESSES"]).read().split():
    block = gdb.block_for_pc(int(text))
    told = None
    if block is not None:
        while block.superblock is not None and not block.superblock.is_static:
            block = block.superblock
        if block.function is not None:
            told = [(s.name, str(s.type)) for s in block if s.is_argument]
    print(json.dumps([int(text), block.start if told is not None else 0, told]))
"""
_KEYWORDS = re.compile(r"\b(?:struct|union|enum|class) ")
_NUMBERS = re.compile(r"\b(?:(?:long|short|unsigned|int)\b *)+")
_ANONYMOUS = re.compile(r"\{[^{}]*\}|\(anonymous(?:namespace)?\)")


def ask_gdb(path: Path, addresses: list[int], folder: Path) -> dict[int, tuple[int, list[tuple[str, str]]]]:
    """Of each address that is in a function: where that begins, names and types of its arguments."""
    (folder / "ask.py").write_text(ASK)
    (folder / "addresses").write_text("\n".join(map(str, addresses)))
    command = ["gdb", "-nx", "-batch", "-iex", "set auto-load off", "-x", str(folder / "ask.py"), str(path)]
    environment = {**os.environ, "ADDRESSES": str(folder / "addresses"), "DEBUGINFOD_URLS": ""}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    rows: list[Any] = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    assert len(rows) == len(addresses), done.stderr[-2000:]
    return {address: (start, told) for address, start, told in rows if told is not None}


def normal_type(text: str) -> str:
    """A type without what the two spell differently: blanks, keywords, names of what has none, `long int`."""
    text = _NUMBERS.sub(
        lambda found: " ".join(sorted([w for w in found[0].split() if w != "int"]) or ["int"]) + " ", text
    )
    text = re.sub(r"\s+", "", _KEYWORDS.sub("", text)).replace("(void)", "()")
    return _ANONYMOUS.sub("", text).removeprefix("::")


def compare(path: Path, most: int, folder: Path, counts: Counter[str]) -> list[str]:
    """What differs, in words."""
    elf = Elf(path.read_bytes(), str(path))
    dwarf = Dwarf(elf)
    starts = sorted({symbol.value for symbol in elf.iter_functions() if symbol.is_defined and symbol.value})
    random.Random(11).shuffle(starts)
    starts = sorted(starts[:most])
    theirs = ask_gdb(path, starts, folder)
    found: list[str] = []
    for address in starts:
        ours = find_function_at(dwarf, address)
        begin, told = theirs.get(address, (0, []))
        if ours is None or address not in theirs:
            if begin == address:
                found.append(f"{path.name} {address:#x}: not found")
            counts["without debug information"] += 1
            continue
        if ours.entry != address:
            counts["parts that lie elsewhere"] += 1
            continue
        counts["functions"] += 1
        found += [
            f"{path.name} {address:#x} {ours.name}: {text}" for text in _differences(ours, told, counts)
        ]
    return found


def _differences(ours: Function, theirs: list[tuple[str, str]], counts: Counter[str]) -> Iterator[str]:
    # A clone lists some parameters twice, and in an order of its own.
    mine = {p.name: p.type_name for p in reversed(ours.parameters) if p.name}
    listed = {name: type for name, type in theirs if name}
    missing = set(listed) - set(mine)
    # What a clone is called without is told by its declaration only, which gdb doesn't look at.
    more = set(mine) - set(listed) if not any(p.moved for p in ours.parameters) else set()
    if missing or more:
        yield f"{sorted(mine)} and {sorted(listed)}"
        return
    for name, type in listed.items():
        counts["parameters"] += 1
        if normal_type(mine[name]) != normal_type(type):
            yield f"{name}: type {mine[name]!r} and {type!r}"


@pytest.mark.parametrize("flags", ["-O0", "-O2"])
@pytest.mark.parametrize("version", [4, 5])
def test_compiled(cc: Callable[..., Path], tmp_path: Path, flags: str, version: int) -> None:
    counts: Counter[str] = Counter()
    path = cc(SOURCE, f"-gdwarf-{version}", flags)
    assert compare(path, MOST_FUNCTIONS, tmp_path, counts) == []
    assert counts["parameters"] > 5


def test_files(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    found: list[str] = []
    for name in filter(None, ALL.split(":")):
        found += compare(Path(name), MOST_FUNCTIONS - counts["functions"], tmp_path, counts)
    print(dict(counts), len(found), "\n".join(found[:80]))
    assert found == []
