"""Generated functions compute on this kernel what plain Python computes, at every instruction level."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders.ir import Recipe, build, contexts, evaluate, pack, recipes
from probee.base.record import replace
from probee.codegen.info import describe
from probee.codegen.pipeline import compile_unit
from probee.kernel.machine import Kernel
from probee.kernel.survey import survey
from probee.spec.abi import MapFlag, MapType, ProgType
from probee.spec.bundle import Map, Program
from programs import few

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probee.codegen.pipeline import Unit
    from probee.ir.nodes import Function
    from probee.spec.target import Target

pytestmark = [pytest.mark.kernel]

OUT = Map("out", MapType.ARRAY, 4, 16, 1, MapFlag.MMAPABLE)
RESULT, NESTED = 0, 8

QUIET = settings(
    deadline=None,
    max_examples=few(150),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    derandomize=True,
)


LIVE = survey("")
LEVELS = [level for level in (3, 4) if level <= LIVE.isa]


def make_target(isa: int) -> Target:
    return replace(LIVE, isa=isa)


def compile_one(function: Function, isa: int) -> Unit:
    return compile_unit([function], make_target(isa), ("out", NESTED))


def run_in_kernel(unit: Unit, words: Sequence[int]) -> int:
    """Load the unit's only program, run it once on `words`, and give what it left in `out`."""
    code = unit.codes[0]
    btf, ((func_info, line_info),) = describe(unit.codes)
    program = Program(
        "f",
        ProgType.RAW_TRACEPOINT,
        code.code,
        code.relocations,
        code.lines,
        func_info=func_info,
        line_info=line_info,
    )
    with Kernel() as kernel:
        maps = {spec.name: kernel.create_map(spec) for spec in (OUT, *unit.maps)}
        kernel.load(program, maps, btf).test_run(context=pack(words))  # type: ignore[arg-type]
        view = maps["out"].view()
        assert int.from_bytes(view[NESTED : NESTED + 8], "little") == 0
        return int.from_bytes(view[RESULT : RESULT + 8], "little")


@QUIET
@given(recipes(), contexts(), st.sampled_from(LEVELS))
def test_arithmetic_with_many_live_values(recipe: Recipe, words: Sequence[int], isa: int) -> None:
    unit = compile_one(build(recipe, out=("out", RESULT)), isa)
    assert run_in_kernel(unit, words) == evaluate(recipe, words)


@QUIET
@given(recipes(calls=True, slots=True, loops=True), contexts(), st.sampled_from(LEVELS))
def test_calls_memory_and_loops(recipe: Recipe, words: Sequence[int], isa: int) -> None:
    unit = compile_one(build(recipe, out=("out", RESULT)), isa)
    assert run_in_kernel(unit, words) == evaluate(recipe, words)


def test_slots_that_the_stack_cannot_hold_live_in_scratch_memory() -> None:
    from probee.ir.builder import Builder
    from probee.ir.types import U64

    b = Builder("f")
    first = b.load(b.context(), U64, 0)
    slots = [b.slot(size) for size in (16, 400, 1024, 3000)]
    for index, slot in enumerate(slots):
        b.zero(slot, slot.attr[0])
        b.store(slot, b.op("add", first, index), 8, slot.attr[0] - 8)
    big = b.slot(3000)
    b.copy(big, slots[3], 3000)
    total = b.load(big, U64, 2992)
    for slot in slots[:3]:
        total = b.op("add", b.op("mul", total, 31), b.load(slot, U64, slot.attr[0] - 8))
    b.store(b.global_("out", RESULT), total, 8)
    b.ret(0)
    unit = compile_one(b.finish(), LIVE.isa)
    assert [spec.name for spec in unit.maps] == ["scratch"]
    expected = 103
    for index in range(3):
        expected = expected * 31 + 100 + index
    assert run_in_kernel(unit, [100] + [0] * 7) == expected


def test_scratch_memory_is_given_back() -> None:
    from probee.ir.builder import Builder
    from probee.ir.types import U64

    b = Builder("f")
    slot = b.slot(2000)
    b.store(slot, b.load(b.context(), U64, 0), 8)
    early, late = b.new_block(), b.new_block()
    b.branch(b.compare("eq", b.load(slot, U64), 1), early, late)
    b.place(early)
    b.ret(1)
    b.place(late)
    b.atomic_add(b.global_("out", RESULT), 1)
    b.ret(0)
    unit = compile_one(b.finish(), LIVE.isa)
    code = unit.codes[0]
    program = Program("f", ProgType.RAW_TRACEPOINT, code.code, code.relocations)
    with Kernel() as kernel:
        maps = {spec.name: kernel.create_map(spec) for spec in (OUT, *unit.maps)}
        loaded = kernel.load(program, maps)  # type: ignore[arg-type]
        for turn in range(40):
            loaded.test_run(context=pack([turn % 2] + [0] * 7))
        view = maps["out"].view()
        assert int.from_bytes(view[RESULT : RESULT + 8], "little") == 20
        assert int.from_bytes(view[NESTED : NESTED + 8], "little") == 0


@pytest.mark.parametrize("isa", [3, 4])
def test_functions_longer_than_a_jump(isa: int) -> None:
    from probee.base.errors import FeatureError
    from probee.ir.builder import Builder
    from probee.ir.types import U64

    b = Builder("f")
    word = b.load(b.context(), U64, 0)
    skipped, after = b.new_block(), b.new_block()
    b.write("x", word)
    b.branch(b.compare("eq", word, 7), after, skipped)
    b.place(skipped)
    slot = b.slot(256)
    for _ in range(1100):
        b.zero(slot, 256)
    b.write("x", b.op("add", b.load(slot, U64, 248), 5))
    b.jump(after)
    b.place(after)
    b.store(b.global_("out", RESULT), b.read("x", U64), 8)
    b.ret(0)
    function = b.finish()
    if isa < 4:
        with pytest.raises(FeatureError, match=r"f: a jump over 3\d+ instructions .* since 6\.6"):
            compile_one(function, isa)
        return
    if LIVE.isa < isa:
        return
    unit = compile_one(function, isa)
    assert run_in_kernel(unit, [7] + [0] * 7) == 7
    assert run_in_kernel(unit, [9] + [0] * 7) == 5


def test_memory_further_than_an_offset_reaches() -> None:
    from probee.ir.builder import Builder
    from probee.ir.types import U64

    b = Builder("f")
    slot = b.slot(66_000)
    word = b.load(b.context(), U64, 0)
    b.store(slot, word, 8, 65_528)
    b.store(slot, b.op("add", word, 1), 8, 32_760)
    b.atomic_add(slot, 3, 65_528)
    total = b.op("add", b.op("mul", b.load(slot, U64, 65_528), 100), b.load(slot, U64, 32_760))
    b.store(b.global_("out", RESULT), total, 8)
    b.ret(0)
    assert run_in_kernel(compile_one(b.finish(), LIVE.isa), [5] + [0] * 7) == 806
