from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probee.render.clock import ISO, UNKNOWN, Strftime

SECOND = 10**9


@pytest.mark.parametrize(
    ("format", "text"),
    [
        ("%s", b"1000000000"),
        ("%f", b"012345"),
        ("%k", b"012345678"),
        ("%l", b"012"),
        ("%%f %s.%l|%f\n", b"%f 1000000000.012|012345\n"),
        ("", b""),
        ("ä%", "ä%".encode()),
    ],
)
def test_parts_of_a_second(format: str, text: bytes) -> None:
    assert Strftime(format).render(SECOND * 10**9 + 12_345_678) == text


def test_the_function_time_has_no_parts() -> None:
    at = SECOND * 10**9
    assert Strftime("%l", fractions=False).render(at) == time.strftime("%l", time.localtime(10**9)).encode()


@given(st.lists(st.integers(SECOND, 2**63), min_size=1, max_size=9))
def test_one_renderer_serves_any_order_of_times(times: list[int]) -> None:
    render = Strftime(ISO).render
    for at in times + [at + 1 for at in times]:
        whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(at // SECOND))
        assert render(at) == f"{whole}.{at % SECOND:09}".encode()


def test_times_that_are_none() -> None:
    assert Strftime("%H").render(999) == UNKNOWN
    assert Strftime("%H").render(10**30) == UNKNOWN
