"""Callbacks: what the interpreter does with them, at every stage of the code generator."""

from __future__ import annotations

import pytest

from probee.base.errors import FeatureError, InternalError
from probee.codegen import simplify
from probee.codegen.callbacks import open_callbacks
from probee.codegen.legalize import split_edges
from probee.codegen.memory import SCRATCH, apply_layout, plan_scratch, plan_slots
from probee.codegen.pipeline import prepare
from probee.codegen.registers import allocate
from probee.codegen.select import select
from probee.ir.builder import Builder
from probee.ir.check import check_function
from probee.ir.interp import InterpMachine, run
from probee.ir.nodes import Function
from probee.ir.text import parse_function, print_function
from probee.ir.types import KEY, U64, VALUE
from probee.spec.abi import MapType
from probee.spec.bundle import Map
from probee.spec.target import Target

TARGET = Target("6.18", "x86_64", 2, 4, frozenset({"atomics_fetch", "for_each_map_elem", "bpf_loop"}))
TABLE = Map("table", MapType.HASH, 8, 8, 16)


def build_sum() -> Function:
    """Over all entries up to one whose key is the context's second word: the sum of key * value * (0 + … +
    first word), and of what a slot held."""
    b = Builder("total")
    total, factor = b.take_shared(8), b.take_shared(8)
    big = b.slot(600)
    b.store(big, 1000, 8)
    b.store(b.shared(total), 0, 8)
    each = b.callback("total_each")
    key, value = each.param(1, KEY), each.param(2, VALUE)
    each.store(each.shared(factor), 0, 8)
    inner = b.callback("total_each_loop")
    index = inner.param(0, U64)
    room = inner.slot(700)
    inner.store(room, index, 8, 692)
    inner.store(
        inner.shared(factor),
        inner.op("add", inner.load(inner.shared(factor), U64), inner.load(room, U64, 692)),
        8,
    )
    inner.ret(inner.ext(inner.compare("uge", index, inner.load(inner.context(), U64)), U64))
    inner.finish()
    each.loop(100, "total_each_loop")
    product = each.op("mul", each.load(key, U64), each.load(value, U64))
    product = each.op("mul", product, each.load(each.shared(factor), U64))
    each.store(each.shared(total), each.op("add", each.load(each.shared(total), U64), product), 8)
    each.ret(each.ext(each.compare("eq", each.load(key, U64), each.load(each.context(), U64, 8)), U64))
    each.finish()
    count = b.each(b.map("table"), "total_each")
    result = b.op("add", b.load(b.shared(total), U64), b.load(big, U64))
    b.ret(b.op("add", b.op("mul", b.cast(count, U64), 1 << 32), result))
    return b.finish()


def _word(value: int) -> bytes:
    return value.to_bytes(8, "little")


def _expect(function: Function, stage: str, scratch: int = 0) -> None:
    check_function(function, stage)
    maps = (TABLE, Map(SCRATCH, MapType.ARRAY, 4, scratch, 1)) if scratch else (TABLE,)
    machine = InterpMachine(maps, cpus=2)
    for key in (2, 3, 5, 7):
        machine.maps["table"].update(_word(key), _word(10 * key))
    assert run(function, machine, _word(3) + _word(5)) == (3 << 32) + 1000 + 10 * (4 + 9 + 25) * 6
    assert run(function, machine, _word(0) + _word(1)) == (4 << 32) + 1000
    assert not any(machine.maps[SCRATCH].find(bytes(4)).data[:8]) if scratch else True  # type: ignore[union-attr]


def test_every_stage_means_the_same() -> None:
    program = build_sum()
    _expect(program, "built")
    _expect(parse_function(print_function(program)), "built")
    for function in program.whole:
        prepare(function, TARGET)
    _expect(program, "legal")
    calls = open_callbacks(program)
    _expect(program, "opened")
    layouts = plan_slots(program, calls)
    scratch = plan_scratch([layouts], TARGET)
    assert scratch is not None
    apply_layout(program, layouts, scratch, TARGET, ("table", 0))
    _expect(program, "placed", scratch.size)
    for function in program.whole:
        split_edges(function)
        select(function)
        simplify.lay_out(function)
        _, size = allocate(function, layouts[function].frame_size, layouts[function].room)
        assert size <= 160
    _expect(program, "allocated", scratch.size)


def test_functions_that_call_one_another_share_no_scratch_memory() -> None:
    program = build_sum()
    for function in program.whole:
        prepare(function, TARGET)
    layouts = plan_slots(program, open_callbacks(program))
    main, each, inner = (layouts[function] for function in program.whole)
    assert main.scratch_size == each.scratch_size == 16 + 600
    assert inner.scratch_size == 16 + 600 + 704


def test_the_kernel_allows_eight_frames() -> None:
    outer = Builder("deep")
    outer.loop(1, "deep_1")
    outer.ret(0)
    program = outer.finish()
    for number in range(1, 9):
        inner = outer.callback(f"deep_{number}")
        if number < 8:
            inner.loop(1, f"deep_{number + 1}")
        inner.ret(0)
        inner.finish()
    with pytest.raises(FeatureError, match="more than 7 deep"):
        plan_slots(program, open_callbacks(program))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "function f\nb0:\n  v0:ptr.map = map m\n  v1:s64 = each g v0\n  ret v1\n",
            "no callback is called 'g'",
        ),
        (
            "function f shared 8\nb0:\n  v0:ptr.value = shared +8\n  v1:u64 = load v0 +0\n  ret v1\n",
            "beyond the",
        ),
        (
            "function f\nb0:\n  v0:u64 = const 1\n  v1:s64 = loop g v0\n  ret v1\n"
            "callback g\nb0:\n  v0:ptr.key = param +1\n  v1:u64 = const 0\n  store.8 v0 +0, v1\n  ret v1\n",
            "store can't touch ptr.key",
        ),
    ],
)
def test_refuses(text: str, complaint: str) -> None:
    with pytest.raises(InternalError, match=complaint):
        check_function(parse_function(text))


def test_a_key_can_not_be_written() -> None:
    text = (
        "function f\nb0:\n  v0:ptr.map = map table\n  v1:s64 = each g v0\n  ret v1\n"
        "callback g\nb0:\n  v0:ptr.value = param +1\n  v1:u64 = const 0\n  store.8 v0 +0, v1\n  ret v1\n"
    )
    machine = InterpMachine((TABLE,))
    machine.maps["table"].update(_word(1), _word(1))
    with pytest.raises(InternalError, match="key of table can't be written to"):
        run(parse_function(text), machine)
