"""Extended BPF: the numbers and their names, the `Insn`, its constructors, and its bytes.

RFC 9669 and the kernel's additions to it (include/uapi/linux/bpf.h). This module is on the
start-up path, so it holds only what a code generator needs; `probee.isa.forms` says which
combinations are legal and how they are written.

An `Insn` whose code is `LDDW` carries a 64-bit `imm` (unsigned) and takes two slots. All other
immediates are signed 32-bit numbers, offsets signed 16-bit ones.
"""

from __future__ import annotations

import struct
from enum import IntEnum

from ..base.errors import FormatError, UsageError
from ..base.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from .fields import End

U64 = 0xFFFFFFFF_FFFFFFFF


class Size(IntEnum):
    """Bits 3–4 of a load's or store's opcode."""

    W = 0x00
    H = 0x08
    B = 0x10
    DW = 0x18


class Alu(IntEnum):
    """Bits 4–7 of an arithmetic opcode; bits 8 and up are what the operation wants in `off`."""

    ADD = 0x00
    SUB = 0x10
    MUL = 0x20
    DIV = 0x30
    OR = 0x40
    AND = 0x50
    LSH = 0x60
    RSH = 0x70
    NEG = 0x80
    MOD = 0x90
    XOR = 0xA0
    MOV = 0xB0
    ARSH = 0xC0
    SDIV = 0x130
    SMOD = 0x190
    MOVSX8 = 0x8B0
    MOVSX16 = 0x10B0
    MOVSX32 = 0x20B0


class Jump(IntEnum):
    """Bits 4–7 of a jump's opcode."""

    JA = 0x00
    EQ = 0x10
    GT = 0x20
    GE = 0x30
    SET = 0x40
    NE = 0x50
    SGT = 0x60
    SGE = 0x70
    CALL = 0x80
    EXIT = 0x90
    LT = 0xA0
    LE = 0xB0
    SLT = 0xC0
    SLE = 0xD0
    COND = 0xE0


class Atomic(IntEnum):
    """`imm` of an atomic operation. ADD to XOR return the old value when FETCH is added."""

    ADD = 0x00
    FETCH = 0x01
    OR = 0x40
    AND = 0x50
    XOR = 0xA0
    XCHG = 0xE1
    CMPXCHG = 0xF1
    LOAD_ACQUIRE = 0x100
    STORE_RELEASE = 0x110


X = 0x08
"""Added to an opcode when the operand is a register."""

LDDW = 0x18
LD_ABS = 0x20
LD_IND = 0x40
LDX = 0x61
LDXS = 0x81
ST = 0x62
STX = 0x63
ATOMIC = 0xC3
JA = 0x05
JA32 = 0x06
JAX = 0x0D
CALL = 0x85
CALLX = 0x8D
EXIT = 0x95
MAY_GOTO = 0xE5

BYTES = {Size.B: 1, Size.H: 2, Size.W: 4, Size.DW: 8}
SIZES = {1: Size.B, 2: Size.H, 4: Size.W, 8: Size.DW}


@record
class Insn:
    """One instruction. Offsets and targets count in slots of 8 bytes, from the next instruction."""

    code: int
    dst: int = 0
    src: int = 0
    off: int = 0
    imm: int = 0

    @property
    def slots(self) -> int:
        """How many 8-byte slots it takes: 2 for LDDW, else 1."""
        return 2 if self.code == LDDW else 1


def alu_reg(op: int, dst: int, src: int, wide: bool = True) -> Insn:
    """`dst op= src`, on 64 bits or (`wide` false) on 32 with the upper half of `dst` zeroed."""
    return Insn(op & 0xFF | (0x0F if wide else 0x0C), dst, src, op >> 8)


def alu_imm(op: int, dst: int, imm: int, wide: bool = True) -> Insn:
    """`dst op= imm`; `imm` is a signed 32-bit number, sign-extended when `wide`."""
    return Insn(op & 0xFF | (0x07 if wide else 0x04), dst, 0, op >> 8, imm)


def mov_reg(dst: int, src: int, wide: bool = True) -> Insn:
    return Insn(0xBF if wide else 0xBC, dst, src)


def mov_imm(dst: int, imm: int, wide: bool = True) -> Insn:
    return Insn(0xB7 if wide else 0xB4, dst, 0, 0, imm)


