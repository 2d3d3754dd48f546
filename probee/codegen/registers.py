"""Register allocation with spilling.

Needs: what `select` leaves. Gives a register for every value that needs one; values that found none
live in the frame and are stored once and read back before each use.

A lifetime is a set of positions kept as bits of one integer, three an instruction: where it reads
(3i), where a call clobbers (3i+1), where it writes (3i+2). Two values may share a register when their
lifetimes are disjoint; a call's clobber of r0–r5 is a lifetime like any other. Values are placed in
order of their first position, each in the first free register it would like; when none is free the
least valuable of those in the way is spilled, all is counted anew, and the whole is done again. What
spilling leaves is a few positions long and never spilled again, so this ends.
"""

from __future__ import annotations

from ..base.errors import InternalError
from ..base.record import record
from ..ir.nodes import Value
from ..ir.ops import COMMUTATIVE, COMPARISONS
from ..ir.types import U64
from .flow import find_live, find_loops
from .select import FOLDED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Block, Function

_CLOBBERED = range(6)
_REGISTERS = (1, 2, 3, 4, 5, 0, 6, 7, 8, 9)
_SAVED_FIRST = (6, 7, 8, 9)
_READS_SLOT = frozenset({"call", "moves", "ret"})
_LATE_LEFT = COMPARISONS | {"fetch_add", "xchg"}
_LATE_RIGHT = COMPARISONS | {"sub", "udiv", "umod", "sdiv", "smod", "shl", "lshr", "ashr"}
_KEPT = float("inf")


@record
class Lifetimes:
    """Positions of each value, of the fixed uses of each register, and what each value is worth."""

    values: dict[Value, int]
    fixed: list[int]
    worth: dict[Value, float]
    first: dict[Value, int]


def allocate(function: Function, frame_size: int, room: int) -> tuple[dict[Value, int], int]:
    """The register of every value, and the size of the frame with spills, of which slots take the
    first `frame_size` bytes; it may have `room`."""
    kept: set[Value] = set()
    for _ in range(64):
        lifetimes = _find_lifetimes(function, kept)
        registers, spilled = _assign(function, lifetimes)
        if not spilled:
            return registers, frame_size
        frame_size = _spill(function, spilled, lifetimes, frame_size, kept, room)
    raise InternalError(f"{function.name}: register allocation does not end")


def _find_lifetimes(function: Function, kept: set[Value]) -> Lifetimes:
    bit: dict[Value, int] = {}
    for block in function.blocks:
        for value in block.values:
            if value.type is not None:
                bit[value] = len(bit)
    by_bit = list(bit)
    live_out = find_live(function.blocks, *_sum_blocks(function, bit))
    depth = _find_depth(function.blocks)
    masks = dict.fromkeys(bit, 0)
    worth: dict[Value, float] = dict.fromkeys(bit, 0.0)
    fixed = [0] * 10
    start = 0
    for index, block in enumerate(function.blocks):
        weight = 10.0 ** min(depth[index], 4)
        until: dict[Value, int] = {}
        end = start + 3 * len(block.values)
        live = live_out[block]
        while live:
            low = live & -live
            until[by_bit[low.bit_length() - 1]] = end - 1
            live ^= low
        position = end
        for value in reversed(block.values):
            position -= 3
            _fix(fixed, value, position)
            for made in _defs(value):
                last = max(until.pop(made, 0), position + 2)
                masks[made] |= ((1 << (last - position - 1)) - 1) << (position + 2)
                worth[made] += weight
            for i, arg in enumerate(value.args):
                if arg not in bit:
                    continue
                late = _is_late(value, i)
                until.setdefault(arg, position)
                if late:
                    masks[arg] |= 0b110 << position
                worth[arg] += weight
        for value, last in until.items():
            masks[value] |= ((1 << (last - start + 1)) - 1) << start
        start = end
    first = {v: (m & -m).bit_length() for v, m in masks.items()}
    for value, mask in masks.items():
        worth[value] = _KEPT if value in kept or value.op in FOLDED else worth[value] / mask.bit_count()
    return Lifetimes(masks, fixed, worth, first)


