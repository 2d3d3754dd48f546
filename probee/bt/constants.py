"""Expressions whose value is known before the script runs: literals, parameters, sums of them."""

from __future__ import annotations

from ..ir.fold import compute
from ..ir.types import S64
from . import tree
from .fold import COMPARED, LOGICAL
from .literals import LiteralError, parse_integer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .check import Checker

_TRUTHS: dict[str, Callable[[int, int], bool]] = {**COMPARED, **LOGICAL}

_OPS = {"+": "add", "-": "sub", "*": "mul", "&": "and", "|": "or", "^": "xor", "<<": "shl"}


def number_of(c: Checker, expr: object) -> int | None:
    """The number that `expr` is, or None where that is not known or it is none."""
    if isinstance(expr, tree.Integer):
        return expr.value
    if isinstance(expr, tree.Boolean):
        return int(expr.value)
    if isinstance(expr, tree.Identifier):
        value = _constant(c, expr)
        return value if isinstance(value, int) else c.checked.numbers.get(expr)
    if isinstance(expr, tree.Positional):
        return _parameter(c, expr)
    if isinstance(expr, tree.Unary) and expr.op == "-":
        value = number_of(c, expr.operand)
        return None if value is None else -value
    if isinstance(expr, tree.Unary) and expr.op == "!":
        value = number_of(c, expr.operand)
        return None if value is None else int(not value)
    if isinstance(expr, tree.Binary):
        if expr in c.checked.numbers:
            return c.checked.numbers[expr]
        left, right = number_of(c, expr.left), number_of(c, expr.right)
        return None if left is None or right is None else _combine(expr.op, left, right)
    if isinstance(expr, (tree.SizeOf, tree.OffsetOf, tree.Comptime, tree.Call, tree.FieldAccess)):
        return c.checked.numbers.get(expr)
    if isinstance(expr, tree.Ternary):
        return _chosen(c, expr)
    if isinstance(expr, tree.BlockExpr) and not expr.body:
        return number_of(c, expr.value)
    return None


def _constant(c: Checker, expr: tree.Identifier) -> int | bytes | None:
    """What a constant of the C text is."""
    found = c.ctypes.find_constant(expr.name)
    return found[1] if found is not None else None


def _combine(op: str, left: int, right: int) -> int | None:
    if op in _OPS:
        return compute(_OPS[op], left, right, S64)
    if op in _TRUTHS:
        return int(_TRUTHS[op](left, right))
    return None


def _chosen(c: Checker, expr: tree.Ternary) -> int | None:
    condition = number_of(c, expr.condition)
    if condition is None:
        return None
    if not condition:
        return number_of(c, expr.otherwise)
    return condition if expr.then is None else number_of(c, expr.then)


def _parameter(c: Checker, expr: tree.Positional) -> int | None:
    if expr.number == 0:
        return len(c.params)
    text = parameter_text(c, expr.number).decode("utf-8", "surrogateescape")
    if not text:
        return 0
    digits = text.removeprefix("-")
    if not digits[:1].isdecimal():
        return None
    try:
        value, _ = parse_integer(digits)
    except LiteralError:
        return None
    if text[0] != "-":
        return value
    return -value if value <= 1 << 63 else None


def parameter_text(c: Checker, number: int) -> bytes:
    """Positional parameter `number` (from 1) as it was given; empty where there is none."""
    text = c.params[number - 1] if number <= len(c.params) else ""
    return text.encode("utf-8", "surrogateescape")


def text_of(c: Checker, expr: object) -> bytes | None:
    """The text that `expr` is, or None where that is not known or it is none."""
    if isinstance(expr, tree.String):
        return expr.value
    if isinstance(expr, tree.Identifier):
        value = _constant(c, expr)
        return value if isinstance(value, bytes) else c.checked.texts.get(expr)
    if isinstance(expr, (tree.Call, tree.FieldAccess)):
        return c.checked.texts.get(expr)
    if isinstance(expr, tree.BlockExpr) and not expr.body:
        return text_of(c, expr.value)
    if isinstance(expr, tree.Positional) and number_of(c, expr) is None:
        return parameter_text(c, expr.number)
    return None
