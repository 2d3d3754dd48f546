"""Types of expressions."""

from __future__ import annotations

from ..ctype.types import BOOL, INT64, UINT64, Array, Bool, CType, Enum, Int, Ptr, Struct
from ..spec.values import Str, Tuple, Username
from . import tree
from .check_access import (
    check_block,
    check_choice,
    check_comptime,
    check_field,
    check_if,
    check_index,
    check_items,
    check_offsetof,
    check_record,
    check_sizeof,
    check_tuple_access,
    in_space,
)
from .check_call import check_call
from .check_functions import check_inlined
from .constants import number_of, parameter_text
from .macros import Inlined
from .names import did_you_mean, shown
from .types import (
    COMPARISONS,
    LOGICAL,
    arithmetic,
    describe,
    differ_signed,
    element_of,
    is_integer,
    is_number,
    is_scalar,
    is_signed,
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

    from .check import Checker


def type_of(c: Checker, expr: tree.Expr) -> CType | None:
    """The type of `expr`, which is put down; None where it is not known (yet), or wrong."""
    find = _EXPRESSIONS.get(expr.__class__)
    if find is None:
        c.error(f"{_SPELLING.get(expr.__class__, 'this expression')} is not supported yet", expr.span)
        return None
    type: CType | None = find(c, expr)
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
        c.warn(f"Positional parameter ${expr.number} is empty or not provided.", expr.span)
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
    if not local.assigned:
        c.warn(f"Variable used before it was assigned: {expr.name}", expr.span)
    return local.type


def _map(c: Checker, expr: tree.MapAccess) -> CType | None:
    info = c.use_key(expr)
    if info.value is None and not info.tried:
        c.error(f"Undefined map: {expr.name}", expr.span, c.near_map(expr.name))
    return info.value


def _unary(c: Checker, expr: tree.Unary) -> CType | None:
    type = type_of(c, expr.operand)
    if type is None:
        return None
    if expr.op == "-" and isinstance(expr.operand, tree.Integer):
        if expr.operand.value > 1 << 63:
            c.error("negative value will underflow", expr.span)
        return literal_type(-expr.operand.value) if expr.operand.value else type
    if expr.op == "*":
        return _dereference(c, expr, type)
    if expr.op not in ("-", "~", "!"):
        c.error("address-of is not supported yet", expr.span)
        return None
    wrong = expr.op != "!" if isinstance(type, Bool) else not is_number(type)
    if wrong and not (expr.op == "!" and isinstance(type, Ptr)):
        c.error(
            f"The {expr.op} operator can not be used on expressions of type '{describe(type)}'", expr.span
        )
        return None
    if expr.op == "!":
        return BOOL
    return INT64 if is_signed(type) else UINT64


def _dereference(c: Checker, expr: tree.Unary, type: CType) -> CType | None:
    bare = resolve(type)
    if isinstance(bare, Int):
        return UINT64
    if isinstance(bare, Ptr):
        if bare.to.size:
            return in_space(c.ctypes.completed(element_of(bare.to)), bare.space)
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
    if one is None or other is None:
        return BOOL if op in COMPARISONS or op in LOGICAL else None
    if op in LOGICAL:
        for side, type in ((left, one), (right, other)):
            if not (is_scalar(type) or reads_as(type)):
                _refuse(c, node, op, one, other)
                return None
            del side
        return BOOL
    if isinstance(one, Str) or isinstance(other, Str):
        return _compare_text(c, node, op, one, other)
    if isinstance(one, (Tuple, Array)) and isinstance(other, (Tuple, Array)):
        return _compare_memory(c, node, op, one, other)
    if isinstance(resolve(one), Ptr) or isinstance(resolve(other), Ptr):
        return _pointers(c, node, op, one, other)
    if not (is_number(one) and is_number(other)):
        _refuse(c, node, op, one, other)
        return None
    if op in ("/", "%"):
        _check_divisor(c, node, op, left, right, one, other)
    return arithmetic(op, one, other)


def _refuse(c: Checker, node: tree.Node, op: str, one: CType, other: CType) -> None:
    c.error(
        f"The {op} operator can not be used on expressions of types {describe(one)}, {describe(other)}",
        node.span,
    )


def _compare_text(c: Checker, node: tree.Node, op: str, one: CType, other: CType) -> CType | None:
    if not (isinstance(one, Str) and isinstance(other, Str)):
        hint = None
        if op in COMPARISONS and (isinstance(one, Int) or isinstance(other, Int)):
            hint = "str(address) makes text of an address"
        message = f"Type mismatch for '{op}': comparing {describe(one)} with {describe(other)}"
        c.error(message, node.span, hint)
        return None
    if op not in ("==", "!="):
        _refuse(c, node, op, one, other)
        return None
    return BOOL


def _compare_memory(c: Checker, node: tree.Node, op: str, one: CType, other: CType) -> CType | None:
    """Tuples and records item by item, arrays of integers of one kind."""
    if isinstance(one, Array) and isinstance(other, Array):
        if op not in ("==", "!="):
            c.error(f"The {op} operator cannot be used on arrays.", node.span)
        elif one.count != other.count:
            c.error("Only arrays of same size support comparison operators.", node.span)
        elif not is_integer(one.of) or one.of != other.of:
            c.error("Only arrays of same sized integer support comparison operators.", node.span)
        else:
            return BOOL
    elif merge(one, other) is None:
        message = f"Type mismatch for '{op}': comparing {describe(one)} with {describe(other)}"
        c.error(message, node.span)
    elif op not in ("==", "!="):
        _refuse(c, node, op, one, other)
    else:
        return BOOL
    return None


def _pointers(c: Checker, node: tree.Node, op: str, one: CType, other: CType) -> CType | None:
    """Pointers are compared, and moved by as many elements as a number says."""
    left, right = resolve(one), resolve(other)
    if op in COMPARISONS and is_scalar(one) and is_scalar(other):
        if isinstance(left, Ptr) and isinstance(right, Ptr) and left.to != right.to:
            c.warn(f"comparison of distinct pointer types: {left.to}, {right.to}", node.span)
        return BOOL
    if op in ("+", "-"):
        if isinstance(left, Ptr) and is_number(right):
            return left
        if op == "+" and isinstance(right, Ptr) and is_number(left):
            return right
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
    wanted = written_type(c, expr.type)
    if source is None or wanted is None:
        return wanted
    bare = resolve(source)
    if isinstance(wanted, Ptr) and isinstance(bare, Ptr):
        wanted = in_space(wanted, bare.space)
    wanted = _sized(c, expr, wanted, source)
    if wanted is None or _casts(source, resolve(wanted)):
        return wanted
    c.error(f'Cannot cast from "{describe(source)}" to "{describe(wanted)}"', expr.span)
    return None


def _sized(c: Checker, expr: tree.Cast, wanted: CType, source: CType) -> CType | None:
    """The type of a cast; `(uint8[])x` has as many elements as `x` has."""
    if not isinstance(wanted, Array) or wanted.count:
        return wanted
    if not wanted.of.size or source.size % wanted.of.size:
        message = "the element size is incompatible with the cast integer size"
        c.error(f"Cannot determine array size: {message}", expr.span)
        return None
    return Array(wanted.of, source.size // wanted.of.size)


def _casts(source: CType, wanted: CType) -> bool:
    """True if a value of `source` can be made one of `wanted`."""
    number = is_scalar(source) or reads_as(source) is not None
    if isinstance(wanted, Array) and isinstance(resolve(wanted.of), (Int, Bool)):
        if number:
            return wanted.size in (1, 2, 4, 8) and wanted.size >= settle(reads_as(source) or source).size
        return isinstance(source, (Str, Array)) and wanted.size == source.size
    if isinstance(wanted, (Str, Tuple)):
        return merge(wanted, source) is not None
    if isinstance(wanted, Int) and isinstance(source, Array):
        return wanted.size == source.size
    return number and isinstance(wanted, (Int, Enum, Bool, Ptr, Username))


def _tuple(c: Checker, expr: tree.TupleExpr) -> CType | None:
    items = check_items(c, expr.items, "a tuple")
    return Tuple(items) if items is not None else None


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
}

_SPELLING: dict[type, str] = {
    tree.TypeInfo: "typeinfo",
}
