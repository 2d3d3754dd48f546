"""Calls of functions of one's own: their statements, from which `return` goes on after the call."""

from __future__ import annotations

from ..base.record import record
from ..ctype.types import CType, Void
from ..funcs.emit import Place, in_memory, in_register
from ..ir.types import U64
from . import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Block, Value
    from .lower import Lowerer
    from .macros import Inlined


@record
class Return:
    """Where `return` goes, and where it leaves its value: at `place`, or in a variable of the builder."""

    done: Block
    type: CType
    name: str
    place: Place | None = None


def lower_inlined(s: Lowerer, expr: Inlined) -> Value:
    """The number that a call gives; 0 where it comes to its end without `return`."""
    type = s.expect(expr)
    back = Return(s.b.new_block(), type, f"returned {id(expr)} {len(s.returns)}")
    _lower_body(s, expr, back)
    if isinstance(type, Void):
        return s.b.const(0, U64)
    return s.b.read(back.name, in_register(type))


def inlined_into(s: Lowerer, expr: Inlined, place: Place) -> None:
    """Put what a call gives, which is no number, at `place`."""
    _lower_body(s, expr, Return(s.b.new_block(), s.expect(expr), "", place))


def _lower_body(s: Lowerer, expr: Inlined, back: Return) -> None:
    b, loops = s.b, s.loops
    s.loops = []
    s.returns.append(back)
    s.body(expr.body)
    s.returns.pop()
    s.loops = loops
    if back.place is not None:
        b.zero(back.place.pointer, back.place.type.size, back.place.offset)
    elif not isinstance(back.type, Void):
        b.write(back.name, b.const(0, in_register(back.type)))
    b.jump(back.done)
    b.place(back.done)


def lower_return(s: Lowerer, statement: tree.Jump) -> None:
    """`return`, `return value` of a function"""
    b, back = s.b, s.returns[-1]
    if statement.value is not None and in_memory(back.type):
        assert back.place is not None
        s.into(statement.value, back.place)
    elif statement.value is not None:
        b.write(back.name, b.ext(s.number(statement.value), in_register(back.type)))
    b.jump(back.done)
