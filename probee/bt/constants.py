"""Expressions whose value is known before the script runs: literals, parameters, sums of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.bits import signed
from ..ir.fold import compute
from ..ir.types import S64
from . import tree

if TYPE_CHECKING:
    from .check import Checker

_OPS = {"+": "add", "-": "sub", "*": "mul", "&": "and", "|": "or", "^": "xor", "<<": "shl"}


def number_of(c: Checker, expr: object) -> int | None:
    """The number that `expr` is, or None where that is not known or it is none."""
    if isinstance(expr, tree.Integer):
        return expr.value
    if isinstance(expr, tree.Boolean):
        return int(expr.value)
    if isinstance(expr, tree.Positional):
        return _parameter(c, expr)
    if isinstance(expr, tree.Unary) and expr.op == "-":
        value = number_of(c, expr.operand)
        return None if value is None else -value
    if isinstance(expr, tree.Binary) and expr.op in _OPS:
        left, right = number_of(c, expr.left), number_of(c, expr.right)
        return None if left is None or right is None else compute(_OPS[expr.op], left, right, S64)
    return None


def _parameter(c: Checker, expr: tree.Positional) -> int | None:
    if expr.number == 0:
        return len(c.params)
    text = c.params[expr.number - 1] if expr.number <= len(c.params) else ""
    if not text:
        return 0
    digits = text[1:] if text[0] == "-" else text
    try:
        value = int(digits, 0) if digits[:1].isdigit() else None
    except ValueError:
        value = int(digits, 8) if digits.isdigit() and set(digits) <= set("01234567") else None
    if value is None or value >= 1 << 64:
        return None
    return signed(-value, 64) if text[0] == "-" else value


def text_of(c: Checker, expr: object) -> bytes | None:
    """The text that `expr` is, or None where that is not known or it is none."""
    if isinstance(expr, tree.String):
        return expr.value
    if isinstance(expr, tree.Positional) and expr.number:
        text = c.params[expr.number - 1] if expr.number <= len(c.params) else ""
        return text.encode("utf-8", "surrogateescape")
    return None
