"""Computes nothing twice and nothing for nobody.

Needs: SSA with `preds`. Keeps: SSA; the order of effects.
"""

from __future__ import annotations

from ..ir.helpers import HELPERS
from ..ir.ops import OPS, PURE
from ..ir.types import IntType
from .flow import find_dominators, order_blocks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..ir.nodes import Block, Function, Value

_UNIQUE = frozenset({"slot", "ctx", "param"})


def merge_common(function: Function) -> None:
    """Replace a pure value by an equal one that dominates it (constants are left: they are cheaper to
    make again than to keep)."""
    order = order_blocks(function)
    parent = find_dominators(order)
    children: dict[Block, list[Block]] = {}
    for block in order[1:]:
        children.setdefault(parent[block], []).append(block)
    replaced: dict[Value, Value] = {}
    known: dict[Any, Value] = {}
    stack: list[tuple[Block, list[Any] | None]] = [(order[0], None)]
    while stack:
        block, made = stack.pop()
        if made is not None:  # all that the block dominates is done, and what it made is known no more
            for key in made:
                del known[key]
            continue
        made = []
        stack.append((block, made))
        for value in block.values:
            if value.args:
                value.args = [replaced.get(a, a) for a in value.args]
            key = _key(value)
            if key is None:
                continue
            same = known.setdefault(key, value)
            if same is not value:
                replaced[value] = same
            else:
                made.append(key)
        stack += [(child, None) for child in children.get(block, ())]
    if replaced:
        for block in order:
            block.values = [v for v in block.values if v not in replaced]
            for value in block.values:
                value.args = [replaced.get(a, a) for a in value.args]


def _key(value: Value) -> Any:
    """What makes two values the same, or None for those that must stay."""
    op = value.op
    if op == "call":
        if not HELPERS[value.attr].pure:
            return None
    elif op not in PURE or op in _UNIQUE or (not value.args and op != "call"):
        return None
    args = tuple([("const", a.imm) if a.op == "const" else a for a in value.args])
    return op, value.type, args, value.imm, value.attr


def narrow_stores(function: Function) -> None:
    """A store takes the low bytes of what it is given, so that cutting those out first is for nothing."""
    for block in function.blocks:
        for value in block.values:
            if value.op != "store":
                continue
            stored = value.args[1]
            while stored.op == "ext" and _bits(stored) >= 8 * value.attr:
                stored = value.args[1] = stored.args[0]


def _bits(value: Value) -> int:
    return value.type.bits if isinstance(value.type, IntType) else 64


def drop_dead(function: Function) -> None:
    """Take out values that nothing with an effect depends on."""
    needed: set[Value] = set()
    work: list[Value] = []
    for block in function.blocks:
        for value in block.values:
            effect = OPS[value.op].effect
            if effect in ("write", "end") or (effect == "call" and not HELPERS[value.attr].pure):
                needed.add(value)
                work.append(value)
    while work:
        for arg in work.pop().args:
            if arg not in needed:
                needed.add(arg)
                work.append(arg)
    for block in function.blocks:
        block.values = [v for v in block.values if v in needed]


def thread_jumps(function: Function) -> None:
    """Skip blocks that only jump, and lay the blocks out in reverse postorder, joining straight runs."""
    for block in function.blocks:
        end = block.terminator
        if end is None:
            continue
        for i, target in enumerate(end.targets):
            seen = {block}
            while (
                target not in seen
                and len(target.values) == 1
                and target.values[0].op == "jump"
                and not _has_phi(target.values[0].targets[0])
            ):
                seen.add(target)
                target = target.values[0].targets[0]
            end.targets[i] = target
        if len(end.targets) == 2 and end.targets[0] is end.targets[1]:
            end.op, end.args, end.targets = "jump", [], end.targets[:1]
    _relink(function)
    _join(function)


def _has_phi(block: Block) -> bool:
    return bool(block.values) and block.values[0].op == "phi"


def _relink(function: Function) -> None:
    """Recompute order and `preds`, keeping the order of predecessors of blocks with phis."""
    order = order_blocks(function)
    reached = set(order)
    fresh: dict[Block, list[Block]] = {b: [] for b in order}
    for block in order:
        for succ in block.succs:
            fresh[succ].append(block)
    for block in order:
        if not _has_phi(block):
            block.preds = fresh[block]
            continue
        keep = [i for i, p in enumerate(block.preds) if p in reached]
        for value in block.values:
            if value.op == "phi":
                value.args = [value.args[i] for i in keep]
        block.preds = [block.preds[i] for i in keep]
    function.blocks = order


def _join(function: Function) -> None:
    """Append a block to the only one that leads to it."""
    gone: set[Block] = set()
    for block in function.blocks:
        if block in gone:
            continue
        while True:
            end = block.terminator
            if end is None or end.op != "jump":
                break
            target = end.targets[0]
            if len(target.preds) != 1 or target is block or _has_phi(target) or target in gone:
                break
            block.values[-1:] = target.values
            gone.add(target)
            for succ in target.succs:
                succ.preds = [block if p is target else p for p in succ.preds]
    function.blocks = [b for b in function.blocks if b not in gone]


def lay_out(function: Function) -> None:
    """Order the blocks for the code: reverse postorder, loops whole."""
    function.blocks = order_blocks(function)
