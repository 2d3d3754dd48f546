"""Classic BPF: one instruction (struct sock_filter), its numbers, and its bytes."""

from __future__ import annotations

import struct
from enum import IntEnum

from ...base.errors import FormatError, UsageError
from ...base.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_INSNS = 4096
"""The longest filter (BPF_MAXINSNS)."""

SCRATCH = 16
"""Words of scratch memory, M[0] to M[15]."""

AD_OFFSET = -0x1000
"""Loads from here on (SKF_AD_OFF) are ancillary: not of the packet but about it."""

NET_OFFSET = -0x100000
"""Loads from here on (SKF_NET_OFF) are relative to the network header."""

LL_OFFSET = -0x200000
"""Loads from here on (SKF_LL_OFF) are relative to the link layer's header."""


class Op(IntEnum):
    """Opcodes: class, size and mode or operation and source together, as the kernel has 49 of them."""

    LD_IMM = 0x00
    LDX_IMM = 0x01
    ST = 0x02
    STX = 0x03
    ADD_K = 0x04
    JA = 0x05
    RET_K = 0x06
    TAX = 0x07
    ADD_X = 0x0C
    SUB_K = 0x14
    JEQ_K = 0x15
    RET_A = 0x16
    SUB_X = 0x1C
    JEQ_X = 0x1D
    LD_W_ABS = 0x20
    MUL_K = 0x24
    JGT_K = 0x25
    LD_H_ABS = 0x28
    MUL_X = 0x2C
    JGT_X = 0x2D
    LD_B_ABS = 0x30
    DIV_K = 0x34
    JGE_K = 0x35
    DIV_X = 0x3C
    JGE_X = 0x3D
    LD_W_IND = 0x40
    OR_K = 0x44
    JSET_K = 0x45
    LD_H_IND = 0x48
    OR_X = 0x4C
    JSET_X = 0x4D
    LD_B_IND = 0x50
    AND_K = 0x54
    AND_X = 0x5C
    LD_MEM = 0x60
    LDX_MEM = 0x61
    LSH_K = 0x64
    LSH_X = 0x6C
    RSH_K = 0x74
    RSH_X = 0x7C
    LD_LEN = 0x80
    LDX_LEN = 0x81
    NEG = 0x84
    TXA = 0x87
    MOD_K = 0x94
    MOD_X = 0x9C
    XOR_K = 0xA4
    XOR_X = 0xAC
    LDX_MSH = 0xB1


class Ancillary(IntEnum):
    """What a load at AD_OFFSET plus this gives (SKF_AD_*)."""

    PROTOCOL = 0
    PKTTYPE = 4
    IFINDEX = 8
    NLATTR = 12
    NLATTR_NEST = 16
    MARK = 20
    QUEUE = 24
    HATYPE = 28
    RXHASH = 32
    CPU = 36
    ALU_XOR_X = 40
    VLAN_TAG = 44
    VLAN_TAG_PRESENT = 48
    PAY_OFFSET = 52
    RANDOM = 56
    VLAN_TPID = 60


@record
class Sock:
    """One classic instruction; `jt` and `jf` count from the next instruction, `k` is unsigned."""

    code: int
    jt: int = 0
    jf: int = 0
    k: int = 0


_LITTLE = struct.Struct("<HBBI")
_BIG = struct.Struct(">HBBI")

ABSOLUTE = {Op.LD_W_ABS: 4, Op.LD_H_ABS: 2, Op.LD_B_ABS: 1}
"""Absolute loads and their sizes in bytes."""

INDIRECT = {Op.LD_W_IND: 4, Op.LD_H_IND: 2, Op.LD_B_IND: 1}

JUMPS = frozenset({0x15, 0x1D, 0x25, 0x2D, 0x35, 0x3D, 0x45, 0x4D})
"""Conditional jumps."""


def find_ancillary(insn: Sock) -> int | None:
    """The offset from AD_OFFSET of an ancillary load, known or not; None for any other instruction."""
    if insn.code in ABSOLUTE and insn.k >= AD_OFFSET & 0xFFFFFFFF:
        return insn.k - (AD_OFFSET & 0xFFFFFFFF)
    return None


def encode_filter(insns: Iterable[Sock], *, little: bool = True) -> bytes:
    """An array of struct sock_filter. UsageError names the instruction with a field out of range."""
    out = []
    for index, insn in enumerate(insns):
        try:
            out.append((_LITTLE if little else _BIG).pack(insn.code, insn.jt, insn.jf, insn.k))
        except struct.error:
            raise UsageError(
                f"insn {index}: expected a 16-bit code, 8-bit jt and jf and a 32-bit k, got {insn}"
            ) from None
    return b"".join(out)


def decode_filter(data: bytes | memoryview, *, little: bool = True) -> list[Sock]:
    """The instructions of an array of struct sock_filter, whatever they are. FormatError when cut short."""
    if len(data) % 8:
        whole = len(data) // 8
        raise FormatError(f"insn {whole}: expected 8 bytes, got {len(data) % 8}", offset=8 * whole)
    return [Sock(*fields) for fields in (_LITTLE if little else _BIG).iter_unpack(data)]
