"""What the reader is told to do, in order with what was printed before: exit clear zero unwatch."""

from __future__ import annotations

from ..ctype.types import INT64, UINT64, VOID, CType, Int, Ptr
from ..ir.types import S64, U64
from .func import CallSite, Func, Param, func
from .unit import CONTROL, GLOBALS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Value
    from .emit import Emitter, Place
    from .func import Checking


@func
class Exit(Func):
    """end the script, with an exit status; nothing after it in the probe is done"""

    name = "exit"
    params = (Param("status", "int", optional=True),)
    effect = True

    def lower(self, call: CallSite, to: Emitter) -> None:
        status = call.args[0] if call.args else None
        if status is None or status.number is not None:
            end_script(call, to, status.number or 0 if status is not None else 0)
        else:
            end_script(call, to, to.b.ext(to.value(status), S64))
        to.leave()


def end_script(call: CallSite, to: Emitter, status: Value | int) -> None:
    """Tell the reader, and, once that is sure to reach it, all programs, which from then on do nothing."""

    def fill(places: list[Place]) -> None:
        for place in places:
            to.b.store(place.pointer, status, 8, place.offset)
        to.b.store(to.b.global_(GLOBALS, to.unit.stopped()), 1, 8)

    if isinstance(status, int):
        to.send("exit", call, [], fill, ring=CONTROL, numbers=(status,))
    else:
        to.send("exit", call, [INT64], fill, ring=CONTROL)


class _Whole(Func):
    """Something done to a whole map."""

    params = (Param("map", "map"),)
    effect = True

    def lower(self, call: CallSite, to: Emitter) -> None:
        to.event(self.name, call, ring=CONTROL, variable=call.args[0].variable)


@func
class Clear(_Whole):
    """remove every entry of a map"""

    name = "clear"


@func
class Unwatch(Func):
    """take away the watchpoints at an address"""

    name = "unwatch"
    params = (Param("address", "any"),)
    effect = True

    def check(self, call: CallSite, to: Checking) -> CType:
        address = call.args[0]
        if not isinstance(address.type, (Int, Ptr)):
            message = f"unwatch() only supports integer arguments ({address.type} provided)"
            to.error(message, address.span)
        return VOID

    def lower(self, call: CallSite, to: Emitter) -> None:
        address = to.b.ext(to.value(call.args[0]), U64)

        def fill(places: list[Place]) -> None:
            to.b.store(places[0].pointer, address, 8, places[0].offset)

        to.send("unwatch", call, [UINT64], fill, ring=CONTROL)


@func
class Zero(_Whole):
    """set every value of a map to 0, and keep the keys"""

    name = "zero"
