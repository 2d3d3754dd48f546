"""Text, tuples, arrays and keys into memory: built where they are wanted, never copied on the way."""

from __future__ import annotations

from ..base.bits import align_up
from ..ctype.types import CType
from ..funcs.emit import ROOM, Place, in_memory
from ..funcs.text import copy_text, equal_constant, equal_text, store_text
from ..ir.types import VALUE, int_type
from ..spec.values import Str, Tuple
from . import tree
from .lower_access import access_into, memory_of
from .lower_copy import copy_value, has_gaps, placed_items
from .lower_functions import inlined_into
from .macros import Inlined
from .types import is_signed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..funcs.stored import Stored
    from ..ir.nodes import Value
    from .lower import Lowerer


def lower_into(s: Lowerer, expr: tree.Expr, place: Place) -> None:
    """Put the value of `expr` at `place`, as a value of the place's type."""
    before, s.b.span = s.b.span, expr.span
    if in_memory(place.type):
        _INTO[expr.__class__](s, expr, place)
    else:
        s.b.store(place.pointer, s.number(expr), place.type.size, place.offset)
    s.b.span = before


def _string(s: Lowerer, expr: tree.String, place: Place) -> None:
    store_text(s.b, place, expr.value)


def _positional(s: Lowerer, expr: tree.Positional, place: Place) -> None:
    store_text(s.b, place, s.checked.texts[expr])


def _call(s: Lowerer, expr: tree.Call | tree.Identifier, place: Place) -> None:
    if expr in s.checked.texts:
        store_text(s.b, place, s.checked.texts[expr])
        return
    function, site = s.checked.calls[expr]
    function.lower_into(site, s, place)


def _variable(s: Lowerer, expr: tree.Variable, place: Place) -> None:
    local = s.checked.locals[expr]
    assert local.type is not None
    copy_value(s, place, s.memory_of(local), 0, local.type)


def _map(s: Lowerer, expr: tree.MapAccess, place: Place) -> None:
    b = s.b
    stored = s.unit.variables[expr.name]
    entry = s.find_entry(stored, key_of(s, stored, expr))
    there, absent, done = b.new_block(), b.new_block(), b.new_block()
    b.branch(b.compare("ne", entry, 0), there, absent)
    b.place(there)
    copy_value(s, place, b.cast(entry, VALUE), 0, stored.value)
    b.jump(done)
    b.place(absent)
    s.note_failure("map_lookup_elem", 0)
    if place.clean or not isinstance(place.type, Str):
        b.zero(place.pointer, place.type.size, place.offset)
    else:
        b.store(place.pointer, 0, 1, place.offset)
    b.jump(done)
    b.place(done)


def _ternary(s: Lowerer, expr: tree.Ternary, place: Place) -> None:
    b = s.b
    then, otherwise, done = b.new_block(), b.new_block(), b.new_block()
    b.branch(s.number(expr.condition), then, otherwise)
    for block, value in ((then, expr.then or expr.condition), (otherwise, expr.otherwise)):
        b.place(block)
        lower_into(s, value, place)
        b.jump(done)
    b.place(done)


def _block(s: Lowerer, expr: tree.BlockExpr, place: Place) -> None:
    s.body(expr.body)
    if expr.value is not None:
        lower_into(s, expr.value, place)


def _if(s: Lowerer, expr: tree.IfExpr, place: Place) -> None:
    known = s.checked.known(expr.condition)
    if known is not None:
        lower_into(s, expr.then if known else expr.otherwise, place)
        return
    b = s.b
    then, otherwise, done = b.new_block(), b.new_block(), b.new_block()
    b.branch(s.number(expr.condition), then, otherwise)
    for block, value in ((then, expr.then), (otherwise, expr.otherwise)):
        b.place(block)
        lower_into(s, value, place)
        b.jump(done)
    b.place(done)


def _tuple(s: Lowerer, expr: tree.TupleExpr, place: Place) -> None:
    assert isinstance(place.type, Tuple)
    fill_items(s, expr.items, place, place.type)


def _record(s: Lowerer, expr: tree.RecordExpr, place: Place) -> None:
    assert isinstance(place.type, Tuple)
    fill_items(s, expr.items, place, place.type, expr.names)


def fill_items(
    s: Lowerer, items: tuple[tree.Expr, ...], place: Place, type: Tuple, names: tuple[str, ...] = ()
) -> None:
    """Values one after another, as `type` lays them out; nothing but values is left in between. `names` are
    those of a record's values, whose order may be another than that of `type`."""
    if place.clean and has_gaps(type):
        s.b.zero(place.pointer, type.size, place.offset)
    for item, (offset, own) in zip(items, placed_items(type, names or type.names), strict=True):
        lower_into(s, item, Place(place.pointer, place.offset + offset, own, place.clean))