def _sum_blocks(function: Function, bit: dict[Value, int]) -> tuple[dict[Block, int], dict[Block, int]]:
    """What each block reads before it writes, and what it writes."""
    uses: dict[Block, int] = {}
    defs: dict[Block, int] = {}
    for block in function.blocks:
        used = made = 0
        for value in block.values:
            for arg in value.args:
                if arg in bit:
                    used |= (1 << bit[arg]) & ~made
            for result in _defs(value):
                made |= 1 << bit[result]
        uses[block], defs[block] = used, made
    return uses, defs


def _defs(value: Value) -> list[Value]:
    if value.op == "moves":
        return [to for to in value.attr if isinstance(to, Value)]
    return [value] if value.type is not None and value.op != "phi" else []


def _is_late(value: Value, index: int) -> bool:
    """True when argument `index` is still read after the result has begun to be written."""
    if index == 0:
        return value.op in _LATE_LEFT
    return value.op in _LATE_RIGHT and value.args[0] is not value.args[1]


def _fix(fixed: list[int], value: Value, position: int) -> None:
    """Registers that the instruction itself uses up."""
    if value.op == "call":
        for register in _CLOBBERED:
            fixed[register] |= 1 << (position + 1)
    elif value.op == "moves" and (len(value.args) > 1 or isinstance(value.attr[0], int)):
        fixed[0] |= 0b111 << position  # the way from memory to memory, and out of circles
    elif value.op == "cmpxchg":
        fixed[0] |= 0b11 << position


def _find_depth(blocks: list[Block]) -> list[int]:
    depth = [0] * len(blocks)
    for head, tail in find_loops(blocks):
        for i in range(head, tail + 1):
            depth[i] += 1
    return depth


def _assign(function: Function, lifetimes: Lifetimes) -> tuple[dict[Value, int], set[Value]]:
    masks, worth = lifetimes.values, lifetimes.worth
    hints = _find_hints(function)
    taken = list(lifetimes.fixed)
    holders: list[list[Value]] = [[] for _ in range(10)]
    registers: dict[Value, int] = {}
    spilled: set[Value] = set()
    for value in sorted(masks, key=lambda v: lifetimes.first[v]):
        mask = masks[value]
        if not mask:
            continue
        register = _choose(value, mask, taken, lifetimes, hints, registers)
        if register is None:
            register, losers = _make_room(value, mask, lifetimes, holders)
            if register is None:
                spilled.add(value)
                continue
            for loser in losers:
                spilled.add(loser)
                del registers[loser]
                holders[register].remove(loser)
                taken[register] &= ~masks[loser]
        registers[value] = register
        holders[register].append(value)
        taken[register] |= mask
    if any(worth[v] == _KEPT for v in spilled):
        raise InternalError(f"{function.name}: no register for a value that can't be spilled")
    return registers, spilled


def _choose(
    value: Value,
    mask: int,
    taken: list[int],
    lifetimes: Lifetimes,
    hints: dict[Value, list[Value | int]],
    registers: dict[Value, int],
) -> int | None:
    """A free register: one that saves a move, else one that calls leave alone if calls are crossed."""
    if value.op in ("ctx", "param"):
        # Parameters are moved one after the other: none may be put where another still is.
        own = value.imm + 1
        return own if not taken[own] & mask else next((r for r in _SAVED_FIRST if not taken[r] & mask), None)
    for hint in hints.get(value, ()):
        register = hint if isinstance(hint, int) else registers.get(hint)
        if register is not None and not taken[register] & mask:
            return register
    for register in _REGISTERS:
        if not taken[register] & mask:
            return register
    return None


