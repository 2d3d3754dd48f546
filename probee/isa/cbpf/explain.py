"""A classic filter and its conversion side by side, and in words what changed where."""

from __future__ import annotations

from ..disasm import render_insn
from ..ebpf import CALL
from ..fields import Class, Mode
from ..helpers import find_helper_name
from .convert import convert_filter, find_reached
from .forms import EXTRAS
from .insn import ABSOLUTE, INDIRECT, JUMPS, Op, find_ancillary
from .text import render_meaning, render_sock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..ebpf import Insn
    from .convert import Conversion
    from .insn import Sock

_LEFT, _MIDDLE = 32, 40


def explain_filter(insns: Sequence[Sock], *, level: int = 3, seccomp: bool = False) -> str:
    """The two side by side and what changed. Raises what `convert_filter` raises."""
    conversion = convert_filter(insns, level=level, seccomp=seccomp)
    notes = "\n".join(f"- {note}" for note in list_changes(insns, conversion))
    return f"{render_side_by_side(insns, conversion)}\n\n{notes}"


def render_side_by_side(insns: Sequence[Sock], conversion: Conversion) -> str:
    """Each classic instruction with its meaning, and to the right what it became."""
    rows = [("classic", "means", "extended"), *_rows(insns, conversion)]
    return "\n".join(f"{a:<{_LEFT}} {b:<{_MIDDLE}} {c}".rstrip() for a, b, c in rows)


def _rows(insns: Sequence[Sock], conversion: Conversion) -> list[tuple[str, str, str]]:
    rows = []
    ends = (*conversion.starts[1:], len(conversion.insns))
    for slot in range(conversion.starts[0]):
        rows.append(("", "(A and X start as 0)" if slot == 0 else "", _extended(conversion.insns, slot)))
    for index, insn in enumerate(insns):
        left = f"({index:03d}) {' '.join(render_sock(insn, index).split())}"
        middle = render_meaning(insn, index)
        slots = range(conversion.starts[index], ends[index])
        rows.append((left, middle, _extended(conversion.insns, slots[0]) if slots else "(nothing)"))
        rows += [("", "", _extended(conversion.insns, slot)) for slot in slots[1:]]
    return rows


def _extended(insns: Sequence[Insn], slot: int) -> str:
    text = render_insn(insns[slot], slot, name=_helper, label=lambda target: str(target))
    return f"{slot:4d}: {text}"


def _helper(insn: Insn, slot: int) -> str | None:
    return find_helper_name(insn.imm) if insn.code == CALL else None


def list_changes(insns: Sequence[Sock], conversion: Conversion) -> list[str]:
    """Sentences, of those that are true of this filter."""
    codes = {insn.code for insn in insns}
    grown = len(conversion.insns) - conversion.starts[0]
    dead = find_reached(insns).count(False)
    changes = [
        f"{len(insns)} instructions became {grown}, and {conversion.starts[0]} that come first.",
        "Registers, 2 → 10: A is r0, which is also what the program returns; X is r7; r6 keeps the context, "
        "because calls and packet loads take r1 to r5.",
        "Width, 32 → 64 bits: A and X stay numbers of 32 bits, since operations on w registers clear the "
        "upper half.",
    ]
    if dead:
        changes.append(
            f"{dead} that nothing leads to are left out: the verifier refuses programs that hold such."
        )
    if codes & JUMPS:
        changes.append(
            "Jumps: classic ones name both ways (jt, jf), extended ones go on with the next instruction when "
            f"the condition is false{_jump_note(insns)}."
        )
    if codes & (set(ABSOLUTE) | set(INDIRECT) | {Op.LDX_MSH}) and _has_packet_load(conversion):
        changes.append(
            "Packet loads keep their meaning: big-endian, and the program ends with 0 when they are out of "
            "bounds. They are calls in disguise and leave nothing in r1 to r5."
        )
    if Op.LDX_MSH in codes:
        changes.append(
            "The length of the IP header (4*([k]&0xf)) has no instruction: A waits in r8 meanwhile."
        )
    if codes & {Op.LD_MEM, Op.LDX_MEM, Op.ST, Op.STX}:
        changes.append("Scratch memory M[k] lies on the stack, at r10 - 4 - 4k.")
    if codes & {Op.DIV_X, Op.MOD_X}:
        changes.append(
            "Division by X: classic BPF returns 0 when X is 0, extended BPF would go on; so X is tested."
        )
    if any(insn.k >> 31 and insn.code in JUMPS and not insn.code & 8 for insn in insns):
        changes.append(
            "Constants of 2^31 and more: 64-bit comparisons would extend their sign, so 32 bits are compared."
        )
    changes += _ancillary_changes(insns)
    return changes


def _jump_note(insns: Sequence[Sock]) -> str:
    inverted = sum(i.code in JUMPS and i.jt == 0 and i.jf != 0 and i.code & 0xF0 != 0x40 for i in insns)
    double = sum(i.code in JUMPS and 0 not in (i.jt, i.jf) and i.jt != i.jf for i in insns)
    parts = []
    if inverted:
        parts.append(f"{inverted} turned round")
    if double:
        parts.append(f"{double} needed a second jump")
    return f" ({', '.join(parts)})" if parts else ""


def _has_packet_load(conversion: Conversion) -> bool:
    return any(i.code & 7 == Class.LD and i.code & 0xE0 in (Mode.ABS, Mode.IND) for i in conversion.insns)


def _ancillary_changes(insns: Sequence[Sock]) -> list[str]:
    extras = {n for n in map(find_ancillary, insns) if n in EXTRAS}
    changes = []
    if any(EXTRAS[n].offset >= 0 for n in extras):
        changes.append(
            "Loads about the packet are reads of struct __sk_buff, which the kernel turns into reads of the "
            "real one."
        )
    if any(EXTRAS[n].helper for n in extras):
        changes.append(
            "Loads that ask the system are calls of helpers, by convention: arguments in r1 to r5, result in "
            "r0, r6 to r9 kept."
        )
    return changes
