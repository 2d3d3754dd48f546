"""Fixed-width integers in Python's unbounded ones."""

from __future__ import annotations

U64 = 0xFFFFFFFF_FFFFFFFF


def unsigned(value: int, bits: int) -> int:
    """The low `bits` bits of `value`, read without a sign."""
    return value & ((1 << bits) - 1)


def signed(value: int, bits: int) -> int:
    """The low `bits` bits of `value`, read as two's complement."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def align_up(value: int, size: int) -> int:
    """`value` raised to a multiple of `size`."""
    return -(-value // size) * size


def ceil_pow2(value: int) -> int:
    """The smallest power of two that is at least `value` (and at least 1)."""
    return 1 << max(value - 1, 0).bit_length()
