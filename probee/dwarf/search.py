"""Finding functions and structs by name, and functions by address: the front door of the package.

Order of the ways to a function, the first that finds it: an index (`.debug_names`, `.gdb_index`); the symbol
of that name, and the unit that `.debug_aranges` has at its address; the units that mention the name at all.
"""

from __future__ import annotations

from bisect import bisect_right

from ..ctype.types import Enum
from .consts import AT, TAG
from .functions import Function, iter_hops
from .index import Mentions, iter_indexed_units
from .lists import find_ranges
from .scope import NAMED_SCOPES, is_c, qualified_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..ctype.types import CType, LazyStruct
    from .die import Die
    from .file import Dwarf
    from .unit import Unit

_FUNCTIONS = frozenset({TAG.SUBPROGRAM})
_FUNCTION_ENTRIES = frozenset({TAG.SUBPROGRAM, TAG.INLINED_SUBROUTINE})
_NAMESPACES = frozenset({TAG.NAMESPACE, TAG.MODULE})
_MANGLED = ("_Z", "_R")
_STRUCT_ENTRIES = frozenset({TAG.STRUCTURE_TYPE, TAG.CLASS_TYPE})
_ENUMS = frozenset({TAG.ENUMERATION_TYPE})
_ENUMERATORS = frozenset({TAG.ENUMERATOR})
_TAGGED = _STRUCT_ENTRIES | _ENUMS | {TAG.UNION_TYPE}
_KINDS = {
    "struct": _STRUCT_ENTRIES,
    "class": _STRUCT_ENTRIES,
    "union": frozenset({TAG.UNION_TYPE}),
    "enum": _ENUMS,
    "typedef": frozenset({TAG.TYPEDEF, TAG.BASE_TYPE, TAG.UNION_TYPE}) | _STRUCT_ENTRIES | _ENUMS,
}
_NAMES = (AT.NAME, AT.LINKAGE_NAME, AT.MIPS_LINKAGE_NAME)


def find_functions(dwarf: Dwarf, name: str, *, everywhere: bool = False) -> list[Function]:
    """The functions called `name`: plain, qualified ("ns::cls::method") or mangled.

    Each concrete instance (clones such as `.constprop` too) is one `Function`; a function that was only
    inlined is one without code for each unit that has it. The first way that finds one ends the search: other
    static functions of the name, whose symbols were stripped, are only found `everywhere`, in all units.
    """
    wanted = name.encode("utf-8", "surrogateescape")
    last = _split(name)[-1].encode("utf-8", "surrogateescape")
    found: dict[Die, Function] = {}
    ways = [_by_index, _by_symbol, _by_mention]
    for way in [_by_mention] if everywhere else ways:
        for function in way(dwarf, wanted, last):
            if wanted == last or function.qualified_name == name:
                found.setdefault(function.die, function)
        if found:
            break
    return list(found.values())


def find_function_at(dwarf: Dwarf, address: int) -> Function | None:
    """The function with code at `address`, or None."""
    kept, build_id = dwarf.kept, dwarf.elf.build_id
    if kept is not None and build_id:
        place = kept.find_place(build_id, address)
        if place is not None:
            return Function(dwarf.unit(place[0]).die(place[1]))
    unit = dwarf.addresses.find_unit(address)
    function = _function_in(dwarf.whole(unit), address) if unit is not None else None
    if function is not None and function.unit is unit and kept is not None and build_id:
        kept.keep_place(build_id, address, (unit.offset, function.die.at))
    return function


def find_struct(dwarf: Dwarf, name: str, kind: str = "struct") -> LazyStruct | None:
    """The definition of `kind` ("struct", "class" or "union") `name`, qualified in C++; None without one."""
    return find_type(dwarf, kind, name)  # type: ignore[return-value]


