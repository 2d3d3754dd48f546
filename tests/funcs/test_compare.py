"""Sizes of text, and bytes compared."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bt.in_kernel import check_agreement, live_target
from builders.scripts import Script, complaints, evaluate
from programs import few

_HEAD = '$t = (1, 2, 3); $u = (1, 2, -3); $n = (uint64)pid * 0 + 2; $s = "abc"; '

VALUES = [
    ("memcmp($t, $u, 2)", 0),
    ("memcmp($t, $u, 3)", 6),
    ("memcmp($t, $u, $n)", 0),
    ("memcmp($t, $u, $n + 1)", 6),
    ("memcmp($t, $u, 0)", 0),
    ('memcmp("abc", "abd", 3)', -1),
    ('memcmp($s, "abc", 4)', 0),
    ("memcmp((uint32)1, (uint32)257, 4)", -1),
    ('strcap("hi")', 3),
    ("strcap($s)", 4),
    ("strcap(comm)", 16),
    ("default_str_length", 1024),
]


@pytest.mark.parametrize(("expression", "value"), VALUES)
def test_values(expression: str, value: Any) -> None:
    assert Script(f"begin {{ {_HEAD} print({expression}); }}").run().values() == [value]


@pytest.mark.kernel
@pytest.mark.parametrize("loops", [True, False], ids=["may_goto", "counted"])
@pytest.mark.parametrize(("expression", "value"), VALUES)
def test_in_the_kernel(expression: str, value: Any, loops: bool) -> None:
    script = Script(
        f"begin {{ {_HEAD} print({expression}); @ = {expression}; }}", target=live_target(loops=loops)
    )
    assert check_agreement(script) == [value]


@given(st.binary(min_size=8, max_size=8), st.binary(min_size=8, max_size=8), st.integers(0, 8))
@settings(max_examples=few(30), deadline=None)
def test_bytes_are_compared_with_their_signs(one: bytes, other: bytes, count: int) -> None:
    numbers = [int.from_bytes(data, "little") for data in (one, other)]
    found = evaluate(f"memcmp((uint64){numbers[0]}, (uint64){numbers[1]}, {count})")
    signed = [[byte - 256 if byte > 127 else byte for byte in data[:count]] for data in (one, other)]
    expected = next((a - b for a, b in zip(*signed, strict=True) if a != b), 0)
    assert found == expected


@pytest.mark.parametrize(
    ("call", "marked", "message"),
    [
        ("memcmp(1, 2, 3)", "3", "memcmp() expects at most 1 bytes of these values, got 3"),
        ("strcap(5)", "5", "strcap() expects text (int8 provided)"),
        ("assert_str(5)", "5", "string-like values must be either strings, arrays or pointers"),
        ("assert_str((int32*)5)", "(int32*)5", "string-like pointers must point to a char-like type"),
    ],
)
def test_what_is_wrong(call: str, marked: str, message: str) -> None:
    found = complaints(f"begin {{ {call}; }}")
    assert found[0][1] == message


def test_what_is_text() -> None:
    text = 'begin { assert_str("a"); assert_str(comm); assert_str((int8*)5); print(1); }'
    assert Script(text).run().values() == [1]
