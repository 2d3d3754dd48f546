"""Conversion: its shape, what it can't do, and the words that explain it. Verdicts are in tests/vm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probee.base.errors import FeatureError, FormatError
from probee.isa.cbpf.asm import parse_asm
from probee.isa.cbpf.convert import convert_filter
from probee.isa.cbpf.explain import explain_filter
from probee.isa.cbpf.insn import Op, Sock
from probee.isa.check import check_program
from probee.isa.disasm import render_insn
from probee.isa.forms import find_form

from .filters import filters


def _convert(text: str, level: int = 3) -> list[str]:
    conversion = convert_filter(parse_asm(text), level=level)
    return [render_insn(insn) for insn in conversion.insns[conversion.starts[0] :]]


@given(filters(headers=True), st.integers(1, 4))
def test_conversions_are_programs_of_their_level(insns: list[Sock], level: int) -> None:
    conversion = convert_filter(insns, level=level)
    check_program(conversion.insns)
    for insn in conversion.insns:
        form = find_form(insn)
        assert form is not None
        assert form.cpu <= level, form.name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ret #4294967295", ["w0 = -1", "exit"]),
        ("div x\nret a", ["if r7 != 0 goto +2", "w0 = 0", "exit", "w0 /= w7", "exit"]),
        ("jeq #1, 1, 2\nret #0\nret #1", ["if r0 != 1 goto +2", "w0 = 0", "exit", "w0 = 1", "exit"]),
        ("ja 1\nret #0", ["goto +0", "w0 = 0", "exit"]),
        ("ja end\nret #1\nend: ret #2", ["goto +0", "w0 = 2", "exit"]),
        ("ld rand\nret a", ["call 7", "exit"]),
        ("ld proto\nret a", ["w0 = *(u32 *)(r6 + 16)", "r0 = be16 r0", "exit"]),
        ("st M[3]\nldx M[3]\nret a", ["*(u32 *)(r10 - 16) = w0", "w7 = *(u32 *)(r10 - 16)", "exit"]),
    ],
)
def test_mapping(text: str, expected: list[str]) -> None:
    assert _convert(text) == expected


def test_large_constants_by_level() -> None:
    text = "jgt #0x80000000, 2, 1\nret #0\nret #1"
    assert _convert(text, 3)[0] == "if w0 > -2147483648 goto +2"
    assert _convert(text, 2)[:2] == ["w2 = -2147483648", "if r0 > r2 goto +2"]


@pytest.mark.parametrize("name", ["NLATTR", "NLATTR_NEST", "PAY_OFFSET", "HATYPE"])
def test_loads_without_a_counterpart_are_named(name: str) -> None:
    spelling = {"NLATTR": "nla", "NLATTR_NEST": "nlan", "PAY_OFFSET": "poff", "HATYPE": "hatype"}[name]
    with pytest.raises(FeatureError, match=f"insn 0: SKF_AD_{name}: extended programs can't load"):
        convert_filter(parse_asm(f"ld {spelling}\nret a"))


def test_illegal_filters_are_refused() -> None:
    with pytest.raises(FormatError):
        convert_filter([Sock(Op.TAX)])


def test_explaining() -> None:
    text = explain_filter(parse_asm("ldxb 4*([14]&0xf)\nldh [x + 16]\njeq #80, 3, 4\nret #65535\nret #0"))
    lines = text.splitlines()
    assert lines[0].split() == ["classic", "means", "extended"]
    assert lines[4].split("  ")[0] == "(000) ldxb 4*([14]&0xf)"
    assert lines[4].endswith("3: r8 = r0")
    assert any(
        line.startswith("(002) jeq #0x50 jt 3 jf 4") and "if r0 != 80 goto 13" in line for line in lines
    )
    notes = [line for line in lines if line.startswith("- ")]
    assert notes[0] == "- 5 instructions became 12, and 3 that come first."
    assert any("A waits in r8" in note for note in notes)
    assert not any("M[k]" in note for note in notes)
