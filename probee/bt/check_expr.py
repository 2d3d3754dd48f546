"""Types of expressions."""

from __future__ import annotations

from ..base.record import replace
from ..ctype.types import BOOL, INT64, UINT64, Array, Bool, CType, Enum, Int, Ptr, Struct, Void
from ..spec.values import Str, Tuple, Username
from . import tree
from .check_access import (
    check_block,
    check_choice,
    check_field,
    check_if,
    check_index,
    check_items,
    check_offsetof,
    check_record,
    check_sizeof,
    check_tuple_access,
    in_space,
    reached,
)
from .check_call import check_call
from .check_comptime import check_comptime, check_typeinfo, same_texts
from .check_convert import check_conversion
from .check_functions import check_inlined
from .constants import number_of, parameter_text
from .macros import Inlined
from .members import as_pointer
from .names import did_you_mean, shown
from .types import (
    COMPARISONS,
    LOGICAL,
    arithmetic,
    describe,
    differ_signed,
    is_integer,
    is_number,
    is_scalar,
    is_signed,
    kind_of,
    literal_type,
    merge,
    reads_as,
    resolve,
    settle,
)
from .written import written_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..base.source import Span
    from .check import Checker

    Side = tuple[tree.Expr, CType]
    """An operand and its type."""


def type_of(c: Checker, expr: tree.Expr) -> CType | None:
    """The type of `expr`, which is put down; None where it is not known (yet), or wrong."""
    type = _EXPRESSIONS[expr.__class__](c, expr)
    if type is not None:
        c.types[expr] = type
    return type


def _integer(c: Checker, expr: tree.Integer) -> CType:
    return Int(8, False) if expr.unsigned else literal_type(expr.value)


def _string(c: Checker, expr: tree.String) -> CType:
    return Str(len(expr.value) + 1)


def _boolean(c: Checker, expr: tree.Boolean) -> CType:
    return BOOL


def _positional(c: Checker, expr: tree.Positional) -> CType:
    """A number if it looks like one, else text."""
    number = number_of(c, expr)
    if number is None:
        text = parameter_text(c, expr.number)
        c.checked.texts[expr] = text
        return Str(len(text) + 1)
    if expr.number > len(c.params):
        c.warn(f"Positional parameter ${expr.number} is empty or not provided. ", expr.span)
    c.checked.numbers[expr] = number
    return UINT64 if expr.number == 0 else literal_type(number)


def _variable(c: Checker, expr: tree.Variable) -> CType | None:
    local = c.find_local(expr.name)
    if local is None:
        name = shown(expr.name)
        hint = did_you_mean(name, c.visible_locals())
        c.error(f"Undefined or undeclared variable: {name}", expr.span, hint)
        return None
    c.checked.locals[expr] = local
    if not local.assigned and not c.asked:
        c.warn(f"Variable used before it was assigned: {shown(expr.name)}", expr.span)
    if local.type is None:
        c.follow("Could not resolve the type of this variable", expr.span)
    return local.type


def _map(c: Checker, expr: tree.MapAccess) -> CType | None:
    info = c.use_key(expr)
    info.read = True
    return info.value


def _unary(c: Checker, expr: tree.Unary) -> CType | None:
    if expr.op == "&":
        return _address(c, expr)
    type = type_of(c, expr.operand)
    if type is None:
        return None
    if expr.op == "*":
        return _dereference(c, expr, type)
    wrong = expr.op != "!" if isinstance(type, Bool) else not is_number(type)
    if wrong:
        hint = "compare it with 0" if expr.op == "!" and isinstance(resolve(type), Ptr) else None
        message = f"The {expr.op} operator can not be used on expressions of type '{describe(type)}'"
        c.error(message, expr.span, hint)
        return None
    if expr.op == "!":
        return BOOL
    return INT64 if is_signed(type) else UINT64


