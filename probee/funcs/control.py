"""What the reader is told to do, in order with what was printed before: exit clear zero."""

from __future__ import annotations

from .func import CallSite, Func, Param, func
from .unit import CONTROL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .emit import Emitter


@func
class Exit(Func):
    """end the script, with an exit status; nothing after it in the probe is done"""

    name = "exit"
    params = (Param("status", "number", optional=True),)
    effect = True

    def lower(self, call: CallSite, to: Emitter) -> None:
        to.event("exit", call, ring=CONTROL, numbers=tuple([arg.number or 0 for arg in call.args]))
        to.leave()


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
class Zero(_Whole):
    """set every value of a map to 0, and keep the keys"""

    name = "zero"
