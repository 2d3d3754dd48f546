"""Classic → extended BPF that the verifier loads.

Registers: A is r0, X is r7, the context (struct __sk_buff, or struct seccomp_data) r6, M[k] is
`*(u32 *)(r10 - 4 - 4k)`; r8 keeps A while LDX MSH loads, r2 holds constants that a comparison can't.
What a filter returns is what the program returns. Programs with packet loads can be socket filters
and traffic control's classifiers and actions, the only types that may use LD_ABS and LD_IND.

The kernel's own conversion (bpf_convert_filter) runs on its internal representation; four
ancillary loads it can do have no counterpart for loaded programs, and are refused by name.
"""

from __future__ import annotations

from ...base.bits import signed
from ...base.errors import FeatureError
from ...base.record import record, replace
from ..ebpf import (
    Alu,
    Insn,
    Jump,
    Size,
    alu_imm,
    alu_reg,
    call,
    exit_,
    ja,
    jump_imm,
    jump_reg,
    load,
    load_abs,
    load_ind,
    mov_imm,
    mov_reg,
    neg,
    store_reg,
    swap,
)
from ..fields import End
from .check import check_filter, check_seccomp
from .forms import EXTRAS
from .insn import ABSOLUTE, INDIRECT, JUMPS, Ancillary, Op, Sock, find_ancillary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

A, X, CONTEXT, SAVED, CONSTANT, FRAME = 0, 7, 6, 8, 2, 10
SKB_LEN = 0

_ALU = {
    Op.ADD_K: Alu.ADD,
    Op.SUB_K: Alu.SUB,
    Op.MUL_K: Alu.MUL,
    Op.DIV_K: Alu.DIV,
    Op.MOD_K: Alu.MOD,
    Op.AND_K: Alu.AND,
    Op.OR_K: Alu.OR,
    Op.XOR_K: Alu.XOR,
    Op.LSH_K: Alu.LSH,
    Op.RSH_K: Alu.RSH,
}
_JUMP = {Op.JEQ_K: Jump.EQ, Op.JGT_K: Jump.GT, Op.JGE_K: Jump.GE, Op.JSET_K: Jump.SET}
# The opposite condition and the cpu level that has it; "no bit set" has no opcode.
_OPPOSITE = {Jump.EQ: (Jump.NE, 1), Jump.GT: (Jump.LE, 2), Jump.GE: (Jump.LT, 2)}
_SIZE = {4: Size.W, 2: Size.H, 1: Size.B}


@record
class _To:
    """An instruction that jumps to classic instruction `target`."""

    insn: Insn
    target: int


@record
class Conversion:
    """`insns` are the program's; `starts[i]` is where classic instruction `i` begins in them.

    Instructions that nothing leads to became nothing.

    Before `starts[0]` stands the prologue. No instruction takes two slots, so indices are slots.
    """

    insns: tuple[Insn, ...]
    starts: tuple[int, ...]


