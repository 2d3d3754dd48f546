"""Where an entry stands: the namespaces, classes and functions around it, and its qualified name.

Entries don't know their parents; the way down from the root is found again, by the places of those entries
that others stand in. They are kept for each unit.
"""

from __future__ import annotations

from bisect import bisect_right

from .consts import AT, TAG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .die import Die
    from .unit import Unit

NAMED_SCOPES = frozenset({
    TAG.CLASS_TYPE, TAG.STRUCTURE_TYPE, TAG.UNION_TYPE, TAG.INTERFACE_TYPE, TAG.NAMESPACE, TAG.MODULE,
})  # fmt: skip
_SCOPES = NAMED_SCOPES | {TAG.SUBPROGRAM}
_MOST_DEPTH = 64
_MOST_HOPS = 8
# DW_LANG of C and assembly, where names have no scopes and tags of structs have a keyword.
_C = frozenset({0, 0x0001, 0x0002, 0x000C, 0x001D, 0x002C, 0x8001})


def is_c(unit: Unit) -> bool:
    """Whether the unit was written in C (or assembly, or nobody knows)."""
    return unit.language in _C


def find_declaration(die: Die) -> Die:
    """The entry that says most of the name: at the end of abstract origins and specifications."""
    for _ in range(_MOST_HOPS):
        further = die.find_die(AT.ABSTRACT_ORIGIN) or die.find_die(AT.SPECIFICATION)
        if further is None:
            return die
        die = further
    raise die.error(f"expected at most {_MOST_HOPS} references to where the name is")


class Scopes:
    """The scopes of one unit. Ask for it by `Dwarf.scopes`."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._children: dict[int, tuple[list[int], list[Die]]] = {}
        self._ends: dict[int, int] = {}

    def enclosing(self, die: Die) -> list[Die]:
        """The scopes around `die`, the outermost first."""
        found: list[Die] = []
        inside = self._unit.root
        while len(found) < _MOST_DEPTH:
            starts, dies = self._scopes_in(inside)
            index = bisect_right(starts, die.at) - 1
            if index < 0 or dies[index].at == die.at or self._end(dies[index]) <= die.at:
                return found
            inside = dies[index]
            found.append(inside)
        raise die.error(f"expected at most {_MOST_DEPTH} scopes around")

    def _scopes_in(self, parent: Die) -> tuple[list[int], list[Die]]:
        """Places and entries of the scopes right below `parent`."""
        found = self._children.get(parent.at)
        if found is None:
            dies = [die for die in parent.iter_children(_SCOPES) if die.abbrev.has_children]
            found = self._children[parent.at] = [die.at for die in dies], dies
        return found

    def _end(self, scope: Die) -> int:
        if scope.at not in self._ends:
            self._ends[scope.at] = scope.find_end()
        return self._ends[scope.at]


def enclosing(die: Die) -> list[Die]:
    """The scopes around `die`, the outermost first."""
    return die.unit.dwarf.scopes(die.unit).enclosing(die)


def qualified_name(die: Die) -> str:
    """The name with those of the scopes around it: "ns::cls::method". In C, the plain name."""
    die = find_declaration(die)
    name = die.name or ""
    if is_c(die.unit):
        return name
    around = [scope for scope in enclosing(die) if scope.tag in NAMED_SCOPES]
    return "::".join([*[scope.name or "(anonymous)" for scope in around], name])
