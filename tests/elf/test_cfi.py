"""Rows of rules by which stacks are unwound, from frame tables made here."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders.cfi import TEXT, build
from builders.elf import ElfBuilder
from probee.base.errors import FormatError
from probee.elf.cfi import parse_unwind_table
from probee.elf.consts import EM, SHF
from probee.elf.file import Elf
from probee.elf.unwind import FRAME_AT, OFFSET_AT, OFFSET_BITS, RETURN_AT, Kind, encode_rule

Row = tuple[int, str, int, int, int]


def rows(elf: Elf) -> list[Row]:
    table = parse_unwind_table(elf)
    return [(start, *split(rule)) for start, rule in zip(table.starts, table.rules, strict=True)]


def split(rule: int) -> tuple[str, int, int, int]:
    """Kind, offset, where the frame pointer is, where the return address is, as numbers."""
    offset = rule >> OFFSET_AT & (1 << OFFSET_BITS) - 1
    offset -= (offset >> OFFSET_BITS - 1) << OFFSET_BITS
    return Kind(rule & 7).name, offset, rule >> FRAME_AT & 0xFF, rule >> RETURN_AT


END: Row = (0x1010, "NONE", 0, 0, 0)


def test_pushes_and_a_frame_pointer() -> None:
    # push rbp; mov rbp, rsp; …; pop rbp
    operations = bytes([0x41, 0x0E, 16, 0x86, 2, 0x43, 0x0D, 6, 0x02, 10, 0x0C, 7, 8])
    assert rows(build([(0x1000, 16, operations)])) == [
        (0x1000, "SP", 1, 0, 1),
        (0x1001, "SP", 2, 2, 1),
        (0x1004, "FP", 2, 2, 1),
        (0x100E, "SP", 1, 2, 1),
        END,
    ]


def test_what_is_remembered_comes_back() -> None:
    operations = bytes([0x0E, 16, 0x86, 2, 0x0A, 0x44, 0x0E, 8, 0xC6, 0x44, 0x0B])
    assert [row[2:4] for row in rows(build([(0x1000, 16, operations)]))] == [(2, 2), (1, 0), (2, 2), (0, 0)]


def test_between_functions_nothing_is_known() -> None:
    found = rows(build([(0x1000, 16, b""), (0x1010, 16, b""), (0x1040, 8, b"")]))
    assert found == [
        (0x1000, "SP", 1, 0, 1),
        (0x1020, "NONE", 0, 0, 0),
        (0x1040, "SP", 1, 0, 1),
        (0x1048, "NONE", 0, 0, 0),
    ]


def test_the_end_of_the_stack() -> None:
    assert rows(build([(0x1000, 16, bytes([0x07, 16]))])) == [(0x1000, "END", 0, 0, 0), END]


def test_entries_of_a_plt() -> None:
    text = bytes([0x77, 8, 0x80, 0, 0x3F, 0x1A, 0x3B, 0x2A, 0x33, 0x24, 0x22])
    found = rows(build([(0x1000, 16, bytes([0x0F, len(text)]) + text)]))
    assert found == [(0x1000, "PLT", 11, 0, 1), END]


def test_frames_that_are_aligned() -> None:
    # DW_CFA_expression rbp: breg6(0); DW_CFA_def_cfa_expression: breg6(-8) deref
    operations = bytes([0x10, 6, 2, 0x76, 0, 0x0F, 3, 0x76, 0x78, 0x06])
    assert rows(build([(0x1000, 16, operations)])) == [(0x1000, "FP_VALUE", -1, 0, 1), END]
    assert rows(build([(0x1000, 16, operations[5:])]))[0][1] == "NONE"  # the frame pointer is not told


def test_the_kernels_frame_for_a_signal() -> None:
    operations = bytes([0x0F, 4, 0x77, 0xA0, 0x01, 0x06])
    elf = build([(0x1000, 16, operations)], augmentation=b"zRS")
    assert rows(elf) == [(0x1000, "SIGNAL", 0, 0, 0), END]


@pytest.mark.parametrize(
    "operations",
    [
        bytes([0x0C, 10, 0]),  # CFA by a register that is not followed
        bytes([0x0E, 12]),  # not a whole number of words
        bytes([0x86, 0x80, 0x10]),  # saved too far below
        bytes([0x09, 16, 3]),  # the return address is in a register
        bytes([0x14, 6, 2]),  # the frame pointer is a number
        bytes([0x0F, 1, 0x50]),  # an expression of another form
        bytes([0x0C, 7, 0x80, 0x80, 0x10]),  # a frame of 256 KiB
    ],
)
def test_what_no_rule_says_is_not_known(operations: bytes) -> None:
    assert rows(build([(0x1000, 16, operations)]))[0][1] == "NONE"


def test_registers_that_are_not_followed_change_nothing() -> None:
    operations = bytes([0x83, 3, 0x05, 12, 4, 0x11, 13, 0x7B, 0x08, 3, 0x2E, 16, 0x16, 3, 1, 0x50])
    assert rows(build([(0x1000, 16, operations)])) == [(0x1000, "SP", 1, 0, 1), END]


def test_aarch64() -> None:
    # stp x29, x30, [sp, -32]!; the CFA is sp + 32, x29 at CFA - 32, x30 at CFA - 24
    operations = bytes([0x2D, 0x44, 0x0E, 32, 0x9D, 4, 0x9E, 3, 0x44, 0x0D, 29])
    elf = build([(0x1000, 16, operations)], initial=bytes([0x0C, 31, 0]), machine=EM.AARCH64)
    assert rows(elf) == [
        (0x1000, "SP", 0, 0, 0),
        (0x1004, "SP", 4, 4, 3),
        (0x1008, "FP", 4, 4, 3),
        END,
    ]


@pytest.mark.parametrize("machine", [EM.RISCV, EM.S390])
def test_other_cpus_have_no_rows(machine: int) -> None:
    assert rows(build([(0x1000, 16, b"")], machine=machine)) == []


def test_no_tables_no_rows() -> None:
    elf = ElfBuilder()
    elf.section(".text", data=bytes(16), address=TEXT, flags=SHF.ALLOC | SHF.EXECINSTR)
    assert rows(Elf(elf.build(), "x")) == []


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        (b"\x3c", "expected an operation"),
        (b"\x0b", "expected a state"),
        (b"\x0e", "expected 1"),
        (b"\x0f\x09", "expected 9"),
    ],
)
def test_what_is_no_operation(operations: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        rows(build([(0x1000, 16, operations)]))


@given(st.binary(max_size=64))
def test_any_operations(operations: bytes) -> None:
    try:
        found = rows(build([(0x1000, 16, operations)]))
    except FormatError:
        return
    starts = [row[0] for row in found]
    assert starts == sorted(starts)
    assert all(0x1000 <= start <= 0x1010 for start in starts)


@given(st.integers(0, 500), st.integers(0, 255))
def test_any_byte_of_a_table(at: int, byte: int) -> None:
    elf = build([(0x1000, 16, bytes([0x41, 0x0E, 16, 0x86, 2])), (0x1020, 8, b"")])
    section = elf.find_section(".eh_frame")
    assert section is not None
    data = bytearray(elf.data[:])
    data[section.offset + at % section.size] = byte
    try:
        parse_unwind_table(Elf(bytes(data), "x"))
    except FormatError:
        pass


@given(st.sampled_from(Kind), st.integers(-4096, 4095), st.integers(0, 255), st.integers(0, 255))
def test_a_rule_and_back(kind: Kind, offset: int, frame: int, back: int) -> None:
    assert split(encode_rule(kind, offset, frame, back)) == (kind.name, offset, frame, back)
