"""Numbers to values."""

from __future__ import annotations

from ..base.bits import align_up
from ..ctype.types import BOOL as TRUTH
from ..ctype.types import Bool, CType, Ptr
from ..funcs.emit import ROOM, Place, in_memory, in_register
from ..funcs.stored import Home
from ..ir.types import BOOL, S64, U64, IntType, int_type
from ..spec.values import Str
from . import tree
from .lower_access import lower_access, memory_of, move_pointer, step_of
from .lower_arith import combine
from .lower_copy import equal_values
from .lower_functions import lower_inlined
from .lower_maps import increment_map, read_map
from .lower_memory import equal_texts
from .macros import Inlined
from .types import COMPARISONS, LOGICAL, resolve
from .walk import walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..ir.nodes import Value
    from .lower import Lowerer


def lower_value(s: Lowerer, expr: tree.Expr) -> Value:
    """The number that `expr` is, in a register of its type."""
    before, s.b.span = s.b.span, expr.span
    value = _EXPRESSIONS[expr.__class__](s, expr)
    s.b.span = before
    return value


def has_effect(s: Lowerer, node: object) -> bool:
    """True if computing an expression changes something, takes long, or does not always come to its end."""
    for part in walk(node):
        if isinstance(part, (tree.Increment, tree.Stmt)):
            return True
        found = s.checked.calls.get(part)
        if found is not None and (found[0].effect or found[0].early):
            return True
    return False


def _integer(s: Lowerer, expr: tree.Integer) -> Value:
    return s.b.const(expr.value, in_register(s.expect(expr)))


def _boolean(s: Lowerer, expr: tree.Boolean) -> Value:
    return s.b.const(int(expr.value), BOOL)


def _positional(s: Lowerer, expr: tree.Positional) -> Value:
    return s.b.const(s.checked.numbers[expr], in_register(s.expect(expr)))


def _variable(s: Lowerer, expr: tree.Variable) -> Value:
    return s.read_local(s.checked.locals[expr])


def _map(s: Lowerer, expr: tree.MapAccess) -> Value:
    return read_map(s, expr)


def _call(s: Lowerer, expr: tree.Call | tree.Identifier) -> Value:
    if expr in s.checked.numbers:
        return s.b.const(s.checked.numbers[expr], in_register(s.expect(expr)))
    function, site = s.checked.calls[expr]
    value = function.lower(site, s)
    if value is None:
        return s.b.const(0, U64)
    type = s.types.get(expr)
    if type is None or in_memory(type) or not isinstance(value.type, IntType):
        return value
    # Of a register only as much is meant as the type has.
    return value if value.type.bits <= in_register(type).bits else s.b.ext(value, in_register(type))


def _unary(s: Lowerer, expr: tree.Unary) -> Value:
    b = s.b
    if expr.op == "*":
        return lower_access(s, expr)
    if expr.op == "&":
        return _address(s, expr.operand)
    operand = lower_value(s, expr.operand)
    type = in_register(s.expect(expr))
    if expr.op == "!":
        return b.compare("eq", operand, 0)
    if expr.op == "-":
        return b.neg(b.ext(operand, type))
    return b.op("xor", b.ext(operand, type), -1)


def _address(s: Lowerer, target: tree.Expr) -> Value:
    """Where a variable is kept: a local one in shared memory; of a map with keys, the map itself."""
    if isinstance(target, tree.MapAccess):
        stored = s.unit.variables[target.name]
        if stored.home is Home.CELL:
            return s.b.cast(s.cell(stored), U64)
        if stored.home is Home.SLOT:
            return s.b.cast(s.cpu_slot(stored), U64)
        return s.b.cast(s.b.map(stored.map), U64)
    return s.b.cast(s.memory_of(s.checked.locals[target]), U64)


def _increment(s: Lowerer, expr: tree.Increment) -> Value:
    if isinstance(expr.target, tree.MapAccess):
        value = increment_map(s, expr, wanted=True)
        assert value is not None
        return value
    local = s.checked.locals[expr.target]
    assert local.type is not None
    old = s.read_local(local)
    wide = _wide(local.type)
    step = step_of(local.type)
    new = s.b.op("add" if expr.op == "++" else "sub", s.b.ext(old, wide), step, wide)
    s.write_local(local, new)
    return s.read_local(local) if expr.prefix else old


def _wide(type: CType) -> IntType:
    return S64 if getattr(type, "signed", False) else U64


def _binary(s: Lowerer, expr: tree.Binary) -> Value:
    return lower_binary(s, expr.op, expr.left, expr.right, s.expect(expr))


def lower_binary(s: Lowerer, op: str, left: tree.Expr, right: tree.Expr, type: CType | None) -> Value:
    """The value of `left op right`; `type` is what it gives."""
    if op in LOGICAL:
        return _logical(s, op, left, right)
    one, other = s.expect(left), s.expect(right)
    if in_memory(one):
        equal = equal_texts(s, left, right) if isinstance(one, Str) else _equal(s, left, right)
        return equal if op == "==" else s.b.compare("eq", equal, 0)
    first = lower_value(s, left)
    second = lower_value(s, right)
    if op not in COMPARISONS and (isinstance(resolve(one), Ptr) or isinstance(resolve(other), Ptr)):
        return move_pointer(s, op, first, second, one, other)
    return combine(s, op, first, second, one, other)


