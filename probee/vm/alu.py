"""What arithmetic and comparisons mean (RFC 9669, sections 4.1 to 4.3).

Every function takes unsigned operands of `bits` (32 or 64) and gives such a result. The translator
writes the same as Python source; `tests/vm` checks that they agree.
"""

from __future__ import annotations

from ..base.bits import signed, unsigned
from ..isa.ebpf import Alu, Jump
from ..isa.fields import End

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def divide_signed(a: int, b: int, bits: int) -> int:
    """Quotient truncated towards 0; 0 when `b` is 0."""
    x, y = signed(a, bits), signed(b, bits)
    if y == 0:
        return 0
    quotient = abs(x) // abs(y)
    return unsigned(-quotient if (x < 0) != (y < 0) else quotient, bits)


def modulo_signed(a: int, b: int, bits: int) -> int:
    """Remainder with the sign of `a`; `a` when `b` is 0."""
    x, y = signed(a, bits), signed(b, bits)
    if y == 0:
        return a
    rest = abs(x) % abs(y)
    return unsigned(-rest if x < 0 else rest, bits)


def _extended(width: int) -> Callable[[int, int, int], int]:
    return lambda a, b, n: unsigned(signed(b, width), n)


ALU: dict[int, Callable[[int, int, int], int]] = {
    Alu.ADD: lambda a, b, n: unsigned(a + b, n),
    Alu.SUB: lambda a, b, n: unsigned(a - b, n),
    Alu.MUL: lambda a, b, n: unsigned(a * b, n),
    Alu.DIV: lambda a, b, n: a // b if b else 0,
    Alu.OR: lambda a, b, n: a | b,
    Alu.AND: lambda a, b, n: a & b,
    Alu.LSH: lambda a, b, n: unsigned(a << (b & n - 1), n),
    Alu.RSH: lambda a, b, n: a >> (b & n - 1),
    Alu.NEG: lambda a, b, n: unsigned(-a, n),
    Alu.MOD: lambda a, b, n: a % b if b else a,
    Alu.XOR: lambda a, b, n: a ^ b,
    Alu.MOV: lambda a, b, n: b,
    Alu.ARSH: lambda a, b, n: unsigned(signed(a, n) >> (b & n - 1), n),
    Alu.SDIV: divide_signed,
    Alu.SMOD: modulo_signed,
    Alu.MOVSX8: _extended(8),
    Alu.MOVSX16: _extended(16),
    Alu.MOVSX32: _extended(32),
}

JUMPS: dict[int, Callable[[int, int, int], bool]] = {
    Jump.EQ: lambda a, b, n: a == b,
    Jump.GT: lambda a, b, n: a > b,
    Jump.GE: lambda a, b, n: a >= b,
    Jump.SET: lambda a, b, n: a & b != 0,
    Jump.NE: lambda a, b, n: a != b,
    Jump.SGT: lambda a, b, n: signed(a, n) > signed(b, n),
    Jump.SGE: lambda a, b, n: signed(a, n) >= signed(b, n),
    Jump.LT: lambda a, b, n: a < b,
    Jump.LE: lambda a, b, n: a <= b,
    Jump.SLT: lambda a, b, n: signed(a, n) < signed(b, n),
    Jump.SLE: lambda a, b, n: signed(a, n) <= signed(b, n),
}


def swap_bytes(value: int, bits: int, kind: int) -> int:
    """The low `bits` of `value` in the byte order `kind` asks for, on a little-endian machine."""
    low = unsigned(value, bits)
    if kind == End.LE:
        return low
    return int.from_bytes(low.to_bytes(bits // 8, "little"), "big")
