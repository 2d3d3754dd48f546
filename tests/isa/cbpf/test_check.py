"""What the kernel refuses, refused with the instruction's number and text."""

from __future__ import annotations

import pytest
from hypothesis import given

from probee.base.errors import FormatError
from probee.isa.cbpf.asm import parse_asm
from probee.isa.cbpf.check import check_filter, check_seccomp
from probee.isa.cbpf.insn import Op, Sock

from .filters import filters

RET = Sock(Op.RET_K)


@given(filters(headers=True))
def test_generated_filters_are_legal(insns: list[Sock]) -> None:
    check_filter(insns)


@pytest.mark.parametrize(
    ("insns", "message"),
    [
        ([], "expected 1..4096 instructions, got 0"),
        ([RET] * 5000, "expected 1..4096 instructions, got 5000"),
        ([Sock(0x99), RET], "insn 0: unknown opcode 0x0099"),
        ([Sock(Op.TAX)], "insn 0: tax: expected a ret as the last instruction"),
        ([Sock(Op.JA, k=1), RET], "insn 0: ja       2: jumps out of the program, to 2"),
        ([Sock(Op.JA, k=0xFFFFFFFF), RET], "jumps out of the program"),
        ([Sock(Op.JEQ_K, 0, 1), RET], "jumps out of the program, to 2"),
        ([Sock(Op.DIV_K), RET], "insn 0: div      #0: divides by 0"),
        ([Sock(Op.LSH_K, k=32), RET], "insn 0: lsh      #32: shifts by 32 or more"),
        ([Sock(Op.ST, k=16), RET], "insn 0: st       M[16]: expected a cell of M[0]..M[15]"),
        ([Sock(Op.LD_MEM, k=3), RET], "insn 0: ld       M[3]: M[3] is read before it is written"),
        ([Sock(Op.LD_W_ABS, k=0xFFFFF001), RET], "there is no ancillary load 1"),
    ],
)
def test_illegal_filters(insns: list[Sock], message: str) -> None:
    with pytest.raises(FormatError) as caught:
        check_filter(insns)
    assert message in caught.value.message


def test_scratch_memory_must_be_written_on_all_paths() -> None:
    one_way = parse_asm("ld #1\njeq #1, yes, no\nyes: st M[0]\nno: ld M[0]\nret a")
    with pytest.raises(FormatError, match=r"insn 3: .*M\[0\] is read before it is written"):
        check_filter(one_way)
    check_filter(parse_asm("ld #1\njeq #1, yes, no\nyes: st M[0]\nja end\nno: st M[0]\nend: ld M[0]\nret a"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ldh [0]\nret #0", "seccomp filters may not do this"),
        ("ld [2]\nret #0", "expected a multiple of 4 below 64"),
        ("ld [64]\nret #0", "expected a multiple of 4 below 64"),
        ("mod #3\nret #0", "seccomp filters may not do this"),
        ("ld proto\nret #0", "expected a multiple of 4 below 64"),
    ],
)
def test_seccomp_refuses_more(text: str, message: str) -> None:
    insns = parse_asm(text)
    check_filter(insns)
    with pytest.raises(FormatError, match=message):
        check_seccomp(insns)
