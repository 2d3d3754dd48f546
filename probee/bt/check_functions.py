"""Checking calls of functions of one's own, which stand where they are called (see macros.py)."""

from __future__ import annotations

from ..ctype.types import VOID, CType, Void
from . import tree
from .constants import number_of
from .macros import Inlined
from .types import describe, holds, merge, reads_as
from .written import written_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .check import Checker


def check_inlined(c: Checker, expr: Inlined) -> CType | None:
    """A call. Nothing of the loops around it is seen inside."""
    loops, c.loops = c.loops, 0
    c.inlined.append(expr)
    c.scopes.append({})
    c.body(expr.body)
    c.scopes.pop()
    c.inlined.pop()
    c.loops = loops
    return _returned(c, expr)


def _returned(c: Checker, expr: Inlined) -> CType | None:
    return written_type(c, expr.returns) if expr.returns is not None else VOID


def check_return(c: Checker, statement: tree.Jump, call: Inlined) -> None:
    """`return`, `return value`"""
    wanted = _returned(c, call)
    type = c.type_of(statement.value) if statement.value is not None else VOID
    if wanted is None or type is None:
        return
    type = reads_as(type) or type
    if isinstance(wanted, Void) or isinstance(type, Void):
        fits = wanted == type
    else:
        merged = merge(wanted, type)
        number = number_of(c, statement.value)
        fits = merged is not None and (merged.size <= wanted.size or holds(wanted, number))
    if not fits:
        c.error(
            f"Function {call.name} is of type {describe(wanted)}, cannot return {describe(type)}",
            statement.span,
        )
