"""Facts about the flow of a function that passes share: order, dominators, loops, liveness."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Block, Function, Value

_COUNT = 16
"""Bytes in which the kernel keeps how often and how long a program's may_goto has gone round."""


def find_room(function: Function, room: int) -> int:
    """The bytes of stack that the code of `function` may use, of `room`."""
    loops = any(block.values[-1].op == "may_goto" for block in function.blocks)
    return room - _COUNT if loops else room


def order_blocks(function: Function) -> list[Block]:
    """The reachable blocks in reverse postorder, the entry first."""
    seen = {function.blocks[0]}
    order: list[Block] = []
    stack = [(function.blocks[0], iter(function.blocks[0].succs))]
    while stack:
        block, succs = stack[-1]
        for succ in succs:
            if succ not in seen:
                seen.add(succ)
                stack.append((succ, iter(succ.succs)))
                break
        else:
            order.append(block)
            stack.pop()
    order.reverse()
    return order


def find_dominators(order: list[Block]) -> dict[Block, Block]:
    """The immediate dominator of each block; the entry's is itself.

    Cooper, Harvey, Kennedy, "A Simple, Fast Dominance Algorithm" (2001).
    """
    index = {block: i for i, block in enumerate(order)}
    parent = {order[0]: order[0]}
    changed = True
    while changed:
        changed = False
        for block in order[1:]:
            # The last ones first: of a block that is left to from all of a long chain (a comparison of text),
            # each then takes one step instead of the whole way up.
            known = sorted([p for p in block.preds if p in parent], key=index.__getitem__, reverse=True)
            best = known[0]
            for other in known[1:]:
                a, b = best, other
                while a is not b:
                    while index[a] > index[b]:
                        a = parent[a]
                    while index[b] > index[a]:
                        b = parent[b]
                best = a
            if parent.get(block) is not best:
                parent[block] = best
                changed = True
    return parent


def find_loops(blocks: list[Block]) -> list[tuple[int, int]]:
    """Loops as (first, last) index into `blocks`, whose order must keep a loop's blocks together."""
    index = {block: i for i, block in enumerate(blocks)}
    return [(index[succ], i) for i, block in enumerate(blocks) for succ in block.succs if index[succ] <= i]


def find_live(blocks: list[Block], uses: dict[Block, int], defs: dict[Block, int]) -> dict[Block, int]:
    """What is live at the end of each block. Sets are integers, a bit a value: `uses` holds what a
    block reads before it writes, `defs` what it writes."""
    live_in = dict.fromkeys(blocks, 0)
    live_out = dict.fromkeys(blocks, 0)
    work = list(blocks)
    while work:
        block = work.pop()
        out = 0
        for succ in block.succs:
            out |= live_in[succ]
        live_out[block] = out
        before = uses[block] | (out & ~defs[block])
        if before != live_in[block]:
            live_in[block] = before
            work.extend(block.preds)
    return live_out


_CHEAP = frozenset({"const", "map", "global", "slot", "ctx", "func", "shared", "area"})
"""Ops that are made again where they are used, or are never kept."""


def find_crowd(function: Function) -> list[Value]:
    """The values, those cheap to make again left out, that are alive where most are. Needs SSA."""
    bit: dict[Value, int] = {}
    for block in function.blocks:
        for value in block.values:
            if value.type is not None and value.op not in _CHEAP:
                bit[value] = 1 << len(bit)
    live_out = find_live(function.blocks, *_sum_blocks(function, bit))
    most = crowd = 0
    for block in function.blocks:
        live = live_out[block]
        for succ in block.succs:
            for value in succ.values:
                if value.op == "phi":
                    for pred, arg in zip(succ.preds, value.args, strict=True):
                        live |= bit.get(arg, 0) if pred is block else 0
        for value in reversed(block.values):
            if live.bit_count() > most:
                most, crowd = live.bit_count(), live
            live &= ~bit.get(value, 0)
            if value.op != "phi":
                for arg in value.args:
                    live |= bit.get(arg, 0)
        if live.bit_count() > most:
            most, crowd = live.bit_count(), live
    return [value for value, mask in bit.items() if mask & crowd]


def _sum_blocks(function: Function, bit: dict[Value, int]) -> tuple[dict[Block, int], dict[Block, int]]:
    """What each block reads before it writes, and what it writes; a phi reads at the ends of ways to it."""
    uses: dict[Block, int] = {}
    defs: dict[Block, int] = {}
    for block in function.blocks:
        used = made = 0
        for value in block.values:
            if value.op != "phi":
                for arg in value.args:
                    used |= bit.get(arg, 0) & ~made
            made |= bit.get(value, 0)
        uses[block], defs[block] = used, made
    for block in function.blocks:
        for value in block.values:
            if value.op == "phi":
                for pred, arg in zip(block.preds, value.args, strict=True):
                    uses[pred] |= bit.get(arg, 0) & ~defs[pred]
    return uses, defs
