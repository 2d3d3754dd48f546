"""What changes the traced system: override write_user."""

from __future__ import annotations

from ..base.bits import align_up
from ..ctype.types import BOOL, VOID, Array, CType, Int, Ptr, Struct
from ..ir.types import U64
from ..spec.values import Str
from .emit import ROOM, Place
from .func import CallSite, Func, Param, func
from .memory import at_most
from .text import store_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Value
    from .emit import Emitter
    from .func import Checking


def _check_safe(call: CallSite, to: Checking) -> None:
    if not to.unsafe:
        to.error(f"{call.name}() is unsafe. To use you need the --unsafe flag", call.span)


@func
class Override(Func):
    """have the traced function not run, and return a number; the function must allow errors to be injected"""

    name = "override"
    params = (Param("returned", "any"),)
    effect = True

    def check(self, call: CallSite, to: Checking) -> CType:
        value = call.args[0]
        if any(provider.name != "kprobe" for provider in to.providers):
            to.error("override() can only be used inside kprobes", call.span)
        elif not isinstance(value.type, Int):
            to.error(f"override() only supports int arguments ({value.type} provided)", value.span)
        else:
            _check_safe(call, to)
        return VOID

    def lower(self, call: CallSite, to: Emitter) -> None:
        to.b.call("override_return", to.b.context(), to.b.ext(to.value(call.args[0]), U64))


@func
class WriteUser(Func):
    """write bytes of text, an array or a struct to an address of the current process; true if it could"""

    name = "write_user"
    params = (Param("address", "any"), Param("value", "any"), Param("length", "int"))
    effect = True

    def check(self, call: CallSite, to: Checking) -> CType:
        _check_safe(call, to)
        address, value, length = call.args
        if not isinstance(address.type, (Int, Ptr)):
            to.error(f"write_user() expects an address ({address.type} provided)", address.span)
        if value.text is None and not isinstance(value.type, (Str, Array, Struct)):
            to.error(f"write_user() expects text, an array or a struct ({value.type} provided)", value.span)
        elif length.number is not None and not 0 <= length.number <= _room(call):
            message = f"write_user() expects at most {_room(call)} bytes of this value, got {length.number}"
            to.error(message, length.span)
        return BOOL

    def lower(self, call: CallSite, to: Emitter) -> Value:
        b, (address, value, length) = to.b, call.args
        room = _room(call)
        memory = b.slot(align_up(room + ROOM, 8))
        b.zero(memory, align_up(room + ROOM, 8))
        if value.text is not None:
            store_text(b, Place(memory, 0, Str(room)), value.text)
        else:
            to.fill(value, Place(memory, 0, value.type))
        target = b.ext(to.value(address), U64)
        size = length.number if length.number is not None else at_most(to, to.value(length), room)
        return b.compare("eq", b.call("probe_write_user", target, memory, size), 0)


def _room(call: CallSite) -> int:
    value = call.args[1]
    return len(value.text) + 1 if value.text is not None else value.type.size
