"""Fields and elements, of what lies in memory of ours and of what a pointer points to."""

from __future__ import annotations

from ..base.bits import align_up
from ..base.record import record, replace
from ..ctype.tracepoint import is_data_loc, is_rel_loc
from ..ctype.types import Array, CType, Ptr, Struct
from ..funcs.emit import ROOM, Place, in_register
from ..funcs.memory import reader_of
from ..ir.types import S64, U64, IntType, int_type
from ..spec.values import Str, Tuple
from . import tree
from .lower_copy import copy_value
from .members import as_pointer, find_field, find_member
from .types import element_of, is_signed, reads_as, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..ir.nodes import Block, Value
    from .lower import Lowerer


@record
class Where:
    """Where a value lies: `offset` bytes past `pointer`, which is the traced system's if there is a `helper`
    that reads it. A bit-field begins `bit` bits further and has `bits` of them."""

    pointer: Value
    offset: int
    type: CType
    helper: str = ""
    bit: int = 0
    bits: int = 0


class _Way:
    """The way to a value. `outside`: where it ends when an index is beyond the end of an array."""

    def __init__(self, s: Lowerer) -> None:
        self.s = s
        self.outside: Block | None = None

    def find(self, expr: tree.Expr) -> Where:
        """Where the value of `expr` lies; one that is computed is put into memory of its own."""
        rule = _RULES.get(expr.__class__)
        if rule is not None:
            return rule(self, expr)
        if isinstance(expr, tree.Variable):
            local = self.s.checked.locals[expr]
            assert local.type is not None
            return Where(self.s.memory_of(local), 0, local.type)
        type = self.s.expect(expr)
        call = self.s.checked.calls.get(expr)
        pointer = call[0].memory(call[1], self.s) if call is not None else None
        if pointer is not None:
            return Where(pointer, 0, type)
        memory = self.s.b.slot(align_up(type.size + ROOM, 8))
        self.s.into(expr, Place(memory, 0, type, clean=True))
        return Where(memory, 0, type)

    def behind(self, expr: tree.Expr, pointer: Ptr) -> Where:
        """What the pointer that `expr` is points to."""
        call = self.s.checked.calls.get(expr)
        own = call[0].pointee(call[1], self.s) if call is not None else None
        if own is not None:
            return Where(own, 0, pointer.to)
        return Where(
            self.s.b.ext(self.s.number(expr), U64), 0, pointer.to, reader_of(pointer, self.s.provider.space)
        )

    def tuple_access(self, expr: tree.TupleAccess) -> Where:
        return self._item(self.find(expr.operand), expr.index)

    def _item(self, whole: Where, index: int) -> Where:
        assert isinstance(whole.type, Tuple)
        return replace(whole, offset=whole.offset + whole.type.offsets[index], type=whole.type.items[index])

    def field(self, expr: tree.FieldAccess) -> Where:
        call = self.s.checked.calls.get(expr.operand)
        found = call[0].find_field(call[1], expr.name, self.s) if call is not None else None
        if found is not None:
            return Where(found.pointer, found.offset, self.s.expect(expr), found.helper)
        type = as_pointer(self.s.expect(expr.operand))
        whole = self.behind(expr.operand, type) if isinstance(type, Ptr) else self.find(expr.operand)
        inner = resolve(whole.type)
        while isinstance(inner, Ptr):
            address = load(self.s, whole)
            whole = Where(self.s.b.ext(address, U64), 0, inner.to, whole.helper)
            inner = resolve(inner.to)
        if isinstance(inner, Tuple):
            offset, own = find_field(inner, expr.name)
            return replace(whole, offset=whole.offset + offset, type=own)
        assert isinstance(inner, Struct)
        member = find_member(inner, expr.name)
        assert member is not None
        at, bit = divmod(member.offset_bits, 8)
        own = element_of(member.type)
        return replace(whole, offset=whole.offset + at, type=own, bit=bit, bits=member.bit_size)

    def index(self, expr: tree.Index) -> Where:
        type = resolve(self.s.expect(expr.operand))
        number = self.s.constant(expr.index)
        if isinstance(type, Ptr):
            whole = self.behind(expr.operand, type)
            return self._move(replace(whole, type=type.to), number, expr.index)
        whole = self.find(expr.operand)
        if isinstance(type, Tuple):
            assert number is not None
            return self._item(whole, number)
        inner = resolve(whole.type)
        count = inner.count if isinstance(inner, Array) else inner.size
        if number is None and not (isinstance(inner, Array) and not count):
            index = self._check_bound(self.s.b.ext(self.s.number(expr.index), U64), count)
            return self._move(replace(whole, type=self.s.expect(expr)), None, index)
        return self._move(replace(whole, type=self.s.expect(expr)), number, expr.index)

    def _check_bound(self, index: Value, count: int) -> Value:
        b = self.s.b
        if self.outside is None:
            self.outside = b.new_block()
        inside = b.new_block()
        b.branch(b.compare("ult", index, count), inside, self.outside)
        b.place(inside)
        return index

    def _move(self, whole: Where, number: int | None, index: Value | tree.Expr) -> Where:
        """The element of `whole`'s type that is so many further."""
        size, b = whole.type.size, self.s.b
        if number is not None:
            return replace(whole, offset=whole.offset + number * size)
        value = self.s.number(index) if isinstance(index, tree.Expr) else index
        distance = b.op("mul", b.ext(value, U64), size)
        if whole.helper:
            return replace(whole, pointer=b.op("add", whole.pointer, distance))
        return replace(whole, pointer=b.offset(whole.pointer, distance))

    def dereference(self, expr: tree.Unary) -> Where:
        type = as_pointer(self.s.expect(expr.operand))
        space = type.space if isinstance(type, Ptr) else ""
        return self.behind(expr.operand, Ptr(self.s.expect(expr), space))


