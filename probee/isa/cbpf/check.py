"""What the kernel refuses when a filter is attached (bpf_check_classic), and seccomp on top of it."""

from __future__ import annotations

from ...base.errors import FormatError
from .forms import EXTRAS, FORMS
from .insn import ABSOLUTE, JUMPS, MAX_INSNS, SCRATCH, Op, Sock, find_ancillary
from .text import render_sock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

SECCOMP_DATA = 64
"""Bytes of struct seccomp_data."""

_MEMORY = (Op.LD_MEM, Op.LDX_MEM, Op.ST, Op.STX)
_DIVISIONS = (Op.DIV_K, Op.MOD_K)
_SHIFTS = (Op.LSH_K, Op.RSH_K)


def check_filter(insns: Sequence[Sock]) -> None:
    """FormatError with the instruction's number and text, for what SO_ATTACH_FILTER answers EINVAL to."""
    if not 1 <= len(insns) <= MAX_INSNS:
        raise FormatError(f"expected 1..{MAX_INSNS} instructions, got {len(insns)}")
    for index, insn in enumerate(insns):
        _check_insn(insn, index, len(insns))
    if insns[-1].code not in (Op.RET_K, Op.RET_A):
        raise _error("expected a ret as the last instruction", insns, len(insns) - 1)
    _check_scratch(insns)


def _check_insn(insn: Sock, index: int, count: int) -> None:
    code, k = insn.code, insn.k
    if code not in FORMS:
        raise FormatError(f"insn {index}: unknown opcode {code:#06x}", offset=8 * index)
    if code in _DIVISIONS and k == 0:
        raise _bad("divides by 0", insn, index)
    if code in _SHIFTS and k >= 32:
        raise _bad("shifts by 32 or more", insn, index)
    if code in _MEMORY and k >= SCRATCH:
        raise _bad(f"expected a cell of M[0]..M[{SCRATCH - 1}]", insn, index)
    if code == Op.JA and index + 1 + k >= count:
        raise _bad(f"jumps out of the program, to {index + 1 + k}", insn, index)
    if code in JUMPS:
        for target in (index + 1 + insn.jt, index + 1 + insn.jf):
            if target >= count:
                raise _bad(f"jumps out of the program, to {target}", insn, index)
    ancillary = find_ancillary(insn)
    if ancillary is not None and ancillary not in EXTRAS:
        raise _bad(f"there is no ancillary load {ancillary}", insn, index)


def _check_scratch(insns: Sequence[Sock]) -> None:
    """Every load from M[k] comes after a store to it on all paths; jumps only go forwards."""
    everything = (1 << SCRATCH) - 1
    at_entry = [everything] * len(insns)
    written = 0
    for index, insn in enumerate(insns):
        written &= at_entry[index]
        if insn.code in (Op.ST, Op.STX):
            written |= 1 << insn.k
        elif insn.code in (Op.LD_MEM, Op.LDX_MEM) and not written >> insn.k & 1:
            raise _bad(f"M[{insn.k}] is read before it is written", insn, index)
        elif insn.code == Op.JA:
            at_entry[index + 1 + insn.k] &= written
            written = everything
        elif insn.code in JUMPS:
            at_entry[index + 1 + insn.jt] &= written
            at_entry[index + 1 + insn.jf] &= written
            written = everything


def check_seccomp(insns: Sequence[Sock]) -> None:
    """FormatError for what seccomp(2) refuses in a filter."""
    check_filter(insns)
    for index, insn in enumerate(insns):
        if not FORMS[insn.code].seccomp:
            raise _bad("seccomp filters may not do this", insn, index)
        if insn.code in ABSOLUTE and (insn.k >= SECCOMP_DATA or insn.k % 4):
            raise _bad(f"expected a multiple of 4 below {SECCOMP_DATA}", insn, index)


def _bad(message: str, insn: Sock, index: int) -> FormatError:
    return FormatError(f"insn {index}: {render_sock(insn, index)}: {message}", offset=8 * index)


def _error(message: str, insns: Sequence[Sock], index: int) -> FormatError:
    return _bad(message, insns[index], index)
