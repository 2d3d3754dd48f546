"""The fields of opcodes and pseudo values that only readers of programs need names for.

Apart from `probee.isa.ebpf`, because that is imported by every run and making these names takes a
millisecond.
"""

from __future__ import annotations

from enum import IntEnum


class Class(IntEnum):
    """Bits 0–2 of an opcode."""

    LD = 0
    LDX = 1
    ST = 2
    STX = 3
    ALU = 4
    JMP = 5
    JMP32 = 6
    ALU64 = 7


class Mode(IntEnum):
    """Bits 5–7 of a load's or store's opcode."""

    IMM = 0x00
    ABS = 0x20
    IND = 0x40
    MEM = 0x60
    MEMSX = 0x80
    ATOMIC = 0xC0


class End(IntEnum):
    """Whole opcodes of the byte swaps; `imm` is the width in bits."""

    LE = 0xD4
    BE = 0xDC
    SWAP = 0xD7


class Pseudo(IntEnum):
    """`src` of LDDW: what its immediate stands for."""

    NUMBER = 0
    MAP_FD = 1
    MAP_VALUE = 2
    BTF_ID = 3
    FUNC = 4
    MAP_IDX = 5
    MAP_IDX_VALUE = 6


class Call(IntEnum):
    """`src` of CALL: what its immediate stands for."""

    HELPER = 0
    LOCAL = 1
    KFUNC = 2
