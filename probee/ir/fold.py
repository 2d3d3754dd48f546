"""Arithmetic of the IR on constants: the one definition that folding and interpreter share."""

from __future__ import annotations

from ..base.bits import U64 as MASK
from ..base.bits import signed
from .types import IntType, PtrType, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .nodes import Value


def canonical(value: int, type: Type) -> int:
    """`value` as a register of `type` holds it, read with the type's sign."""
    if isinstance(type, PtrType):
        return value & MASK
    value &= (1 << type.bits) - 1
    return signed(value, type.bits) if type.signed else value


def fits(narrow: IntType, wide: IntType) -> bool:
    """True when every value of `narrow`, as its register holds it, is the same value of `wide`."""
    if narrow.signed == wide.signed:
        return narrow.bits <= wide.bits
    return not narrow.signed and narrow.bits < wide.bits


def compute(name: str, a: int, b: int, type: IntType) -> int:
    """The result of a two-operand op on any representatives of two 64-bit values."""
    return canonical(_COMPUTE[name](a & MASK, b & MASK), type)


def _sdiv(a: int, b: int) -> int:
    x, y = signed(a, 64), signed(b, 64)
    if y == 0:
        return 0
    quotient = abs(x) // abs(y)
    return -quotient if (x < 0) != (y < 0) else quotient


def _smod(a: int, b: int) -> int:
    x, y = signed(a, 64), signed(b, 64)
    if y == 0:
        return x
    rest = abs(x) % abs(y)
    return -rest if x < 0 else rest


_COMPUTE: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "udiv": lambda a, b: a // b if b else 0,
    "umod": lambda a, b: a % b if b else a,
    "sdiv": _sdiv,
    "smod": _smod,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "shl": lambda a, b: a << (b & 63),
    "lshr": lambda a, b: a >> (b & 63),
    "ashr": lambda a, b: signed(a, 64) >> (b & 63),
}

_COMPARE: dict[str, Callable[[int, int], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "ult": lambda a, b: a < b,
    "ule": lambda a, b: a <= b,
    "slt": lambda a, b: signed(a, 64) < signed(b, 64),
    "sle": lambda a, b: signed(a, 64) <= signed(b, 64),
}


def fold_comparison(name: str, a: int, b: int) -> int:
    """0 or 1 for two 64-bit values."""
    return int(_COMPARE[name](a & MASK, b & MASK))


def fold_binary(name: str, left: Value, right: Value, type: IntType) -> int | Value | None:
    """What a two-operand op amounts to: a number, one of its operands, or None."""
    if right.op != "const":
        return None
    b = right.imm & MASK
    if left.op == "const":
        return compute(name, left.imm, b, type)
    if left.type == type:
        if b == 0 and name in ("add", "sub", "or", "xor", "shl", "lshr", "ashr"):
            return left
        if b == 1 and name in ("mul", "udiv", "sdiv"):
            return left
        if b == MASK and name == "and":
            return left
    if b == 0 and name in ("mul", "and"):
        return 0
    return None


def reduce_strength(name: str, number: int) -> tuple[str, int | None]:
    """A cheaper op, and its constant, for one whose right operand is a power of two; else `name`, None."""
    number &= MASK
    if name not in ("mul", "udiv", "umod") or number.bit_count() != 1:
        return name, None
    if name == "umod":
        return "and", number - 1
    return ("shl" if name == "mul" else "lshr"), number.bit_length() - 1


def find_truth(value: Value) -> Value | None:
    """The comparison whose 0 or 1 `value` is, where it is one."""
    while value.op in ("cast", "ext"):
        value = value.args[0]
    return value if value.op in _COMPARE else None


OPPOSITE = {
    "eq": ("ne", False),
    "ne": ("eq", False),
    "ult": ("ule", True),
    "ule": ("ult", True),
    "slt": ("sle", True),
    "sle": ("slt", True),
}
"""The op that holds where one does not, and whether its operands change places."""
