"""Location expressions: what each operation does, pieces, lists, frame bases; what is refused."""

from __future__ import annotations

import pytest

from builders.dwarf import DwarfBuilder, Entry
from probee.dwarf.consts import AT, FORM, TAG
from probee.dwarf.expr import Bytes, Computed, Location, OptimisedOut, Pieces, Pointer, render_location
from probee.dwarf.file import Dwarf
from probee.dwarf.lists import LLE
from probee.dwarf.location import evaluate, find_frame_base, find_location
from probee.dwarf.ops import OP
from probee.dwarf.section import DwarfError


def located(expression: bytes, *, bits: int = 64, little: bool = True, frame_base: bytes = b"") -> Location:
    built = DwarfBuilder(bits=bits, little=little)
    frame = [(AT.FRAME_BASE, FORM.EXPRLOC, frame_base)] if frame_base else []
    built.unit([Entry(TAG.SUBPROGRAM, frame)])  # type: ignore[arg-type]
    (unit,) = Dwarf(built.elf()).iter_units()
    return evaluate(expression, unit, 0x1000, next(unit.root.iter_children()))


def ops(*values: int) -> bytes:
    return bytes(values)


CFA = ops(OP.CALL_FRAME_CFA)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (b"", "optimised out"),
        (ops(OP.REG0 + 5), "in register 5"),
        (ops(OP.REGX, 40), "in register 40"),
        (ops(OP.BREG0 + 7, 8), "at register 7+8"),
        (ops(OP.BREG0 + 7, 0x78), "at register 7-8"),
        (ops(OP.BREGX, 33, 0), "at register 33"),
        (ops(OP.FBREG, 0x68), "at CFA-24"),
        (ops(OP.FBREG, 0x68, OP.DEREF), "at [CFA-24]"),
        (ops(OP.ADDR, 1, 2, 0, 0, 0, 0, 0, 0), "at 0x201"),
        (ops(OP.CALL_FRAME_CFA, OP.PLUS_UCONST, 16, OP.LIT0 + 8, OP.MINUS), "at CFA+8"),
        (ops(OP.LIT0 + 7, OP.STACK_VALUE), "is 0x7"),
        (ops(OP.CONST1S, 0xFF, OP.STACK_VALUE), "is 0xffffffffffffffff"),
        (ops(OP.CONST2U, 1, 2, OP.STACK_VALUE), "is 0x201"),
        (ops(OP.CONSTU, 0x80, 1, OP.LIT0 + 2, OP.SHR, OP.STACK_VALUE), "is 0x20"),
        (ops(OP.BREG0 + 5, 0, OP.LIT0 + 3, OP.MUL, OP.STACK_VALUE), "is mul(register 5, 0x3)"),
        (ops(OP.BREG0 + 5, 1, OP.BREG0 + 4, 0, OP.SWAP, OP.DROP, OP.STACK_VALUE), "is register 4"),
        (ops(OP.LIT0 + 1, OP.LIT0 + 2, OP.LIT0 + 3, OP.ROT, OP.STACK_VALUE), "is 0x2"),
        (ops(OP.LIT0 + 1, OP.LIT0 + 2, OP.OVER, OP.STACK_VALUE), "is 0x1"),
        (ops(OP.LIT0 + 1, OP.LIT0 + 2, OP.LIT0 + 3, OP.PICK, 2, OP.STACK_VALUE), "is 0x1"),
        (ops(OP.LIT0 + 9, OP.NEG, OP.ABS, OP.STACK_VALUE), "is 0x9"),
        (ops(OP.LIT0 + 9, OP.LIT0, OP.DIV, OP.STACK_VALUE), "is div(0x9, 0x0)"),
        (ops(OP.ENTRY_VALUE, 1, OP.REG0 + 5, OP.STACK_VALUE), "is entry(register 5)"),
        (
            ops(OP.GNU_ENTRY_VALUE, 1, OP.REG0 + 5, OP.PLUS_UCONST, 4, OP.STACK_VALUE),
            "is entry(register 5)+4",
        ),
        (ops(OP.IMPLICIT_VALUE, 2, 7, 8), "is the bytes 07 08"),
        (ops(OP.LIT0 + 4, OP.FORM_TLS_ADDRESS), "at 0x4 of the thread's block"),
        (ops(OP.REG0, OP.PIECE, 8, OP.REG0 + 1, OP.PIECE, 4), "64 bits in register 0; 32 bits in register 1"),
        (ops(OP.REG0, OP.PIECE, 8, OP.PIECE, 4), "64 bits in register 0; 32 bits optimised out"),
        (ops(OP.LIT0 + 1, OP.STACK_VALUE, OP.BIT_PIECE, 3, 0), "3 bits is 0x1"),
        (ops(OP.BREG0 + 7, 0, OP.DEREF_SIZE, 4, OP.STACK_VALUE), "is [register 7]"),
        (ops(OP.BREG0 + 7, 0, OP.BRA, 1, 0, OP.LIT0), "not known: DW_OP_bra"),
        (ops(OP.REGVAL_TYPE, 0, 0), "not known: DW_OP_regval_type"),
        (ops(0xFF), "not known: operation 0xff"),
    ],
)
def test_operations(expression: bytes, text: str) -> None:
    assert render_location(located(expression, frame_base=CFA)) == text


