"""Probes of programs and libraries, for `probee list`: functions (uprobe, uretprobe) and USDT probes."""

from __future__ import annotations

import glob
import os
import re
import sys

from ..base.errors import TargetError
from ..elf.resolve import resolve_symbol
from ..probes.binary import Binary
from ..probes.glob import compile_glob
from .binary import find_binary
from .listing import Entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..dwarf.functions import Function, Parameter
    from ..elf.symbols import Symbol
    from .listing import Query

_LANGUAGES = ("cpp", "rust")
_ELF_MAGIC = b"\x7fELF"


# Functions


def list_functions(query: Query) -> Iterator[Entry]:
    """The functions that a pattern `TARGET:NAME` of uprobe or uretprobe means."""
    target, name = _split(query)
    language, colon, written = name.partition(":")
    if not colon or language not in _LANGUAGES:
        language, written = "", name
    written = written.strip('"')
    for shown, binary in _iter_targets(query, target):
        if query.verbose:
            _tell_missing(query, binary)
        for text, symbol in _iter_matches(binary, language, written, query.sweeping or "*" in target):
            details = _describe(query, binary, symbol) if query.verbose else ()
            yield Entry(f"{query.kind}:{shown}:{text}", details)


def _iter_matches(
    binary: Binary, language: str, written: str, sweeping: bool
) -> Iterator[tuple[str, Symbol]]:
    """(name as it is listed, symbol) of the functions that are meant. Raises TargetError for a wrong name."""
    elf = binary.elf
    if language:
        yield from _iter_demangled(binary, language, written)
    elif "*" in written or sweeping:
        matches = compile_glob(written).fullmatch
        for symbol in elf.iter_functions(matches):
            if elf.file_offset(symbol.value) is not None:
                yield symbol.name, symbol
    else:
        yield written, resolve_symbol(elf, written).symbol


def _iter_demangled(binary: Binary, language: str, written: str) -> Iterator[tuple[str, Symbol]]:
    from ..symbols.demangle import demangle
    from ..symbols.rust_legacy import demangle as demangle_legacy

    matches = compile_glob(written).fullmatch
    for symbol in binary.elf.iter_functions(lambda name: name.startswith(("_Z", "_R"))):
        is_rust = symbol.name.startswith("_R") or demangle_legacy(symbol.name) is not None
        if is_rust != (language == "rust"):
            continue
        text = demangle(symbol.name)
        if any(map(matches, (text, *_short_forms(text)))):
            yield f'{language}:"{text}"', symbol


def _short_forms(text: str) -> Iterator[str]:
    """`text`, a demangled name, without its parameters; then without the type that templates return, too."""
    depth = 0
    for at in range(text.rfind(")"), -1, -1):
        depth += {")": 1, "(": -1}.get(text[at], 0)
        if not depth:
            text = text[:at]
            break
    yield text
    for at, character in enumerate(text):
        depth += {"<": 1, "(": 1, ">": -1, ")": -1}.get(character, 0)
        if character == " " and not depth and "operator" not in text[:at]:
            yield text[at + 1 :]


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
        paths = _once([path for path in sorted(glob.glob(target)) if _is_elf(path)])
        if not paths and not query.sweeping:
            raise TargetError(f"no ELF file matches {target!r}")
        return [(path, path) for path in paths]
    path = find_binary(query.files, target)
    return [(target if "/" in target else path, path)]


def _once(paths: list[str]) -> list[str]:
    """Of several links to a file, as libraries have them, the first."""
    return list({os.path.realpath(path): path for path in reversed(paths)}.values())[::-1]


def _find_mapped(query: Query, target: str) -> list[tuple[str, str]]:
    """The files of a process: those it maps, by pattern or short name; else one by its path there."""
    root = _root_of(query.pid)
    if "*" not in target and "/" in target:
        path = root + os.path.abspath(target)
        return [(target if not root else path, find_binary(query.files, path))]
    mapped = _read_mapped(query.pid)
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


def _read_mapped(pid: int) -> list[str]:
    """Paths of the files whose code a process maps, as it sees them. Raises TargetError."""
    from ..symbols.maps import parse_maps

    path = f"/proc/{pid}/maps"
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            text = file.read()
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise TargetError(f"what process {pid} maps can't be read: {path}: {reason}") from None
    mappings = parse_maps(text, path).mappings
    return sorted({m.file for m in mappings if m.file and m.is_executable and not m.is_deleted})


def _root_of(pid: int) -> str:
    """What stands before paths of a process to make them ours: "" where it sees the same files as we do."""
    own, other = [_read_link(f"/proc/{who}/ns/mnt") for who in ("self", str(pid))]
    same = own == other and _read_link(f"/proc/{pid}/root") == _read_link("/proc/self/root")
    return "" if same else f"/proc/{pid}/root"


def _read_link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _is_elf(path: str) -> bool:
    if not os.path.isfile(path) or not os.access(path, os.R_OK):
        return False
    with open(path, "rb") as file:
        return file.read(len(_ELF_MAGIC)) == _ELF_MAGIC
