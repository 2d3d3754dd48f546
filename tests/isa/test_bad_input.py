"""Wrong programs and filters, by what they do wrong: one error, with the instruction's number and text."""

from __future__ import annotations

import re

import pytest

from probee.base.errors import FormatError, ProbeeError, SourceError
from probee.cli.main import main
from probee.isa import ebpf
from probee.isa.asm import assemble
from probee.isa.cbpf.check import check_filter
from probee.isa.cbpf.insn import Op, Sock, encode_filter
from probee.isa.cbpf.text import parse_filter
from probee.isa.check import check_program
from probee.isa.ebpf import Alu, Insn, decode, encode, exit_, mov_imm
from probee.isa.numbers import parse_integer
from probee.vm.classic import run_filter
from probee.vm.fault import BudgetFault, Fault
from probee.vm.machine import Vm

END = (mov_imm(0, 0), exit_())
MAX, MIN = (1 << 31) - 1, -(1 << 31)


def _raw(code: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> bytes:
    """Bytes of an instruction, right or wrong, and of an end."""
    return encode([Insn(code, dst, src, off, imm), *END])


EXTENDED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "expected at least one instruction, got none"),
    "truncated": (encode(END)[:-3], "insn 1: expected 8 bytes, got 5"),
    "half a wide load": (encode([ebpf.lddw(0, 1)])[:8], "insn 0: expected a second half of lddw, got"),
    "a wide load cut in two": (
        encode([ebpf.lddw(0, 1)])[:8] + encode(END),
        "insn 1: expected an empty second half of lddw",
    ),
    "unknown opcode": (_raw(0xFF), "insn 0: unknown opcode 0xff"),
    "unknown opcode later": (encode(END[:1]) + _raw(0x8E), "insn 1: unknown opcode 0x8e"),
    "opcode 0": (bytes(8), "insn 0: unknown opcode 0x00"),
    "reserved off": (_raw(0x07, off=7), "insn 0: add_imm: expected off 0, got 7"),
    "reserved src": (_raw(0x07, src=3), "insn 0: add_imm: expected src 0, got 3"),
    "reserved imm": (_raw(0x0F, imm=9), "insn 0: add_reg: expected imm 0, got 9"),
    "reserved fields of exit": (_raw(0x95, imm=1), "insn 0: exit: expected imm 0, got 1"),
    "register 12": (_raw(0xB7, dst=12), "insn 0: mov_imm: expected registers r0..r11, got r12"),
    "jump past the end": (
        encode([ebpf.ja(5), *END]), "insn 0: goto +5: jumps out of the program, to slot 6",
    ),
    "jump before the start": (
        encode([*END[:1], ebpf.ja(-3), *END]), "insn 1: goto -3: jumps out of the program, to slot -1",
    ),
    "jump by a huge immediate": (
        encode([ebpf.ja32(MAX), *END]),
        "insn 0: gotol +2147483647: jumps out of the program, to slot 2147483648",
    ),
    "jump into a wide load": (
        encode([ebpf.ja(1), ebpf.lddw(1, 5), *END]), "insn 0: goto +1: jumps into the middle of a lddw",
    ),
    "call out of the program": (encode([ebpf.call_local(MIN), *END]), "insn 0: call pc-2147483648: jumps"),
    "division by 0": (encode([ebpf.alu_imm(Alu.DIV, 1, 0), *END]), "insn 0: r1 /= 0: divides by 0"),
    "remainder by 0": (
        encode([ebpf.alu_imm(Alu.MOD, 1, 0, wide=False), *END]), "insn 0: w1 %= 0: divides by 0",
    ),
    "shift by a huge immediate": (
        encode([ebpf.alu_imm(Alu.LSH, 1, MAX), *END]),
        "insn 0: r1 <<= 2147483647: shifts by the width or more",
    ),
    "write to the frame pointer": (encode([mov_imm(10, 0), *END]), "insn 0: r10 = 0: writes the frame"),
    "no end": (encode(END[:1]), "insn 0: r0 = 0: the program runs off its end"),
    "unwritten register": (
        encode([ebpf.mov_reg(0, 7), exit_()]), "insn 0: r0 = r7: reads r7, to which nothing was written",
    ),
    "unwritten result": (encode([exit_()]), "insn 0: exit: reads r0, to which nothing was written"),
    "endless loop": (encode([ebpf.ja(-1), *END]), "insn 0: goto -1: ran for more than 1000 instructions"),
    "address of nothing": (
        encode([mov_imm(1, MIN), ebpf.load(ebpf.Size.DW, 0, 1, 0), exit_()]),
        "insn 1: r0 = *(u64 *)(r1 + 0): reads 8 bytes at 0xffffffff80000000",
    ),
}  # fmt: skip


def _try(data: bytes, interpret: bool = False) -> None:
    insns = decode(data)
    check_program(insns)
    Vm(budget=1000, interpret=interpret).load_insns(insns).run_context(bytes(64))


@pytest.mark.parametrize("interpret", [False, True], ids=["translated", "interpreted"])
@pytest.mark.parametrize(("data", "message"), EXTENDED.values(), ids=EXTENDED)
def test_extended(data: bytes, message: str, interpret: bool) -> None:
    with pytest.raises(ProbeeError) as caught:
        _try(data, interpret)
    assert isinstance(caught.value, FormatError | Fault)
    assert message in caught.value.message
    assert caught.value.render().count("\n") == 0


