"""Slots get their place: the stack frame where they fit, else this CPU's scratch memory.

Needs: SSA without `zero` and `copy`, callbacks opened. Keeps: SSA. After it there is no `slot`, no `shared`
and no `area`.

Slots whose lifetimes do not meet share bytes. The frame keeps room for the spills that the number of
values alive at once can ask for; what no longer fits goes to the scratch map, smallest slots first on
the stack. Scratch memory is four areas a CPU, taken by an exchange on the area's first word and given
back before every return: a program that is preempted, or hit by a probe inside its own helper calls,
shares nothing with the next one. When all four are taken the run is given up and counted. A program and
its callbacks use one area: first what they share, then the program's slots, then those of each callback
behind those of the function that calls it.
"""

from __future__ import annotations

from ..base.bits import align_up, ceil_pow2
from ..base.record import record
from ..ir.builder import Builder
from ..ir.nodes import Block, Value
from ..ir.types import STACK, U64, VALUE
from .callbacks import AREA, find_environment, find_environments
from .flow import find_crowd, find_loops, find_room

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Function
    from ..spec.target import Target
    from .callbacks import Calls

    Range = tuple[int, int]
    """First and last position."""

SCRATCH = "scratch"
AREAS = 4
_HEADER = 8


@record
class Scratch:
    """The layout of the scratch map: bytes from one area of a CPU to the next, and between CPUs."""

    area: int
    stride: int
    cpus: int  # a power of two

    @property
    def size(self) -> int:
        return self.stride * self.cpus


@record
class Layout:
    """Where each slot of a function goes: bytes from the frame's end, or from the scratch area's header on.

    `room` is what it may use of the stack, `scratch_size` what is used of the area up to its last slot.
    """

    frame: dict[Value, int]
    scratch: dict[Value, int]
    frame_size: int
    scratch_size: int
    room: int


def plan_scratch(layouts: list[dict[Function, Layout]], target: Target) -> Scratch | None:
    """One scratch map for all programs, or None when none needs it."""
    need = max((layout.scratch_size for parts in layouts for layout in parts.values()), default=0)
    if not need:
        return None
    area = align_up(_HEADER + need, 64)
    return Scratch(area, ceil_pow2(area * AREAS), ceil_pow2(target.cpus))


def plan_slots(program: Function, calls: Calls) -> dict[Function, Layout]:
    """Decide for every slot of a program and its callbacks; nothing is changed yet."""
    room = calls.find_room()
    layouts: dict[Function, Layout] = {}
    for function in sorted(program.whole, key=calls.depth):
        above = calls.parent.get(function)
        start = layouts[above].scratch_size if above is not None else program.shared
        layouts[function] = _plan_function(function, room, start)
    return layouts


def _plan_function(function: Function, room: int, start: int) -> Layout:
    lifetimes = _find_lifetimes(function)
    left = find_room(function, room) - 8 * (len(find_crowd(function)) + 1)
    frame, scratch = _Placed(lifetimes), _Placed(lifetimes)
    frame_size, scratch_size = 0, start
    environments = find_environments(function)
    for slot in sorted(lifetimes, key=lambda s: (s not in environments, s.attr[0])):
        size = align_up(slot.attr[0], 8)
        at = frame.first_fit(slot, size)
        if at + size <= left or slot in environments:
            frame.put(slot, at)
            frame_size = max(frame_size, at + size)
        else:
            at = scratch.first_fit(slot, size, start)
            scratch.put(slot, at)
            scratch_size = max(scratch_size, at + size)
    return Layout(frame.places, scratch.places, frame_size, scratch_size, room)


_NEAR = 8
"""A power of two: so many positions go together where slots are looked up by when they are alive."""


class _Placed:
    """Slots that have their places."""

    def __init__(self, lifetimes: dict[Value, Range]) -> None:
        self.places: dict[Value, int] = {}
        self._lifetimes = lifetimes
        self._alive: dict[int, list[Value]] = {}

    def put(self, slot: Value, at: int) -> None:
        self.places[slot] = at
        begin, end = self._lifetimes[slot]
        for near in range(begin >> _NEAR, (end >> _NEAR) + 1):
            self._alive.setdefault(near, []).append(slot)

    def first_fit(self, slot: Value, size: int, start: int = 0) -> int:
        """The lowest place from `start` on where `slot` meets none that is alive when it is."""
        begin, end = self._lifetimes[slot]
        others: set[Value] = set()
        for near in range(begin >> _NEAR, (end >> _NEAR) + 1):
            others.update(self._alive.get(near, ()))
        taken = sorted(
            [
                (self.places[other], align_up(other.attr[0], 8))
                for other in others
                if self._lifetimes[other][0] <= end and begin <= self._lifetimes[other][1]
            ]
        )
        at = start
        for place, length in taken:
            if place - at >= size:
                break
            at = max(at, place + length)
        return at


