"""Argument specs of x86-64 and AArch64: what compilers write, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders.elf import ElfBuilder
from probee.arch import find_by_elf_machine
from probee.base.errors import FormatError
from probee.base.record import fields
from probee.elf.consts import EM, ET
from probee.elf.file import Elf
from probee.usdt import aarch64, x86
from probee.usdt.args import Arg, Kind, find_address, parse_args, place_symbol

ELVES = {
    machine: Elf(ElfBuilder(machine=machine).build(), "x")
    for machine in (EM.X86_64, EM.I386, EM.AARCH64, EM.S390)
}


def parse(text: str, machine: int = EM.X86_64) -> tuple[Arg, ...]:
    return parse_args(text, ELVES[EM(machine)])


def said(arg: Arg) -> dict[str, object]:
    """The fields that say something, but for the text."""
    empty = Arg("", Kind.UNSUPPORTED, 0)
    names = [n for n in fields(arg) if n not in ("text", "kind")]
    return {n: getattr(arg, n) for n in names if getattr(arg, n) != getattr(empty, n)}


def row(**fields: object) -> dict[str, object]:
    return fields


X86 = {
    "-4@%eax": row(size=4, signed=True, register="ax"),
    "8@%rdi": row(size=8, register="di"),
    "8@%r15": row(size=8, register="r15"),
    "4@%r8d": row(size=4, register="r8"),
    "2@%r9w": row(size=2, register="r9"),
    "1@%r8b": row(size=1, register="r8"),
    "2@%si": row(size=2, register="si"),
    "-1@%dil": row(size=1, signed=True, register="di"),
    "1@%al": row(size=1, register="ax"),
    "1@%ah": row(size=1, register="ax", shift=8),
    "1@%bh": row(size=1, register="bx", shift=8),
    "8@%esp": row(size=4, register="sp"),
    "8f@%rax": row(size=8, is_float=True, register="ax"),
    "%rax": row(size=8, register="ax"),
    "-1@$-9": row(size=1, signed=True, value=-9),
    "4@$-1": row(size=4, value=0xFFFFFFFF),
    "-1@$255": row(size=1, signed=True, value=-1),
    "8@$0x10": row(size=8, value=16),
    "8@$0": row(size=8),
    "8@$name": row(size=8, symbol="name"),
    "8@$name+8": row(size=8, symbol="name", value=8),
    "8@-16(%rbp)": row(size=8, register="bp", displacement=-16),
    "4@(%rax)": row(size=4, register="ax"),
    "4@8(%rax,%rbx,4)": row(size=4, register="ax", index="bx", scale=4, displacement=8),
    "-4@(%rax,%rdx)": row(size=4, signed=True, register="ax", index="dx"),
    "4@table(,%rax,8)": row(size=4, index="ax", scale=8, symbol="table"),
    "8@name(%rip)": row(size=8, symbol="name"),
    "8@name+8(%rip)": row(size=8, symbol="name", displacement=8),
    "-4@4+gs(%rip)": row(size=4, signed=True, symbol="gs", displacement=4),
    "8@16(%rip)": row(size=8, register="ip", displacement=16),
    "8@name-8(%rip)": row(size=8, symbol="name", displacement=-8),
    "8@name+-8(%rip)": row(size=8, symbol="name", displacement=-8),
    "8@.LC0(%rip)": row(size=8, symbol=".LC0"),
    "4@_ZN1a1bE(%rip)": row(size=4, symbol="_ZN1a1bE"),
    "4@global": row(size=4, symbol="global"),
    "4@global+4(%rax)": row(size=4, symbol="global", displacement=4, register="ax"),
    "8f@-8(%rbp)": row(size=8, is_float=True, register="bp", displacement=-8),
}  # fmt: skip

AARCH64 = {
    "8@x0": row(size=8, register="x0"),
    "-4@w21": row(size=4, signed=True, register="x21"),
    "-1@x3": row(size=1, signed=True, register="x3"),
    "8@w3": row(size=4, register="x3"),
    "8@sp": row(size=8, register="sp"),
    "8@x31": row(size=8, register="sp"),
    "8@x30": row(size=8, register="x30"),
    "4@wzr": row(size=4),
    "4@5": row(size=4, value=5),
    "-4@-3": row(size=4, signed=True, value=-3),
    "4@#5": row(size=4, value=5),
    "-4@[sp, 60]": row(size=4, signed=True, register="sp", displacement=60),
    "-4@[x30,-40]": row(size=4, signed=True, register="x30", displacement=-40),
    "4@[x1]": row(size=4, register="x1"),
    "4@[x1, #8]": row(size=4, register="x1", displacement=8),
    "-1@[x0,x1]": row(size=1, signed=True, register="x0", index="x1"),
    "4@[x0, x1, lsl 2]": row(size=4, register="x0", index="x1", scale=4),
    "4@[x0, x1, lsl #3]": row(size=4, register="x0", index="x1", scale=8),
    "4@[x0, w1, sxtw 2]": row(size=4, register="x0", index="x1", scale=4, index_size=4, index_signed=True),
    "4@[x0, w1, uxtw]": row(size=4, register="x0", index="x1", index_size=4),
}


@pytest.mark.parametrize("text", X86)
def test_x86_64(text: str) -> None:
    (arg,) = parse(text)
    assert arg.text == text
    assert said(arg) == X86[text]


@pytest.mark.parametrize("text", AARCH64)
def test_aarch64(text: str) -> None:
    (arg,) = parse(text, EM.AARCH64)
    assert arg.text == text
    assert said(arg) == AARCH64[text]


@pytest.mark.parametrize(
    ("machine", "operand", "kind"),
    [
        (EM.X86_64, "%rax", Kind.REGISTER),
        (EM.X86_64, "(%rax)", Kind.MEMORY),
        (EM.X86_64, "name(%rip)", Kind.MEMORY),
        (EM.X86_64, "$name", Kind.CONSTANT),
        (EM.AARCH64, "x0", Kind.REGISTER),
        (EM.AARCH64, "[x0]", Kind.MEMORY),
        (EM.AARCH64, "xzr", Kind.CONSTANT),
    ],
)
def test_kind(machine: int, operand: str, kind: Kind) -> None:
    assert parse(f"8@{operand}", machine)[0].kind == kind


@pytest.mark.parametrize(
    ("machine", "text", "reason"),
    [
        (EM.X86_64, "8f@%xmm0", "floating point register xmm0"),
        (EM.X86_64, "4f@%ymm15", "floating point register ymm15"),
        (EM.X86_64, "16f@%st(1)", "floating point register st(1)"),
        (EM.X86_64, "8f@%st", "floating point register st"),
        (EM.X86_64, "16@(%rax)", "a value of 16 bytes"),
        (EM.X86_64, "8@%fs:-8(%rax)", "memory of segment fs, which is the thread's own"),
        (EM.X86_64, "8@%foo", "register foo"),
        (EM.X86_64, "8@(%eax)", "address (%eax)"),
        (EM.X86_64, "8@(%rax,%rip,1)", "address (%rax,%rip,1)"),
        (EM.X86_64, "8@()", "operand ()"),
        (EM.X86_64, "8@foo@GOTPCREL(%rip)", "operand foo@GOTPCREL(%rip)"),
        (EM.X86_64, "8@a-b(%rip)", "operand a-b(%rip)"),
        (EM.X86_64, "8@-a(%rip)", "operand -a(%rip)"),
        (EM.X86_64, "8@$a+b", "constant a+b"),
        (EM.X86_64, "8@$", "constant "),
        (EM.X86_64, "8@(%rax,%rbx,3)", "operand (%rax,%rbx,3)"),
        (EM.AARCH64, "8f@d0", "floating point register d0"),
        (EM.AARCH64, "4f@s31", "floating point register s31"),
        (EM.AARCH64, "16@v0.16b", "floating point register v0.16b"),
        (EM.AARCH64, "8@name", "operand name"),
        (EM.AARCH64, "8@[w0]", "address [w0]"),
        (EM.AARCH64, "8@[x0, w1]", "address [x0, w1]"),
        (EM.AARCH64, "8@[x0, x1, sxtw 2]", "address [x0, x1, sxtw 2]"),
        (EM.AARCH64, "8@[x0, :lo12:name]", "address [x0, :lo12:name]"),
        (EM.AARCH64, "8@[x0, 8, 9]", "address [x0, 8, 9]"),
        (EM.AARCH64, "8@[x0, 8]!", "address [x0, 8]!"),
        (EM.AARCH64, "8@[x0]!", "address [x0]!"),
        (EM.AARCH64, "8@[x0, x1, lsl 2, 3]", "address [x0, x1, lsl 2, 3]"),
        (EM.S390, "8@%r2", "probee doesn't know the operands of CPU S390"),
    ],
)
def test_unsupported(machine: int, text: str, reason: str) -> None:
    (arg,) = parse(text, machine)
    assert (arg.text, arg.kind, arg.reason) == (text, Kind.UNSUPPORTED, reason)


def test_several() -> None:
    assert [a.text for a in parse("-4@%eax  8@-16(%rbp) ")] == ["-4@%eax", "8@-16(%rbp)"]
    many = parse("-4@[sp, 60] 8@x0 4@[x1]", EM.AARCH64)
    assert [a.text for a in many] == ["-4@[sp, 60]", "8@x0", "4@[x1]"]
    assert parse("") == parse("  ") == ()


@pytest.mark.parametrize(
    ("text", "at", "message"),
    [
        ("8@", 0, "expected an argument such as 8@OPERAND, got '8@'"),
        ("8@%rax 4@(%rbx", 7, "expected an argument such as 8@OPERAND, got '4@(%rbx'"),
        ("8@)", 0, "expected an argument such as 8@OPERAND, got '8@)'"),
        ("8@[sp", 0, "expected an argument such as 8@OPERAND, got '8@[sp'"),
        ("1@%al " * 65, 384, "expected at most 64 arguments, got '1@%al '"),
    ],
)
def test_malformed(text: str, at: int, message: str) -> None:
    with pytest.raises(FormatError) as raised:
        parse_args(text, ELVES[EM.X86_64], section=".note.stapsdt", at=0x20)
    assert str(raised.value) == f"x: .note.stapsdt+{0x20 + at:#x}: {message}"


@given(
    st.text("-+0148f@%$()[],.: raxbspw#lnme", max_size=40) | st.text(max_size=20),
    st.sampled_from([EM.X86_64, EM.AARCH64]),
)
def test_any_text(text: str, machine: EM) -> None:
    """Whatever stands there: arguments whose texts make up the whole, or FormatError."""
    try:
        args = parse(text, machine)
    except FormatError:
        return
    for arg in args:
        assert (arg.kind == Kind.UNSUPPORTED) == bool(arg.reason)
    assert "".join("".join(a.text for a in args).split()) == "".join(text.split())


@pytest.mark.parametrize(("machine", "module"), [(EM.X86_64, x86), (EM.AARCH64, aarch64)])
def test_registers_are_those_of_arch(machine: int, module: object) -> None:
    arch = find_by_elf_machine(machine)
    names = {row[0] for row in module.REGISTERS.values()}  # type: ignore[attr-defined]
    assert names <= {r.name for r in arch.registers}
    assert {arch.stack_pointer, arch.frame_pointer, arch.return_value} <= names


def test_find_address() -> None:
    built = ElfBuilder()
    built.section(".data", data=bytes(64), address=0x1000)
    for name, value in (("table", 0x1010), ("twice", 0x1020), ("twice", 0x1028)):
        built.symbol(name, value, section=".data")
    built.symbol("imported", section=0)
    elf = Elf(built.build(), "x")
    found = [find_address(elf, a) for a in parse_args("8@table+8(%rip) 8@$table+4", elf)]
    assert found == [0x1018, 0x1014]
    for arg in parse_args("8@twice(%rip) 8@none 8@imported 8@%rax", elf):
        assert find_address(elf, arg) is None


@pytest.mark.parametrize(
    ("text", "type", "said_of_it"),
    [
        ("8@4+table(%rip)", ET.DYN, row(size=8, register="ip", displacement=0x1014 - 0x800)),
        ("8@4+table(%rip)", ET.EXEC, row(size=8, displacement=0x1014)),
        ("8@table(,%rax,8)", ET.DYN, row(size=8, register="ip", displacement=0x810, index="ax", scale=8)),
        ("8@table(%rax)", ET.EXEC, row(size=8, register="ax", displacement=0x1010)),
        ("8@$table-1", ET.DYN, row(size=8, register="ip", value=0x100F - 0x800)),
        ("8@$table-1", ET.EXEC, row(size=8, value=0x100F)),
        ("8@8(%rax)", ET.DYN, row(size=8, register="ax", displacement=8)),
        ("8@%fs:table", ET.DYN, row(size=8, reason="memory of segment fs, which is the thread's own")),
    ],
)
def test_place_symbol(text: str, type: int, said_of_it: dict[str, object]) -> None:
    built = ElfBuilder(type=type)
    built.section(".data", data=bytes(64), address=0x1000)
    built.symbol("table", 0x1010, section=".data")
    elf = Elf(built.build(), "x")
    (arg,) = parse_args(text, elf)
    placed = place_symbol(elf, arg, 0x800)
    assert said(placed) == said_of_it
    assert (placed.kind, placed.text) == (arg.kind, arg.text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("8@table(%rax)", "operand table(%rax): table moves with the program"),
        ("8@none(%rip)", "the address of none is not known"),
        ("8@$none", "the address of none is not known"),
    ],
)
def test_symbols_that_have_no_place(text: str, reason: str) -> None:
    built = ElfBuilder()
    built.section(".data", data=bytes(64), address=0x1000)
    built.symbol("table", 0x1010, section=".data")
    elf = Elf(built.build(), "x")
    placed = place_symbol(elf, *parse_args(text, elf), 0x800)
    assert (placed.kind, placed.reason) == (Kind.UNSUPPORTED, reason)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-4@8(%ebp)", row(size=4, signed=True, register="bp", displacement=8)),
        ("4@%esi", row(size=4, register="si")),
        ("2@%ax", row(size=2, register="ax")),
        ("1@%ah", row(size=1, register="ax", shift=8)),
        ("-2@$-3", row(size=2, signed=True, value=-3)),
        ("4@name", row(size=4, symbol="name")),
        (
            "4@-40(%ebp,%eax,4)",
            row(
                size=4, register="bp", displacement=-40, index="ax", scale=4, index_size=4, index_signed=True
            ),
        ),
    ],
)
def test_programs_of_32_bits(text: str, expected: dict[str, object]) -> None:
    """Their addresses are in halves of registers, which an index may make less."""
    (arg,) = parse(text, EM.I386)
    assert said(arg) == expected


@pytest.mark.parametrize("text", ["4@8(%rbp)", "4@%gs:4", "8@%st(0)", "4@(%eax,%rbx)", "4@x@GOTOFF(%ebx)"])
def test_what_programs_of_32_bits_can_not_have(text: str) -> None:
    assert parse(text, EM.I386)[0].kind == Kind.UNSUPPORTED
    assert parse("4@8(%ebp)", EM.X86_64)[0].kind == Kind.UNSUPPORTED
