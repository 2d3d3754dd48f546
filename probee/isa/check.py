"""What must hold of a whole program before any machine runs it.

Not the kernel's verifier: only what makes a program a program. Every instruction is a known form
with registers there are, r10 is never written, jumps and calls go to the start of an instruction, no
path runs off the end, constant divisors aren't 0 and constant shifts are less than the width.
"""

from __future__ import annotations

from ..base.bits import signed
from ..base.errors import FormatError
from .disasm import render_insn
from .ebpf import CALL, CALLX, EXIT, JA, JA32, JAX, LDDW, MAY_GOTO, Alu, Insn
from .effects import find_writes
from .fields import Call, Class, Pseudo
from .forms import check_form

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_SLOTS = 1_000_000
"""The most slots a program may have (BPF_COMPLEXITY_LIMIT_INSNS)."""

_DIVISIONS = (Alu.DIV & 0xF0, Alu.MOD & 0xF0)
_SHIFTS = (Alu.LSH, Alu.RSH, Alu.ARSH)
FRAME_POINTER = 10


def find_slots(insns: Sequence[Insn]) -> list[int]:
    """The slot each instruction starts at, and at the end the number of slots."""
    slots, slot = [], 0
    for insn in insns:
        slots.append(slot)
        slot += insn.slots
    slots.append(slot)
    return slots


def find_target(insn: Insn, slot: int) -> int | None:
    """The slot a jump, a local call or the address of a function leads to, or None."""
    code = insn.code
    if code == JA32 or (code == CALL and insn.src == Call.LOCAL):
        return slot + 1 + insn.imm
    if code == LDDW:
        return slot + 1 + signed(insn.imm, 32) if insn.src == Pseudo.FUNC else None
    if code & 7 in (Class.JMP, Class.JMP32) and code not in (CALL, CALLX, EXIT, JAX):
        return slot + 1 + insn.off
    return None


def ends_block(insn: Insn) -> bool:
    """Control never goes from `insn` to the one after it."""
    return insn.code in (EXIT, JA, JA32, JAX)


def check_program(insns: Sequence[Insn], *, strict: bool = True) -> None:
    """Refuse what no machine can run: FormatError with the instruction's number and text.

    `strict` also refuses what is legal for the machine but not for the kernel: constant shifts by
    the width or more, constant division by 0, may_goto to itself.
    """
    if not insns:
        raise FormatError("expected at least one instruction, got none")
    slots = find_slots(insns)
    if slots[-1] > MAX_SLOTS:
        raise FormatError(f"expected at most {MAX_SLOTS} slots, got {slots[-1]}")
    starts = set(slots[:-1])
    for insn, slot in zip(insns, slots, strict=False):
        check_form(insn, slot)
        target = find_target(insn, slot)
        if target is not None and target not in starts:
            inside = 0 <= target < slots[-1]
            where = "into the middle of a lddw" if inside else f"out of the program, to slot {target}"
            raise _error(f"jumps {where}", insn, slot)
        if FRAME_POINTER in find_writes(insn):
            raise _error("writes the frame pointer", insn, slot)
        if strict:
            _check_operands(insn, slot)
    if not ends_block(insns[-1]):
        raise _error("the program runs off its end", insns[-1], slots[-2])


def _check_operands(insn: Insn, slot: int) -> None:
    code = insn.code
    kind = code & 7
    if kind in (Class.ALU, Class.ALU64) and not code & 8:
        if code & 0xF0 in _DIVISIONS and insn.imm == 0:
            raise _error("divides by 0", insn, slot)
        if code & 0xF0 in _SHIFTS and not 0 <= insn.imm < (64 if kind == Class.ALU64 else 32):
            raise _error("shifts by the width or more", insn, slot)
    if code == MAY_GOTO and insn.off == -1:
        raise _error("loops on itself", insn, slot)


def _error(message: str, insn: Insn, slot: int) -> FormatError:
    return FormatError(f"insn {slot}: {render_insn(insn, slot)}: {message}", offset=slot * 8)
