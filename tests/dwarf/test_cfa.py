"""The canonical frame address by frame tables: operations that say something of it, and those passed over."""

from __future__ import annotations

import pytest

from builders.eh_frame import FRAMES, HEADER, TEXT
from builders.elf import ElfBuilder
from probee.base.errors import FormatError
from probee.dwarf.cfa import CFA, find_cfa
from probee.dwarf.expr import render_expr
from probee.dwarf.registers import register_names
from probee.elf.consts import EM, PF, PT, SHF
from probee.elf.file import Elf

START, SIZE = TEXT + 0x10, 0x40
# DW_CFA_def_cfa rsp+8, as every function begins.
AT_ENTRY = bytes([CFA.DEF_CFA, 7, 8, CFA.OFFSET | 16, 1])


def framed(operations: bytes, initial: bytes = AT_ENTRY) -> Elf:
    """A file with a function at START whose frame table has `operations`."""
    elf = ElfBuilder()
    elf.section(".text", data=bytes(0x800), address=TEXT, flags=SHF.ALLOC | SHF.EXECINSTR)
    # Version 1, "zR", factors 1 and -8, return address 16, pointers relative in four bytes.
    common = b"\x01zR\0\x01\x78\x10\x01\x1b" + initial
    frames = elf.pack("II", 4 + len(common), 0) + common
    at = FRAMES + len(frames)
    entry = elf.pack("iI", START - (at + 8), SIZE) + b"\0" + operations
    frames += elf.pack("II", 4 + len(entry), at + 4 - FRAMES) + entry
    elf.section(".eh_frame", data=frames, address=FRAMES, flags=SHF.ALLOC)
    header = bytes([1, 0x1B, 0x03, 0x3B]) + elf.pack(
        "iIii", FRAMES - HEADER - 4, 1, START - HEADER, at - HEADER
    )
    elf.section(".eh_frame_hdr", data=header, address=HEADER, flags=SHF.ALLOC)
    elf.load(".text", flags=PF.R | PF.X)
    elf.load(".eh_frame", flags=PF.R)
    elf.segment(PT.GNU_EH_FRAME, ".eh_frame_hdr", flags=PF.R)
    return Elf(elf.build(), "built")


def cfa(elf: Elf, past: int) -> str | None:
    found = find_cfa(elf, START + past)
    return render_expr(found, register_names(EM.X86_64)) if found is not None else None


def test_a_function_with_a_frame_pointer() -> None:
    # push rbp; mov rbp, rsp; …; leave; ret
    operations = bytes(
        [
            CFA.ADVANCE_LOC | 1, CFA.DEF_CFA_OFFSET, 16, CFA.OFFSET | 6, 2,
            CFA.ADVANCE_LOC | 3, CFA.DEF_CFA_REGISTER, 6,
            CFA.ADVANCE_LOC1, 0x20, CFA.DEF_CFA, 7, 8, CFA.RESTORE | 6,
        ]
    )  # fmt: skip
    elf = framed(operations)
    assert [cfa(elf, past) for past in (0, 1, 3, 4, 0x23, 0x24, 0x3F)] == [
        "rsp+8", "rsp+16", "rsp+16", "rbp+16", "rbp+16", "rsp+8", "rsp+8",
    ]  # fmt: skip
    assert cfa(elf, -1) is None
    assert cfa(elf, SIZE) is None


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        (bytes([CFA.ADVANCE_LOC2, 2, 0, CFA.DEF_CFA_OFFSET, 24]), "rsp+24"),
        (bytes([CFA.ADVANCE_LOC4, 2, 0, 0, 0, CFA.DEF_CFA_OFFSET, 24]), "rsp+24"),
        (bytes([CFA.DEF_CFA_SF, 3, 0x7E]), "rbx+16"),
        (bytes([CFA.DEF_CFA_OFFSET_SF, 0x7D]), "rsp+24"),
        (bytes([CFA.REMEMBER_STATE, CFA.DEF_CFA_OFFSET, 99, CFA.RESTORE_STATE]), "rsp+8"),
        (bytes([CFA.DEF_CFA_EXPRESSION, 2, 0x77, 8]), None),
        (bytes([CFA.DEF_CFA_EXPRESSION, 2, 0x77, 8, CFA.DEF_CFA, 7, 32]), "rsp+32"),
        (bytes([CFA.DEF_CFA_EXPRESSION, 1, 0x77, CFA.DEF_CFA_OFFSET, 1, CFA.DEF_CFA_REGISTER, 3]), None),
        (
            bytes(
                [
                    CFA.NOP, CFA.OFFSET_EXTENDED, 3, 4, CFA.RESTORE_EXTENDED, 3, CFA.UNDEFINED, 3,
                    CFA.SAME_VALUE, 3,
                    CFA.REGISTER, 3, 4, CFA.EXPRESSION, 3, 1, 0x50, CFA.OFFSET_EXTENDED_SF, 3, 0x7F,
                    CFA.VAL_OFFSET, 3, 1, CFA.VAL_OFFSET_SF, 3, 1, CFA.VAL_EXPRESSION, 3, 1, 0x50,
                    CFA.GNU_ARGS_SIZE, 16, CFA.AARCH64_NEGATE_RA_STATE, CFA.DEF_CFA_OFFSET, 40,
                ]
            ),
            "rsp+40",
        ),
    ],
)  # fmt: skip
def test_operations(operations: bytes, expected: str | None) -> None:
    assert cfa(framed(operations), 2) == expected


@pytest.mark.parametrize("operations", [b"\x3f", bytes([CFA.DEF_CFA, 7]), bytes([CFA.RESTORE_STATE])])
def test_malformed_operations(operations: bytes) -> None:
    with pytest.raises(FormatError, match="eh_frame"):
        cfa(framed(operations), 2)


def test_without_a_table() -> None:
    assert find_cfa(Elf(ElfBuilder().build(), "built"), TEXT) is None