@pytest.mark.parametrize("little", [True, False])
def test_numbers_have_the_size_of_an_address(little: bool) -> None:
    expression = ops(OP.ADDR) + (0x80000001).to_bytes(4, "little" if little else "big") + ops(OP.DUP, OP.PLUS)
    assert render_location(located(expression, bits=32, little=little)) == "at 0x2"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (ops(OP.PLUS), "expected a value on the stack"),
        (ops(OP.LIT0, OP.PICK, 1), "expected 2 values on the stack, got 1"),
        (ops(OP.CONST4U, 1), "expected 4 bytes, got 1"),
        (ops(OP.IMPLICIT_VALUE, 9, 1), "expected 9 bytes, got 1"),
        (ops(OP.REG0, OP.REG0), "expected a piece after a place, got operation 0x50"),
        (ops(OP.REG0, OP.PIECE, 8, OP.REG0), "expected a piece at the end"),
        (ops(OP.NOP) * 2000, "expected fewer than 1024 operations"),
    ],
)
def test_refused(expression: bytes, message: str) -> None:
    with pytest.raises(DwarfError, match=rf"built: \.debug_info expression\+0x\w+: {message}"):
        located(expression)


def test_nested_entry_values_end() -> None:
    expression = ops(OP.REG0)
    for _ in range(12):
        expression = ops(OP.ENTRY_VALUE, len(expression)) + expression
    with pytest.raises(DwarfError, match="expected at most 8 entry values in one another"):
        located(expression)


def test_trees_that_double_end() -> None:
    assert render_location(located(ops(OP.BREG0, 0) + ops(OP.DUP, OP.PLUS) * 40)) == (
        "not known: an expression that is too long"
    )


def test_frame_base_of_a_register() -> None:
    assert render_location(located(ops(OP.FBREG, 16), frame_base=ops(OP.REG0 + 6))) == "at register 6+16"
    assert render_location(located(ops(OP.FBREG, 16))) == (
        "not known: a place relative to a frame base that isn't told"
    )


def test_frame_base_of_itself() -> None:
    text = render_location(located(ops(OP.FBREG, 0), frame_base=ops(OP.FBREG, 0)))
    assert text == "not known: a place relative to a frame base that isn't told"


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ((AT.CONST_VALUE, FORM.SDATA, -1), Computed),
        ((AT.CONST_VALUE, FORM.BLOCK1, b"\1\2"), Bytes),
        ((AT.CONST_VALUE, FORM.STRING, "text"), Bytes),
        ((AT.NAME, FORM.STRING, "x"), OptimisedOut),
        ((AT.LOCATION, FORM.EXPRLOC, b""), OptimisedOut),
        ((AT.LOCATION, FORM.EXPRLOC, ops(OP.IMPLICIT_POINTER, 9, 0, 0, 0, 4)), Pointer),
        ((AT.LOCATION, FORM.BLOCK1, ops(OP.REG0, OP.PIECE, 1)), Pieces),
    ],
)
def test_variables(attribute: tuple[int, int, object], expected: type[Location]) -> None:
    built = DwarfBuilder()
    built.unit([Entry(TAG.VARIABLE, [attribute])])
    (unit,) = Dwarf(built.elf()).iter_units()
    assert isinstance(find_location(next(unit.root.iter_children()), 0x1000), expected)


