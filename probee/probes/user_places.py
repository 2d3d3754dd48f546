"""Which places in a binary the rest of a uprobe attach point means.

FUNCTION              its entry; where it has none of its own, those of its clones (`.constprop`, `.isra`)
FUNCTION+OFFSET       inside of it, at the beginning of an instruction
0xADDRESS             the same by address, as nm and objdump print it
PATTERN*              all functions that match
cpp:NAME  rust:NAME  d:NAME   by demangled name, with all overloads and instances of templates
@FILE:LINE[:COLUMN]   where statements of a source line begin, by the debug information
"""

from __future__ import annotations

import re

from ..base.errors import TargetError
from ..base.record import record
from ..base.registry import near_misses
from ..elf.consts import STT
from ..elf.resolve import resolve_symbol
from .glob import compile_glob

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..dwarf.file import Dwarf
    from ..elf.resolve import Location
    from ..elf.symbols import Symbol
    from .binary import Binary

    Demangle = Callable[[str], str]

NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,16}|\d{1,20}")
_CLONE = re.compile(r"(?:\.(?:constprop|isra|lto_priv)(?:\.\d+)*)+")
_UNSAFE = "--unsafe attaches nevertheless; a breakpoint inside of an instruction breaks the program"
_NO_OFFSET = "a return probe takes no offset: it fires when the function returns"
_MOST_CODE = 1 << 20
_SHOWN = 5


@record
class Place:
    """One place: how it is spelled in the probe's full name, the function's name ("" where it is none), its
    address and offset in the file; `warning`: what is to be known of it."""

    text: str
    function: str
    address: int
    offset: int
    warning: str = ""


def find_places(
    binary: Binary, where: tuple[str, ...], demangle: Demangle, *, safe: bool, returns: bool = False
) -> list[Place]:
    """The places that the parts `where` of an attach point mean, at least one.

    `safe`: only where the beginning of an instruction is known to be; `returns`: for return probes. Raises
    TargetError for what isn't there, ValueError with the reason for what is misspelled.
    """
    if where[0] == "@":
        return _find_line(binary, where[1:])
    if len(where) > 1:
        return _find_demangled(binary, where[0], ":".join(where[1:]), demangle)
    name = where[0]
    if NUMBER.fullmatch(name):
        return [_find_address(binary, name, safe=safe, returns=returns)]
    base, plus, past = name.rpartition("+")
    if not plus:
        return _find_functions(binary, name)
    if not NUMBER.fullmatch(past) or not base:
        raise ValueError(f"expected FUNCTION+OFFSET, got {name!r}")
    return [_find_offset(binary, name, base, int(past, 0), safe=safe, returns=returns)]


# By name


def _find_functions(binary: Binary, name: str) -> list[Place]:
    if "*" in name:
        found = _match_functions(binary, compile_glob(name).fullmatch)
        if not found:
            raise TargetError(f"no function matches {name!r} in {binary.path}")
        return found
    try:
        location = _resolve(binary, name)
    except TargetError as error:
        clones = _find_clones(binary, name)
        if clones:
            return clones
        raise _explained(binary, name, error) from None
    warning = ""
    if location.symbol.type == STT.GNU_IFUNC:
        warning = (
            f"{name} of {binary.path} is chosen when the program starts (IFUNC): this probe is at what "
            "chooses, which runs once, and not at what is called"
        )
    elif location.others:
        others = ", ".join([f"{symbol.value:#x}" for symbol in location.others[:4]])
        warning = (
            f"{binary.path} has other functions called {name}, at {others}, which are not traced; "
            f"each can be by its address"
        )
    else:
        clones = _find_clones(binary, name)
        if clones:
            names = ", ".join([clone.function for clone in clones])
            warning = (
                f"calls of {name} that the compiler made calls of {names} are not traced; {name}.* has those"
            )
    return [Place(name, name, location.address, location.file_offset, warning)]


def _find_clones(binary: Binary, name: str) -> list[Place]:
    """The functions that a compiler made of `name` for some of its callers."""
    elf, found = binary.elf, dict[int, Place]()
    for table in elf.symbol_tables:
        for symbol in table.find_beginning(f"{name}."):
            offset = elf.file_offset(symbol.value) if symbol.is_defined and symbol.is_function else None
            if offset is not None and _CLONE.fullmatch(symbol.name, len(name)):
                found.setdefault(offset, Place(symbol.name, symbol.name, symbol.value, offset))
    return sorted(found.values(), key=lambda place: place.text)


