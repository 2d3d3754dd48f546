"""The language's types: what literals are, how two types merge, what operators give.

Types are those of `ctype` and `spec.values`; beside them only the type of a non-negative literal,
whose sign is that of what it meets. Merging is a least upper bound: it widens and never narrows, so
that repeating it over a script comes to rest.
"""

from __future__ import annotations

from ..base.record import record
from ..ctype.types import (
    BOOL,
    INT64,
    UINT64,
    VOID,
    Array,
    Bool,
    CType,
    Enum,
    Func,
    Int,
    Ptr,
    Struct,
    Typedef,
    Void,
)
from ..spec.values import (
    Aggregate,
    Avg,
    Buffer,
    Chars,
    Count,
    MacAddress,
    Max,
    Min,
    Stack,
    Str,
    Sum,
    Timestamp,
    Tuple,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

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
    """What a field or an element of `type` is as a value: an array of char is text, 128 bits two words."""
    bare = resolve(type)
    if isinstance(bare, Int) and bare.bytes > 8:
        return Array(UINT64, bare.bytes // 8)
    if isinstance(bare, Array) and bare.count:
        of = resolve(bare.of)
        if isinstance(of, Int) and of.bytes == 1 and of.name == "char":
            return Chars(bare.count)
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
    one, other = resolve(current), resolve(reads_as(new) or new)
    if isinstance(one, (Int, Enum)) and isinstance(other, (Int, Enum)):
        return _merge_integers(_number(one), _number(other))
    kind = next((base for base in (Struct, Str) if isinstance(one, base)), one.__class__)
    rule = _MERGES.get(kind)
    return rule(one, other) if rule is not None and isinstance(other, kind) else None


def _merge_integers(current: Int, new: CType) -> Int:
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


def _merge_texts(current: Str, new: Str) -> CType:
    return Str(max(current.bytes, new.bytes))


def _merge_buffers(current: Buffer, new: Buffer) -> CType:
    return Buffer(max(current.bytes, new.bytes))


def _merge_tuples(current: Tuple, new: Tuple) -> CType | None:
    """Item by item; the fields of records by their names, in the order that was first."""
    if len(current.items) != len(new.items) or sorted(current.names) != sorted(new.names):
        return None
    items = []
    for one, other in zip(current.items, in_order(new, current.names).items, strict=True):
        merged = merge(one, other)
        if merged is None:
            return None
        items.append(merged)
    return Tuple(tuple(items), current.names)


def in_order(type: Tuple, names: tuple[str, ...]) -> Tuple:
    """A record with its fields in the order of `names`; a tuple as it is."""
    if type.names == names:
        return type
    return Tuple(tuple([type.items[type.names.index(name)] for name in names]), names)


def _merge_pointers(current: Ptr, new: Ptr) -> CType | None:
    if current.to == new.to:
        return current if current.space else new
    one, other = resolve(current.to), resolve(new.to)
    if isinstance(one, (Void, Func)) and isinstance(other, (Void, Func)):
        return Ptr(VOID, current.space or new.space)  # of a function nothing but its address is of use
    if isinstance(one, Void) or isinstance(other, Void):
        return None
    merged = merge(one, other)
    return Ptr(merged, new.space) if merged is not None else None


def _merge_arrays(current: Array, new: Array) -> CType | None:
    same = resolve(current.of) == resolve(new.of) and (not current.count or not new.count)
    return (current if current.count else new) if same else None


def _merge_clocks(current: Timestamp, new: Timestamp) -> CType:
    return current


def _merge_structs(current: Struct, new: Struct) -> CType | None:
    return current if current.name and (current.kind, current.name) == (new.kind, new.name) else None


_MERGES: dict[type, Callable[[Any, Any], CType | None]] = {
    Str: _merge_texts,
    Buffer: _merge_buffers,
    Tuple: _merge_tuples,
    Ptr: _merge_pointers,
    Array: _merge_arrays,
    Timestamp: _merge_clocks,
    Struct: _merge_structs,
}


def fits_into(source: CType, room: CType) -> bool:
    """True if every value of `source` is one of `room`."""
    source, room = resolve(source), resolve(room)
    if isinstance(source, Int) and isinstance(room, Int):
        if source.signed == room.signed or isinstance(source, LiteralInt):
            return source.bytes <= room.bytes
        return not source.signed and source.bytes < room.bytes
    if isinstance(source, Str) and isinstance(room, Str):
        return source.bytes <= room.bytes
    return source == room


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
    """The type as messages spell it."""
    if isinstance(type, Typedef):
        return describe(resolve(type))
    if isinstance(type, Int):
        return str(Int(type.bytes, type.signed))
    if isinstance(type, Tuple) and type.names:
        fields = zip(type.names, type.items, strict=True)
        return f"record {{ {', '.join([f'.{name} = {describe(item)}' for name, item in fields])} }}"
    if isinstance(type, Tuple):
        return f"({','.join(map(describe, type.items))})"
    if isinstance(type, Ptr):
        return f"{describe(type.to)} *"
    if isinstance(type, Array):
        return f"{describe(type.of)}[{type.count}]"
    return str(type)


def kind_of(type: CType) -> str:
    """What sort of type it is, in the word of the language: "int", "string", "pointer", "hist_t" …"""
    type = resolve(type)
    if isinstance(type, Tuple):
        return "record" if type.names else "tuple"
    if isinstance(type, Stack):
        return "kstack" if type.kernel else "ustack"
    if isinstance(type, Struct):
        return "c_type"
    for known, word in _KINDS:
        if isinstance(type, known):
            return word
    word = str(type)
    return word[1:] if isinstance(type, Aggregate) and word[0] == "u" else word


_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    ((Int, Enum), "int"),
    (Str, "string"),
    (Ptr, "pointer"),
    (Array, "array"),
    (Buffer, "buffer"),
    (MacAddress, "mac_address"),
)


def holds(room: CType | None, number: int | None) -> bool:
    """True if a constant is a value of an integer type."""
    if number is None or not isinstance(room, Int):
        return False
    return (
        -(1 << room.bits - 1) <= number < 1 << room.bits - 1 if room.signed else 0 <= number < 1 << room.bits
    )
