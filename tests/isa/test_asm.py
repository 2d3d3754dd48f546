"""Text → instructions: the inverse of the disassembler, other tools' spellings, and errors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probee.base.errors import SourceError
from probee.isa import ebpf
from probee.isa.asm import assemble
from probee.isa.disasm import Syntax, render_insn, render_program
from probee.isa.ebpf import Alu, Atomic, Insn, Jump, Size
from probee.isa.fields import End
from probee.isa.forms import FORMS, Form

from .programs import INSNS


@pytest.mark.parametrize("syntax", list(Syntax))
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_every_form_comes_back(form: Form, syntax: Syntax) -> None:
    insn = _sample(form)
    assert assemble(render_insn(insn, syntax=syntax)) == [insn]


def _sample(form: Form) -> Insn:
    values = {"dst": 3, "src": 7, "off": 5, "imm": 1}
    fixed = {"src": form.src, "off": form.off, "imm": form.imm}
    return Insn(form.code, **{**fixed, **{f: v for f, v in values.items() if f in form.operands}})


@given(st.lists(INSNS, max_size=6), st.sampled_from(list(Syntax)))
def test_assembling_is_the_inverse_of_disassembling(insns: list[Insn], syntax: Syntax) -> None:
    assert assemble(render_program(insns, syntax=syntax)) == insns


@given(st.text(alphabet=" rw0123456789=+-*/()[]us,;#%:abcdefgilmnoptx\n", max_size=60))
def test_random_text_raises_source_error_and_nothing_else(text: str) -> None:
    try:
        assemble(text)
    except SourceError as error:
        error.render()


@pytest.mark.parametrize(
    ("text", "insn"),
    [
        ("r2 = *(u32 *)(r1 +8)", ebpf.load(Size.W, 2, 1, 8)),
        ("r0 = *(u8 *)(r1 + 0x10)", ebpf.load(Size.B, 0, 1, 16)),
        ("*(u16 *)(r10 - 2) = r3", ebpf.store_reg(Size.H, 10, -2, 3)),
        ("if r1 s> 0x5 goto pc+3", ebpf.jump_imm(Jump.SGT, 1, 5, 3)),
        ("if r1 == 0x0 goto +0x2 <LBB0_2>", ebpf.jump_imm(Jump.EQ, 1, 0, 2)),
        ("r1 = 0x1234 ll", ebpf.lddw(1, 0x1234)),
        ("12: (b7) r0 = 1", ebpf.mov_imm(0, 1)),
        ("call bpf_ktime_get_ns#5", ebpf.call(5)),
        ("call bpf_ktime_get_ns", ebpf.call(5)),
        ("call ktime_get_ns", ebpf.call(5)),
        ("call 0x5", ebpf.call(5)),
        ("r0 = xchg_64(r1 + 0x8, r0)", ebpf.atomic(Atomic.XCHG, Size.DW, 1, 8, 0)),
        ("w0 = cmpxchg32_32(r1 + 0, w0, w2)", ebpf.atomic(Atomic.CMPXCHG, Size.W, 1, 0, 2)),
        ("r3 = atomic_fetch_or((u64 *)(r1 + 0), r3)", ebpf.atomic(Atomic.OR, Size.DW, 1, 0, 3, fetch=True)),
        ("r0 = *(u16 *)skb[r7]", ebpf.load_ind(Size.H, 7, 0)),
        ("swap32 %r1", ebpf.swap(End.SWAP, 1, 32)),
        ("add r0, r1", ebpf.alu_reg(Alu.ADD, 0, 1)),
        ("mov32 %r0, 0xffffffff", ebpf.mov_imm(0, -1, wide=False)),
        ("r1 = map[fd:4 counts]", ebpf.ld_map_fd(1, 4)),
    ],
)
def test_spellings_of_other_tools(text: str, insn: Insn) -> None:
    assert assemble(text) == [insn]


def test_labels_comments_and_calls() -> None:
    text = """
    # a loop, then a call
    start: r1 = 0         // both sides of a label
    again:
        r1 += 1           ; comment
        if r1 < 10 goto again
        r2 = 7 ll
        call twice
        if r0 == 0 goto start
        goto end
    twice:
        r0 = subprog[twice]
        exit
    end:
        exit
    """
    assert assemble(text) == [
        ebpf.mov_imm(1, 0),
        ebpf.alu_imm(Alu.ADD, 1, 1),
        ebpf.jump_imm(Jump.LT, 1, 10, -2),
        ebpf.lddw(2, 7),
        ebpf.call_local(2),
        ebpf.jump_imm(Jump.EQ, 0, 0, -7),
        ebpf.ja(3),
        ebpf.ld_func(0, -1),
        ebpf.exit_(),
        ebpf.exit_(),
    ]


def test_exit_is_a_label_when_none_has_that_name() -> None:
    assert assemble("jeq %r1, 1, exit\nmov %r0, 1\nexit")[0] == ebpf.jump_imm(Jump.EQ, 1, 1, 1)


def test_names_are_resolved_by_the_caller() -> None:
    known = {("map", "counts"): 9, ("kfunc", "bpf_strlen"): 4711}
    insns = assemble("r1 = map[counts]\ncall kfunc bpf_strlen\nexit", resolve=lambda *key: known.get(key))
    assert insns == [ebpf.ld_map_fd(1, 9), ebpf.call_kfunc(4711), ebpf.exit_()]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bogus %r1", "<asm>:1:1-6: ERROR: unknown instruction 'bogus'\nbogus %r1\n~~~~~"),
        (
            "r0 = 0\n  adr %r1, 1",
            "<asm>:2:3-6: ERROR: unknown instruction 'adr'\n  adr %r1, 1\n  ~~~\nHINT: did you mean add?",
        ),
        ("goto nowhere", "<asm>:1:6-13: ERROR: unknown label 'nowhere'\ngoto nowhere\n     ~~~~~~~"),
        ("a:\na: exit", "<asm>:2:1-2: ERROR: label 'a' is defined twice\na: exit\n~"),
        (
            "r0 += 0x100000000",
            "<asm>:1:7-18: ERROR: expected a number of 32 bits, got 0x100000000\n"
            "r0 += 0x100000000\n      ~~~~~~~~~~~",
        ),
        (
            "r1 = -r2",
            "<asm>:1:1-9: ERROR: expected the same register twice, got dst 1 and 2\nr1 = -r2\n~~~~~~~~",
        ),
        ("r12 = 0", "<asm>:1:1-8: ERROR: mov_imm: expected registers r0..r11, got r12\nr12 = 0\n~~~~~~~"),
        (
            "lddw %r1, map[nope]",
            "<asm>:1:15-19: ERROR: unknown map 'nope'\nlddw %r1, map[nope]\n              ~~~~",
        ),
    ],
)
def test_errors_point_at_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        assemble(text)
    assert caught.value.render() == message


def test_all_errors_are_reported_in_order() -> None:
    with pytest.raises(SourceError) as caught:
        assemble("goto gone\nbogus\nexit\nr1 ~ 2")
    assert [d.span.line for d in caught.value.diagnostics if d.span] == [1, 2, 4]


@pytest.mark.parametrize(
    "text",
    [
        "r1 = map[fd:3map[fd:3]",
        "r1 = map[fd:x]",
        "r1 = map[fd:]",
        "r1 = map[fd: 4]",
        "r1 = map[idx:z][0]+1",
        "r1 = map[fd:3][0]+x",
        "r1 = map[]",
    ],
)
def test_malformed_maps_are_errors_with_a_place(text: str) -> None:
    with pytest.raises(SourceError) as caught:
        assemble(text)
    assert caught.value.render().startswith("<asm>:1:")
