"""`probee dwarf`: what debug information says of a function: code, parameters, inlined instances, probes."""

from __future__ import annotations

import sys

from ..base.errors import ProbeeError, TargetError, UsageError
from ..dwarf.expr import render_location
from ..dwarf.registers import register_names
from ..dwarf.search import find_functions
from ..elf.resolve import resolve_symbol
from ..probes.binary import Binary
from ..session import open_files
from .binary import find_binary
from .files import parse_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..dwarf.expr import RegisterName
    from ..dwarf.functions import Function, Parameter

USAGE = """\
USAGE:
    probee dwarf FILE FUNCTION

Shows what the debug information of FILE (a path, a program in PATH, or a library such as libc), or of its
separate debug file, says of FUNCTION (`name`, `ns::cls::method` or mangled): where its code is, its
parameters and where they are while it runs, where it was inlined, and the USDT probes in it.

CFA is the stack pointer before the call; an address in brackets stands for what is in memory there.
"""

_BY_CONVENTION = "where the calling convention puts it"
_MOST_RANGES = 12


def main(arguments: list[str]) -> int:
    """Run the command; the exit status. Raises ProbeeError."""
    options, words = parse_words(arguments, "h", USAGE)
    if "-h" in options:
        sys.stdout.write(USAGE)
        return 0
    if len(words) != 2:
        raise UsageError(
            f"expected FILE and FUNCTION, got {' '.join(words) or 'neither'}",
            hint=USAGE.splitlines()[1].strip(),
        )
    files = open_files()
    binary = Binary(files, find_binary(files, words[0]))
    functions = find_functions(binary.need_dwarf(), words[1])
    if not functions:
        raise _no_function(binary, words[1])
    blocks = ["\n".join(describe(binary, function)) for function in functions]
    sys.stdout.buffer.write(("\n\n".join(blocks) + "\n").encode("utf-8", "surrogateescape"))
    return 0


def describe(binary: Binary, function: Function) -> Iterator[str]:
    """All that is known of a function, as lines."""
    yield function.signature
    if function.linkage_name:
        yield f"  symbol: {function.linkage_name}"
    scope = "other files may call it" if function.is_external else "static"
    yield f"  declared at: {_place(function.decl_file, function.decl_line)} ({scope})"
    yield from _describe_code(binary, function)
    if function.parameters:
        yield "  parameters:"
        for parameter in function.parameters:
            yield from _describe_parameter(binary, function, parameter)
    yield from _describe_inlined(binary, function)
    yield from _describe_probes(binary, function)


def _describe_code(binary: Binary, function: Function) -> Iterator[str]:
    if function.entry is None:
        yield "  code: none of its own, it was inlined wherever it is called"
        return
    for low, high in function.ranges:
        yield f"  code: {low:#x}-{high:#x} ({high - low} bytes), {_offset(binary, low)}"
    if function.entry != function.ranges[0][0]:
        yield f"  entry: {function.entry:#x}, {_offset(binary, function.entry)}"
    if function.body is not None and function.body != function.entry:
        yield f"  body: from {function.body:#x} (+{function.body - function.entry})"


def _offset(binary: Binary, address: int) -> str:
    offset = binary.elf.file_offset(address)
    return "not in executable code" if offset is None else f"file offset {offset:#x}"


def _place(file: str, line: int) -> str:
    return f"{file}:{line}" if file else "an unknown place"


# Parameters


def _describe_parameter(binary: Binary, function: Function, parameter: Parameter) -> Iterator[str]:
    """Its type and name, then where it is: when the function is entered, and while it runs."""
    yield f"    {parameter.spelling}"
    if function.entry is None or function.body is None:
        return
    names = register_names(binary.elf.machine)
    bits = binary.elf.bits
    first = parameter.location_at_entry(function.entry)
    entered = _BY_CONVENTION if first is None else render_location(first, names, bits)
    yield f"      at entry: {entered}"
    ranges = parameter.location_ranges()
    if ranges is not None:
        yield from _describe_ranges(parameter, ranges, names, bits)
    else:
        inside = render_location(parameter.location(function.body), names, bits)
        if inside != entered:
            yield f"      in the body: {inside}"


def _describe_ranges(
    parameter: Parameter, ranges: list[tuple[int, int]], names: RegisterName, bits: int
) -> Iterator[str]:
    for low, high in ranges[:_MOST_RANGES]:
        if low < high:
            yield f"      {low:#x}-{high:#x}: {render_location(parameter.location(low), names, bits)}"
    if len(ranges) > _MOST_RANGES:
        yield f"      and {len(ranges) - _MOST_RANGES} more ranges"


# What else is in it


def _describe_inlined(binary: Binary, function: Function) -> Iterator[str]:
    instances = function.inlined if function.is_inlined else ()
    if instances:
        yield "  inlined:"
    for one in instances:
        where = f"{one.entry:#x}, {_offset(binary, one.entry)}" if one.entry is not None else "no code"
        yield f"    {where}: in {one.caller.qualified_name}, called at {_place(one.call_file, one.call_line)}"


def _describe_probes(binary: Binary, function: Function) -> Iterator[str]:
    from ..usdt.notes import iter_probes

    found = [
        p for p in iter_probes(binary.elf) if any(low <= p.location < high for low, high in function.ranges)
    ]
    if found:
        yield "  USDT probes:"
    for probe in sorted(found, key=lambda p: p.location):
        yield f"    {probe.location:#x}: {probe.provider}:{probe.name} {probe.arguments}".rstrip()


# Why not


def _no_function(binary: Binary, name: str) -> ProbeeError:
    """The symbol's own reason where it has none either; else that only the debug information lacks it."""
    try:
        place = resolve_symbol(binary.elf, name, debug=binary.debug)
    except TargetError as error:
        return error
    file = binary.need_dwarf().elf.path
    return TargetError(
        f"{name} is at {place.address:#x} of {binary.path}, but {file} has no debug information of it",
        hint="it was compiled without -g or written in assembly, or the compiler left its place out",
    )
