"""Where i386's System V psABI (section 2.2) puts arguments and results: on the stack; in eax and edx.

Functions that nobody else can call may get theirs in registers: of those the debug information says so.
"""

from __future__ import annotations

from ..base.bits import align_up
from ..ctype.types import Array, CType, Float, Struct, strip_typedefs
from .expr import Cfa, Const, InMemory, InRegister, Location, Piece, Pieces, Register, Unsupported, make_op
from .registers import register_numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .functions import Function

_WORD = 4
_BITS = 64


def find_arguments(function: Function, machine: int) -> list[Location]:
    """Where each parameter of `function` is when it is entered; the CFA is that of the entry."""
    # Where a struct is to be put is what comes first.
    at = _WORD if _is_struct(function.returns) else 0
    places: list[Location] = []
    for parameter in function.parameters:
        size = strip_typedefs(parameter.type).size
        known = InMemory(make_op("plus", Cfa(), Const(at), bits=_BITS))
        places.append(known if size else Unsupported("a value without bytes"))
        at += align_up(size, _WORD)
    return places


def find_result(function: Function, machine: int) -> Location:
    """Where the value that `function` returns is, right after it has returned."""
    numbers = register_numbers(machine)
    low, high = InRegister(numbers["ax"]), InRegister(numbers["dx"])
    bare = strip_typedefs(function.returns)
    if _is_struct(bare):
        return InMemory(Register(numbers["ax"]))
    if isinstance(bare, Float):
        return Unsupported("a floating point value, in a register that probes don't see")
    if bare.size <= _WORD:
        return low
    if bare.size > 2 * _WORD:
        return Unsupported(f"a value of {bare.size} bytes")
    return Pieces((Piece(low, 8 * _WORD), Piece(high, 8 * (bare.size - _WORD))))


def _is_struct(type: CType) -> bool:
    return isinstance(strip_typedefs(type), (Struct, Array))