def _resolve(binary: Binary, name: str, past: int = 0) -> Location:
    """Where a function is by the symbols of the file, else by those of its separate debug file."""
    try:
        return resolve_symbol(binary.elf, name, past)
    except TargetError:
        if not binary.elf.is_stripped or binary.debug is None:
            raise
        return resolve_symbol(binary.elf, name, past, debug=binary.debug)


def _iter_functions(binary: Binary, matches: Callable[[str], object] | None = None) -> Iterator[Symbol]:
    yield from binary.elf.iter_functions(matches)
    if binary.elf.is_stripped and binary.debug is not None:
        yield from binary.debug.iter_functions(matches)


def _match_functions(binary: Binary, matches: Callable[[str], object]) -> list[Place]:
    """Functions with code by a test of their names, in order of names, one for each address.

    Those that are chosen when the program starts (IFUNC) have none: what chooses is not meant by a pattern.
    """
    elf = binary.elf
    places: dict[int, Symbol] = {}
    for symbol in _iter_functions(binary, matches):
        offset = elf.file_offset(symbol.value)
        if offset is not None and symbol.type != STT.GNU_IFUNC:
            places.setdefault(offset, symbol)
    ordered = sorted(places.items(), key=lambda place: place[1].name)
    return [Place(s.name, s.name, s.value, offset) for offset, s in ordered]


def _find_demangled(binary: Binary, language: str, pattern: str, demangle: Demangle) -> list[Place]:
    from .demangled import iter_demangled

    elf = binary.elf
    places: dict[int, Place] = {}
    for text, symbol in iter_demangled(elf, language, pattern, demangle):
        offset = elf.file_offset(symbol.value)
        # Constructors have several symbols at one place.
        if offset is not None and offset not in places:
            places[offset] = Place(f'{language}:"{text}"', text, symbol.value, offset)
    if not places:
        raise TargetError(
            f"no {'C++' if language == 'cpp' else 'Rust'} function matches {pattern!r} in {binary.path}"
        )
    return sorted(places.values(), key=lambda place: (place.text, place.offset))


def _explained(binary: Binary, name: str, error: TargetError) -> TargetError:
    """`error`, or what the debug information knows of why there is no such symbol."""
    dwarf = binary.dwarf if not binary.elf.find_symbols(name) else None
    if dwarf is None:
        return error
    from ..dwarf.search import find_functions

    functions = find_functions(dwarf, name)
    if not functions:
        return error
    if all(function.entry is None for function in functions):
        calls = sum(len(function.inlined) for function in functions)
        places = "1 place" if calls == 1 else f"{calls} places"
        return TargetError(
            f"{name} has no code of its own in {binary.path}: it was inlined in {places}",
            hint=f"probee dwarf {binary.path} {name} shows where",
        )
    addresses = " or ".join([f"{f.entry:#x}" for f in functions if f.entry is not None])
    return TargetError(
        error.message, hint=f"its debug information has a function of that name at {addresses}"
    )


# By number


def _find_address(binary: Binary, text: str, *, safe: bool, returns: bool) -> Place:
    elf, address = binary.elf, int(text, 0)
    offset = elf.file_offset(address)
    if offset is None:
        given = elf.address_of(address)
        hint = f"address {address:#x} is not in the code of {binary.path}"
        if given is not None:
            hint = f"offset {address:#x} in the file is address {given:#x}"
        raise TargetError(f"Could not resolve address: {binary.path}:{address:#x}", hint=hint)
    symbol = _symbol_around(binary, address)
    if symbol is None:
        if safe:
            raise TargetError(
                f"no symbol of {binary.path} tells where the instruction at {address:#x} begins", hint=_UNSAFE
            )
        return Place(text, "", address, offset, _unchecked(binary, text))
    past = address - symbol.value
    if returns and past:
        raise ValueError(_NO_OFFSET)
    warning = _check_boundary(binary, symbol, past, text, safe=safe)
    return Place(text, symbol.name, address, offset, warning)


