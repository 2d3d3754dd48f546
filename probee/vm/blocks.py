"""Functions and basic blocks of a program, and where a register may be read before it is written."""

from __future__ import annotations

from ..base.record import record
from ..isa.check import ends_block, find_target
from ..isa.ebpf import CALL, LDDW, Insn
from ..isa.effects import CLOBBERED, clobbers, find_reads, find_writes
from ..isa.fields import Call, Class, Pseudo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


@record
class Block:
    """Instructions that run one after another; `next` are the slots it may go to, fall-through last."""

    start: int
    insns: tuple[tuple[int, Insn], ...]
    next: tuple[int, ...]


@record
class Function:
    """What is reachable from `entry` without calls; `blocks` by slot, the entry's first."""

    entry: int
    blocks: dict[int, Block]


def find_entries(insns: dict[int, Insn]) -> tuple[int, ...]:
    """Slots where functions start: 0, then those called or whose address is taken."""
    entries = {0: None}
    for slot, insn in insns.items():
        local = insn.code == CALL and insn.src == Call.LOCAL
        if local or (insn.code == LDDW and insn.src == Pseudo.FUNC):
            target = find_target(insn, slot)
            if target is not None:
                entries[target] = None
    return tuple(entries)


def find_function(insns: dict[int, Insn], entry: int) -> Function:
    """The blocks of the function at `entry`."""
    leaders, reached = {entry}, set()
    pending = [entry]
    while pending:
        slot = pending.pop()
        if slot in reached:
            continue
        reached.add(slot)
        insn = insns[slot]
        after = find_next(insn, slot)
        if len(after) != 1 or after[0] != slot + insn.slots:
            leaders.update(after)
        pending += after
    return Function(entry, {start: _block(insns, start, leaders) for start in _entry_first(leaders, entry)})


def _entry_first(leaders: set[int], entry: int) -> list[int]:
    return [entry, *sorted(leaders - {entry})]


def _block(insns: dict[int, Insn], start: int, leaders: set[int]) -> Block:
    body = []
    slot = start
    while True:
        insn = insns[slot]
        body.append((slot, insn))
        after = find_next(insn, slot)
        following = slot + insn.slots
        if after != (following,) or following in leaders:
            return Block(start, tuple(body), after)
        slot = following


def find_next(insn: Insn, slot: int) -> tuple[int, ...]:
    """The slots control may go to after `insn`: the jump's target, then the next instruction."""
    following = () if ends_block(insn) else (slot + insn.slots,)
    if insn.code & 7 not in (Class.JMP, Class.JMP32) or insn.code == CALL:
        return following
    target = find_target(insn, slot)
    return following if target is None else (target, *following)


def find_unwritten_reads(
    function: Function, unwritten: int, arguments: Callable[[Insn], int]
) -> dict[int, tuple[int, ...]]:
    """For slots that may read registers nothing was written to, those registers.

    `unwritten` is a mask of the registers that hold nothing at the entry; `arguments` tells how
    many registers a call reads.
    """
    states = {function.entry: unwritten}
    pending = [function.entry]
    while pending:
        block = function.blocks[pending.pop()]
        state = states[block.start]
        for _, insn in block.insns:
            state = _after(insn, state, arguments)
        for target in block.next:
            before = states.get(target)
            after = state if before is None else state | before
            if after != before:
                states[target] = after
                pending.append(target)
    found: dict[int, tuple[int, ...]] = {}
    for start, block in function.blocks.items():
        state = states[start]
        for slot, insn in block.insns:
            reads = find_reads(insn, arguments(insn))
            bad = tuple(dict.fromkeys(r for r in reads if state >> r & 1))
            if bad:
                found[slot] = bad
            state = _after(insn, state, arguments)
    return found


def _after(insn: Insn, state: int, arguments: Callable[[Insn], int]) -> int:
    for register in find_reads(insn, arguments(insn)):
        state &= ~(1 << register)  # one that isn't written ends the run here
    if clobbers(insn):
        for register in CLOBBERED:
            state |= 1 << register
    for register in find_writes(insn):
        state &= ~(1 << register)
    return state
