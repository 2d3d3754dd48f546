"""Values and places as small trees, and places in words.

A `Location` tells where a variable is when the code is at an address: a register, memory at an address that
is an `Expr`, a value that is computed and stands nowhere, pieces of these, or nothing at all.

    Expr        Const  Register  Cfa  Entry  Deref  Op
    Location    InRegister  InMemory  Computed  Bytes  Pointer  ThreadLocal  Pieces  OptimisedOut  Unsupported
"""

from __future__ import annotations

from ..base.bits import signed
from ..base.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    RegisterName = Callable[[int], str]


class Expr:
    """A number of the size of an address; arithmetic wraps around."""

    __slots__ = ()


@record
class Const(Expr):
    """An unsigned number."""

    value: int


@record
class Register(Expr):
    """The content of a register, by its number in the CPU's DWARF mapping."""

    number: int


@record
class Cfa(Expr):
    """The canonical frame address: the stack pointer's value before the call."""


@record
class Entry(Expr):
    """The value that `of` had when the function was entered. It may not be stored anywhere any more."""

    of: Expr


@record
class Deref(Expr):
    """`bytes` bytes of memory at `address`, read without a sign."""

    address: Expr
    bytes: int


@record
class Op(Expr):
    """`op` (an operation of `ops.OP`, by name: "plus", "minus", "and", "shl", …) of one or two operands."""

    op: str
    operands: tuple[Expr, ...]


class Location:
    """Where a variable is."""

    __slots__ = ()


@record
class InRegister(Location):
    """In the register with this number of the CPU's DWARF mapping."""

    number: int


@record
class InMemory(Location):
    address: Expr


@record
class Computed(Location):
    """Nowhere, but this is its value."""

    value: Expr


@record
class Bytes(Location):
    """Nowhere, but these are the bytes of its value."""

    data: bytes


@record
class Pointer(Location):
    """A pointer that was optimised out, to `offset` bytes into the variable of the entry at `die`."""

    die: int
    offset: int


@record
class ThreadLocal(Location):
    """At this offset into the thread's block of the module."""

    offset: Expr


@record
class Piece:
    """`bits` bits of a variable. Those of `location` begin at its bit `offset_bits`."""

    location: Location
    bits: int
    offset_bits: int = 0


@record
class Pieces(Location):
    """Put together from these, the first lowest in memory."""

    pieces: tuple[Piece, ...]


@record
class OptimisedOut(Location):
    """The compiler left it out: there is no value at this address of the code."""


@record
class Unsupported(Location):
    """The compiler says where, with an operation that probee doesn't follow."""

    operation: str


OPTIMISED_OUT = OptimisedOut()


def make_op(op: str, *operands: Expr, bits: int) -> Expr:
    """`Op`, with constants folded and sums in the form `base + constant`."""
    values = [o.value for o in operands if isinstance(o, Const)]
    if len(values) == len(operands):
        folded = _FOLD.get(op)
        result = folded(bits, *values) if folded is not None else None
        if result is not None:
            return Const(result & ((1 << bits) - 1))
    if op == "minus" and isinstance(operands[1], Const):
        return make_op("plus", operands[0], Const(-operands[1].value & ((1 << bits) - 1)), bits=bits)
    if op == "plus":
        return _make_sum(*operands, bits=bits)
    return Op(op, operands)


def _make_sum(a: Expr, b: Expr, *, bits: int) -> Expr:
    if isinstance(a, Const):
        a, b = b, a
    if not isinstance(b, Const):
        return Op("plus", (a, b))
    if not b.value:
        return a
    if isinstance(a, Op) and a.op == "plus" and isinstance(a.operands[1], Const):
        return make_op("plus", a.operands[0], make_op("plus", a.operands[1], b, bits=bits), bits=bits)
    return Op("plus", (a, b))


def _divide(bits: int, a: int, b: int) -> int | None:
    x, y = signed(a, bits), signed(b, bits)
    return None if not y else abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)


_FOLD: dict[str, Callable[..., int | None]] = {
    "plus": lambda bits, a, b: a + b,
    "minus": lambda bits, a, b: a - b,
    "mul": lambda bits, a, b: a * b,
    "div": _divide,
    "mod": lambda bits, a, b: a % b if b else None,
    "and": lambda bits, a, b: a & b,
    "or": lambda bits, a, b: a | b,
    "xor": lambda bits, a, b: a ^ b,
    "shl": lambda bits, a, b: a << b if b < bits else 0,
    "shr": lambda bits, a, b: a >> b if b < bits else 0,
    "shra": lambda bits, a, b: signed(a, bits) >> min(b, bits),
    "neg": lambda bits, a: -a,
    "not": lambda bits, a: ~a,
    "abs": lambda bits, a: abs(signed(a, bits)),
    "eq": lambda bits, a, b: a == b,
    "ne": lambda bits, a, b: a != b,
    "lt": lambda bits, a, b: signed(a, bits) < signed(b, bits),
    "le": lambda bits, a, b: signed(a, bits) <= signed(b, bits),
    "gt": lambda bits, a, b: signed(a, bits) > signed(b, bits),
    "ge": lambda bits, a, b: signed(a, bits) >= signed(b, bits),
}


def split_sum(value: Expr, bits: int = 64) -> tuple[Expr, int]:
    """(base, signed constant) of a value in the form `base + constant`."""
    if isinstance(value, Op) and value.op == "plus" and isinstance(value.operands[1], Const):
        return value.operands[0], signed(value.operands[1].value, bits)
    return value, 0


# In words


def _number(number: int) -> str:
    return f"register {number}"


def render_expr(value: Expr, name: RegisterName = _number, bits: int = 64) -> str:
    """ "CFA-20", "[register 7+8]", "entry(register 5)"."""
    base, offset = split_sum(value, bits)
    if offset:
        return f"{render_expr(base, name, bits)}{offset:+d}"
    if isinstance(value, Const):
        return f"{value.value:#x}"
    if isinstance(value, Register):
        return name(value.number)
    if isinstance(value, Cfa):
        return "CFA"
    if isinstance(value, Entry):
        return f"entry({render_expr(value.of, name, bits)})"
    if isinstance(value, Deref):
        return f"[{render_expr(value.address, name, bits)}]"
    assert isinstance(value, Op)
    return f"{value.op}({', '.join([render_expr(o, name, bits) for o in value.operands])})"


def render_location(location: Location, name: RegisterName = _number, bits: int = 64) -> str:
    """A location in words: "in register 5", "at CFA-20", "optimised out"; `name` names registers."""
    if isinstance(location, InRegister):
        return f"in {name(location.number)}"
    if isinstance(location, InMemory):
        return f"at {render_expr(location.address, name, bits)}"
    if isinstance(location, Computed):
        return f"is {render_expr(location.value, name, bits)}"
    if isinstance(location, Bytes):
        return f"is the bytes {location.data.hex(' ')}"
    if isinstance(location, Pointer):
        return f"points {location.offset} bytes into the variable at {location.die:#x}"
    if isinstance(location, ThreadLocal):
        return f"at {render_expr(location.offset, name, bits)} of the thread's block"
    if isinstance(location, Unsupported):
        return f"not known: {location.operation}"
    if isinstance(location, Pieces):
        texts = [f"{p.bits} bits {render_location(p.location, name, bits)}" for p in location.pieces]
        return "; ".join(texts)
    return "optimised out"
