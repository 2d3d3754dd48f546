"""The language's types: what literals are, how two types merge, what operators give.

Types are those of `ctype` and `spec.values`; beside them only the type of a non-negative literal,
whose sign is that of what it meets. Merging is a least upper bound: it widens and never narrows, so
that repeating it over a script comes to rest.
"""

from __future__ import annotations

from ..base.record import record
from ..ctype.types import BOOL, INT64, UINT64, Array, Bool, CType, Enum, Int, Ptr, Typedef
from ..spec.values import Avg, Count, Max, Min, Str, Sum, Timestamp, Tuple

COMPARISONS = frozenset(("==", "!=", "<", "<=", ">", ">="))
LOGICAL = frozenset(("&&", "||"))


@record
class LiteralInt(Int):
    """A non-negative literal: signed by itself, of the other's sign beside another integer."""


_WIDTHS = ((1, 1 << 7), (2, 1 << 15), (4, 1 << 31), (8, 1 << 63))


def literal_type(value: int) -> CType:
    """The smallest signed type that holds `value`; uint64 past the largest int64."""
    for size, bound in _WIDTHS:
        if -bound <= value < bound:
            return Int(size, True) if value < 0 else LiteralInt(size, True)
    return UINT64


def settle(type: CType) -> CType:
    """`type` with what is only known of single expressions (literal, clock) taken off."""
    if isinstance(type, Int):
        return type if type.__class__ is Int else Int(type.bytes, type.signed, type.name)
    if isinstance(type, Tuple):
        return Tuple(tuple([settle(item) for item in type.items]), type.names)
    return type


def resolve(type: CType) -> CType:
    """`type` with the names of typedefs taken off."""
    while isinstance(type, Typedef):
        type = type.to
    return type


def element_of(type: CType) -> CType:
    """What a field or an element of `type` is as a value: an array of char is text."""
    bare = resolve(type)
    if isinstance(bare, Array) and bare.count:
        of = resolve(bare.of)
        if isinstance(of, Int) and of.bytes == 1 and of.name == "char":
            return Str(bare.count)
    return type


def is_integer(type: CType) -> bool:
    """Integers and enums."""
    return isinstance(resolve(type), (Int, Enum))


def is_number(type: CType) -> bool:
    """What arithmetic takes: integers, truths, and aggregations that read as a number."""
    return isinstance(resolve(type), (Int, Enum, Bool)) or reads_as(type) is not None


def is_scalar(type: CType) -> bool:
    """What fits a register."""
    return isinstance(resolve(type), (Int, Enum, Bool, Ptr, Timestamp))


def is_signed(type: CType) -> bool:
    type = reads_as(type) or resolve(type)
    return isinstance(type, (Int, Enum)) and type.signed


def reads_as(type: CType) -> CType | None:
    """The integer that an aggregation is where a number is wanted, or None."""
    if isinstance(type, Count):
        return UINT64
    if isinstance(type, (Sum, Min, Max, Avg)):
        return INT64 if type.signed else UINT64
    return None


def merge(current: CType | None, new: CType) -> CType | None:
    """The type that holds values of both, or None where there is none. `current` None: nothing yet."""
    if current is None or current == new:
        return reads_as(new) or new
    if isinstance(current, Enum) or isinstance(new, Enum):
        return _merge_enums(current, new)
    if isinstance(current, Int) and isinstance(reads_as(new) or new, Int):
        return _merge_integers(current, reads_as(new) or new)
    if isinstance(current, Str) and isinstance(new, Str):
        return Str(max(current.bytes, new.bytes))
    if isinstance(current, Tuple) and isinstance(new, Tuple):
        return _merge_tuples(current, new)
    if isinstance(current, Ptr) and isinstance(new, Ptr):
        return (current if current.space else new) if current.to == new.to else None
    if isinstance(current, Timestamp) and isinstance(new, Timestamp):
        return current
    return None


def _merge_enums(current: CType, new: CType) -> CType | None:
    """Two constants of one enum stay one; else they are numbers."""
    if current == new:
        return current
    if is_number(current) and is_number(new):
        return _merge_integers(_number(current), _number(new))
    return None


def _merge_integers(current: Int, new: CType) -> CType:
    assert isinstance(new, Int)
    size = max(current.bytes, new.bytes)
    flexible = isinstance(current, LiteralInt), isinstance(new, LiteralInt)
    if all(flexible):
        return LiteralInt(size, True)
    if any(flexible):
        fixed = new if flexible[0] else current
        return Int(size, fixed.signed)
    if current.signed == new.signed:
        return Int(size, current.signed)
    narrow, wide = (current, new) if new.signed else (new, current)
    if wide.bytes > narrow.bytes:
        return Int(wide.bytes, True)
    return Int(min(size * 2, 8), True)


def _merge_tuples(current: Tuple, new: Tuple) -> CType | None:
    if len(current.items) != len(new.items) or current.names != new.names:
        return None
    items = []
    for one, other in zip(current.items, new.items, strict=True):
        merged = merge(one, other)
        if merged is None:
            return None
        items.append(merged)
    return Tuple(tuple(items), current.names)


def common(left: CType, right: CType) -> Int:
    """The integer type in which `left` and `right` are compared."""
    one, other = _number(left), _number(right)
    merged = _merge_integers(one, other)
    assert isinstance(merged, Int)
    return merged


def _number(type: CType) -> Int:
    type = reads_as(type) or resolve(type)
    if isinstance(type, Enum):
        return Int(type.bytes, type.signed)
    if isinstance(type, Int):
        return type
    return UINT64 if isinstance(type, (Ptr, Timestamp)) else Int(1, False)


def arithmetic(op: str, left: CType, right: CType) -> CType:
    """What a binary operator on two numbers gives: bool of comparisons, else 64 bits."""
    if op in COMPARISONS or op in LOGICAL:
        return BOOL
    if isinstance(left, Bool) and isinstance(right, Bool):
        return BOOL
    one, other = _same_sign(_number(left), _number(right))
    return INT64 if one.signed or other.signed or op == "-" else UINT64


def _same_sign(one: Int, other: Int) -> tuple[Int, Int]:
    """Two operands, a literal among them with the sign of the other."""
    if isinstance(one, LiteralInt) and not isinstance(other, LiteralInt):
        return Int(one.bytes, other.signed), other
    if isinstance(other, LiteralInt) and not isinstance(one, LiteralInt):
        return one, Int(other.bytes, one.signed)
    return one, other


def differ_signed(left: CType, right: CType) -> bool:
    """True if two operands are of different types and one of them is signed."""
    one, other = _same_sign(_number(left), _number(right))
    return (one.signed or other.signed) and (one.bytes, one.signed) != (other.bytes, other.signed)


def describe(type: CType) -> str:
    """The type as messages spell it: text without its length."""
    if isinstance(type, Str):
        return "string"
    return str(settle(type))


def holds(room: CType | None, number: int | None) -> bool:
    """True if a constant is a value of an integer type."""
    if number is None or not isinstance(room, Int):
        return False
    return (
        -(1 << room.bits - 1) <= number < 1 << room.bits - 1 if room.signed else 0 <= number < 1 << room.bits
    )