def _find_offset(binary: Binary, text: str, name: str, past: int, *, safe: bool, returns: bool) -> Place:
    try:
        location = _resolve(binary, name, past)
    except TargetError as error:
        size = max([symbol.size for symbol in binary.elf.find_symbols(name)], default=0)
        if not 0 < size <= past:
            raise
        bounds = f"Offset outside the function bounds ('{name}' size is {size})"
        raise TargetError(bounds, hint=error.message) from None
    if returns and past:
        raise ValueError(_NO_OFFSET)
    warning = _check_boundary(binary, location.symbol, past, text, safe=safe)
    return Place(text, name, location.address, location.file_offset, warning)


def _symbol_around(binary: Binary, address: int) -> Symbol | None:
    """The function with code at `address`, or None."""
    best = None
    for symbol in _iter_functions(binary):
        if symbol.value <= address < symbol.value + max(symbol.size, 1):
            if best is None or symbol.value > best.value:
                best = symbol
    return best


def _unchecked(binary: Binary, text: str) -> str:
    return (
        f"nothing tells where instructions begin at {text} of {binary.path}: "
        "a breakpoint inside of one breaks the program"
    )


def _check_boundary(binary: Binary, symbol: Symbol, past: int, text: str, *, safe: bool) -> str:
    """A warning, or "", of a place `past` bytes into a function. Raises TargetError where it isn't `safe`."""
    if not past:
        return ""
    problem = _find_problem(binary, symbol, past)
    if not problem:
        return ""
    what = f"{binary.path}:{text}"
    if safe:
        raise TargetError(
            f"Could not add uprobe into middle of instruction: {what}", hint=f"{problem}; {_UNSAFE}"
        )
    return f"Unsafe uprobe in the middle of the instruction: {what}: {problem}"


def _find_problem(binary: Binary, symbol: Symbol, past: int) -> str:
    """Why no instruction is known to begin `past` bytes into a function; "" where one does."""
    from ..elf.consts import EM

    elf = binary.elf
    if elf.machine == EM.AARCH64:
        return f"instructions begin every 4 bytes, {past} is between" if past % 4 else ""
    start = elf.file_offset(symbol.value)
    if elf.machine != EM.X86_64 or start is None:
        return "it is not known where instructions of this CPU begin"
    from ..arch.x86_64_code import decode_length

    # An instruction is up to 15 bytes long: what begins at `past` must be whole.
    code = elf.data[start : start + min(past + 16, _MOST_CODE)]
    if not code:
        return ""  # a made-up program has none; the kernel refuses what isn't there
    at = 0
    while at < past:
        try:
            length, _ = decode_length(code, at)
        except ValueError as error:
            return f"{error}"
        at += length
    return "" if at == past else f"the instruction that it is in begins at {symbol.name}+{at - length}"


# By source line


def _find_line(binary: Binary, parts: tuple[str, ...]) -> list[Place]:
    file, line, column = parts[0], parts[1], parts[2] if len(parts) > 2 else "0"
    if not (line.isdecimal() and column.isdecimal()) or len(parts) > 3:
        raise ValueError(f"expected FILE:LINE or FILE:LINE:COLUMN, got {':'.join(parts)!r}")
    from ..dwarf.line import find_line_addresses

    dwarf, elf = binary.need_dwarf(), binary.elf
    text = f"@{':'.join(parts)}"
    found = find_line_addresses(dwarf, file, int(line), int(column))
    places = list(_iter_line_places(binary, text, [one.address for one in found]))
    if not places:
        raise TargetError(
            f"no code of {elf.path} is of {':'.join(parts)}", hint=_lines_near(dwarf, file, int(line))
        )
    return places


def _lines_near(dwarf: Dwarf, file: str, line: int) -> str:
    """What a line that has no code may have been meant to be."""
    from ..dwarf.line import find_file_lines, iter_source_files

    lines = find_file_lines(dwarf, file)
    if not lines:
        names = sorted({path.rpartition("/")[2] for path in iter_source_files(dwarf)})
        near = near_misses(file.rpartition("/")[2], names) or names[:_SHOWN]
        return f"no source file of it is called {file}; there are {', '.join(near)}"
    before, after = [n for n in lines if n < line], [n for n in lines if n > line]
    return f"lines of {file} that have code: {', '.join(map(str, before[-2:] + after[:2]))}"


def _iter_line_places(binary: Binary, text: str, addresses: list[int]) -> Iterator[Place]:
    for address in addresses:
        offset = binary.elf.file_offset(address)
        if offset is not None:
            yield Place(text, "", address, offset)