def _make_room(
    value: Value, mask: int, lifetimes: Lifetimes, holders: list[list[Value]]
) -> tuple[int | None, list[Value]]:
    """The register whose holders in the way are together worth least, if less than `value`."""
    best: int | None = None
    losers: list[Value] = []
    price = lifetimes.worth[value]
    for register in range(10):
        if lifetimes.fixed[register] & mask:
            continue
        in_the_way = [v for v in holders[register] if lifetimes.values[v] & mask]
        cost = max(lifetimes.worth[v] for v in in_the_way)
        if cost < price:
            best, losers, price = register, in_the_way, cost
    return best, losers


def _find_hints(function: Function) -> dict[Value, list[Value | int]]:
    """Registers, or values whose register, would save each value a move."""
    hints: dict[Value, list[Value | int]] = {}
    for block in function.blocks:
        for value in block.values:
            if value.op == "call":
                if value.type is not None:
                    hints.setdefault(value, []).append(0)
                for i, arg in enumerate(value.args):
                    hints.setdefault(arg, []).append(i + 1)
            elif value.op == "moves":
                for arg, to in zip(value.args, value.attr, strict=True):
                    if isinstance(to, Value):
                        hints.setdefault(arg, []).append(to)
                        hints.setdefault(to, []).append(arg)
            elif value.op == "ret":
                hints.setdefault(value.args[0], []).append(0)
            elif value.type is not None and value.args:
                hints.setdefault(value, []).append(value.args[0])
                if value.op in COMMUTATIVE or value.op == "padd":
                    hints[value].append(value.args[1])
    return hints


def _spill(
    function: Function,
    spilled: set[Value],
    lifetimes: Lifetimes,
    frame_size: int,
    kept: set[Value],
    room: int,
) -> int:
    """Give each spilled value 8 bytes of the frame (shared by disjoint lifetimes), write it there once
    and read it back before each use. The new size of the frame."""
    homes: list[int] = []
    offset: dict[Value, int] = {}
    for value in sorted(spilled, key=lambda v: lifetimes.first[v]):
        mask = lifetimes.values[value]
        home = next((i for i, taken in enumerate(homes) if not taken & mask), len(homes))
        if home == len(homes):
            homes.append(0)
        homes[home] |= mask
        offset[value] = -(frame_size + 8 * (home + 1))
    frame_size += 8 * len(homes)
    if frame_size + 8 > room:  # 8 bytes are for circles of moves
        raise InternalError(f"{function.name}: more values alive at once than the stack can hold")
    for block in function.blocks:
        out: list[Value] = []
        for value in block.values:
            if value.op == "phi" and value in spilled:
                continue
            if value.op == "moves":
                value.attr = [offset.get(to, to) for to in value.attr]
            fresh: dict[Value, Value] = {}
            for i, arg in enumerate(value.args):
                if arg in spilled:
                    value.args[i] = _read_back(out, value, arg, offset[arg], fresh, spilled, kept)
            if value not in spilled:
                out.append(value)
            elif not _remade(value, spilled):
                kept.add(value)
                store = Value("spill", None, [value], imm=offset[value], span=value.span)
                out += (value, store)
        block.values = out
    return frame_size


def _remade(value: Value, spilled: set[Value]) -> bool:
    """True for what is read from the context again sooner than from the frame."""
    return value.op == "load" and value.args[0].op == "ctx" and value.args[0] not in spilled


def _read_back(
    out: list[Value],
    user: Value,
    arg: Value,
    offset: int,
    fresh: dict[Value, Value],
    spilled: set[Value],
    kept: set[Value],
) -> Value:
    if arg in fresh:
        return fresh[arg]
    if _remade(arg, spilled):
        copy = Value("load", arg.type, list(arg.args), imm=arg.imm, span=user.span)
        out.append(copy)
    else:
        copy = Value("reload", arg.type or U64, imm=offset, span=user.span)
        if user.op not in _READS_SLOT:
            out.append(copy)
    kept.add(copy)
    fresh[arg] = copy
    return copy