def neg(dst: int, wide: bool = True) -> Insn:
    return Insn(0x87 if wide else 0x84, dst)


def swap(kind: End, dst: int, bits: int) -> Insn:
    """Reverse the low `bits` (16, 32, 64) of `dst`, zero the rest; LE and BE only where the CPU differs."""
    return Insn(kind, dst, 0, 0, bits)


def addr_space_cast(dst: int, src: int, to_space: int, from_space: int) -> Insn:
    """`dst = (to_space)src` for arena pointers: 0 is the kernel's address space, 1 the user's."""
    return Insn(0xBF, dst, src, 1, to_space << 16 | from_space)


def load(size: int, dst: int, src: int, off: int = 0) -> Insn:
    """`dst = *(size *)(src + off)`, zero-extended."""
    return Insn(LDX | size, dst, src, off)


def load_signed(size: int, dst: int, src: int, off: int = 0) -> Insn:
    """`dst = *(signed size *)(src + off)`, sign-extended; cpu v4, sizes B, H and W."""
    return Insn(LDXS | size, dst, src, off)


def store_reg(size: int, dst: int, off: int, src: int) -> Insn:
    """`*(size *)(dst + off) = src`."""
    return Insn(STX | size, dst, src, off)


def store_imm(size: int, dst: int, off: int, imm: int) -> Insn:
    """`*(size *)(dst + off) = imm`, sign-extended for DW."""
    return Insn(ST | size, dst, 0, off, imm)


def atomic(op: int, size: int, dst: int, off: int, src: int, fetch: bool = False) -> Insn:
    """`lock *(size *)(dst + off) op= src`; with `fetch`, `src` becomes the old value. Sizes W and DW."""
    return Insn(ATOMIC | size, dst, src, off, op | 1 if fetch else op)


def load_acquire(size: int, dst: int, src: int, off: int = 0) -> Insn:
    return Insn(ATOMIC | size, dst, src, off, Atomic.LOAD_ACQUIRE)


def store_release(size: int, dst: int, off: int, src: int) -> Insn:
    return Insn(ATOMIC | size, dst, src, off, Atomic.STORE_RELEASE)


def load_abs(size: int, imm: int) -> Insn:
    """`r0 = ntoh(*(size *)(packet + imm))`; ends the program with 0 when out of bounds. Clobbers r1–r5."""
    return Insn(LD_ABS | size, 0, 0, 0, imm)


def load_ind(size: int, src: int, imm: int) -> Insn:
    """`r0 = ntoh(*(size *)(packet + src + imm))`, otherwise as `load_abs`."""
    return Insn(LD_IND | size, 0, src, 0, imm)


def jump_reg(op: int, dst: int, src: int, off: int, wide: bool = True) -> Insn:
    return Insn(op | (0x0D if wide else 0x0E), dst, src, off)


def jump_imm(op: int, dst: int, imm: int, off: int, wide: bool = True) -> Insn:
    """`if dst op imm goto off`; `imm` is sign-extended when `wide`."""
    return Insn(op | (0x05 if wide else 0x06), dst, 0, off, imm)


def ja(off: int) -> Insn:
    """`goto off`, 16 bits."""
    return Insn(JA, 0, 0, off)


def ja32(off: int) -> Insn:
    """`gotol off`, 32 bits; cpu v4."""
    return Insn(JA32, 0, 0, 0, off)


def ja_reg(dst: int) -> Insn:
    """`gotox dst`, an address loaded from an instruction array map (6.19)."""
    return Insn(JAX, dst)


def may_goto(off: int) -> Insn:
    """Go to `off` once the loop budget of the program is used up (6.9)."""
    return Insn(MAY_GOTO, 0, 0, off)


# The numbers in `src` below are `probee.isa.fields.Call` and `Pseudo`.


def call(helper: int) -> Insn:
    return Insn(CALL, 0, 0, 0, helper)


def call_local(off: int) -> Insn:
    """Call the function that starts `off` slots after the next instruction."""
    return Insn(CALL, 0, 1, 0, off)


def call_kfunc(btf_id: int, fd_index: int = 0) -> Insn:
    """Call the kernel function of that BTF id; `fd_index` (from 1) names a module's BTF in `fd_array`."""
    return Insn(CALL, 0, 2, fd_index, btf_id)