def test_endless_loops_have_an_error_of_their_own() -> None:
    with pytest.raises(BudgetFault):
        _try(EXTENDED["endless loop"][0])


def _loaded(*insns: Sock) -> bytes:
    return encode_filter([*insns, Sock(Op.RET_K)])


CLASSIC: dict[str, tuple[bytes, str]] = {
    "truncated": (_loaded()[:-1], "expected 8 bytes"),
    "5,000 instructions": (
        encode_filter([Sock(Op.RET_K)] * 5000),
        "expected at most 4096 instructions, got 5000",
    ),
    "unknown opcode": (_loaded(Sock(0xFFFF)), "insn 0: unknown opcode 0xffff"),
    "jump past the end": (_loaded(Sock(Op.JEQ_K, 200, 0)), "insn 0: jeq      #0x0"),
    "jump by a huge immediate": (
        _loaded(Sock(Op.JA, k=0xFFFFFFFF)),
        "insn 0: ja       4294967296: jumps",
    ),
    "division by 0": (_loaded(Sock(Op.DIV_K)), "insn 0: div      #0: divides by 0"),
    "remainder by 0": (_loaded(Sock(Op.MOD_K)), "insn 0: mod      #0: divides by 0"),
    "shift by a huge immediate": (_loaded(Sock(Op.RSH_K, k=0xFFFFFFFF)), "shifts by 32 or more"),
    "cell that is not there": (_loaded(Sock(Op.STX, k=0xFFFFFFFF)), "expected a cell of M[0]..M[15]"),
    "unwritten cell": (_loaded(Sock(Op.LDX_MEM, k=5)), "insn 0: ldx      M[5]: M[5] is read before it is"),
    "no end": (encode_filter([Sock(Op.TAX)]), "insn 0: tax: expected a ret as the last instruction"),
}


def _try_filter(data: bytes) -> None:
    insns = parse_filter(data)
    check_filter(insns)
    run_filter(insns, bytes(64))


@pytest.mark.parametrize(("data", "message"), CLASSIC.values(), ids=CLASSIC)
def test_classic(data: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        _try_filter(data)
    assert message in caught.value.message


@pytest.mark.parametrize("command", ["disasm", "cbpf"])
def test_commands_say_one_thing(command: str, capfd: pytest.CaptureFixture[str], tmp_path: object) -> None:
    path = f"{tmp_path}/program"
    table = EXTENDED if command == "disasm" else CLASSIC
    words = ["disasm", path] if command == "disasm" else ["cbpf", "check", path]
    refused = 0
    for data, _ in table.values():
        with open(path, "wb") as file:
            file.write(data)
        status = main(words)
        err = capfd.readouterr().err
        assert status == bool(err)
        assert len(re.findall("^ERROR: ", err, re.MULTILINE)) == status
        refused += status
    # The disassembler shows programs that only a machine refuses.
    assert refused == (11 if command == "disasm" else len(CLASSIC))


HUGE = "9" * 5000
"""More digits than Python itself is willing to read."""


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("r0 = 1\nr1 += 0x100000000\nexit", "0x100000000"),
        ("r0 = 1\nr12 = 5\nexit", None),
        ("r0 = *(u64 *)(r1 + 40000)\nexit", "40000"),
        ("goto nowhere\nexit", "nowhere"),
        (f"r0 = {HUGE} ll\nexit", HUGE),
        (f"r{HUGE} = 1\nexit", None),
        (f"goto +{HUGE}\nexit", HUGE),
        (f"r1 = map[fd:1][0]+{HUGE}\nexit", None),
        (f"insn 0xff 0 0 0 {HUGE}\nexit", HUGE),
        (f"insn 0x{HUGE} 0 0 0 0\nexit", HUGE),
        ("insn 0xff 16 0 0 0\nexit", "16"),
    ],
)
def test_huge_numbers_in_text(text: str, marked: str | None) -> None:
    with pytest.raises(SourceError) as caught:
        assemble(text)
    (found,) = caught.value.diagnostics
    assert found.span is not None
    assert marked is None or marked in found.span.text


FILTERS = (
    f"ld #{HUGE}\nret #0",
    f"ja {HUGE}\nret #0",
    f"{HUGE},6 0 0 0",
    f"1,6 0 0 {HUGE}",
    f"{{ {HUGE}, 0, 0, 0 }}",
)


@pytest.mark.parametrize("text", FILTERS, ids=lambda text: text[:8])
def test_huge_numbers_in_filters(text: str) -> None:
    with pytest.raises((FormatError, SourceError)):
        parse_filter(text.encode())


def test_numbers_as_they_are_written() -> None:
    for text in ("0", "007", "+5", "-12", "0x1F", "-0xff", "18446744073709551616"):
        assert parse_integer(text) == int(text, 16 if "x" in text else 10)
    assert parse_integer("-" + HUGE) < -(1 << 64)
    assert parse_integer("0x" + "0" * 5000 + "7") == 7
