"""The translator does what the decode loop does, for programs made at random."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from probee.isa import ebpf
from probee.isa.asm import assemble
from probee.isa.ebpf import LDDW, Insn
from probee.isa.fields import Class, Mode
from probee.isa.forms import FORMS, Form
from probee.vm.alu import ALU, JUMPS, divide_signed, modulo_signed
from probee.vm.fault import Fault
from probee.vm.machine import Vm

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

_LEFT_OUT = {"gotox", "addr_space_cast", "call", "call_kfunc", "callx", "call_local", "lddw_func"}
_USED = [form for form in FORMS if form.name not in _LEFT_OUT and not form.name.startswith("lddw_")]
_JUMPING = ("j", "may_goto")
_NUMBERS = st.one_of(
    st.sampled_from((0, 1, -1, 2, 31, 32, 63, 64, 0x7FFFFFFF, -0x80000000, 255, -255, 0x8000)),
    st.integers(-(1 << 31), (1 << 31) - 1),
)
_WIDE = st.one_of(
    st.sampled_from((0, 1, 1 << 63, (1 << 64) - 1, 1 << 31, 1 << 32)), st.integers(0, (1 << 64) - 1)
)


@st.composite
def programs(draw: DrawFn) -> list[Insn]:
    """Programs of every kind of instruction: registers set, then anything, jumps both ways."""
    body = [ebpf.lddw(register, draw(_WIDE)) for register in (0, 3, 4, 5, 7, 8, 9)]
    body.append(ebpf.mov_reg(6, 1))
    length = draw(st.integers(1, 24))
    for _ in range(length):
        body.append(_insn(draw, draw(st.sampled_from(_USED)), length))
    body.append(ebpf.exit_())
    return _retarget(body)


def _insn(draw: DrawFn, form: Form, length: int) -> Insn:
    kind = form.code & 7
    register = st.sampled_from((0, 3, 4, 5, 7, 8, 9))
    values = {"dst": draw(register), "src": draw(register), "off": draw(st.integers(-length, length))}
    values["imm"] = draw(_WIDE if form.code == LDDW else _NUMBERS)
    if kind in (Class.LDX, Class.ST, Class.STX):
        # Mostly inside the context or the stack, so that most accesses are right.
        base, low, high = draw(
            st.sampled_from(((6, 0, 56), (10, -64, -8), (6, 57, 64), (6, -2, -1), (7, 0, 0)))
        )
        loads = kind == Class.LDX or form.name.startswith("ldacq")
        values["src" if loads else "dst"] = base
        values["off"] = draw(st.integers(low, high))
    if form.code & 0xE0 in (Mode.ABS, Mode.IND) and kind == Class.LD:
        values["imm"] = draw(st.integers(0, 40))
    return Insn(form.code, **{f: values[f] if f in form.operands else getattr(form, f, 0) for f in _FIELDS})


_FIELDS = ("dst", "src", "off", "imm")


def _retarget(body: list[Insn]) -> list[Insn]:
    """Let every jump go to the start of some instruction."""
    slots, at = [], 0
    for insn in body:
        slots.append(at)
        at += insn.slots
    out = []
    for index, insn in enumerate(body):
        jumps = insn.code & 7 in (Class.JMP, Class.JMP32) and insn.code != ebpf.EXIT
        if jumps:
            wanted = insn.imm if insn.code == ebpf.JA32 else insn.off
            target = slots[(index + 1 + wanted) % len(body)]
            distance = target - slots[index] - 1
            if insn.code == ebpf.JA32:
                insn = Insn(insn.code, imm=distance)
            else:
                insn = Insn(insn.code, insn.dst, insn.src, distance, insn.imm)
        out.append(insn)
    return out


def _outcome(insns: list[Insn], interpret: bool) -> tuple[object, ...]:
    vm = Vm(budget=400, interpret=interpret)
    vm.loop_limit = 5
    context = bytearray(range(64))
    program = vm.load_insns(insns)
    try:
        result: object = program.run_context(context, bytes(range(100, 132)))
    except Fault as fault:
        return fault.message, bytes(context)
    return result, bytes(context), vm.left


@given(programs())
def test_both_engines_do_the_same(insns: list[Insn]) -> None:
    assert _outcome(insns, False) == _outcome(insns, True)


_SHAPES = {
    "nested loops": """
        r0 = 0
        r1 = 5
    outer:
        r2 = 5
    inner:
        r0 += 1
        r2 -= 1
        if r2 != 0 goto inner
        r1 -= 1
        if r1 != 0 goto outer
        exit
    """,
    "a diamond in a loop": """
        r0 = 0
        r1 = 9
    again:
        r2 = r1
        r2 &= 1
        if r2 == 0 goto even
        r0 += 100
        goto next
    even:
        r0 += 1
    next:
        r1 -= 1
        if r1 s> 0 goto again
        exit
    """,
    "both ways to one place": "r0 = 1\nif r0 == 1 goto +0\nif r0 == 2 goto +0\nr0 += 1\nexit",
    "a loop that ends by its budget": "r0 = 0\nagain: r0 += 1\ngoto again",
    "functions": """
        r1 = 7
        call double
        r6 = r0
        r1 = r6
        call double
        exit
    double:
        *(u64 *)(r10 - 8) = r1
        r0 = *(u64 *)(r10 - 8)
        r0 += r0
        exit
    """,
    "a callback": """
        r1 = 10
        r2 = subprog[add]
        r3 = r10
        r3 += -8
        *(u64 *)(r10 - 8) = 0
        r4 = 0
        call bpf_loop
        r0 = *(u64 *)(r10 - 8)
        exit
    add:
        r3 = *(u64 *)(r2 + 0)
        r3 += r1
        *(u64 *)(r2 + 0) = r3
        r0 = 0
        if r1 < 6 goto done
        r0 = 1
    done:
        exit
    """,
    "a register that is lost in a call": "r3 = 1\ncall ktime_get_ns\nr0 = r3\nexit",
    "one that is written on one way only": "r0 = 0\nif r1 == 0 goto +1\nr7 = 1\nr0 = r7\nexit",
    "may_goto": "r0 = 0\nagain: r0 += 1\nmay_goto +1\ngoto again\nexit",
}


@pytest.mark.parametrize("text", _SHAPES.values(), ids=_SHAPES.keys())
def test_shapes_of_control_flow(text: str) -> None:
    insns = assemble(text)
    assert _outcome(insns, False) == _outcome(insns, True)


@pytest.mark.parametrize(
    ("shape", "result"),
    [
        ("nested loops", 25),
        ("a diamond in a loop", 504),
        ("functions", 28),
        ("a callback", 21),
        ("may_goto", 6),
    ],
)
def test_shapes_give_what_they_must(shape: str, result: int) -> None:
    assert _outcome(assemble(_SHAPES[shape]), False)[0] == result


@given(st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 64) - 1))
@example(1 << 63, (1 << 64) - 1)
def test_signed_division_is_cs(a: int, b: int) -> None:
    quotient, rest = divide_signed(a, b, 64), modulo_signed(a, b, 64)
    if b:
        assert (quotient * b + rest) & (1 << 64) - 1 == a
    else:
        assert (quotient, rest) == (0, a)


# -13 % 3 is -1 in C and 2 in Python; the lowest number divided by -1 wraps.
@pytest.mark.parametrize(
    ("a", "b", "quotient", "rest"),
    [(-13, 3, -4, -1), (13, -3, -4, 1), (-(1 << 31), -1, -(1 << 31), 0), (5, 0, 0, 5)],
)
def test_signed_division_by_example(a: int, b: int, quotient: int, rest: int) -> None:
    mask = (1 << 32) - 1
    assert divide_signed(a & mask, b & mask, 32) == quotient & mask
    assert modulo_signed(a & mask, b & mask, 32) == rest & mask


def test_every_operation_has_a_meaning() -> None:
    assert set(ALU) == set(ebpf.Alu)
    assert set(JUMPS) == set(ebpf.Jump) - {ebpf.Jump.JA, ebpf.Jump.CALL, ebpf.Jump.EXIT, ebpf.Jump.COND}