def _address(c: Checker, expr: tree.Unary) -> CType | None:
    """`&$x`, `&@x`: where a variable is kept."""
    target = expr.operand
    if isinstance(target, tree.MapAccess):
        info = c.maps.get(target.name)
        if info is None or info.value is None:
            c.error(f"Undefined map: {target.name}", target.span, c.near_map(target.name))
            return None
        return Ptr(info.value, "kernel")
    assert isinstance(target, tree.Variable)
    local = c.find_local(target.name)
    if local is None:
        _variable(c, target)
        return None
    c.checked.locals[target] = local
    local.assigned = local.addressed = True
    if local.type is None:
        c.error(f"No type available for variable {shown(target.name)}", expr.span)
        return None
    c.types[target] = local.type
    return Ptr(local.type, "kernel")


def _dereference(c: Checker, expr: tree.Unary, type: CType) -> CType | None:
    bare = resolve(type)
    if isinstance(bare, Int):
        return UINT64
    if isinstance(bare, Ptr):
        if bare.to.size:
            return reached(c, expr, bare.to, bare.space)
        c.error(f"Can not dereference a pointer to '{bare.to}', whose size is not known.", expr.span)
    elif isinstance(bare, Struct):
        message = f"Can not dereference struct/union of type '{bare.name}'. It is not a pointer."
        c.error(message, expr.span)
    else:
        c.error(f"The * operator can not be used on expressions of type '{describe(type)}'", expr.span)
    return None


def check_increment(c: Checker, expr: tree.Increment) -> CType | None:
    """Check `x++`, as a statement or a value."""
    target = expr.target
    down = expr.op == "--"
    if isinstance(target, tree.MapAccess):
        info = c.use_key(target)
        current = info.value
        type = _stepped(current, down)
        c.assign_map(info, type, expr)
        new = info.value
    else:
        assert isinstance(target, tree.Variable)
        if _variable(c, target) is None and c.find_local(target.name) is None:
            return None
        local = c.checked.locals[target]
        current = local.type
        type = _stepped(current, down)
        if local.fixed and isinstance(local.type, Int):
            type = local.type
        c.assign_local(local, type, expr)
        new = local.type
    if new is not None:
        c.types[target] = new
    c.types[expr] = type
    return type


def _stepped(current: CType | None, down: bool) -> CType:
    """What a variable is after `++` or `--`."""
    if current is not None and isinstance(resolve(current), Ptr):
        return current
    return INT64 if down or (current is not None and is_signed(current)) else UINT64


def _binary(c: Checker, expr: tree.Binary) -> CType | None:
    return type_binary(c, expr, expr.op, expr.left, expr.right)


def type_binary(c: Checker, node: tree.Node, op: str, left: tree.Expr, right: tree.Expr) -> CType | None:
    """The type of `left op right`, which `node` stands for."""
    one, other = type_of(c, left), type_of(c, right)
    known = same_texts(c, op, left, right)
    if known is not None:
        c.checked.numbers[node] = known
    if one is None or other is None:
        return BOOL if op in COMPARISONS or op in LOGICAL else None
    if isinstance(resolve(one), Ptr) or isinstance(resolve(other), Ptr):
        return _pointers(c, node, op, (left, one), (right, other))
    if not (is_number(one) and is_number(other)):
        return _compare_memory(c, node, op, (left, one), (right, other))
    if op in LOGICAL:
        return BOOL
    if op in ("/", "%"):
        _check_divisor(c, node, op, left, right, one, other)
    result = arithmetic(op, one, other)
    wanted = merge(reads_as(one) or one, reads_as(other) or other) if op in COMPARISONS else result
    # The difference of two clocks or counters is what it should be, though they are unsigned and it is not.
    likes = op == "-" and describe(reads_as(one) or one) == describe(reads_as(other) or other) == "uint64"
    if wanted is not None and not isinstance(wanted, Bool) and not likes:
        check_conversion(c, left, one, wanted)
        check_conversion(c, right, other, wanted)
    return result


def _refuse(c: Checker, node: tree.Node, op: str, one: CType, other: CType) -> None:
    c.error(
        f"The {op} operator can not be used on expressions of types {describe(one)}, {describe(other)}",
        node.span,
    )