def find_type(dwarf: Dwarf, kind: str, name: str, near: int | None = None) -> CType | None:
    """The definition of `name`, qualified in C++, whose `kind` is "struct", "class", "union", "enum" or
    "typedef"; a typedef is any type that is called so without a keyword. None without one.

    Types of the unit with the code at `near` are found before others.
    """
    last = _split(name)[-1].encode("utf-8", "surrogateescape")
    tags = _KINDS[kind]
    mentions = Mentions(dwarf, last)
    for unit in _iter_units_with(dwarf, mentions, last, tags, near):
        for die in mentions.iter_dies(unit, tags, into=NAMED_SCOPES):
            if _is_meant(die, kind) and _is_definition(die, last) and qualified_name(die) == name:
                return dwarf.types.make(die)
    for unit in dwarf.iter_type_units():
        die = unit.die(unit.type_offset)
        if die.tag in tags and _is_definition(die, last) and qualified_name(die) == name:
            return dwarf.types.make(die)
    return _find_split_type(dwarf, kind, name, near)


def find_enumerator(dwarf: Dwarf, name: str, near: int | None = None) -> tuple[Enum, int] | None:
    """The enum that has a constant `name`, qualified where its enum is, and its value; None without one."""
    *scopes, last = [part.encode("utf-8", "surrogateescape") for part in _split(name)]
    mentions = Mentions(dwarf, last)
    for unit in _iter_units_with(dwarf, mentions, last, frozenset(), near):
        for die in unit.root.iter_descendants(_ENUMS, into=NAMED_SCOPES):
            if any(child.find_bytes(AT.NAME) == last for child in die.iter_children(_ENUMERATORS)):
                enum = dwarf.types.make(die)
                around = enum.name if isinstance(enum, Enum) else ""
                if isinstance(enum, Enum) and (not scopes or around.endswith("::".join(_split(name)[:-1]))):
                    return enum, dict(enum.values)[_split(name)[-1]]
    return None


def _iter_units_with(
    dwarf: Dwarf, mentions: Mentions, name: bytes, tags: frozenset[int], near: int | None
) -> Iterator[Unit]:
    """Units that may have something called `name`, the likeliest first; some come twice."""
    own = dwarf.addresses.find_unit(near) if near is not None else None
    if own is not None and not own.is_skeleton:
        yield own
    if tags:
        yield from iter_indexed_units(dwarf, name, tags, types=True)
    yield from mentions.iter_units()


def _find_split_type(dwarf: Dwarf, kind: str, name: str, near: int | None) -> CType | None:
    """The type in split units: first in that around `near`, then in all."""
    skeletons = [unit for unit in dwarf.iter_units() if unit.is_skeleton]
    own = dwarf.addresses.find_unit(near) if near is not None and skeletons else None
    for unit in sorted(skeletons, key=lambda unit: unit is not own):
        found = find_type(dwarf.whole(unit).dwarf, kind, name)
        if found is not None:
            return found
    return None


def _is_meant(die: Die, kind: str) -> bool:
    """Whether `kind` asks for what `die` is: in C, types with a keyword are not called without it."""
    return kind != "typedef" or die.tag not in _TAGGED or not is_c(die.unit)


def _is_definition(die: Die, name: bytes) -> bool:
    return die.find_bytes(AT.NAME) == name and not die.has_flag(AT.DECLARATION)


# The ways


def _by_index(dwarf: Dwarf, name: bytes, last: bytes) -> Iterator[Function]:
    mentions = None
    for spelling in dict.fromkeys((name, last)):
        for unit in iter_indexed_units(dwarf, spelling, _FUNCTION_ENTRIES):
            if unit.is_skeleton:
                yield from _functions_in_split(dwarf, unit, last)
                continue
            mentions = mentions or Mentions(dwarf, last)
            yield from _functions_named(unit, last, mentions)


def _by_symbol(dwarf: Dwarf, name: bytes, last: bytes) -> Iterator[Function]:
    """By the symbol of that name, else by those of its clones and the mangled ones with its parts in them."""
    text = name.decode("utf-8", "surrogateescape")
    files = [file for file in (dwarf.elf, dwarf.binary) if file is not None]
    symbols = [s for file in files for s in file.find_symbols(text) if s.is_defined and s.is_function]
    if not symbols:
        matches = _matcher(text)
        symbols = [s for file in files for s in file.iter_functions(matches) if s.is_defined]
    for address in dict.fromkeys(symbol.value for symbol in symbols):
        unit = dwarf.addresses.find_listed(address)
        function = _function_in(dwarf.whole(unit), address) if unit is not None else None
        # An alias has the code of a function with another name.
        if function is not None and (symbols[0].name == text or _is_called(function, last)):
            yield function
            yield from _clones(function)


