"""Operators on numbers that have been computed."""

from __future__ import annotations

from ..ctype.types import Bool, CType
from ..ir.types import S64, U64, IntType
from .types import COMPARISONS, arithmetic, common

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..funcs.emit import Emitter
    from ..ir.nodes import Value

_ARITHMETIC = {
    "+": "add",
    "-": "sub",
    "*": "mul",
    "&": "and",
    "|": "or",
    "^": "xor",
    "<<": "shl",
    ">>": "lshr",
}
_COMPARE = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}


def combine(s: Emitter, op: str, left: Value, right: Value, one: CType, other: CType) -> Value:
    """`left op right` of two numbers of types `one` and `other`."""
    b = s.b
    if op in COMPARISONS:
        shared = common(one, other)
        wide = S64 if shared.signed else U64
        name = _COMPARE[op]
        if name not in ("eq", "ne"):
            name = ("s" if shared.signed else "u") + name
        return b.compare(name, b.ext(left, wide), b.ext(right, wide))
    result = arithmetic(op, one, other)
    if isinstance(result, Bool):
        value = combine_wide(s, op, b.ext(left, U64), b.ext(right, U64), U64)
        return b.compare("ne", value, 0)
    wide = S64 if getattr(result, "signed", False) else U64
    return combine_wide(s, op, b.ext(left, wide), b.ext(right, wide), wide)


def combine_wide(s: Emitter, op: str, left: Value, right: Value, wide: IntType) -> Value:
    """`left op right` of two 64-bit numbers."""
    if op in ("/", "%"):
        return _divide(s, op, left, right, wide)
    name = _ARITHMETIC[op]
    if name == "lshr" and wide.signed:
        name = "ashr"
    return s.b.op(name, left, right, wide)


def _divide(s: Emitter, op: str, left: Value, right: Value, wide: IntType) -> Value:
    """A quotient or rest; 1 where the divisor is 0, and that is counted."""
    b = s.b
    name = ("s" if wide.signed else "u") + ("div" if op == "/" else "mod")
    if right.op == "const" and right.imm:
        return b.op(name, left, right, wide)
    normal, none, done = b.new_block(), b.new_block(), b.new_block()
    b.branch(b.compare("ne", right, 0), normal, none)
    b.place(none)
    s.count("div0")
    b.write("quotient", b.const(1, wide))
    b.jump(done)
    b.place(normal)
    b.write("quotient", b.op(name, left, right, wide))
    b.jump(done)
    b.place(done)
    return b.read("quotient", wide)
