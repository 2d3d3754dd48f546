"""Probes of programs and libraries, for `probee list`: functions (uprobe, uretprobe) and USDT probes."""

from __future__ import annotations

import os
import re
import sys

from ..base.errors import TargetError
from ..elf.resolve import resolve_symbol
from ..probes.binary import Binary
from ..probes.demangled import LANGUAGES, iter_demangled
from ..probes.glob import compile_glob
from .binary import find_binary
from .listing import Entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..dwarf.functions import Function, Parameter
    from ..elf.symbols import Symbol
    from .listing import Query

_ELF_MAGIC = b"\x7fELF"


# Functions


def list_functions(query: Query) -> Iterator[Entry]:
    """The functions that a pattern `TARGET:NAME` of uprobe or uretprobe means."""
    file, at, line = query.rest.partition("@")
    if at and ":" in line and ":" not in file:
        yield from _list_line(query, file, tuple(line.split(":")))
        return
    target, name = _split(query)
    language, colon, written = name.partition(":")
    if not colon or language not in LANGUAGES:
        language, written = "", name
    written = written.strip('"')
    for shown, binary in _iter_targets(query, target):
        if query.verbose:
            _tell_missing(query, binary)
        for text, symbol in _iter_matches(binary, language, written, query.sweeping or "*" in target):
            details = _describe(query, binary, symbol) if query.verbose else ()
            yield Entry(f"{query.kind}:{shown}:{text}", details)


def _list_line(query: Query, file: str, line: tuple[str, ...]) -> Iterator[Entry]:
    """The places of a source line, FILE:LINE[:COLUMN], with -v and the variables there."""
    from ..probes.traced import Traced
    from ..probes.user_places import find_places

    for shown, binary in _iter_targets(query, file):
        try:
            places = find_places(binary, ("@", *line), query.files.demangle, safe=True)
        except ValueError as error:
            raise TargetError(f"{query.kind}:{query.rest}: {error}") from None
        for place in places:
            variables = Traced(binary, place.address).variables.values() if query.verbose else ()
            details = tuple([f"{_compact(str(one.type))} {one.name}" for one in variables])
            yield Entry(f"{query.kind}:{shown}{place.text}", details)


def _iter_matches(
    binary: Binary, language: str, written: str, sweeping: bool
) -> Iterator[tuple[str, Symbol]]:
    """(name as it is listed, symbol) of the functions that are meant. Raises TargetError for a wrong name."""
    elf = binary.elf
    if language:
        from ..symbols.demangle import demangle

        for text, symbol in iter_demangled(elf, language, written, demangle):
            yield f'{language}:"{text}"', symbol
    elif "*" in written or sweeping:
        matches = compile_glob(written).fullmatch
        for symbol in elf.iter_functions(matches):
            if elf.file_offset(symbol.value) is not None:
                yield symbol.name, symbol
    else:
        yield written, resolve_symbol(elf, written).symbol


# Parameters


def _tell_missing(query: Query, binary: Binary) -> None:
    """Say once that there is no debug information."""
    if binary.dwarf is None and binary.path not in query.told:
        query.told.add(binary.path)
        sys.stderr.write(
            f"WARNING: {binary.path} has no debug information, so no parameters are shown"
            f" (looked in {binary.looked_in})\n"
        )


def _describe(query: Query, binary: Binary, symbol: Symbol) -> tuple[str, ...]:
    """What -v adds: parameters, or of a return probe the type of what is returned."""
    function = binary.find_function(symbol)
    if function is None:
        return ()
    if query.kind == "uretprobe":
        return _describe_return(function)
    texts = [render_parameter(parameter) for parameter in function.parameters]
    return tuple(texts + ["..."] * function.is_variadic)


def _describe_return(function: Function) -> tuple[str, ...]:
    returned = function.returns_name
    return () if returned == "void" else (f"{_compact(returned)} retval",)


def render_parameter(parameter: Parameter) -> str:
    """Type and name as bpftrace lists them: "struct sock* sk", where they can be so written."""
    if "(" in parameter.type_name or "[" in parameter.type_name:
        return parameter.spelling
    return f"{_compact(parameter.type_name)} {parameter.name}".rstrip()