def location_list(version: int, little: bool, dwarf64: bool) -> tuple[DwarfBuilder, int]:
    """A list: register 0 at 0x1000..0x1010, register 1 at 0x1010..0x1020."""
    built = DwarfBuilder(version=version, little=little, dwarf64=dwarf64)
    if version < 5:
        section = built.section(".debug_loc")
        for row in ((0, 0x10, 0), (0x10, 0x20, 1)):
            section.write_struct("QQ", *row[:2])
            section.write_struct("HB", 1, OP.REG0 + row[2])
        section.write_struct("QQ", (1 << 64) - 1, 0x9000)
        section.write_struct("QQHB", 0, 0x10, 1, OP.REG0 + 2)
        section.write_struct("QQ", 0, 0)
        return built, 0
    section = built.section(".debug_loclists")
    section.write_bytes(bytes(20 if dwarf64 else 12))
    base = len(section.data)
    built.write_offset(section, built.offset_size)
    section.write_struct("BBBBB", LLE.OFFSET_PAIR, 0, 0x10, 1, OP.REG0)
    section.write_struct("B", LLE.START_LENGTH)
    section.write_struct("QBBB", 0x1010, 0x10, 1, OP.REG0 + 1)
    section.write_struct("B", LLE.GNU_VIEW_PAIR)
    section.write_struct("BB", 0, 0)
    section.write_struct("B", LLE.BASE_ADDRESS)
    section.write_struct("QBBBBB", 0x9000, LLE.OFFSET_PAIR, 0, 0x10, 1, OP.REG0 + 2)
    section.write_struct("BBB", LLE.DEFAULT_LOCATION, 1, OP.REG0 + 3)
    section.write_struct("B", LLE.END_OF_LIST)
    return built, base


@pytest.mark.parametrize("version", [2, 4, 5])
@pytest.mark.parametrize("little", [True, False])
@pytest.mark.parametrize("dwarf64", [True, False])
def test_lists(version: int, little: bool, dwarf64: bool) -> None:
    built, base = location_list(version, little, dwarf64)
    form = FORM.LOCLISTX if version == 5 else FORM.DATA8 if dwarf64 else FORM.DATA4
    value = 0
    root = [(AT.LOW_PC, FORM.ADDR, 0x1000)] + (
        [(AT.LOCLISTS_BASE, FORM.SEC_OFFSET, base)] if version == 5 else []
    )
    built.unit([Entry(TAG.VARIABLE, [(AT.LOCATION, form, value)])], root)  # type: ignore[arg-type]
    (unit,) = Dwarf(built.elf()).iter_units()
    variable = next(unit.root.iter_children())
    found = [render_location(find_location(variable, a)) for a in (0x1000, 0x100F, 0x1010, 0x9000)]
    assert found == ["in register 0", "in register 0", "in register 1", "in register 2"]
    elsewhere = render_location(find_location(variable, 0x5000))
    assert elsewhere == ("in register 3" if version == 5 else "optimised out")


def test_list_of_an_unknown_kind() -> None:
    built = DwarfBuilder()
    built.section(".debug_loclists").write_bytes(b"\x77")
    built.unit([Entry(TAG.SUBPROGRAM, [(AT.FRAME_BASE, FORM.SEC_OFFSET, 0)])])
    (unit,) = Dwarf(built.elf()).iter_units()
    with pytest.raises(
        DwarfError, match=r"\.debug_loclists\+0x0: expected the kind of a list entry, got 0x77"
    ):
        find_frame_base(next(unit.root.iter_children()), 0)
