"""Each pass of the code generator keeps what a function means, and leaves what its stage allows."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders.ir import Recipe, build, contexts, evaluate, pack, recipes
from probee.codegen import simplify
from probee.codegen.callbacks import open_callbacks
from probee.codegen.legalize import legalize, split_edges
from probee.codegen.lighten import lighten
from probee.codegen.memory import AREAS, SCRATCH, apply_layout, plan_scratch, plan_slots
from probee.codegen.pipeline import prepare
from probee.codegen.registers import allocate
from probee.codegen.select import select
from probee.ir.builder import Builder
from probee.ir.check import check_function
from probee.ir.interp import InterpMachine, run
from probee.ir.nodes import Function
from probee.ir.text import parse_function, print_function
from probee.ir.types import U64
from probee.spec.abi import MAX_STACK, MapType
from probee.spec.bundle import Map
from probee.spec.target import Target

ANY = recipes(calls=True, slots=True, loops=True)
LEVELS = st.sampled_from([3, 4])
RANDOM = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])


def _target(isa: int) -> Target:
    return Target("6.18", "x86_64", 2, isa, frozenset({"atomics_fetch"}))


def _expect(function: Function, stage: str, words: list[int], expected: int) -> None:
    check_function(function, stage)
    text = print_function(function)
    assert run(function, InterpMachine(), pack(words)) == expected, text


@RANDOM
@given(ANY, contexts(), LEVELS)
def test_passes_that_keep_ssa(recipe: Recipe, words: list[int], isa: int) -> None:
    function, expected = build(recipe), evaluate(recipe, words)
    simplify.thread_jumps(function)
    _expect(function, "built", words, expected)
    legalize(function, _target(isa))
    _expect(function, "legal", words, expected)
    simplify.merge_common(function)
    _expect(function, "legal", words, expected)
    simplify.drop_dead(function)
    _expect(function, "legal", words, expected)
    text = print_function(function)
    assert print_function(parse_function(text)) == text


@RANDOM
@given(ANY, contexts(), LEVELS)
def test_passes_down_to_registers(recipe: Recipe, words: list[int], isa: int) -> None:
    function, expected = build(recipe), evaluate(recipe, words)
    prepare(function, _target(isa))
    layout = plan_slots(function, open_callbacks(function))
    apply_layout(function, layout, None, _target(isa), ("globals", 0))
    _expect(function, "placed", words, expected)
    split_edges(function)
    _expect(function, "placed", words, expected)
    select(function)
    _expect(function, "allocated", words, expected)
    simplify.lay_out(function)
    _expect(function, "allocated", words, expected)
    allocate(function, layout[function].frame_size, MAX_STACK)
    _expect(function, "allocated", words, expected)


@RANDOM
@given(ANY, contexts(), st.sampled_from([16, 48, 96]))
def test_values_beyond_the_stack(recipe: Recipe, words: list[int], room: int) -> None:
    function, expected = build(recipe), evaluate(recipe, words)
    prepare(function, _target(4))
    calls = open_callbacks(function)
    lighten(function, calls, room)
    _expect(function, "opened", words, expected)


@pytest.mark.parametrize("isa", [3, 4])
def test_slots_beyond_the_stack(isa: int) -> None:
    b = Builder("f")
    slots = [b.slot(size) for size in (16, 400, 1024)]
    for index, slot in enumerate(slots):
        b.zero(slot, slot.attr[0])
        b.store(slot, b.op("add", b.load(b.context(), U64), index), 8, slot.attr[0] - 8)
    result = b.const(0)
    for slot in slots:
        result = b.op("add", b.op("mul", result, 31), b.load(slot, U64, slot.attr[0] - 8))
    b.ret(result)
    function = b.finish()
    prepare(function, _target(isa))
    layout = plan_slots(function, open_callbacks(function))
    scratch = plan_scratch([layout], _target(isa))
    assert scratch is not None
    apply_layout(function, layout, scratch, _target(isa), ("globals", 0))
    check_function(function, "placed")
    maps = (Map(SCRATCH, MapType.ARRAY, 4, scratch.size, 1), Map("globals", MapType.ARRAY, 4, 8, 1))
    machine = InterpMachine(maps, cpus=2)
    machine.cpu = 1
    for start in range(AREAS + 1):
        word = start.to_bytes(8, "little")
        assert run(function, machine, word) == (start * 31 + start + 1) * 31 + start + 2
    assert machine.maps["globals"].items() == {}