def _compare_memory(c: Checker, node: tree.Node, op: str, left: Side, right: Side) -> CType | None:
    """Text, tuples and records item by item, arrays of integers of one kind."""
    one, other = resolve(left[1]), resolve(right[1])
    if isinstance(one, Array) and isinstance(other, Array):
        return _compare_arrays(c, node, op, one, other)
    if merge(one, other) is None and not kind_of(one) == kind_of(other) == "buffer":
        message = f"Type mismatch for '{op}': comparing {describe(one)} with {describe(other)}"
        hint = None
        if op in COMPARISONS and isinstance(one, (Str, Int)) and isinstance(other, (Str, Int)):
            hint = "str(address) makes text of an address"
        c.error(message, node.span, hint, _sides(left, right))
    elif op not in ("==", "!="):
        _refuse(c, node, op, one, other)
    else:
        return BOOL
    return None


def _sides(left: Side, right: Side) -> tuple[tuple[str, Span], ...]:
    """Notes on the types of two operands."""
    return (f"left ({describe(left[1])})", left[0].span), (f"right ({describe(right[1])})", right[0].span)


def _compare_arrays(c: Checker, node: tree.Node, op: str, one: Array, other: Array) -> CType | None:
    if op not in ("==", "!="):
        c.error(f"The {op} operator cannot be used on arrays.", node.span)
    elif one.count != other.count:
        c.error("Only arrays of same size support comparison operators.", node.span)
    elif not is_integer(one.of) or resolve(one.of) != resolve(other.of):
        c.error("Only arrays of same sized integer support comparison operators.", node.span)
    else:
        return BOOL
    return None


def _pointers(c: Checker, node: tree.Node, op: str, left: Side, right: Side) -> CType | None:
    """Pointers are compared, and moved by as many elements as a number says."""
    one, other = resolve(left[1]), resolve(right[1])
    if isinstance(one, Ptr) and isinstance(other, Ptr) and (op in COMPARISONS or op in LOGICAL):
        if op in COMPARISONS and resolve(one.to) != resolve(other.to):
            message = f"comparison of distinct pointer types: {describe(one.to)}, {describe(other.to)}"
            c.warn(message, node.span, notes=_sides((left[0], one.to), (right[0], other.to)))
        return BOOL
    if (op in COMPARISONS or op in LOGICAL) and is_scalar(one) and is_scalar(other):
        return BOOL
    if op in ("+", "-"):
        if isinstance(one, Ptr) and is_number(other):
            return one
        if op == "+" and isinstance(other, Ptr) and is_number(one):
            return other
    _refuse(c, node, op, one, other)
    return None


def _check_divisor(
    c: Checker, node: tree.Node, op: str, left: tree.Expr, right: tree.Expr, one: CType, other: CType
) -> None:
    if number_of(c, right) == 0:
        if number_of(c, left) is not None:
            c.error("division by zero", node.span)
        else:
            c.warn("Divide or modulo by 0: 1 is being used as the result.", right.span)
    elif differ_signed(one, other):
        message = f"signed operands for '{op}' can lead to undefined behavior"
        c.warn(f"{message} (cast to unsigned to silence warning)", node.span)


def _ternary(c: Checker, expr: tree.Ternary) -> CType | None:
    condition = type_of(c, expr.condition)
    if condition is not None and not (is_scalar(condition) or reads_as(condition)):
        c.error(f"Invalid condition: {describe(condition)}", expr.condition.span)
    if expr.then is None:
        return check_choice(c, expr, condition, expr.condition, type_of(c, expr.otherwise), expr.otherwise)
    one, other = type_of(c, expr.then), type_of(c, expr.otherwise)
    return check_choice(c, expr, one, expr.then, other, expr.otherwise)


def _cast(c: Checker, expr: tree.Cast) -> CType | None:
    source = type_of(c, expr.operand)
    tag, _, name = expr.type.base.partition(" ")
    if tag == "enum" and c.ctypes.find_type(expr.type.base) is None:
        c.error(f"Unknown enum: {name}", _head(expr))
        return None
    wanted = written_type(c, expr.type)
    if source is None or wanted is None:
        return wanted
    bare = as_pointer(source)
    span = _head(expr)
    if isinstance(bare, Struct):
        c.error(f'Cannot cast from C type "{describe(bare)}"', span)
        return None
    if isinstance(bare, Void):
        c.error('Cannot cast from "none" type', span)
        return None
    if isinstance(wanted, Ptr) and isinstance(bare, Ptr):
        wanted = in_space(wanted, bare.space)
    wanted = _sized(c, expr, wanted, source)
    if wanted is None:
        return None
    if settle(source) == wanted:
        c.warn(f"Unnecessary cast: expression is already of type {describe(source)}", span)
    elif not _casts(bare, resolve(wanted)):
        c.error(f'Cannot cast from "{describe(source)}" to "{describe(wanted)}"', span)
        return None
    else:
        _check_variant(c, expr, resolve(wanted))
    return wanted


