"""Types of what is inside of something: fields, elements; and of sizes, offsets, blocks."""

from __future__ import annotations

from ..base.record import replace
from ..ctype.tracepoint import is_data_loc, is_rel_loc
from ..ctype.types import CHAR, INT8, UINT64, VOID, Array, CType, Enum, Ptr, Struct, Void
from ..spec.values import Aggregate, Str, Tuple
from . import tree
from .check_comptime import note_field, pass_over
from .check_convert import check_conversion
from .constants import number_of
from .members import as_pointer, find_field, find_member
from .names import did_you_mean
from .types import (
    LiteralInt,
    describe,
    element_of,
    is_integer,
    is_scalar,
    is_signed,
    kind_of,
    merge,
    reads_as,
    resolve,
)
from .walk import ends, walk
from .written import asked_type, written_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..base.source import Span
    from .check import Checker


def check_tuple_access(c: Checker, expr: tree.TupleAccess) -> CType | None:
    """`x.0`"""
    type = c.type_of(expr.operand)
    return _element(c, expr, type, expr.index) if type is not None else None


def _element(c: Checker, node: tree.Expr, type: CType, index: int) -> CType | None:
    if not isinstance(type, Tuple):
        c.error(f"Can not access index '{index}' on expression of type '{describe(type)}'", node.span)
        return None
    if index >= len(type.items):
        message = f"Invalid tuple index: {index}. Found {len(type.items)} elements in tuple."
        c.error(message, node.span)
        return None
    return type.items[index]


def check_field(c: Checker, expr: tree.FieldAccess) -> CType | None:
    """`x.name` of a record or struct, and of what a pointer points to"""
    type = c.type_of(expr.operand)
    if type is None:
        return None
    type = as_pointer(type)
    space = c.checked.spaces.get(expr.operand, "")
    while isinstance(type, Ptr):
        space = type.space or space
        type = resolve(type.to)
    if isinstance(type, Tuple) and type.names:
        if expr.name not in type.names:
            hint = did_you_mean(expr.name, type.names)
            c.error(f"Record does not contain a field named '{expr.name}'", expr.span, hint)
            return None
        note_field(c, expr)
        return find_field(type, expr.name)[1]
    if not isinstance(type, Struct):
        c.error(f"Can not access field '{expr.name}' on expression of type '{describe(type)}'", expr.span)
        return None
    if not type.members:
        message = f"Can not access field '{expr.name}': nothing is known of '{type}' but its name"
        c.error(message, expr.span, c.ctypes.missing)
        return None
    member = find_member(type, expr.name)
    if member is None:
        hint = did_you_mean(expr.name, [m.name for m in type.members])
        message = f"Struct/union of type '{type}' does not contain a field named '{expr.name}'"
        c.error(message, expr.span, hint)
        return None
    call = c.checked.calls.get(expr.operand)
    if call is not None:
        call[0].check_field(call[1], expr.name, expr.span, c)
    if is_data_loc(member.type) or is_rel_loc(member.type):
        return Ptr(CHAR, "kernel")
    return reached(c, expr, member.type, space)


def reached(c: Checker, node: tree.Expr, type: CType, space: str) -> CType:
    """The type of what `node` reads from `space`, where a struct or array keeps it for what is in it."""
    type = c.ctypes.completed(element_of(type))
    c.checked.spaces[node] = space
    return in_space(type, space)


def in_space(type: CType, space: str) -> CType:
    """What is read from a space points into the same, unless it says otherwise."""
    bare = resolve(type)
    if isinstance(bare, Ptr) and not bare.space and space:
        return replace(bare, space=space)
    return type


def check_index(c: Checker, expr: tree.Index) -> CType | None:
    """`x[i]` of an array, text or tuple, and of what a pointer points to"""
    type = c.type_of(expr.operand)
    by = c.type_of(expr.index)
    if type is None or by is None:
        return None
    type = resolve(type)
    number = number_of(c, expr.index)
    if number is not None:
        c.checked.numbers[expr.index] = number
    if isinstance(type, Tuple):
        if number is None or not isinstance(expr.index, tree.Integer):
            c.error("Array-style access for tuples only valid for integer literals", expr.span)
            return None
        return _element(c, expr, type, number)
    if (
        not is_integer(reads_as(by) or by)
        or (number is None and is_signed(by) and not isinstance(by, LiteralInt))
        or (number or 0) < 0
    ):
        message = "The array index operator [] only accepts non-negative integer indices."
        c.error(f"{message} Got: {describe(by)}", expr.span)
        return None
    return _indexed(c, expr, type, number)


def _indexed(c: Checker, expr: tree.Index, type: CType, number: int | None) -> CType | None:
    if isinstance(type, Ptr):
        if not type.to.size:
            message = "The array index operator [] cannot be used on a pointer to an unsized type (void *)."
            c.error(message, expr.span)
            return None
        return reached(c, expr, type.to, type.space)
    if not isinstance(type, (Array, Str)):
        message = "The array index operator [] can only be used on arrays and pointers"
        c.error(f"{message}, found {describe(type)}.", expr.span)
        return None
    count = type.count if isinstance(type, Array) else type.size
    # An array without a length ends a struct, and goes on behind it.
    if number is not None and number >= count and not (isinstance(type, Array) and not count):
        c.error(f"the index {number} is out of bounds for array of size {count}", expr.span)
        return None
    return (
        reached(c, expr, type.of, c.checked.spaces.get(expr.operand, "")) if isinstance(type, Array) else INT8
    )


