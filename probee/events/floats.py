"""Floating point numbers out of the bytes in which CPUs keep them: IEEE 754, and the 80 bits of x87."""

from __future__ import annotations

import os
import sys
from math import inf, ldexp, nan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

CODES = {2: "e", 4: "f", 8: "d"}
"""The struct codes of those that Python has, by their size in bytes."""

_BIAS, _SPECIAL = 16383, 0x7FFF


def find_reader(size: int) -> Callable[[bytes], float]:
    """A function from the bytes of a longer number, a long double of this machine, to the nearest double."""
    return _read_x87 if os.uname().machine == "x86_64" else _read_quad


def _read_x87(data: bytes) -> float:
    """64 bits of a fraction with its first digit, 15 of an exponent, a sign."""
    fraction, top = int.from_bytes(data[:8], "little"), int.from_bytes(data[8:10], "little")
    if top & _SPECIAL == _SPECIAL:
        return _signed(nan if fraction << 1 & (1 << 64) - 1 else inf, top >> 15)
    return _signed(_scale(fraction, (top & _SPECIAL) - _BIAS - 63), top >> 15)


def _read_quad(data: bytes) -> float:
    """112 bits of a fraction without its first digit, 15 of an exponent, a sign."""
    number = int.from_bytes(data, sys.byteorder)
    fraction, exponent, sign = number & (1 << 112) - 1, number >> 112 & _SPECIAL, number >> 127
    if exponent == _SPECIAL:
        return _signed(nan if fraction else inf, sign)
    if exponent:
        fraction |= 1 << 112
    return _signed(_scale(fraction, max(exponent, 1) - _BIAS - 112), sign)


def _scale(fraction: int, exponent: int) -> float:
    try:
        return ldexp(fraction, exponent)
    except OverflowError:
        return inf


def _signed(value: float, sign: int) -> float:
    return -value if sign else value


def show_float(value: float, size: int) -> str:
    """The shortest text that is this number among those of its size."""
    return f"{value:.9g}" if size <= 4 and f"{value:.6g}" != f"{value:.9g}" else _shortest(value, size)


def _shortest(value: float, size: int) -> str:
    return f"{value:.6g}" if size <= 4 else repr(value)