def _matcher(name: str) -> Callable[[str], bool]:
    clones = f"{name}."
    # Both manglings of C++ and Rust write names with their lengths before them.
    parts = "".join([f"{len(part.encode())}{part}" for part in _split(name)])
    return lambda other: other.startswith(clones) or (other[:2] in _MANGLED and parts in other)


def _is_called(function: Function, name: bytes) -> bool:
    return any(_has_name(hop, name) for hop in iter_hops(function.die))


def _clones(function: Function) -> Iterator[Function]:
    """The other concrete instances of the same abstract entry in the same unit."""
    origin = function.die.find_die(AT.ABSTRACT_ORIGIN)
    places = {at for _, _, at in function.unit.function_ranges} - {function.die.at} if origin else ()
    for at in sorted(places):
        die = function.unit.die(at)
        if die.has(AT.ABSTRACT_ORIGIN) and die.find_die(AT.ABSTRACT_ORIGIN) == origin:
            yield Function(die)


def _by_mention(dwarf: Dwarf, name: bytes, last: bytes) -> Iterator[Function]:
    mentions = Mentions(dwarf, last)
    for unit in mentions.iter_units():
        if not unit.is_skeleton:
            yield from _functions_named(unit, last, mentions)
    for unit in dwarf.iter_units():
        if unit.is_skeleton:
            yield from _functions_in_split(dwarf, unit, last)


def _functions_in_split(dwarf: Dwarf, skeleton: Unit, name: bytes) -> Iterator[Function]:
    unit = dwarf.whole(skeleton)
    yield from _functions_named(unit, name, Mentions(unit.dwarf, name))


def _functions_named(unit: Unit, name: bytes, mentions: Mentions) -> Iterator[Function]:
    """Functions of a unit whose plain or mangled name is `name`: the concrete ones, else the inlined one."""
    named = {die for die in mentions.iter_dies(unit, _FUNCTIONS, into=NAMED_SCOPES) if _has_name(die, name)}
    if not named:
        return
    concrete = [die for die in named if _has_code(die)]
    instantiated = set(concrete)
    # What completes a declaration or an abstract entry stands beside it, or in a namespace.
    for die in unit.root.iter_descendants(_FUNCTIONS, into=_NAMESPACES):
        if die in named or not (die.has(AT.SPECIFICATION) or die.has(AT.ABSTRACT_ORIGIN)):
            continue
        hops = list(iter_hops(die))
        if named.isdisjoint(hops):
            continue
        if _has_code(die):
            concrete.append(die)
            instantiated.update(hops)
        elif die.has(AT.INLINE):
            named.add(die)
    abstract = [die for die in named if die.has(AT.INLINE) and die not in instantiated]
    for die in sorted([*concrete, *abstract], key=lambda die: die.at):
        if find_ranges(die) or die.has(AT.INLINE):
            yield Function(die)


def _has_name(die: Die, name: bytes) -> bool:
    return any(die.find_bytes(attribute) == name for attribute in _NAMES)


def _has_code(die: Die) -> bool:
    return die.has(AT.LOW_PC) or die.has(AT.RANGES)


def _function_in(unit: Unit, address: int) -> Function | None:
    """The function of `unit` with code at `address`."""
    ranges = unit.function_ranges
    index = bisect_right(ranges, address, key=lambda r: r[0]) - 1
    if index < 0 or address >= ranges[index][1]:
        return None
    return Function(unit.die(ranges[index][2]))


def _split(name: str) -> list[str]:
    """The parts of a qualified name: what is between `::` outside of template arguments."""
    parts, depth, start = [], 0, 0
    for at, character in enumerate(name):
        depth += {"<": 1, ">": -1, "(": 1, ")": -1}.get(character, 0)
        if depth <= 0 and name[at : at + 2] == "::":
            parts.append(name[start:at])
            start = at + 2
    return [*parts, name[start:]]