_RULES: dict[type, Callable[[_Way, Any], Where]] = {
    tree.TupleAccess: _Way.tuple_access,
    tree.FieldAccess: _Way.field,
    tree.Index: _Way.index,
    tree.Unary: _Way.dereference,
}


def load(s: Lowerer, where: Where) -> Value:
    """The number at `where`."""
    b, type = s.b, in_register(where.type)
    if is_data_loc(where.type) or is_rel_loc(where.type):
        return _follow(s, where)
    if not where.helper and not where.bits and not where.offset % where.type.size:
        return b.load(where.pointer, type, where.offset)
    size = (where.bit + where.bits + 7) // 8 if where.bits else where.type.size
    memory = b.slot(8)
    if where.bits and size < 8:
        b.store(memory, 0, 8)
    if where.helper:
        result = b.call(where.helper, memory, size, b.op("add", where.pointer, where.offset))
        s.check_result(where.helper, result)
    else:
        b.copy(memory, where.pointer, size, 0, where.offset)
    if not where.bits:
        return b.load(memory, type)
    return b.ext(_cut(s, b.load(memory, U64), where, type), type)


def _follow(s: Lowerer, where: Where) -> Value:
    """The address that a field of a tracepoint's record stands for: the field holds a place in the record."""
    b = s.b
    place = b.op("and", b.ext(b.load(where.pointer, int_type(4, False), where.offset), U64), 0xFFFF)
    start = b.op("add", b.cast(where.pointer, U64), where.offset + 4 if is_rel_loc(where.type) else 0)
    return b.op("add", start, place)


def _cut(s: Lowerer, word: Value, where: Where, type: IntType) -> Value:
    """The bits of a bit-field, out of the word that begins with its first byte."""
    wide = S64 if type.signed else U64
    up = s.b.op("shl", word, 64 - where.bit - where.bits)
    return s.b.op("ashr" if type.signed else "lshr", s.b.cast(up, wide), 64 - where.bits)


def lower_access(s: Lowerer, expr: tree.Expr) -> Value:
    """The number that a field or an element is; 0 beyond the end of an array."""
    way = _Way(s)
    where = way.find(expr)
    value = load(s, where)
    if way.outside is None:
        return value
    b, type = s.b, in_register(where.type)
    done = b.new_block()
    b.write("element", value)
    b.jump(done)
    b.place(way.outside)
    s.count("out_of_bounds")
    b.write("element", b.const(0, type))
    b.jump(done)
    b.place(done)
    return b.read("element", type)


def access_into(s: Lowerer, expr: tree.Expr, place: Place) -> None:
    """Put a field or an element that is no number at `place`; zeros beyond the end of an array."""
    b = s.b
    way = _Way(s)
    where = way.find(expr)
    if not where.helper:
        copy_value(s, place, where.pointer, where.offset, where.type)
    else:
        _read_into(s, where, place)
    if way.outside is not None:
        done = b.new_block()
        b.jump(done)
        b.place(way.outside)
        s.count("out_of_bounds")
        b.zero(place.pointer, place.type.size, place.offset)
        b.jump(done)
        b.place(done)


def _read_into(s: Lowerer, where: Where, place: Place) -> None:
    b = s.b
    address = b.op("add", where.pointer, where.offset)
    if place.type.size == where.type.size and not isinstance(where.type, Str):
        result = b.call(where.helper, b.offset(place.pointer, place.offset), where.type.size, address)
        s.check_result(where.helper, result)
        return
    memory = b.slot(align_up(where.type.size, 8))
    s.check_result(where.helper, b.call(where.helper, memory, where.type.size, address))
    copy_value(s, place, memory, 0, where.type)


def memory_of(s: Lowerer, expr: tree.Expr) -> tuple[Value, int, CType]:
    """Memory of ours that holds the value of `expr`, which is no number. Not to be written."""
    if isinstance(expr, (tree.TupleAccess, tree.FieldAccess, tree.Variable)):
        way = _Way(s)
        where = way.find(expr)
        if not where.helper and way.outside is None:
            return where.pointer, where.offset, where.type
    type = s.expect(expr)
    memory = s.b.slot(align_up(type.size + ROOM, 8))
    s.into(expr, Place(memory, 0, type, clean=True))
    return memory, 0, type


# ---- pointers


def step_of(type: CType) -> int:
    """How many bytes a pointer of `type` moves by when 1 is added to it."""
    type = resolve(type)
    return max(type.to.size, 1) if isinstance(type, Ptr) else 1


def move_pointer(s: Lowerer, op: str, left: Value, right: Value, one: CType, other: CType) -> Value:
    """`pointer + number`, `number + pointer`, `pointer - number`"""
    b = s.b
    if not isinstance(resolve(one), Ptr):
        left, right, one, other = right, left, other, one
    wide = S64 if is_signed(reads_as(other) or other) else U64
    distance = b.op("mul", b.cast(b.ext(right, wide), U64), step_of(one))
    return b.op("add" if op == "+" else "sub", b.ext(left, U64), distance)