def _equal(s: Lowerer, left: tree.Expr, right: tree.Expr) -> Value:
    return equal_values(s, memory_of(s, left), memory_of(s, right))


def _logical(s: Lowerer, op: str, left: tree.Expr, right: tree.Expr) -> Value:
    b = s.b
    more, short, done = b.new_block(), b.new_block(), b.new_block()
    first = lower_value(s, left)
    name = f"truth {id(done)}"
    b.branch(first, *((more, short) if op == "&&" else (short, more)))
    b.place(short)
    b.write(name, b.const(0 if op == "&&" else 1, BOOL))
    b.jump(done)
    b.place(more)
    b.write(name, b.compare("ne", lower_value(s, right), 0))
    b.jump(done)
    b.place(done)
    return b.read(name, BOOL)


def _ternary(s: Lowerer, expr: tree.Ternary) -> Value:
    b = s.b
    type = in_register(s.types.get(expr, TRUTH))
    condition = lower_value(s, expr.condition)
    then, otherwise, done = b.new_block(), b.new_block(), b.new_block()
    name = f"choice {id(done)}"
    b.branch(condition, then, otherwise)
    b.place(then)
    b.write(name, b.ext(condition if expr.then is None else lower_value(s, expr.then), type))
    b.jump(done)
    b.place(otherwise)
    b.write(name, b.ext(lower_value(s, expr.otherwise), type))
    b.jump(done)
    b.place(done)
    return b.read(name, type)


def _choice(s: Lowerer, expr: tree.IfExpr) -> Value:
    known = s.checked.known(expr.condition)
    if known is not None:
        return lower_value(s, expr.then if known else expr.otherwise)
    b = s.b
    type = in_register(s.types.get(expr, TRUTH))
    then, otherwise, done = b.new_block(), b.new_block(), b.new_block()
    name = f"choice {id(done)}"
    b.branch(lower_value(s, expr.condition), then, otherwise)
    for block, value in ((then, expr.then), (otherwise, expr.otherwise)):
        b.place(block)
        b.write(name, b.ext(lower_value(s, value), type))
        b.jump(done)
    b.place(done)
    return b.read(name, type)


def _block(s: Lowerer, expr: tree.BlockExpr) -> Value:
    s.body(expr.body)
    return lower_value(s, expr.value) if expr.value is not None else s.b.const(0, U64)


def _known(s: Lowerer, expr: tree.SizeOf | tree.OffsetOf | tree.Comptime) -> Value:
    return s.b.const(s.checked.numbers[expr], in_register(s.expect(expr)))


def _cast(s: Lowerer, expr: tree.Cast) -> Value:
    source = s.expect(expr.operand)
    if isinstance(source, Str):
        return _cast_text(s, expr, source)
    if in_memory(source):
        memory = s.b.slot(align_up(source.size + ROOM, 8))
        s.into(expr.operand, Place(memory, 0, source))
        return s.b.load(memory, in_register(s.expect(expr)))
    value = lower_value(s, expr.operand)
    type = s.expect(expr)
    if isinstance(type, Bool):
        return s.b.compare("ne", value, 0)
    if isinstance(resolve(type), Ptr) and not isinstance(resolve(source), Ptr):
        # An address is made of a number's own bytes: of -1, an int8, comes 0xff.
        value = s.b.ext(value, int_type(in_register(source).bits // 8, False))
    return s.b.ext(value, in_register(type))


def _cast_text(s: Lowerer, expr: tree.Cast, source: Str) -> Value:
    """Text as a truth, which is whether it is empty, or as a pointer to it."""
    b = s.b
    memory = b.shared(b.take_shared(source.size + ROOM))
    s.into(expr.operand, Place(memory, 0, source))
    if isinstance(resolve(s.expect(expr)), Ptr):
        return b.cast(memory, U64)
    return b.compare("ne", b.load(memory, int_type(1, False)), 0)


_EXPRESSIONS: dict[type, Callable[[Lowerer, Any], Value]] = {
    tree.Integer: _integer,
    tree.Boolean: _boolean,
    tree.Positional: _positional,
    tree.Variable: _variable,
    tree.MapAccess: _map,
    tree.Unary: _unary,
    tree.Increment: _increment,
    tree.Binary: _binary,
    tree.Ternary: _ternary,
    tree.Cast: _cast,
    tree.Call: _call,
    tree.Identifier: _call,
    tree.TupleAccess: lower_access,
    tree.FieldAccess: lower_access,
    tree.Index: lower_access,
    tree.IfExpr: _choice,
    Inlined: lower_inlined,
    tree.BlockExpr: _block,
    tree.SizeOf: _known,
    tree.OffsetOf: _known,
    tree.Comptime: _known,
}
