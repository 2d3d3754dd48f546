"""The order of the passes: programs of IR in, code for a target out."""

from __future__ import annotations

from ..base.record import record
from ..spec.abi import MapType
from ..spec.bundle import Map
from . import simplify
from .callbacks import open_callbacks
from .emit import emit
from .flow import find_room
from .legalize import legalize, split_edges
from .lighten import lighten
from .link import Linked, link
from .memory import SCRATCH, Layout, apply_layout, plan_scratch, plan_slots
from .registers import allocate
from .select import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..ir.nodes import Function
    from ..spec.target import Target

    Dump = Callable[[str, Function], None]


@record
class Unit:
    """The code of some programs, in their order, and the maps that the code generator added."""

    codes: tuple[Linked, ...]
    maps: tuple[Map, ...]


def compile_unit(
    programs: Sequence[Function],
    target: Target,
    nesting: tuple[str, int],
    dump: Dump | None = None,
) -> Unit:
    """Compile `programs` and their callbacks, which are used up. Raises FeatureError for what the target
    does not allow.

    `nesting` is the map and offset of the u64 that counts runs given up for lack of scratch memory.
    `dump` is called with a stage's name and a program after "built", "simplified" and "allocated".
    """
    layouts: list[dict[Function, Layout]] = []
    for program in programs:
        _show(dump, "built", program)
        for function in program.whole:
            prepare(function, target)
        _show(dump, "simplified", program)
        calls = open_callbacks(program)
        lighten(program, calls)
        layouts.append(plan_slots(program, calls))
    scratch = plan_scratch(layouts, target)
    codes = []
    for program, layout in zip(programs, layouts, strict=True):
        apply_layout(program, layout, scratch, target, nesting)
        parts = []
        for function in program.whole:
            split_edges(function)
            select(function)
            simplify.lay_out(function)
            room = find_room(function, layout[function].room)
            registers, frame_size = allocate(function, layout[function].frame_size, room)
            parts.append((function, registers, frame_size))
        _show(dump, "allocated", program)
        codes.append(link([emit(*part, target) for part in parts]))
    maps = () if scratch is None else (Map(SCRATCH, MapType.ARRAY, 4, scratch.size, 1),)
    return Unit(tuple(codes), maps)


def prepare(function: Function, target: Target) -> None:
    """The passes that keep SSA and know nothing of registers."""
    simplify.thread_jumps(function)
    legalize(function, target)
    simplify.merge_common(function)
    simplify.narrow_stores(function)
    simplify.drop_dead(function)


def _show(dump: Dump | None, stage: str, function: Function) -> None:
    if dump is not None:
        for part in function.whole:
            part.number()
        dump(stage, function)
