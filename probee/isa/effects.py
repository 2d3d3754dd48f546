"""Which registers an instruction reads and writes."""

from __future__ import annotations

from .ebpf import CALL, CALLX, EXIT, JA, JA32, JAX, LDDW, MAY_GOTO, Alu, Atomic
from .fields import Class, End, Mode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .ebpf import Insn

CLOBBERED = (1, 2, 3, 4, 5)
"""Registers that hold nothing after a call, and after a load from a packet."""


def find_reads(insn: Insn, arguments: int = 5) -> tuple[int, ...]:
    """Registers `insn` reads; a call reads the first `arguments` of r1 to r5."""
    code = insn.code
    kind = code & 7
    if kind in (Class.ALU, Class.ALU64):
        if code in (End.LE, End.BE, End.SWAP):
            return (insn.dst,)
        kept = () if code & 0xF0 == Alu.MOV else (insn.dst,)
        return (*kept, insn.src) if code & 8 else kept
    if kind == Class.LDX:
        return (insn.src,)
    if kind == Class.ST:
        return (insn.dst,)
    if kind == Class.STX:
        return _store_reads(insn)
    if kind == Class.LD:
        if code == LDDW:
            return ()
        return (6, insn.src) if code & 0xE0 == Mode.IND else (6,)
    return _jump_reads(insn, arguments)


def _store_reads(insn: Insn) -> tuple[int, ...]:
    if insn.code & 0xE0 == Mode.ATOMIC:
        if insn.imm == Atomic.LOAD_ACQUIRE:
            return (insn.src,)
        if insn.imm == Atomic.CMPXCHG:
            return insn.dst, insn.src, 0
    return insn.dst, insn.src


def _jump_reads(insn: Insn, arguments: int) -> tuple[int, ...]:
    code = insn.code
    if code == EXIT:
        return (0,)
    if code == CALL:
        return CLOBBERED[:arguments]
    if code == CALLX:
        return (insn.dst, *CLOBBERED[:arguments])
    if code in (JA, JA32, MAY_GOTO):
        return ()
    if code == JAX:
        return (insn.dst,)
    return (insn.dst, insn.src) if code & 8 else (insn.dst,)


def find_writes(insn: Insn) -> tuple[int, ...]:
    """Registers that hold a new value after `insn`; those it clobbers are not among them."""
    code = insn.code
    kind = code & 7
    if kind in (Class.ALU, Class.ALU64, Class.LDX) or code == LDDW:
        return (insn.dst,)
    if kind == Class.LD or code in (CALL, CALLX):
        return (0,)
    if kind == Class.STX and code & 0xE0 == Mode.ATOMIC:
        if insn.imm == Atomic.LOAD_ACQUIRE:
            return (insn.dst,)
        if insn.imm == Atomic.CMPXCHG:
            return (0,)
        return (insn.src,) if insn.imm & Atomic.FETCH else ()
    return ()


def clobbers(insn: Insn) -> bool:
    """True when r1 to r5 hold nothing after `insn`."""
    return insn.code in (CALL, CALLX) or (insn.code & 7 == Class.LD and insn.code != LDDW)