def _type_info(s: Lowerer, expr: tree.TypeInfo, place: Place) -> None:
    assert isinstance(place.type, Tuple)
    s.b.zero(place.pointer, place.type.size, place.offset)
    (_, *placed), texts = placed_items(place.type, place.type.names), s.checked.infos[expr]
    for (offset, own), text in zip(placed, texts, strict=True):
        store_text(s.b, Place(place.pointer, place.offset + offset, own, place.clean), text)


def _comptime(s: Lowerer, expr: tree.Comptime, place: Place) -> None:
    lower_into(s, expr.operand, place)


def _cast(s: Lowerer, expr: tree.Cast, place: Place) -> None:
    own, source = s.expect(expr), s.expect(expr.operand)
    if not in_memory(source):
        # The bytes of a number, as the machine keeps them.
        wide = int_type(own.size, is_signed(source))
        s.b.store(place.pointer, s.b.ext(s.number(expr.operand), wide), own.size, place.offset)
        return
    if not isinstance(own, Str):
        pointer, offset, type = memory_of(s, expr.operand)
        s.b.copy(place.pointer, pointer, min(own.size, type.size), place.offset, offset)
        return
    if own.size >= place.type.size:
        lower_into(s, expr.operand, place)
        return
    memory, _ = text_memory(s, expr.operand)
    copy_text(s.b, place, memory, 0, own.size)


_INTO: dict[type, Callable[[Lowerer, Any, Place], None]] = {
    tree.String: _string,
    tree.Positional: _positional,
    tree.Call: _call,
    tree.Identifier: _call,
    tree.Variable: _variable,
    tree.MapAccess: _map,
    tree.Ternary: _ternary,
    tree.TupleExpr: _tuple,
    tree.Cast: _cast,
    tree.RecordExpr: _record,
    tree.TupleAccess: access_into,
    tree.FieldAccess: access_into,
    tree.Index: access_into,
    tree.Unary: access_into,
    tree.BlockExpr: _block,
    tree.IfExpr: _if,
    Inlined: inlined_into,
    tree.TypeInfo: _type_info,
    tree.Comptime: _comptime,
}


# ---- keys


def key_of(s: Lowerer, stored: Stored, access: tree.MapAccess) -> Value:
    """A pointer to the key of an access, zeros where there is nothing: kernels compare keys byte by byte."""
    b = s.b
    type = stored.key_type
    memory = b.slot(align_up(type.size + (ROOM if _ends_in_text(type) else 0), 8))
    place = Place(memory, 0, type, clean=True)
    if stored.key is None:
        b.store(memory, 0, type.size)
    elif len(access.keys) > 1:
        assert isinstance(type, Tuple)
        fill_items(s, access.keys, place, type)
    else:
        lower_into(s, access.keys[0], place)
    return memory


def _ends_in_text(type: CType) -> bool:
    if isinstance(type, Tuple):
        return bool(type.items) and _ends_in_text(type.items[-1])
    return isinstance(type, Str)


# ---- text


def text_memory(s: Lowerer, expr: tree.Expr) -> tuple[Value, int]:
    """Memory that holds the text of `expr`, and its size, a multiple of 8. Not to be written."""
    type = s.expect(expr)
    size = align_up(type.size, 8)
    if isinstance(expr, tree.Variable):
        return s.memory_of(s.checked.locals[expr]), size
    memory = s.b.slot(align_up(type.size + ROOM, 8))
    if size > type.size:
        # What is past the text's own bytes must be initialized: it is read, a word at a time.
        s.b.zero(memory, 8, size - 8)
    lower_into(s, expr, Place(memory, 0, type))
    return memory, size


def equal_texts(s: Lowerer, left: tree.Expr, right: tree.Expr) -> Value:
    """1 if two texts are equal."""
    for one, other in ((left, right), (right, left)):
        constant = constant_text(s, one)
        if constant is not None:
            memory, _ = text_memory(s, other)
            return equal_constant(s.b, memory, 0, s.expect(other).size, constant)
    first, first_size = text_memory(s, left)
    second, second_size = text_memory(s, right)
    return equal_text(s, first, first_size, second, second_size)


def constant_text(s: Lowerer, expr: tree.Expr) -> bytes | None:
    """The text that `expr` is known to be: a literal, or str() of one."""
    if isinstance(expr, tree.String):
        return expr.value
    if expr in s.checked.texts:
        return s.checked.texts[expr]
    found = s.checked.calls.get(expr)
    return found[0].constant(found[1]) if found is not None else None
