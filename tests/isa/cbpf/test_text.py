"""Filters written down and read back, in every form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probee.base.errors import FormatError, SourceError, UsageError
from probee.isa.cbpf.asm import parse_asm
from probee.isa.cbpf.forms import EXTRAS, FORMS
from probee.isa.cbpf.insn import Ancillary, Op, Sock, decode_filter, encode_filter
from probee.isa.cbpf.text import RENDERERS, parse_filter, render_asm, render_meaning, render_sock

from .filters import filters

# IPv4, TCP, not a fragment, port 80: what tcpdump makes of `ip and tcp port 80`, by hand.
WEB = """
        ldh [12]
        jne #0x800, drop
        ldb [23]
        jneq #6, drop
        ldh [20]
        jset #0x1fff, drop, whole
whole:  ldxb 4*([14]&0xf)
        ldh [x + 14]
        jeq #80, keep
        ldh [x + 16]
        jeq #80, keep, drop
keep:   ret #262144     ; as much as there is
drop:   ret #0
"""


def test_there_are_49_instructions() -> None:
    assert len(FORMS) == 49 == len(Op)
    assert set(EXTRAS) == set(Ancillary)


@pytest.mark.parametrize("form", sorted(RENDERERS))
@given(filters(ancillary=list(Ancillary), headers=True))
def test_every_form_comes_back(form: str, insns: list[Sock]) -> None:
    assert parse_filter(RENDERERS[form](insns).encode()) == insns


@given(filters(), st.booleans())
def test_bytes_come_back(insns: list[Sock], little: bool) -> None:
    assert decode_filter(encode_filter(insns, little=little), little=little) == insns


@given(st.binary(max_size=80))
def test_random_bytes(data: bytes) -> None:
    try:
        insns = parse_filter(data)
    except (FormatError, SourceError):
        return
    for index, insn in enumerate(insns):
        assert render_sock(insn, index)
        assert render_meaning(insn, index)


@given(st.text(alphabet="ldxhbjeqt ra#0123456789[]+*&().,:{}xM\n", max_size=60))
def test_random_text(text: str) -> None:
    try:
        parse_filter(text.encode())
    except (FormatError, SourceError) as error:
        error.render()


def test_assembler_and_listing() -> None:
    insns = parse_asm(WEB)
    assert [insn.code for insn in insns[:4]] == [Op.LD_H_ABS, Op.JEQ_K, Op.LD_B_ABS, Op.JEQ_K]
    assert insns[1] == Sock(Op.JEQ_K, 0, 10, 0x800)
    listing = RENDERERS["listing"](insns).splitlines()
    assert listing[0] == "(000) ldh      [12]"
    assert listing[5] == "(005) jset     #0x1fff          jt 12\tjf 6"
    assert listing[6] == "(006) ldxb     4*([14]&0xf)"
    assert RENDERERS["line"](insns).startswith("13,40 0 0 12,21 0 10 2048,")
    assert RENDERERS["c"](insns).startswith("{ 0x28, 0, 0, 0x0000000c },\n")


@pytest.mark.parametrize("number", list(Ancillary))
def test_ancillary_loads_have_names(number: Ancillary) -> None:
    insn = Sock(Op.LD_W_ABS, 0, 0, 0xFFFFF000 + number)
    assert parse_asm(f"ld {EXTRAS[number].asm}") == [insn]
    assert parse_asm(f"ld #{EXTRAS[number].asm}") == [insn]
    assert render_asm([insn]).split() == ["ld", EXTRAS[number].asm]
    assert render_meaning(insn) == f"A = {EXTRAS[number].meaning}"


def test_the_disassembly_of_seccomp_tools_is_read() -> None:
    text = """
     line  CODE  JT   JF      K
    =================================
     0000: 0x20 0x00 0x00 0x00000004  A = arch
     0001: 0x15 0x01 0x00 0xc000003e  if (A == ARCH_X86_64) goto 0003
     0002: 0x06 0x00 0x00 0x00000000  return KILL
     0003: 0x06 0x00 0x00 0x7fff0000  return ALLOW
    """
    assert parse_filter(text.encode()) == [
        Sock(0x20, 0, 0, 4),
        Sock(0x15, 1, 0, 0xC000003E),
        Sock(6, 0, 0, 0),
        Sock(6, 0, 0, 0x7FFF0000),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a filter, got nothing"),
        ("3\n6 0 0 0", "expected 3 instructions, as the first number says, got 1"),
        ("2,6 0 0 0,6 0 0", "insn 1: expected four numbers, got '6 0 0'"),
        ("1,6 256 0 0", "insn 0: expected a jt of 0..255, got 256"),
        ("{ 0x10000, 0, 0, 0 },", "insn 0: expected a code of 0..65535, got 65536"),
    ],
)
def test_wrong_numbers(text: str, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_filter(text.encode())
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "subb #1",
            "<filter>:1:1-8: ERROR: unknown instruction 'subb'\nsubb #1\n~~~~~~~\nHINT: did you mean sub?",
        ),
        (
            "ld protp",
            "<filter>:1:1-9: ERROR: ld doesn't take 'protp'\nld protp\n~~~~~~~~\nHINT: did you mean proto?",
        ),
        ("jeq #1, yes\nret #0", "<filter>:1:1-12: ERROR: unknown label 'yes'\njeq #1, yes\n~~~~~~~~~~~"),
        ("a: ret #0\njeq #1, a", "<filter>:2:1-10: ERROR: jumps backwards, to a\njeq #1, a\n~~~~~~~~~"),
        ("st", "<filter>:1:1-3: ERROR: st wants an operand\nst\n~~"),
        (
            "ld #0x1ffffffff",
            "<filter>:1:1-16: ERROR: expected a number of 32 bits, got 0x1ffffffff\n"
            "ld #0x1ffffffff\n~~~~~~~~~~~~~~~",
        ),
    ],
)
def test_wrong_text(text: str, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse_filter(text.encode())
    assert caught.value.render() == message


def test_fields_out_of_range() -> None:
    with pytest.raises(UsageError, match="insn 0: expected a 16-bit code"):
        encode_filter([Sock(6, 256, 0, 0)])
