"""Bytes, constructors and the table of forms."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probee.base.errors import FormatError, UsageError
from probee.isa import ebpf
from probee.isa.check import check_program
from probee.isa.disasm import Syntax, render_insn
from probee.isa.ebpf import Alu, Atomic, Insn, Jump, Size, decode, encode
from probee.isa.fields import End
from probee.isa.forms import FIELDS, FORMS, find_form

from .programs import INSNS


@given(st.lists(INSNS, max_size=8), st.booleans())
def test_decode_is_the_inverse_of_encode(insns: list[Insn], little: bool) -> None:
    assert decode(encode(insns, little=little), little=little) == insns


@given(st.binary(max_size=64))
def test_random_bytes_raise_format_error_and_nothing_else(data: bytes) -> None:
    try:
        insns = decode(data)
        check_program(insns)
    except FormatError:
        return
    assert encode(insns) == data


@given(st.binary(max_size=8).map(lambda b: b * 8))
def test_lenient_decoding_loses_nothing(data: bytes) -> None:
    try:
        insns = decode(data, strict=False)
    except FormatError:
        return
    assert encode(insns) == data
    for insn in insns:
        assert render_insn(insn)


# What the kernel's own encoding of these is, from RFC 9669 by hand.
BYTES = {
    "0f10000000000000": ebpf.alu_reg(Alu.ADD, 0, 1),
    "04 03 00 00 ffffffff": ebpf.alu_imm(Alu.ADD, 3, -1, wide=False),
    "37 02 01 00 07000000": ebpf.alu_imm(Alu.SDIV, 2, 7),
    "bf 21 20 00 00000000": ebpf.alu_reg(Alu.MOVSX32, 1, 2),
    "dc 01 00 00 10000000": ebpf.swap(End.BE, 1, 16),
    "61 12 08 00 00000000": ebpf.load(Size.W, 2, 1, 8),
    "91 12 fe ff 00000000": ebpf.load_signed(Size.B, 2, 1, -2),
    "7a 0a f8 ff ffffffff": ebpf.store_imm(Size.DW, 10, -8, -1),
    "7b 1a f8 ff 00000000": ebpf.store_reg(Size.DW, 10, -8, 1),
    "db 21 08 00 01000000": ebpf.atomic(Atomic.ADD, Size.DW, 1, 8, 2, fetch=True),
    "c3 21 00 00 f1000000": ebpf.atomic(Atomic.CMPXCHG, Size.W, 1, 0, 2),
    "d3 12 00 00 00010000": ebpf.load_acquire(Size.B, 2, 1),
    "65 01 03 00 05000000": ebpf.jump_imm(Jump.SGT, 1, 5, 3),
    "1e 21 ff ff 00000000": ebpf.jump_reg(Jump.EQ, 1, 2, -1, wide=False),
    "06 00 00 00 00000100": ebpf.ja32(65536),
    "e5 00 02 00 00000000": ebpf.may_goto(2),
    "85 00 00 00 05000000": ebpf.call(5),
    "85 10 00 00 feffffff": ebpf.call_local(-2),
    "85 20 01 00 d2040000": ebpf.call_kfunc(1234, 1),
    "95 00 00 00 00000000": ebpf.exit_(),
    "18 01 00 00 78563412 00 00 00 00 f0debc9a": ebpf.lddw(1, 0x9ABCDEF0_12345678),
    "18 21 00 00 07000000 00 00 00 00 10000000": ebpf.ld_map_value(1, 7, 16),
    "28 00 00 00 0c000000": ebpf.load_abs(Size.H, 12),
}


@pytest.mark.parametrize(("text", "insn"), BYTES.items(), ids=[render_insn(i) for i in BYTES.values()])
def test_constructors_give_the_bytes_of_the_standard(text: str, insn: Insn) -> None:
    assert encode([insn]) == bytes.fromhex(text)


def test_big_endian_swaps_fields_and_nibbles() -> None:
    assert encode([ebpf.load(Size.W, 2, 1, 8)], little=False) == bytes.fromhex("61 21 00 08 00000000")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("95", "insn 0: expected 8 bytes, got 1"),
        ("b700000000000000 9500", "insn 1: expected 8 bytes, got 2"),
        ("18 00 00 00 00000000", "insn 0: expected a second half of lddw, got the end"),
        ("18 00 00 00 00000000 18 00 00 00 00000000", "insn 1: expected an empty second half of lddw"),
        ("ff 00 00 00 00000000", "insn 0: unknown opcode 0xff"),
        ("85 30 00 00 00000000", "insn 0: unknown opcode 0x85 with src 3"),
        ("db 00 00 00 02000000", "insn 0: unknown opcode 0xdb with imm 2"),
        ("95 01 00 00 00000000", "insn 0: exit: expected dst 0, got 1"),
        ("0f 00 00 00 01000000", "insn 0: add_reg: expected imm 0, got 1"),
        ("b7 0f 00 00 00000000", "insn 0: mov_imm: expected registers r0..r11"),
    ],
)
def test_malformed_bytes_name_the_instruction(data: str, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        decode(bytes.fromhex(data))
    assert message in caught.value.message


@pytest.mark.parametrize(
    "insn", [Insn(0xB7, 16), Insn(0xB7, 0, 0, 0x8000), Insn(0xB7, 0, 0, 0, 1 << 31), Insn(256)]
)
def test_fields_out_of_range_are_refused(insn: Insn) -> None:
    with pytest.raises(UsageError, match=r"insn 1: expected an 8-bit code"):
        encode([ebpf.exit_(), insn])


def test_every_form_has_a_name_and_two_texts_of_its_own() -> None:
    for key in ("name", "kernel", "suite"):
        assert len({getattr(form, key) for form in FORMS}) == len(FORMS)


def test_both_texts_of_a_form_show_the_same_fields() -> None:
    for form in FORMS:
        assert {FIELDS[hole] for hole in re.findall(r"\{(\w+)\}", form.suite)} == form.operands, form.name


def test_find_form_tells_variants_of_one_opcode_apart() -> None:
    names = [
        getattr(find_form(insn), "name", None)
        for insn in (Insn(0xBF), Insn(0xBF, off=8), Insn(0xBF, off=1), Insn(0xBF, off=5), Insn(0x05))
    ]
    assert names == ["mov_reg", "movsx864", "addr_space_cast", None, "ja"]


@pytest.mark.parametrize(
    ("insns", "message"),
    [
        ([], "expected at least one instruction"),
        ([ebpf.mov_imm(0, 1)], "insn 0: r0 = 1: the program runs off its end"),
        ([ebpf.ja(1), ebpf.exit_()], "insn 0: goto +1: jumps out of the program, to slot 2"),
        ([ebpf.ja(-2), ebpf.exit_()], "insn 0: goto -2: jumps out of the program, to slot -1"),
        ([ebpf.ja(1), ebpf.lddw(0, 1), ebpf.exit_()], "insn 0: goto +1: jumps into the middle of a lddw"),
        ([ebpf.call_local(5), ebpf.exit_()], "insn 0: call pc+5: jumps out of the program"),
        ([ebpf.alu_imm(Alu.DIV, 0, 0), ebpf.exit_()], "insn 0: r0 /= 0: divides by 0"),
        ([ebpf.alu_imm(Alu.LSH, 0, 32, wide=False), ebpf.exit_()], "insn 0: w0 <<= 32: shifts by the width"),
        ([ebpf.mov_imm(10, 0), ebpf.exit_()], "insn 0: r10 = 0: writes the frame pointer"),
    ],
)
def test_check_program_names_instruction_and_text(insns: list[Insn], message: str) -> None:
    with pytest.raises(FormatError) as caught:
        check_program(insns)
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("insn", "kernel", "suite"),
    [
        (ebpf.load(Size.W, 2, 1, 8), "w2 = *(u32 *)(r1 + 8)", "ldxw %r2, [%r1+8]"),
        (ebpf.jump_imm(Jump.SGT, 1, 5, 3), "if r1 s> 5 goto +3", "jsgt %r1, 5, +3"),
        (ebpf.atomic(Atomic.ADD, Size.DW, 1, 0, 2), "lock *(u64 *)(r1 + 0) += r2", "lock add [%r1], %r2"),
        (
            ebpf.atomic(Atomic.ADD, Size.DW, 1, -8, 2, fetch=True),
            "r2 = atomic64_fetch_add((u64 *)(r1 - 8), r2)",
            "lock fetch add [%r1-8], %r2",
        ),
        (ebpf.lddw(1, -1), "r1 = 0xffffffffffffffff ll", "lddw %r1, 0xffffffffffffffff"),
        (ebpf.ld_map_value(1, 7, 16), "r1 = map[fd:7][0]+16", "lddw %r1, map[fd:7][0]+16"),
        (Insn(0xF0, 1), "insn 0xf0 1 0 0 0", "insn 0xf0 1 0 0 0"),
    ],
)
def test_texts(insn: Insn, kernel: str, suite: str) -> None:
    assert render_insn(insn) == kernel
    assert render_insn(insn, syntax=Syntax.SUITE) == suite


def test_names_are_asked_for_calls_and_maps() -> None:
    names = {0: "bpf_ktime_get_ns", 1: "counts"}
    ask = lambda insn, slot: names.get(slot)  # noqa: E731
    assert render_insn(ebpf.call(5), 0, name=ask) == "call bpf_ktime_get_ns#5"
    assert render_insn(ebpf.ld_map_fd(1, 4), 1, name=ask) == "r1 = map[fd:4 counts]"
    assert render_insn(ebpf.ja(3), 4, label=lambda slot: f"L{slot}") == "goto L8"
