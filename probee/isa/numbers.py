"""Numbers as people write them."""

from __future__ import annotations

_ENOUGH = 40
"""Digits that no field of an instruction holds. Python itself refuses to read some thousands of them."""


def parse_integer(text: str) -> int:
    """The number `text`: decimal, or hexadecimal with `0x`, perhaps with a sign before it.

    Of one with more digits than any field has room for, only so many are read that it is too large still.
    Raises ValueError for what is no number.
    """
    sign = text[:1] if text[:1] in ("+", "-") else ""
    digits = text[len(sign) :]
    base = 16 if "x" in digits[:2].lower() else 10
    kept = digits[2 if base == 16 else 0 :].lstrip("0")[:_ENOUGH] or "0"
    return int(sign + kept, base)