def _find_lifetimes(function: Function) -> dict[Value, Range]:
    """The positions from the first to the last touch of each slot, whole loops if within."""
    root: dict[Value, set[Value]] = {}
    first: dict[Value, int] = {}
    last: dict[Value, int] = {}
    bounds: list[tuple[int, int]] = []
    position = 0
    for block in function.blocks:
        start = position
        for value in block.values:
            if value.op == "slot":
                root[value] = {value}
            else:
                for arg in value.args:
                    for slot in root.get(arg, ()):
                        first.setdefault(slot, position)
                        last[slot] = position
                        if value.type is not None and value.op in ("padd", "cast", "phi"):
                            root.setdefault(value, set()).add(slot)
            position += 1
        bounds.append((start, position - 1))
    loops = [(bounds[a][0], bounds[b][1]) for a, b in find_loops(function.blocks)]
    lifetimes: dict[Value, Range] = {}
    for slot, begin in first.items():
        end = last[slot]
        changed = True
        while changed:
            changed = False
            for head, tail in loops:
                if begin <= tail and end >= head and (begin > head or end < tail):
                    begin, end, changed = min(begin, head), max(end, tail), True
        lifetimes[slot] = begin, end
    return lifetimes


def apply_layout(
    program: Function,
    layouts: dict[Function, Layout],
    scratch: Scratch | None,
    target: Target,
    nesting: tuple[str, int],
) -> None:
    """Put addresses in the place of slots, and take and give back the scratch area if one is used."""
    used = any(layout.scratch_size for layout in layouts.values())
    for function in program.callbacks:
        _place(function, layouts[function], _read_area(function) if used else None)
    blocks = list(program.blocks)  # those that run with the area taken
    if not used:
        _place(program, layouts[program], None)
        return
    assert scratch is not None
    area = _take_area(program, scratch, target, nesting)
    _give_back(blocks, area)
    _place(program, layouts[program], area)


def _place(function: Function, layout: Layout, area: Value | None) -> None:
    """Put addresses in the place of slots and shared memory; without an area nobody is told of it."""
    marks = {value for block in function.blocks for value in block.values if value.op == "area"}
    for block in function.blocks:
        out: list[Value] = []
        for value in block.values:
            if value in marks:
                continue
            if value.op == "slot":
                if value in layout.frame:
                    size = align_up(value.attr[0], 8)
                    value.op, value.type, value.imm = "frame", STACK, -(layout.frame[value] + size)
                    value.attr = None
                elif value in layout.scratch:
                    _move_to_area(out, value, area, layout.scratch[value])
                else:
                    continue  # never touched
            elif value.op == "shared":
                _move_to_area(out, value, area, value.imm)
            elif value.op == "store" and value.args[1] in marks:
                if area is None:
                    continue
                value.args[1] = area
            out.append(value)
        block.values = out


def _move_to_area(out: list[Value], value: Value, area: Value | None, offset: int) -> None:
    assert area is not None
    at = Value("const", U64, imm=_HEADER + offset, span=value.span)
    out.append(at)
    value.op, value.type, value.args = "padd", VALUE, [area, at]
    value.attr, value.imm = None, 0


def _give_back(blocks: list[Block], area: Value) -> None:
    for block in blocks:
        if block.values[-1].op == "ret":
            nothing = Value("const", U64, span=block.values[-1].span)
            store = Value("store", None, [area, nothing], attr=8, span=nothing.span)
            block.values[-1:-1] = [nothing, store]


def _read_area(callback: Function) -> Value:
    """The area's address, which a callback has from its environment."""
    environment = find_environment(callback)
    area = Value("load", VALUE, [environment], imm=AREA, span=callback.span)
    entry = callback.blocks[0].values
    entry.insert(entry.index(environment) + 1, area)
    return area


def _take_area(function: Function, scratch: Scratch, target: Target, nesting: tuple[str, int]) -> Value:
    """New blocks before the entry that take one of this CPU's areas; the address of its header."""
    entry = function.blocks[0]
    b = Builder(function.name, function.span)
    if entry.values and entry.values[0].op == "ctx":
        b.block.values.append(entry.values.pop(0))
    cpu = b.op("and", b.cast(b.call("get_smp_processor_id"), U64), scratch.cpus - 1)
    shift = scratch.stride.bit_length() - 1
    base = b.offset(b.global_(SCRATCH, 0), b.op("shl", cpu, shift))
    got = b.new_block()
    for level in range(AREAS):
        area = b.offset(base, level * scratch.area)
        if target.have("atomics_fetch"):
            taken = b.xchg(area, level + 1)
        else:
            # Kernels without atomic exchange run these programs with preemption off, so that a nested
            # run ends before this one goes on.
            taken = b.load(area, U64)
            b.store(area, level + 1, 8)
        after = b.new_block()
        ours = b.new_block()
        b.branch(b.compare("eq", taken, 0), ours, after)
        b.place(ours)
        b.write("area", area)
        b.jump(got)
        b.place(after)
    b.atomic_add(b.global_(*nesting), 1)
    b.ret(0)
    b.place(got)
    # A verifier that knew which area it is would go over the program once for each: what is read it does
    # not know.
    number = b.op("and", b.op("sub", b.load(b.read("area", VALUE), U64), 1), AREAS - 1)
    area = b.offset(base, b.op("mul", number, scratch.area))
    b.jump(entry)
    taking = b.finish()
    function.blocks[:0] = taking.blocks
    return area
