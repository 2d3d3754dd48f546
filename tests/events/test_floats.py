"""Floating point numbers out of their bytes, and as text."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probee.events.floats import _read_quad, _read_x87, show_float


def x87(value: float) -> bytes:
    """A double in the 80 bits of x87."""
    sign = 0x8000 if math.copysign(1, value) < 0 else 0
    if math.isinf(value) or math.isnan(value):
        return struct.pack("<QH6x", 1 << 63 | (1 << 62 if math.isnan(value) else 0), sign | 0x7FFF)
    fraction, exponent = math.frexp(abs(value))
    if not fraction:
        return struct.pack("<QH6x", 0, sign)
    return struct.pack("<QH6x", int(fraction * 2**64), sign | exponent - 1 + 16383)


def quad(value: float) -> bytes:
    """A double in the 128 bits of IEEE 754."""
    sign = 1 << 127 if math.copysign(1, value) < 0 else 0
    if math.isinf(value) or math.isnan(value):
        return (sign | 0x7FFF << 112 | math.isnan(value)).to_bytes(16, "little")
    fraction, exponent = math.frexp(abs(value))
    if not fraction:
        return sign.to_bytes(16, "little")
    number = int(fraction * 2**113) - (1 << 112)
    return (sign | exponent - 1 + 16383 << 112 | number).to_bytes(16, "little")


@given(st.floats())
def test_long_doubles(value: float) -> None:
    for found in (_read_x87(x87(value)), _read_quad(quad(value))):
        assert struct.pack("d", found) == struct.pack("d", value) or (math.isnan(found) and math.isnan(value))


@given(st.binary(min_size=16, max_size=16))
def test_any_bytes_are_a_number(data: bytes) -> None:
    assert isinstance(_read_x87(data), float)
    assert isinstance(_read_quad(data), float)


@given(st.floats(width=32, allow_nan=False))
def test_text_of_floats_is_read_as_the_same(value: float) -> None:
    assert struct.pack("f", float(show_float(value, 4))) == struct.pack("f", value)
    assert float(show_float(value, 8)) == value


@pytest.mark.parametrize(
    ("value", "size", "text"),
    [(2.5, 4, "2.5"), (0.1, 8, "0.1"), (1e300, 8, "1e+300"), (3.0, 8, "3.0"), (-0.0, 4, "-0")],
)
def test_text(value: float, size: int, text: str) -> None:
    assert show_float(value, size) == text
