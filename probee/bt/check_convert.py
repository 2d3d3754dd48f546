"""Values that go where another type is wanted: whether they can, and a warning where it may change them."""

from __future__ import annotations

from ..ctype.types import CType, Enum, Int, Ptr
from ..spec.values import Aggregate, Buffer, Str, Tuple
from . import tree
from .constants import number_of
from .types import describe, fits_into, holds, in_order, kind_of, reads_as, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .check import Checker


def check_conversion(c: Checker, expr: tree.Expr, source: CType, target: CType) -> bool:
    """Whether the value of `expr`, of type `source`, may stand where `target` is wanted."""
    if source == target:
        return True
    one, other = resolve(reads_as(source) or source), resolve(reads_as(target) or target)
    if isinstance(one, (Int, Enum)) and isinstance(other, (Int, Enum)):
        return _convert_number(c, expr, source, one, other)
    if isinstance(one, Str) and isinstance(other, Str):
        return one.bytes <= other.bytes
    if isinstance(one, Tuple) and isinstance(other, Tuple):
        return _convert_items(c, expr, one, other)
    if isinstance(one, Ptr) and isinstance(other, Ptr):
        return True
    return kind_of(one) == kind_of(other) and (isinstance(one, Buffer) or one.size == other.size)


def _convert_number(c: Checker, expr: tree.Expr, source: CType, one: Int | Enum, other: Int | Enum) -> bool:
    known = number_of(c, expr) if not isinstance(expr, tree.Cast) else None
    if known is not None:
        return holds(Int(other.bytes, other.signed), known)
    if isinstance(one, Int) and not isinstance(source, Aggregate) and not fits_into(one, _integer(other)):
        c.warn(
            f"Expression of type: {describe(one)} being cast to type: {describe(other)}. This may cause "
            "unexpected results. Use an explicit cast to suppress this warning.",
            expr.span,
        )
    return True


def _integer(type: Int | Enum) -> Int:
    return Int(type.bytes, type.signed)


def _convert_items(c: Checker, expr: tree.Expr, source: Tuple, target: Tuple) -> bool:
    while isinstance(expr, tree.BlockExpr) and expr.value is not None:
        expr = expr.value
    items: tuple[tree.Expr, ...] = (expr,) * len(source.items)
    if isinstance(expr, (tree.TupleExpr, tree.RecordExpr)):
        items = expr.items
    if len(source.items) != len(target.items) or sorted(source.names) != sorted(target.names):
        return False
    wanted = in_order(target, source.names).items
    fits = [
        check_conversion(c, item, one, other)
        for item, one, other in zip(items, source.items, wanted, strict=True)
    ]
    return all(fits)