def exit_() -> Insn:
    return Insn(EXIT)


def lddw(dst: int, imm64: int) -> Insn:
    """`dst = imm64`, any number of -2^63..2^64-1."""
    return Insn(LDDW, dst, 0, 0, imm64 & U64)


def ld_map_fd(dst: int, fd: int) -> Insn:
    return Insn(LDDW, dst, 1, 0, fd)


def ld_map_value(dst: int, fd: int, offset: int = 0) -> Insn:
    """The address of byte `offset` of the only value of an array map."""
    return Insn(LDDW, dst, 2, 0, offset << 32 | fd)


def ld_map_idx(dst: int, index: int) -> Insn:
    """A map by its index in `fd_array`."""
    return Insn(LDDW, dst, 5, 0, index)


def ld_map_idx_value(dst: int, index: int, offset: int = 0) -> Insn:
    return Insn(LDDW, dst, 6, 0, offset << 32 | index)


def ld_btf_id(dst: int, btf_id: int, btf_fd: int = 0) -> Insn:
    """The address of a kernel variable, by the BTF id of its VAR."""
    return Insn(LDDW, dst, 3, 0, btf_fd << 32 | btf_id)


def ld_func(dst: int, off: int) -> Insn:
    """The address of the function that starts `off` slots after this LDDW's first."""
    return Insn(LDDW, dst, 4, 0, off & 0xFFFFFFFF)


_LITTLE = struct.Struct("<BBhi")
_BIG = struct.Struct(">BBhi")


def encode(insns: Iterable[Insn], *, little: bool = True) -> bytes:
    """The bytes the kernel loads. UsageError names the instruction whose field is out of range."""
    pack = (_LITTLE if little else _BIG).pack
    out: list[bytes] = []
    for insn in insns:
        dst, src, imm = insn.dst, insn.src, insn.imm
        if (dst | src) & ~15:
            raise _encode_error(out, insn)
        regs = src << 4 | dst if little else dst << 4 | src
        try:
            if insn.code == LDDW:
                low, high = imm & 0xFFFFFFFF, imm >> 32
                out.append(pack(LDDW, regs, insn.off, low - ((low & 0x80000000) << 1)))
                out.append(pack(0, 0, 0, high - ((high & 0x80000000) << 1)))
            else:
                out.append(pack(insn.code, regs, insn.off, imm))
        except struct.error:
            raise _encode_error(out, insn) from None
    return b"".join(out)


def _encode_error(out: list[bytes], insn: Insn) -> UsageError:
    return UsageError(
        f"insn {len(out)}: expected an 8-bit code, registers in 0..15, a signed 16-bit off and a "
        f"signed 32-bit imm, got {insn}"
    )


def decode(data: bytes | memoryview, *, little: bool = True, strict: bool = True) -> list[Insn]:
    """The instructions of `data`; the inverse of `encode`.

    FormatError for bytes that end inside an instruction and half a LDDW; with `strict` (the
    default) also for unknown opcodes and for reserved fields that are set. What the kernel prints
    of a loaded program (`xlated`) holds instructions of its own, so that wants `strict=False`.
    """
    if len(data) % 8:
        raise FormatError(
            f"insn {len(data) // 8}: expected 8 bytes, got {len(data) % 8}", offset=len(data) & ~7
        )
    insns = []
    at = 0
    wide: Insn | None = None
    for code, regs, off, imm in (_LITTLE if little else _BIG).iter_unpack(data):
        if wide is not None:
            if code or regs or off:
                raise FormatError(f"insn {at}: expected an empty second half of lddw", offset=at * 8)
            insns.append(Insn(LDDW, wide.dst, wide.src, wide.off, wide.imm | (imm & 0xFFFFFFFF) << 32))
            wide = None
        else:
            high, low = regs >> 4, regs & 15
            dst, src = (low, high) if little else (high, low)
            if code == LDDW:
                wide = Insn(code, dst, src, off, imm & 0xFFFFFFFF)
            else:
                insns.append(Insn(code, dst, src, off, imm))
        at += 1
    if wide is not None:
        raise FormatError(f"insn {at - 1}: expected a second half of lddw, got the end", offset=at * 8)
    if strict:
        from .forms import check_forms

        check_forms(insns)
    return insns
