"""`probee nm`: the functions of a binary, with where each is in memory and in the file."""

from __future__ import annotations

import sys

from ..base.errors import TargetError, UsageError
from ..base.registry import near_misses
from ..elf.consts import EM, ET, STB, STT, name_of
from ..elf.file import GO_TABLES
from ..elf.gobuildinfo import parse_go_version
from ..probes.binary import Binary
from ..probes.glob import compile_glob
from ..session import open_files
from .binary import find_binary
from .files import parse_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..elf.file import Elf
    from ..elf.symbols import Symbol

USAGE = """\
USAGE:
    probee nm [-C] FILE [PATTERN]

Lists the functions of FILE (a path, a program in PATH, or a library such as libc) whose names match PATTERN,
where `*` stands for any text: address, offset in the file (`-` where it isn't in executable code), size,
binding, the table that has the symbol, name.
Of a stripped file also those of its separate debug file, as table `debug`, of one that Go made those of Go's
own table, as table `go`.

-C: names of C++, Rust and D as they were written; PATTERN may match either.
"""

_TABLES = {".symtab": "symtab", ".dynsym": "dynsym"} | dict.fromkeys(GO_TABLES, "go")
_DEBUG = "debug"
_BINDS: dict[int, str] = {
    STB.LOCAL: "local",
    STB.GLOBAL: "global",
    STB.WEAK: "weak",
    STB.GNU_UNIQUE: "unique",
}
_NO_OFFSET = "-"
_IFUNC = int(STT.GNU_IFUNC)  # a plain number, since it is compared 100,000 times


def main(arguments: list[str]) -> int:
    """Run the command; the exit status. Raises ProbeeError."""
    options, words = parse_words(arguments, "Ch", USAGE)
    if "-h" in options:
        sys.stdout.write(USAGE)
        return 0
    if not 1 <= len(words) <= 2:
        raise UsageError(
            f"expected FILE and perhaps PATTERN, got {' '.join(words) or 'neither'}",
            hint=USAGE.splitlines()[1].strip(),
        )
    files = open_files()
    binary = Binary(files, find_binary(files, words[0]))
    pattern = words[1] if len(words) > 1 else "*"
    lines = sorted(iter_lines(binary, pattern, demangled="-C" in options))
    if not lines and pattern != "*":
        raise _no_function(binary, pattern)
    text = "\n".join([*describe(binary), "", heading(binary.elf), *lines, ""])
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
    return 0


def describe(binary: Binary) -> list[str]:
    """What kind of file it is, its build id, and where its debug information is: one fact a line."""
    elf = binary.elf
    lines = [f"{binary.path}: {_kind(elf)}, {elf.bits} bit, {name_of(EM, elf.machine).lower()}"]
    if elf.path != binary.path:
        lines.append(f"file: {elf.path}")
    lines.append(f"build id: {elf.build_id.hex() if elf.build_id else 'none'}")
    if binary.dwarf is not None:
        where = "in the file" if binary.dwarf.elf is elf else f"in {binary.dwarf.elf.path}"
        lines.append(f"debug information: {where}")
    else:
        lines.append("debug information: none")
    version = parse_go_version(elf)
    if version:
        lines.append(f"made by: {version}")
    if elf.is_stripped and binary.debug is None:
        known = "functions of Go" if elf.go_table is not None else "functions that other files may call"
        lines.append(f"stripped: only {known} have names")
    return lines


def _kind(elf: Elf) -> str:
    kind = elf.header.type
    if kind == ET.DYN:
        return "position independent executable" if elf.is_pie else "shared library"
    return {ET.EXEC.value: "executable", ET.REL.value: "object file", ET.CORE.value: "core dump"}.get(
        kind, f"type {kind:#x}"
    )


def iter_lines(binary: Binary, pattern: str = "*", *, demangled: bool = False) -> Iterator[str]:
    """A line for each function whose name matches, in no order, each once.

    Each begins with the address in as many digits, so that sorted as text they are sorted by address.
    """
    elf, matches = binary.elf, _matcher(pattern, demangled)
    for symbol in elf.iter_functions(matches):
        yield _line(elf, symbol, _TABLES.get(symbol.table, symbol.table), demangled)
    if elf.is_stripped and binary.debug is not None:
        known = {hash((symbol.name, symbol.value)) for symbol in elf.iter_functions(matches)}
        for symbol in binary.debug.iter_functions(matches):
            if hash((symbol.name, symbol.value)) not in known:
                yield _line(elf, symbol, _DEBUG, demangled)


def _matcher(pattern: str, demangled: bool) -> Callable[[str], object] | None:
    if pattern == "*":
        return None
    matches = compile_glob(pattern).fullmatch
    if not demangled:
        return matches
    from ..symbols.demangle import demangle

    return lambda name: matches(name) or matches(demangle(name))


def _line(elf: Elf, symbol: Symbol, table: str, demangled: bool) -> str:
    name, address = symbol.name, symbol.value
    if demangled:
        from ..symbols.demangle import demangle

        name = demangle(name)
    if symbol.version:
        name += ("@" if symbol.hidden else "@@") + symbol.version
    if symbol.type == _IFUNC:
        name += "  (ifunc: this is its resolver)"
    offset = elf.file_offset(address)
    where = _NO_OFFSET if offset is None else f"{offset:#x}"
    bind = _BINDS.get(symbol.bind) or name_of(STB, symbol.bind).lower()
    return f"{address:0{elf.bits // 4}x}  {where:>10}  {symbol.size:>8}  {bind:6}  {table:6}  {name}"


def heading(elf: Elf) -> str:
    """What stands above the lines."""
    return f"{'ADDRESS':{elf.bits // 4}}  {'OFFSET':>10}  {'SIZE':>8}  {'BIND':6}  {'TABLE':6}  NAME"


def _no_function(binary: Binary, pattern: str) -> TargetError:
    elf = binary.elf
    names = dict.fromkeys(symbol.name for symbol in elf.iter_functions())
    near = near_misses(pattern, names) if "*" not in pattern else []
    why = ": stripped" if elf.is_stripped and binary.debug is None else ""
    return TargetError(
        f"no function matches {pattern!r} in {binary.path}{why}",
        hint=f"did you mean {' or '.join(near)}?" if near else None,
    )