class _Converter:
    def __init__(self, level: int, seccomp: bool, pcap: bool) -> None:
        self.level = level
        self.seccomp = seccomp
        self.pcap = pcap

    def lower(self, insn: Sock, index: int) -> list[Insn | _To]:
        """The extended instructions of one classic one."""
        code, k = insn.code, signed(insn.k, 32)
        if code in ABSOLUTE:
            return self.lower_absolute(insn, index)
        if code in INDIRECT:
            return self.lower_indirect(insn)
        if code == Op.LDX_MSH:
            return [
                mov_reg(SAVED, A),
                load_abs(Size.B, k),
                alu_imm(Alu.AND, A, 15, wide=False),
                alu_imm(Alu.LSH, A, 2, wide=False),
                mov_reg(X, A),
                mov_reg(A, SAVED),
            ]
        if code in JUMPS:
            return self.lower_jump(insn, index)
        if code & 7 == 4:
            return self.lower_arithmetic(insn)
        return self.lower_other(insn, index)

    def lower_indirect(self, insn: Sock) -> list[Insn | _To]:
        read = load_ind(_SIZE[INDIRECT[Op(insn.code)]], X, signed(insn.k, 32))
        if not self.pcap or not insn.k:
            return [read]
        # To libpcap's own interpreter a sum that wraps is out of bounds; Linux takes what is left.
        most = mov_imm(CONSTANT, signed(0xFFFFFFFF - insn.k, 32), wide=False)
        return [most, jump_reg(Jump.GT, X, CONSTANT, 1), ja(2), mov_imm(A, 0, wide=False), exit_(), read]

    def lower_other(self, insn: Sock, index: int) -> list[Insn | _To]:
        code, k = insn.code, signed(insn.k, 32)
        cell = -4 - 4 * k
        if code in (Op.LD_IMM, Op.LDX_IMM):
            return [mov_imm(X if code & 1 else A, k, wide=False)]
        if code in (Op.LD_LEN, Op.LDX_LEN):
            register = X if code & 1 else A
            return [
                mov_imm(register, 64, wide=False)
                if self.seccomp
                else load(Size.W, register, CONTEXT, SKB_LEN)
            ]
        if code in (Op.LD_MEM, Op.LDX_MEM):
            return [load(Size.W, X if code & 1 else A, FRAME, cell)]
        if code in (Op.ST, Op.STX):
            return [store_reg(Size.W, FRAME, cell, X if code & 1 else A)]
        if code == Op.TAX:
            return [mov_reg(X, A)]
        if code == Op.TXA:
            return [mov_reg(A, X)]
        if code == Op.JA:
            return [_To(ja(0), index + 1 + insn.k)]
        return [exit_()] if code == Op.RET_A else [mov_imm(A, k, wide=False), exit_()]

    def lower_arithmetic(self, insn: Sock) -> list[Insn | _To]:
        if insn.code == Op.NEG:
            return [neg(A, wide=False)]
        op = _ALU[Op(insn.code & ~8)]
        if not insn.code & 8:
            return [alu_imm(op, A, signed(insn.k, 32), wide=False)]
        body: list[Insn | _To] = [alu_reg(op, A, X, wide=False)]
        if op in (Alu.DIV, Alu.MOD):
            # Classic BPF ends with 0 when it divides by 0; extended BPF goes on.
            return [jump_imm(Jump.NE, X, 0, 2), mov_imm(A, 0, wide=False), exit_(), *body]
        if op in (Alu.LSH, Alu.RSH) and self.pcap:
            # libpcap's own interpreter shifts everything out; Linux takes the distance modulo 32.
            return [jump_imm(Jump.GT, X, 31, 1), ja(1), mov_imm(A, 0, wide=False), *body]
        return body

    def lower_jump(self, insn: Sock, index: int) -> list[Insn | _To]:
        op = _JUMP[Op(insn.code & ~8)]
        yes, no = index + 1 + insn.jt, index + 1 + insn.jf
        if insn.jt == insn.jf:
            return [_To(ja(0), yes)] if insn.jt else []
        opposite, level = _OPPOSITE.get(op, (op, 9))
        if insn.jf == 0:
            return self.compare(op, insn, yes)
        if insn.jt == 0 and level <= self.level:
            return self.compare(opposite, insn, no)
        return [*self.compare(op, insn, yes), _To(ja(0), no)]

    def compare(self, op: Jump, insn: Sock, target: int) -> list[Insn | _To]:
        if insn.code & 8:
            return [_To(jump_reg(op, A, X, 0), target)]
        if insn.k < 1 << 31:
            return [_To(jump_imm(op, A, insn.k, 0), target)]
        k = signed(insn.k, 32)
        if self.level >= 3:
            return [_To(jump_imm(op, A, k, 0, wide=False), target)]
        # A 64-bit comparison would extend the sign of such a constant.
        return [mov_imm(CONSTANT, k, wide=False), _To(jump_reg(op, A, CONSTANT, 0), target)]

    def lower_absolute(self, insn: Sock, index: int) -> list[Insn | _To]:
        if self.seccomp:
            return [load(Size.W, A, CONTEXT, insn.k)]
        ancillary = find_ancillary(insn)
        if ancillary is None:
            return [load_abs(_SIZE[ABSOLUTE[Op(insn.code)]], signed(insn.k, 32))]
        if ancillary == Ancillary.ALU_XOR_X:
            return [alu_reg(Alu.XOR, A, X, wide=False)]
        extra = EXTRAS[ancillary]
        if extra.helper:
            return [call(extra.helper)]
        if extra.offset < 0:
            raise FeatureError(
                f"insn {index}: SKF_AD_{extra.number.name}: extended programs can't load the {extra.meaning}",
                hint="the kernel converts such filters itself when they are attached with SO_ATTACH_FILTER",
            )
        field: list[Insn | _To] = [load(Size.W, A, CONTEXT, extra.offset)]
        return [*field, swap(End.BE, A, 16)] if extra.big else field


PROLOGUE = (mov_imm(A, 0, wide=False), mov_imm(X, 0, wide=False), mov_reg(CONTEXT, 1))
"""A and X start as 0: the kernel's verifier refuses `w0 ^= w0`, which its own conversion uses."""


def convert_filter(
    insns: Sequence[Sock], *, level: int = 3, seccomp: bool = False, pcap: bool = False
) -> Conversion:
    """The extended program that gives the verdicts of a classic filter.

    `level` is the cpu level (1 to 4) to write for. `seccomp`: r1 points to a struct seccomp_data,
    which only the VM runs. `pcap`: shifts by X are libpcap's instead of Linux's. FormatError for
    filters the kernel would refuse, FeatureError for loads an extended program can't do.
    """
    (check_seccomp if seccomp else check_filter)(insns)
    converter = _Converter(level, seccomp, pcap)
    reached = find_reached(insns)
    pieces = [converter.lower(insn, at) if reached[at] else [] for at, insn in enumerate(insns)]
    starts, at = [], len(PROLOGUE)
    for piece in pieces:
        starts.append(at)
        at += len(piece)
    out = list(PROLOGUE)
    for index, piece in enumerate(pieces):
        for part in piece:
            if isinstance(part, Insn):
                out.append(part)
                continue
            distance = starts[part.target] - len(out) - 1
            if distance > 0x7FFF:
                raise FeatureError(
                    f"insn {index}: jumps over {distance} instructions, expected at most 32767"
                )
            out.append(replace(part.insn, off=distance))
    return Conversion(tuple(out), tuple(starts))


def find_reached(insns: Sequence[Sock]) -> list[bool]:
    """Which instructions some path leads to. The verifier refuses programs that hold others."""
    reached = [False] * len(insns)
    reached[0] = True
    for index, insn in enumerate(insns):
        if not reached[index]:
            continue
        if insn.code in JUMPS:
            reached[index + 1 + insn.jt] = reached[index + 1 + insn.jf] = True
        elif insn.code == Op.JA:
            reached[index + 1 + insn.k] = True
        elif insn.code not in (Op.RET_K, Op.RET_A):
            reached[index + 1] = True
    return reached