def check_record(c: Checker, expr: tree.RecordExpr) -> CType | None:
    """`(x=1, y=2)`"""
    items = check_items(c, expr.items, "a record")
    return Tuple(items, expr.names) if items is not None else None


def check_items(c: Checker, items: tuple[tree.Expr, ...], whole: str) -> tuple[CType, ...] | None:
    """The types of the elements of a tuple or record, None where one is not known."""
    types = [c.type_of(item) for item in items]
    known = [reads_as(t) or t for t in types if t is not None]
    if len(known) != len(types):
        return None
    for item, type in zip(items, known, strict=True):
        if isinstance(type, (Aggregate, Void)):
            c.error(f"Map type {type} cannot exist inside {whole}.", item.span)
            return None
    return tuple(known)


# ---- sizes


def type_named(c: Checker, of: tree.Expr | tree.TypeName, where: str) -> CType | None:
    """The type that `where` ("sizeof") is asked about, which is not computed."""
    refuse_assignments(c, of, where)
    if isinstance(of, tree.TypeName):
        return written_type(c, of)
    return asked_type(c, of)


def refuse_assignments(c: Checker, of: tree.Expr | tree.TypeName, where: str) -> None:
    """Report maps that would be set in what is only asked about."""
    for node in walk(of):
        if isinstance(node, tree.Assign) and isinstance(node.target, tree.MapAccess):
            c.error(f"Map assignments not allowed inside of {where}", node.span)


def check_sizeof(c: Checker, expr: tree.SizeOf) -> CType | None:
    """`sizeof(type)`, `sizeof(expression)`"""
    type = type_named(c, expr.of, "sizeof")
    if type is None:
        return None
    # A constant is a number of 64 bits by itself, whatever the enum that it is of.
    constant = (
        isinstance(type, Enum) and isinstance(expr.of, tree.Identifier) and expr.of in c.checked.numbers
    )
    c.checked.numbers[expr] = UINT64.size if constant else type.size
    return UINT64


def check_offsetof(c: Checker, expr: tree.OffsetOf) -> CType | None:
    """`offsetof(type, field.field)`"""
    type = type_named(c, expr.of, "offsetof")
    offset = 0
    for name in expr.path:
        if type is None:
            return None
        type = resolve(type)
        if isinstance(type, Tuple) and name in type.names:
            at, type = find_field(type, name)
            offset += at
            continue
        member = find_member(type, name) if isinstance(type, Struct) else None
        if member is None and not isinstance(type, Struct):
            what = (
                "Record does not contain"
                if isinstance(type, Tuple)
                else f"'{describe(type)}' is not a C type."
            )
            c.error(f"{what} a field named '{name}'" if isinstance(type, Tuple) else what, expr.span)
            return None
        if member is None:
            hint = did_you_mean(name, [m.name for m in type.members]) if isinstance(type, Struct) else None
            c.error(f"'{describe(type)}' has no field named '{name}'", expr.span, hint)
            return None
        offset += member.offset_bits // 8
        type = member.type
    c.checked.numbers[expr] = offset
    return UINT64


# ---- blocks


def check_block(c: Checker, expr: tree.BlockExpr) -> CType | None:
    """`{ statements; value }`"""
    c.scopes.append({})
    c.body(expr.body)
    type = c.type_of(expr.value) if expr.value is not None else VOID
    c.scopes.pop()
    return type


def check_if(c: Checker, expr: tree.IfExpr) -> CType | None:
    """`if condition { a } else { b }`"""
    check_condition(c, expr.condition)
    known = c.checked.known(expr.condition)
    if known is None and isinstance(expr.condition, tree.Comptime):
        pass_over(c, (expr.then, expr.otherwise))
        return None
    if known is not None:
        pass_over(c, expr.otherwise if known else expr.then)
        return c.type_of(expr.then if known else expr.otherwise)
    return check_choice(c, expr, c.type_of(expr.then), expr.then, c.type_of(expr.otherwise), expr.otherwise)


def check_condition(c: Checker, condition: tree.Expr, marked: Span | None = None) -> None:
    """Check what is asked if it is true."""
    type = c.type_of(condition)
    if type is not None and not (is_scalar(type) or reads_as(type)):
        c.error(f"Invalid condition: {kind_of(type)}", marked or condition.span)


def check_choice(
    c: Checker, node: tree.Expr, one: CType | None, then: tree.Expr, other: CType | None, otherwise: tree.Expr
) -> CType | None:
    """The type of one of two values. A block that is left by a jump gives none, and asks for none."""
    if ends(then):
        return other
    if ends(otherwise) or one is None or other is None:
        return one or other
    if isinstance(one, Void) and isinstance(other, Void):
        return one
    merged = merge(reads_as(one) or one, reads_as(other) or other)
    if merged is None or isinstance(one, Void) or isinstance(other, Void):
        c.error(
            "Branches must return the same type or compatible types: "
            f"have '{describe(one)}' and '{describe(other)}'",
            node.span,
        )
        return None
    for expr, type in ((then, one), (otherwise, other)):
        check_conversion(c, expr, type, merged)
    return merged
