"""Registries and near misses, and arithmetic on bits."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probee.base.bits import align_up, ceil_pow2, signed, unsigned
from probee.base.registry import Registry, near_misses


def test_duplicates_are_refused() -> None:
    registry: Registry[int] = Registry("number")
    registry.add("one", 1)
    with pytest.raises(ValueError, match="number 'one' is registered twice"):
        registry.add("one", 2)
    assert registry.find("one") == 1
    assert registry.find("two") is None
    assert list(registry) == ["one"]


def test_entries_are_loaded_when_asked_for() -> None:
    asked = []

    def load(name: str) -> None:
        asked.append(name)
        if name == "late":
            registry.add("late", 5)

    registry: Registry[int] = Registry("number", load)
    assert registry.find("late") == 5
    assert registry.find("late") == 5
    assert registry.find("never") is None
    assert asked == ["late", "never"]


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("fopeen", ["fopen", "fclose", "open"], ["fopen", "open"]),
        ("prinft", ["printf", "print"], ["printf", "print"]),
        ("MALLOC", ["malloc", "calloc"], ["malloc", "calloc"]),
        ("createString", ["createStringObject", "dropString"], ["createStringObject"]),
        ("x", ["yz", "abc"], []),
    ],
)
def test_near_misses(name: str, known: list[str], expected: list[str]) -> None:
    assert near_misses(name, known) == expected


@given(st.integers(), st.sampled_from([8, 16, 32, 64]))
def test_signs(value: int, bits: int) -> None:
    assert signed(value, bits) % (1 << bits) == unsigned(value, bits)
    assert -(1 << bits - 1) <= signed(value, bits) < 1 << bits - 1


@given(st.integers(0, 1 << 40), st.integers(1, 4096))
def test_rounding(value: int, size: int) -> None:
    assert value <= align_up(value, size) < value + size
    assert align_up(value, size) % size == 0
    power = ceil_pow2(value)
    assert power & (power - 1) == 0
    assert power >= value
    assert power == 1 or power // 2 < value


def test_names_without_end_take_no_time() -> None:
    started = time.process_time()
    assert near_misses("9" * 5000, ["9" * 4999, "8" * 5000]) == []
    assert near_misses("9" * 200, ["9" * 199, "8" * 200]) == ["9" * 199]
    assert near_misses("x" * 100, ["y" * 100] * 100_000) == []
    assert time.process_time() - started < 2
