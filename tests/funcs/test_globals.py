"""The layout of the globals map: nothing overlaps, what is written often has a line of its own."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders.scripts import Script, make_target
from probee.funcs.globals import LINE, Globals


@given(
    st.integers(1, 300), st.lists(st.integers(1, 600), max_size=6), st.lists(st.integers(1, 40), max_size=6)
)
def test_nothing_overlaps(cpus: int, slots: list[int], words: list[int]) -> None:
    layout = Globals(cpus)
    lines = [(layout.take_line(), LINE) for _ in range(3)]
    places = [(layout.take_slot(size), size) for size in slots]
    layout.place_cpus()
    rest = [(layout.take(size), size) for size in words]
    spans = lines + rest
    for cpu in range(layout.cpus):
        spans += [(layout.cpu_start + cpu * layout.stride + at, size) for at, size in places]
    spans.sort()
    for (at, size), (following, _) in pairwise(spans):
        assert at + size <= following
    assert max((at + size for at, size in spans), default=0) <= layout.size
    assert all(at % LINE == 0 for at, _ in lines)


@pytest.mark.parametrize(("cpus", "room"), [(1, 1), (2, 2), (3, 4), (64, 64), (96, 128)])
def test_every_number_of_a_cpu_up_to_the_mask_has_room(cpus: int, room: int) -> None:
    script = Script("begin { @x = count(); @h = hist(1); }", target=make_target(cpus))
    variable = script.variable("@x")
    globals_map = script.bundle.maps[0]
    assert globals_map.name == script.bundle.globals
    assert variable.stride >= 8 + 66 * 8
    assert variable.offset + room * variable.stride <= globals_map.value_size + variable.stride
