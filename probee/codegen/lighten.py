"""Values that the stack has no room for are kept in scratch memory.

Needs: SSA, callbacks opened. Keeps: SSA. Where more values are alive at once than registers and frame hold,
some are stored in the memory of the run where they are made, and loaded where they are used. Not those from
which a pointer is moved: what the verifier has learned of such a number would be lost on the way.
"""

from __future__ import annotations

from ..base.bits import align_up
from ..ir.nodes import Block, Value
from ..ir.spaces import FOREIGN
from ..ir.types import VALUE, IntType, PtrType
from .callbacks import ENVIRONMENT, find_environments
from .flow import find_crowd, find_room
from .legalize import split_edges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Function
    from .callbacks import Calls

_MARGIN = 4
"""Words of a frame that are left for what code generation adds."""

_FIXED = frozenset({"param", "ctx", "const"})


def lighten(program: Function, calls: Calls, room: int = 0) -> None:
    """Have no more values alive at once in any function than its frame can hold, which has `room` bytes (0:
    what kernels allow)."""
    room = room or calls.find_room()
    for function in program.whole:
        taken = ENVIRONMENT * bool(find_environments(function))
        limit = max((find_room(function, room) - taken) // 8 - _MARGIN, 0)
        if sum(len(block.values) for block in function.blocks) > limit:
            _lighten(function, program, limit)


def _lighten(function: Function, program: Function, limit: int) -> None:
    bound: set[Value] | None = None
    deciding: set[Value] = set()
    while True:
        crowd = find_crowd(function)
        if len(crowd) <= limit:
            return
        if bound is None:
            split_edges(function)
            bound, deciding = _find_bound(function), _find_deciding(function)
        uses = _count_uses(function)
        movable = [value for value in crowd if _can_move(value) and value not in bound]
        movable.sort(key=lambda value: (value in deciding, uses.get(value, 0)))
        chosen = movable[: len(crowd) - limit]
        if not chosen:
            return
        homes = {value: program.shared + 8 * n for n, value in enumerate(chosen)}
        program.shared = align_up(program.shared + 8 * len(homes), 8)
        _Memory(homes).keep(function)
        # What is loaded lives for one use only: it is no candidate again.
        bound |= _loads(function, set(homes.values()))


def _can_move(value: Value) -> bool:
    if value.op in _FIXED:
        return False
    return isinstance(value.type, IntType) or (
        isinstance(value.type, PtrType) and value.type.space in FOREIGN
    )


def _find_bound(function: Function) -> set[Value]:
    """Numbers that pointers move by, or that say how much a helper may touch, and what they come from."""
    values = [value for block in function.blocks for value in block.values]
    seeds = [v.args[1] for v in values if v.op == "padd" or (v.op == "call" and len(v.args) > 1)]
    return _find_origins(seeds)


def _find_deciding(function: Function) -> set[Value]:
    """Numbers that say which way is gone: a verifier that follows every round of a loop must know them."""
    return _find_origins([arg for block in function.blocks for arg in block.values[-1].args])


def _find_origins(work: list[Value]) -> set[Value]:
    """Values, and what they are computed from."""
    found: set[Value] = set()
    while work:
        value = work.pop()
        if value not in found and value.op not in ("load", "call"):
            work += value.args
        found.add(value)
    return found


def _count_uses(function: Function) -> dict[Value, int]:
    count: dict[Value, int] = {}
    for block in function.blocks:
        for value in block.values:
            for arg in value.args:
                count[arg] = count.get(arg, 0) + 1
    return count


def _loads(function: Function, homes: set[int]) -> set[Value]:
    return {
        value
        for block in function.blocks
        for value in block.values
        if value.op == "load" and value.args[0].op == "shared" and value.args[0].imm in homes
    }


class _Memory:
    """Values and the offsets of their homes in shared memory."""

    def __init__(self, homes: dict[Value, int]) -> None:
        self.homes = homes

    def keep(self, function: Function) -> None:
        """Store every value at home where it is made, and load it where it is used."""
        phis = {block: [v for v in block.values if v.op == "phi"] for block in function.blocks}
        for block in function.blocks:
            out: list[Value] = []
            for value in block.values:
                if value.op == "phi":
                    if value not in self.homes:
                        out.append(value)
                    continue
                self._load_arguments(out, value)
                if value is block.values[-1]:
                    for succ in block.succs:
                        self._move(out, block, succ, phis[succ])
                out.append(value)
                if value in self.homes:
                    self._store(out, self.homes[value], value)
            block.values = out

    def _load_arguments(self, out: list[Value], value: Value) -> None:
        fresh: dict[Value, Value] = {}
        for arg in value.args:
            if arg in self.homes and arg not in fresh:
                fresh[arg] = self._load(out, arg)
        value.args = [fresh.get(arg, arg) for arg in value.args]

    def _move(self, out: list[Value], block: Block, succ: Block, phis: list[Value]) -> None:
        """What the phis of `succ` are on the way from `block`, which is the only one that it goes."""
        index = succ.preds.index(block) if phis else 0
        later: list[tuple[int, Value]] = []
        soon: list[tuple[int, Value]] = []
        for phi in phis:
            arg = phi.args[index]
            if phi not in self.homes:
                if arg in self.homes:
                    phi.args[index] = self._load(out, arg)
            elif arg in phis and arg in self.homes:
                if arg is not phi:
                    later.append((self.homes[phi], self._load(out, arg)))
            else:
                soon.append((self.homes[phi], arg))
        for home, arg in soon:
            self._store(out, home, self._load(out, arg) if arg in self.homes else arg)
        for home, loaded in later:
            self._store(out, home, loaded)

    def _load(self, out: list[Value], value: Value) -> Value:
        place = Value("shared", VALUE, imm=self.homes[value], span=value.span)
        loaded = Value("load", value.type, [place], span=value.span)
        out += (place, loaded)
        return loaded

    def _store(self, out: list[Value], home: int, value: Value) -> None:
        place = Value("shared", VALUE, imm=home, span=value.span)
        size = value.type.bits // 8 if isinstance(value.type, IntType) else 8
        out += (place, Value("store", None, [place, value], attr=size, span=value.span))