def _head(expr: tree.Cast) -> Span:
    """The type of a cast with its parentheses."""
    span = expr.span
    end = span.source.text.find(")", expr.type.span.end, expr.operand.span.start)
    return replace(span, end=end + 1) if end >= 0 else span


def _check_variant(c: Checker, expr: tree.Cast, wanted: CType) -> None:
    """A literal that is made one of an enum has to be one of its values."""
    number = expr.operand.value if isinstance(expr.operand, tree.Integer) else None
    if isinstance(wanted, Enum) and number is not None and number not in dict(wanted.values).values():
        c.error(f"Enum: {wanted.name} doesn't contain a variant value of {number}", _head(expr))


def _sized(c: Checker, expr: tree.Cast, wanted: CType, source: CType) -> CType | None:
    """The type of a cast; `(uint8[])x` has as many elements as `x` has bytes for."""
    if not isinstance(wanted, Array) or wanted.count:
        return wanted
    if not wanted.of.size:
        c.error("Could not determine size of the array", _head(expr))
        return None
    if source.size % wanted.of.size:
        message = "the element size is incompatible with the cast integer size"
        c.error(f"Cannot determine array size: {message}", _head(expr))
        return None
    return Array(wanted.of, source.size // wanted.of.size)


def _casts(source: CType, wanted: CType) -> bool:
    """True if a value of `source` can be made one of `wanted`."""
    number = is_scalar(source) or reads_as(source) is not None
    if isinstance(wanted, Str):
        return isinstance(source, Str) and wanted.bytes >= source.bytes
    if isinstance(wanted, Array):
        if not isinstance(resolve(wanted.of), (Int, Bool)):
            return False
        if number and not isinstance(source, Bool):
            return wanted.size in (1, 2, 4, 8) and wanted.size >= settle(reads_as(source) or source).size
        return isinstance(source, (Str, Bool)) and wanted.size == source.size
    if isinstance(source, Array):
        return isinstance(wanted, Int) and wanted.size == source.size
    if isinstance(source, Str):
        return isinstance(wanted, (Bool, Ptr))
    return number and isinstance(wanted, (Int, Enum, Bool, Ptr, Username))


def _tuple(c: Checker, expr: tree.TupleExpr) -> CType | None:
    items = check_items(c, expr.items, "a tuple")
    return Tuple(items) if items is not None else None


def _type_name(c: Checker, expr: tree.TypeName) -> CType | None:
    """A type that a macro was given, and uses as a value."""
    c.error("expected a value, got a type", expr.span, "a macro takes types where it names one: (T)x")
    return None


def _call(c: Checker, expr: tree.Call | tree.Identifier) -> CType | None:
    return check_call(c, expr)


_EXPRESSIONS: dict[type, Callable[[Checker, Any], CType | None]] = {
    tree.Integer: _integer,
    tree.String: _string,
    tree.Boolean: _boolean,
    tree.Positional: _positional,
    tree.Variable: _variable,
    tree.MapAccess: _map,
    tree.Unary: _unary,
    tree.Increment: check_increment,
    tree.Binary: _binary,
    tree.Ternary: _ternary,
    tree.Cast: _cast,
    tree.TupleExpr: _tuple,
    tree.Call: _call,
    tree.Identifier: _call,
    tree.TupleAccess: check_tuple_access,
    tree.FieldAccess: check_field,
    tree.Index: check_index,
    tree.RecordExpr: check_record,
    tree.SizeOf: check_sizeof,
    tree.OffsetOf: check_offsetof,
    tree.Comptime: check_comptime,
    tree.BlockExpr: check_block,
    tree.IfExpr: check_if,
    Inlined: check_inlined,
    tree.TypeInfo: check_typeinfo,
    tree.TypeName: _type_name,
}
