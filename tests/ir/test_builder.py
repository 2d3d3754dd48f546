"""What the Builder folds, and its SSA where control flow is unusual."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probee.ir.builder import Builder
from probee.ir.check import check_function
from probee.ir.interp import InterpMachine, run
from probee.ir.nodes import Block, Value
from probee.ir.text import print_function
from probee.ir.types import BOOL, S64, U8, U32, U64, VALUE_OR_NULL, IntType

if TYPE_CHECKING:
    from collections.abc import Callable

WORD = st.one_of(st.integers(-3, 70), st.integers(0, (1 << 64) - 1), st.sampled_from([1 << 63, 1 << 32]))


def _run(b: Builder, *words: int) -> int:
    function = b.finish()
    check_function(function)
    context = b"".join((w & ((1 << 64) - 1)).to_bytes(8, "little") for w in words)
    return run(function, InterpMachine(), context)


def _ops(b: Builder) -> list[str]:
    return [v.op for block in b.finish().blocks for v in block.values]


# ---- variables


def test_write_after_the_end_of_a_block_is_not_seen_by_its_successors() -> None:
    b = Builder("f")
    after = b.new_block()
    b.write("x", b.const(1))
    b.jump(after)
    b.write("x", b.op("add", b.load(b.context(), U64), 1))
    b.place(after)
    b.ret(b.read("x", U64))
    assert _run(b, 7) == 1


def test_loop_that_nothing_enters() -> None:
    b = Builder("f")
    b.write("x", b.const(1))
    b.ret(b.read("x", U64))
    head, inside, after = b.new_block(), b.new_block(), b.new_block()
    b.jump(head)
    b.place(head, sealed=False)
    b.branch(b.call("ktime_get_ns"), inside, after)
    b.place(inside)
    b.jump(head)
    b.seal(head)
    b.place(after)
    b.ret(b.read("x", U64))
    assert _run(b) == 1
    assert len(b.function.blocks) == 1


def test_long_scripts_do_not_exhaust_the_stack() -> None:
    b = Builder("f")
    word = b.load(b.context(), U64)
    b.write("old", word)
    for _ in range(2000):
        yes, after = b.new_block(), b.new_block()
        b.branch(b.call("get_prandom_u32"), yes, after)
        b.place(yes)
        b.jump(after)
        b.place(after)
    b.ret(b.read("old", U64))
    assert _run(b, 5) == 5
    assert "phi" not in _ops(b)


def test_variable_never_written_is_0() -> None:
    b = Builder("f")
    yes, after = b.new_block(), b.new_block()
    b.branch(b.load(b.context(), U64), yes, after)
    b.place(yes)
    b.write("x", b.const(3))
    b.jump(after)
    b.place(after)
    b.ret(b.read("x", U64))
    assert _run(b, 1) == 3
    assert run(b.function, InterpMachine(), bytes(8)) == 0


def test_variables_swapped_in_a_loop() -> None:
    b = Builder("f")
    for name, number in (("a", 1), ("b", 2), ("i", 0)):
        b.write(name, b.const(number))
    head, inside, after = b.new_block(), b.new_block(), b.new_block()
    count = b.load(b.context(), U64)
    b.jump(head)
    b.place(head, sealed=False)
    b.branch(b.compare("ult", b.read("i", U64), count), inside, after)
    b.place(inside)
    first, second = b.read("a", U64), b.read("b", U64)
    b.write("a", second)
    b.write("b", first)
    b.write("i", b.op("add", b.read("i", U64), 1))
    b.jump(head)
    b.seal(head)
    b.place(after)
    b.ret(b.op("add", b.op("mul", b.read("a", U64), 10), b.read("b", U64)))
    assert _run(b, 2) == 12
    assert run(b.function, InterpMachine(), (3).to_bytes(8, "little")) == 21


def test_phi_whose_other_way_is_dead_is_taken_out() -> None:
    b = Builder("f")
    dead, after = b.new_block(), b.new_block()
    b.write("x", b.load(b.context(), U64))
    b.branch(b.const(0), dead, after)
    b.place(dead)
    b.write("x", b.const(9))
    b.jump(after)
    b.place(after)
    b.ret(b.read("x", U64))
    assert _run(b, 4) == 4
    assert "phi" not in _ops(b)


def test_block_that_is_never_sealed() -> None:
    b = Builder("f")
    head = b.new_block()
    b.jump(head)
    b.place(head, sealed=False)
    b.ret(b.read("x", U64))
    with pytest.raises(AssertionError, match="never sealed"):
        b.finish()


# ---- folding


@given(WORD, st.sampled_from(["mul", "udiv", "umod"]), st.integers(0, 63))
def test_powers_of_two(word: int, op: str, bit: int) -> None:
    b = Builder("f")
    value = b.load(b.context(), U64)
    result = b.op(op, value, 1 << bit)
    assert result.op not in ("mul", "udiv", "umod") or bit == 0
    b.ret(result)
    word &= (1 << 64) - 1
    expected = {"mul": word << bit, "udiv": word >> bit, "umod": word % (1 << bit)}[op]
    assert _run(b, word) == expected & ((1 << 64) - 1)


@given(WORD, st.sampled_from(["udiv", "umod", "mul", "shl", "lshr", "ashr", "and", "sub"]), WORD)
def test_constant_on_the_right(word: int, op: str, number: int) -> None:
    plain, folded = Builder("f"), Builder("f")
    left, right = plain.load(plain.context(), U64), plain.load(plain.context(), U64, 8)
    plain.ret(plain.op(op, left, right))
    folded.ret(folded.op(op, folded.load(folded.context(), U64), number))
    assert _run(folded, word) == _run(plain, word, number)


@pytest.mark.parametrize(("number", "expected"), [(256, 1), (255, 0), (-1, 1)])
def test_compared_constant_keeps_its_width(number: int, expected: int) -> None:
    b = Builder("f")
    b.ret(b.compare("ult", b.load(b.context(), U8), number))
    assert _run(b, 255) == expected


OPPOSITES = ["eq", "ne", "ult", "ule", "ugt", "uge", "slt", "sle", "sgt", "sge"]


@given(st.sampled_from(OPPOSITES), WORD, WORD, st.booleans(), st.sampled_from([BOOL, U32, U64]))
def test_truth_tested_again(op: str, x: int, y: int, wanted: bool, type: IntType) -> None:
    b = Builder("f")
    c = b.context()
    left, right = b.load(c, S64, 0), b.load(c, S64, 8)
    truth = b.compare(op, left, right)
    b.ret(b.compare("ne" if wanted else "eq", b.ext(truth, type), 0))
    plain = Builder("f")
    c = plain.context()
    plain.ret(plain.compare(op, plain.load(c, S64, 0), plain.load(c, S64, 8)))
    assert _run(b, x, y) == int(bool(_run(plain, x, y)) == wanted)
    kept = [v for v in b.function.blocks[0].values if v.op in ("eq", "ne") and v.args[1].op == "const"]
    assert kept == []


def test_null_test_is_not_taken_for_truth() -> None:
    b = Builder("f")
    slot = b.slot(8)
    b.zero(slot, 8)
    found = b.call("map_lookup_elem", b.map("m"), slot)
    assert found.type == VALUE_OR_NULL
    test = b.compare("ne", found, 0)
    assert (test.op, test.args[0]) == ("ne", found)
    assert b.compare("ne", test, 0) is test


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda b, x: b.op("add", x, 0), "x"),
        (lambda b, x: b.op("mul", x, 1), "x"),
        (lambda b, x: b.op("and", x, -1), "x"),
        (lambda b, x: b.op("and", x, 0), 0),
        (lambda b, x: b.op("add", b.const(2), b.const(-3)), -1),
        (lambda b, x: b.op("sdiv", b.const(1 << 63), b.const(-1), S64), -(1 << 63)),
        (lambda b, x: b.op("udiv", b.const(5), 0), 0),
        (lambda b, x: b.op("umod", b.const(5), 0), 5),
        (lambda b, x: b.neg(b.const(1)), -1),
        (lambda b, x: b.ext(b.const(0x1FF), U8), 0xFF),
        (lambda b, x: b.cast(b.const(-1), S64), -1),
        (lambda b, x: b.compare("sgt", b.const(1), b.const(-1)), 1),
        (lambda b, x: b.compare("ugt", b.const(1), b.const(-1)), 0),
        (lambda b, x: b.ext(x, U64), "x"),
        (lambda b, x: b.offset(b.slot(8), 0).args, []),
    ],
)  # fmt: skip
def test_folds(make: Callable[[Builder, Value], object], expected: object) -> None:
    b = Builder("f")
    x = b.load(b.context(), U64)
    result = make(b, x)
    if not isinstance(result, Value):
        assert result == expected
    elif expected == "x":
        assert result is x
    else:
        assert isinstance(expected, int)
        assert (result.op, result.imm & ((1 << 64) - 1)) == ("const", expected & ((1 << 64) - 1))


def test_constant_goes_right() -> None:
    b = Builder("f")
    x = b.load(b.context(), U64)
    five = b.const(5)
    for value in (b.op("add", five, x), b.compare("eq", five, x)):
        assert value.args == [x, five]
    assert b.op("sub", five, x).args == [five, x]


def test_branch_on_a_constant_leaves_one_way() -> None:
    b = Builder("f")
    yes, no = b.new_block(), b.new_block()
    b.branch(b.compare("ne", b.const(0), 0), yes, no)
    b.place(yes)
    b.ret(1)
    b.place(no)
    b.ret(2)
    assert _run(b) == 2
    assert print_function(b.function).count("ret") == 1


def test_code_after_the_end_goes_nowhere() -> None:
    b = Builder("f")
    b.ret(1)
    b.store(b.slot(8), 1, 8)
    b.jump(Block("never"))
    b.branch(b.const(1), Block("never"), Block("never"))
    b.ret(2)
    assert _ops(b) == ["const", "ret"]


def test_offset_of_a_global_is_one_address() -> None:
    b = Builder("f")
    address = b.offset(b.global_("g", 8), 16)
    assert (address.op, address.imm, address.attr) == ("global", 24, "g")
