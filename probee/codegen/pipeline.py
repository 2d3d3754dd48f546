"""The order of the passes: functions of IR in, code for a target out."""

from __future__ import annotations

from ..base.record import record
from ..spec.abi import MapType
from ..spec.bundle import Map
from . import simplify
from .emit import Code, emit
from .legalize import legalize, split_edges
from .memory import SCRATCH, apply_layout, plan_scratch, plan_slots
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
    """The code of some functions, in their order, and the maps that the code generator added."""

    codes: tuple[Code, ...]
    maps: tuple[Map, ...]


def compile_unit(
    functions: Sequence[Function],
    target: Target,
    nesting: tuple[str, int],
    dump: Dump | None = None,
) -> Unit:
    """Compile `functions`, which are used up.

    `nesting` is the map and offset of the u64 that counts runs given up for lack of scratch memory.
    `dump` is called with a stage's name and a function after "built", "simplified" and "allocated".
    """
    for function in functions:
        _show(dump, "built", function)
        prepare(function, target)
        _show(dump, "simplified", function)
    layouts = [plan_slots(function) for function in functions]
    scratch = plan_scratch(layouts, target)
    codes = []
    for function, layout in zip(functions, layouts, strict=True):
        apply_layout(function, layout, scratch, target, nesting)
        split_edges(function)
        select(function)
        simplify.lay_out(function)
        registers, frame_size = allocate(function, layout.frame_size)
        _show(dump, "allocated", function)
        codes.append(emit(function, registers, frame_size, target))
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
        function.number()
        dump(stage, function)
