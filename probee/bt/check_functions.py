"""Checking calls of functions of one's own, which stand where they are called (see macros.py)."""

from __future__ import annotations

from ..ctype.types import VOID, CType, Void
from . import tree
from .check_convert import check_conversion
from .macros import Inlined
from .names import PARAMETER, with_end
from .types import describe, kind_of, reads_as
from .written import written_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..base.source import Span
    from .check import Checker


def check_inlined(c: Checker, expr: Inlined) -> CType | None:
    """A call. Nothing of the loops around it is seen inside."""
    loops, c.loops = c.loops, 0
    _check_body(c, expr)
    c.loops = loops
    return _returned(c, expr)


def check_unused(c: Checker, function: tree.Function) -> None:
    """A function that nobody calls, of which every probe that might could be meant."""
    c.action = None
    c.scopes = [{}]
    locals_ = [c.declare_local(parameter.name, parameter, PARAMETER) for parameter in function.parameters]
    for parameter, local in zip(function.parameters, locals_, strict=True):
        local.assigned = local.fixed = True
        if parameter.type is not None and local.type is None:
            local.type = written_type(c, parameter.type)
            c.changed = local.type is not None or c.changed
    _check_body(c, Inlined(function.span, function.name, function.body, function.returns))


def _check_body(c: Checker, call: Inlined) -> None:
    c.inlined.append(call)
    c.scopes.append({})
    c.body(call.body)
    c.scopes.pop()
    c.inlined.pop()
    wanted = _returned(c, call)
    if wanted is not None and not isinstance(wanted, Void) and not _returns(call.body):
        _refuse(c, call, wanted, VOID, call.span)


def _returns(body: tuple[tree.Stmt, ...]) -> bool:
    """True if a block always comes to a `return`."""
    for statement in body:
        if isinstance(statement, tree.Jump) and statement.kind == "return":
            return True
        if isinstance(statement, tree.If) and _returns(statement.then) and _returns(statement.otherwise):
            return True
        if isinstance(statement, tree.Block) and _returns(statement.body):
            return True
    return False


def _returned(c: Checker, expr: Inlined) -> CType | None:
    return written_type(c, expr.returns) if expr.returns is not None else VOID


def check_return(c: Checker, statement: tree.Jump, call: Inlined) -> None:
    """`return`, `return value`"""
    wanted = _returned(c, call)
    value = statement.value
    type = c.type_of(value) if value is not None else VOID
    if wanted is None or type is None:
        return
    type = reads_as(type) or type
    if isinstance(wanted, Void) or isinstance(type, Void) or value is None:
        fits = wanted == type
    else:
        fits = check_conversion(c, value, type, wanted)
    if not fits:
        _refuse(c, call, wanted, type, with_end(statement.span))


def _refuse(c: Checker, call: Inlined, wanted: CType, type: CType, span: Span) -> None:
    unsized = call.returns is not None and call.returns.base == "string" and call.returns.length is None
    shown = kind_of(wanted) if unsized else describe(wanted)
    message = f"Function {call.name} is of type {shown}, cannot return {describe(type)}"
    c.error(message, span)
