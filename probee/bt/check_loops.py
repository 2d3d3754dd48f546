"""Checking loops."""

from __future__ import annotations

from ..base.record import replace
from ..ctype.types import CType
from ..spec.values import Aggregate, Tuple
from . import tree
from .constants import number_of
from .names import shown
from .types import describe, is_integer, is_scalar, merge, reads_as, settle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..base.source import Span
    from .check import Checker

_DEPRECATED = "While loops are deprecated and may be removed in the future."
_RANGES = (
    "For loops support ranges (e.g. `for ($x : $start..$end) { ... }`), and can be used in place of "
    "while. These are more easily proven to be bounded by the verifier."
)

_MOST_UNROLLED = 100


def check_while(c: Checker, statement: tree.While) -> None:
    """`while (condition) { }`"""
    c.warn(_DEPRECATED, statement.span, _RANGES)
    type = c.type_of(statement.condition)
    if type is not None and not (is_scalar(type) or reads_as(type)):
        c.error(f"Invalid condition: {describe(type)}", statement.condition.span)
    _look_around(c, statement)
    c.scopes.append({})
    _check_rounds(c, statement.body)
    c.scopes.pop()


def _look_around(c: Checker, statement: tree.Stmt) -> None:
    """Put down which variables there are at a loop."""
    c.checked.outside[statement] = frozenset(local for scope in c.scopes for local in scope.values())


def _check_rounds(c: Checker, body: tuple[tree.Stmt, ...]) -> None:
    c.loops += 1
    c.body(body)
    c.loops -= 1


def check_range(c: Checker, statement: tree.ForRange) -> None:
    """`for $i : start..end { }`"""
    target = statement.target
    _check_shadow(c, target)
    types = [
        _bound(c, bound, which, replace(statement.span, end=statement.end.span.end))
        for bound, which in ((statement.start, "start"), (statement.end, "end"))
    ]
    _look_around(c, statement)
    c.scopes.append({})
    local = c.declare_local(target.name, target)
    c.checked.locals[target] = local
    known = [t for t in types if t is not None]
    if len(known) == 2:
        merged = merge(known[0], known[1])
        assert merged is not None
        c.assign_local(local, merged, target)
    local.assigned = True
    _check_rounds(c, statement.body)
    c.scopes.pop()


def _check_shadow(c: Checker, target: tree.Variable) -> None:
    known = c.find_local(target.name)
    if known is not None:
        notes = ((f"This is the {known.origin}.", known.span),)
        message = f"Loop declaration shadows existing variable: {shown(target.name)}"
        c.error(message, target.span, notes=notes)


def check_map_loop(c: Checker, statement: tree.ForMap) -> None:
    """`for $kv : @map { }`"""
    target = statement.target
    _check_shadow(c, target)
    entry = _entry_type(c, statement.map)
    _look_around(c, statement)
    c.scopes.append({})
    local = c.declare_local(target.name, target)
    c.checked.locals[target] = local
    if entry is not None and local.type != entry:
        local.type, c.changed = entry, True  # what the map's types have become, not what they were before too
    local.assigned = local.fixed = True
    c.map_loops += 1
    _check_rounds(c, statement.body)
    c.map_loops -= 1
    c.scopes.pop()


def _entry_type(c: Checker, map: tree.MapAccess) -> CType | None:
    """(key, value) of a map that can be gone over, None where that is not known, or wrong."""
    info = c.maps.get(map.name)
    if info is None or info.value is None:
        if info is None or not info.tried:
            c.error(f"Undefined map: {map.name}", map.span, c.near_map(map.name))
        return None
    if not info.keyed:
        message = f"{map.name} has no explicit keys (scalar map), and cannot be used for iteration"
        c.error(message, map.span)
        return None
    value = reads_as(info.value) or info.value
    if isinstance(value, Aggregate):
        c.error(f"Loop expression does not support type: {value}", map.span)
        return None
    return Tuple((settle(info.key), settle(value))) if info.key is not None else None


def _bound(c: Checker, bound: tree.Expr, which: str, marked: Span) -> CType | None:
    type = c.type_of(bound)
    if type is None:
        return None
    type = reads_as(type) or type
    if not is_integer(type):
        c.error(f"Loop range requires an integer for the {which} value", marked)
        return None
    return type


def check_unroll(c: Checker, statement: tree.Unroll) -> None:
    """`unroll(n) { }`"""
    c.type_of(statement.count)
    count = number_of(c, statement.count)
    if count is None:
        c.error("invalid unroll value", statement.span)
        return
    if count > _MOST_UNROLLED:
        c.error(f"unroll maximum value is {_MOST_UNROLLED}", statement.span)
    elif count < 1:
        c.error("unroll minimum value is 1", statement.span)
    c.checked.numbers[statement] = count
    c.scopes.append({})
    c.body(statement.body)
    c.scopes.pop()
