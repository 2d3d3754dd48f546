"""Checking loops."""

from __future__ import annotations

from ..ctype.types import CType
from . import tree
from .constants import number_of
from .types import describe, is_integer, is_scalar, merge, reads_as

TYPE_CHECKING = False
if TYPE_CHECKING:
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
    c.scopes.append({})
    _check_rounds(c, statement.body)
    c.scopes.pop()


def _check_rounds(c: Checker, body: tuple[tree.Stmt, ...]) -> None:
    c.loops += 1
    c.body(body)
    c.loops -= 1


def check_range(c: Checker, statement: tree.ForRange) -> None:
    """`for $i : start..end { }`"""
    target = statement.target
    if c.find_local(target.name) is not None:
        c.error(f"Loop declaration shadows existing variable: {target.name}", target.span)
    types = [_bound(c, bound, end) for bound, end in ((statement.start, "start"), (statement.end, "end"))]
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


def _bound(c: Checker, bound: tree.Expr, which: str) -> CType | None:
    type = c.type_of(bound)
    if type is None:
        return None
    type = reads_as(type) or type
    if not is_integer(type):
        c.error(f"Loop range requires an integer for the {which} value", bound.span)
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