def _compact(type_name: str) -> str:
    joined = re.sub(r" (?=[*&])", "", type_name)
    return re.sub(r"(?<=[*&])(?=\w)", " ", joined)


# USDT


def list_usdt(query: Query) -> Iterator[Entry]:
    """The probes that a pattern `TARGET:NAME` or `TARGET:PROVIDER:NAME` of usdt means."""
    from ..usdt.notes import group_probes, iter_probes

    target, name = _split(query)
    matches = compile_glob(name if ":" in name else f"*:{name}").fullmatch
    for shown, binary in _iter_targets(query, target):
        for probe in group_probes(iter_probes(binary.elf)):
            full = f"{probe.provider}:{probe.name}"
            if matches(full):
                places = dict.fromkeys([place.arguments for place in probe.places if place.arguments])
                yield Entry(f"{query.kind}:{shown}:{full}", tuple(places) if query.verbose else ())


# Targets


def _split(query: Query) -> tuple[str, str]:
    """Target and name: `NAME` alone is of all that the process maps, a path alone means all in it."""
    target, colon, name = query.rest.partition(":")
    if colon:
        return target or "*", name or "*"
    if "/" in target or (not query.pid and os.path.isfile(target)):
        return target, "*"
    return "*", target or "*"


def is_scoped(rest: str, pid: int) -> bool:
    """Whether `rest` of a pattern, or the process, says in which files to look."""
    target = rest.partition(":")[0]
    return bool(pid) or ("*" not in target and os.path.isfile(target))


def _iter_targets(query: Query, target: str) -> Iterator[tuple[str, Binary]]:
    """The files that are meant, each with how it is shown: as it was written, else with its whole path."""
    for shown, path in _find_paths(query, target):
        yield shown, Binary(query.files, path)


def _find_paths(query: Query, target: str) -> list[tuple[str, str]]:
    if query.pid:
        return _find_mapped(query, target)
    if target == "*":
        raise TargetError(
            f"{query.kind}:{query.rest}: expected a file to look in",
            hint=f"{query.kind}:/path/of/file:NAME, or -p PID for all files that a process maps",
        )
    if "*" in target:
        paths = _match_files(query, target)
        if not paths and not query.sweeping:
            raise TargetError(f"no ELF file matches {target!r}")
        return [(path, path) for path in paths]
    path = find_binary(query.files, target)
    return [(target if "/" in target else path, path)]


def _match_files(query: Query, target: str) -> list[str]:
    """The files that match, as they are written: a relative pattern gives relative paths."""
    found = query.files.match_files(target)
    if target.startswith("/"):
        return found
    start = "./" if target.startswith("./") else ""
    return [start + os.path.relpath(path) for path in found]


def _find_mapped(query: Query, target: str) -> list[tuple[str, str]]:
    """The files of a process: those it maps, by pattern or short name; else one by its path there."""
    root = query.files.root_of(query.pid)
    if "*" not in target and "/" in target:
        path = root + os.path.abspath(target)
        return [(target if not root else path, find_binary(query.files, path))]
    mapped = query.files.find_mapped(query.pid)
    named = _is_named(target)
    found = [(root + path, root + path) for path in mapped if named(path) and _is_elf(root + path)]
    if not found and "*" not in target:
        raise TargetError(f"process {query.pid} maps no file {target!r}")
    return found


def _is_named(target: str) -> Callable[[str], object]:
    if "*" in target:
        return compile_glob(target).fullmatch
    # As the C library's own files are called: libc.so.6, libc-2.31.so, libc.musl-x86_64.so.1.
    return re.compile(rf".*/{re.escape(target)}(?:[.-].*)?").fullmatch


def _is_elf(path: str) -> bool:
    if not os.path.isfile(path) or not os.access(path, os.R_OK):
        return False
    with open(path, "rb") as file:
        return file.read(len(_ELF_MAGIC)) == _ELF_MAGIC
