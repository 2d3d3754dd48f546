"""From a function's name and an offset in it to the place in the file for a uprobe, or why there is none.

Which of several symbols of one name is taken, the first that tells them apart:

1. defined here, in an executable segment, over imported or elsewhere;
2. FUNC and GNU_IFUNC (whose address is that of its resolver) over NOTYPE (hand-written assembly);
3. GLOBAL and GNU_UNIQUE over WEAK over LOCAL, as a linker would;
4. the default version (`name@@V`) over hidden ones (`name@V`);
5. the lower address.

A version may be asked for by name: `memcpy@GLIBC_2.2.5`.
"""

from __future__ import annotations

from itertools import islice

from ..base.errors import TargetError
from ..base.record import record
from ..base.registry import farthest, near_misses
from .consts import STB, STT, name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .file import Elf
    from .gopclntab import GoTable
    from .symbols import Symbol, SymbolTable

_TYPE_ORDER: dict[int, int] = {STT.FUNC: 0, STT.GNU_IFUNC: 0, STT.NOTYPE: 1}
_BIND_ORDER: dict[int, int] = {STB.GLOBAL: 0, STB.GNU_UNIQUE: 0, STB.WEAK: 1, STB.LOCAL: 2}
_MOST_LOOKED_AT = 2000
_MANGLED = ("_Z", "_R")


@record
class Location:
    """Where a probe goes: `file_offset` (what a uprobe takes) and `address`, `offset` bytes into `symbol`.

    `others` are functions of the same name at other addresses, which were not taken.
    """

    file_offset: int
    address: int
    symbol: Symbol
    offset: int = 0
    others: tuple[Symbol, ...] = ()


def resolve_symbol(elf: Elf, name: str, offset: int = 0, *, debug: Elf | None = None) -> Location:
    """The place `offset` bytes into function `name` of `elf`.

    `debug` is the separate debug file of `elf`, where it has one: it is searched too. Raises TargetError with
    the reason, and with near misses when no symbol has that name.
    """
    found = _find(elf, debug, name)
    code = sorted([s for s in found if _is_code(elf, s)], key=_rank)
    if not code:
        raise _refusal(elf, debug, name, found)
    symbol = code[0]
    if offset < 0:
        raise TargetError(f"{name}{offset}: expected an offset of at least 0")
    if symbol.size and offset >= symbol.size:
        raise TargetError(f"offset {offset} is past the end of {name} (size {symbol.size}) in {elf.path}")
    file_offset = elf.file_offset(symbol.value + offset)
    if file_offset is None:
        raise TargetError(f"offset {offset} from {name} is past the end of the code in {elf.path}")
    others = {s.value: s for s in reversed(code) if s.value != symbol.value}
    return Location(file_offset, symbol.value + offset, symbol, offset, tuple(others.values()))


def _find(elf: Elf, debug: Elf | None, name: str) -> list[Symbol]:
    base, versioned, version = name.partition("@")
    if not base:
        base, versioned = name, ""
    found = _find_quickly(elf, debug, base)
    if not versioned:
        return found
    return [s for s in found if s.version == version.lstrip("@") and not (s.hidden and version[:1] == "@")]


def _find_quickly(elf: Elf, debug: Elf | None, name: str) -> list[Symbol]:
    """The symbols called `name` of the first table, in order of speed, where one is code; else of all."""
    found = elf.find_exports(name)
    if any(_is_code(elf, s) for s in found):
        return found
    for table in _iter_tables(elf, debug):
        found = found + table.find(name)
        if any(_is_code(elf, s) for s in found):
            break
    return found


def _iter_tables(elf: Elf, debug: Elf | None) -> Iterator[SymbolTable | GoTable]:
    yield from elf.symbol_tables
    if debug is not None:
        yield from debug.symbol_tables
    elif elf.is_stripped and elf.go_table is not None:
        yield elf.go_table


def _is_code(elf: Elf, symbol: Symbol) -> bool:
    return symbol.is_defined and symbol.type in _TYPE_ORDER and elf.file_offset(symbol.value) is not None


def _rank(symbol: Symbol) -> tuple[int, int, bool, int]:
    bind = _BIND_ORDER.get(symbol.bind, len(_BIND_ORDER))
    return _TYPE_ORDER[symbol.type], bind, symbol.hidden, symbol.value


# Why not


def _refusal(elf: Elf, debug: Elf | None, name: str, found: list[Symbol]) -> TargetError:
    defined = [s for s in found if s.is_defined]
    if defined:
        kind = defined[0].type
        if kind not in _TYPE_ORDER:
            return TargetError(f"{name} is not a function in {elf.path} ({name_of(STT, kind)})")
        return TargetError(f"{name} is not in an executable segment of {elf.path}")
    if found:
        needed = ", ".join(elf.dynamic.needed)
        return TargetError(
            f"{name} is undefined in {elf.path}: imported from another library",
            hint=f"it is in one of {needed}" if needed else None,
        )
    close = _near_names(elf, debug, name)
    return TargetError(
        f"no function {name} in {elf.path}{_why_few(elf, debug)}",
        hint=f"did you mean {' or '.join(close)}?" if close else None,
    )


def _why_few(elf: Elf, debug: Elf | None) -> str:
    if debug is not None or not elf.is_stripped:
        return ""
    count = elf.function_count
    if elf.go_table is not None:
        return f": stripped, has the {count} functions that Go's own table tells"
    return f": stripped, has only {count} dynamic functions" if count else ": stripped, has no symbols at all"


def _near_names(elf: Elf, debug: Elf | None, name: str) -> list[str]:
    """Functions that look like `name`, nearest first.

    Edit distance is too dear for the 85,000 functions of a big program, so it only sees the first
    `_MOST_LOOKED_AT` that have about the same letters.
    """
    lowered, limit = name.lower(), farthest(name)
    letters = set(lowered)

    def looks_like(other: str) -> bool:
        if other.startswith(_MANGLED) and not name.startswith(_MANGLED):
            return False
        if abs(len(other) - len(name)) <= limit:
            return len(letters.symmetric_difference(other.lower())) <= 2 * limit
        return 4 <= len(name) <= len(other) <= 8 * len(name) and lowered in other.lower()

    files = [file for file in (elf, debug) if file is not None]
    names = (symbol.name for file in files for symbol in file.iter_functions(looks_like))
    return near_misses(name, dict.fromkeys(islice(names, _MOST_LOOKED_AT)))
