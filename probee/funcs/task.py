"""Who runs: uid gid username comm cpu."""

from __future__ import annotations

from ..base.errors import InternalError
from ..ctype.types import UINT32, UINT64, CType
from ..ir.types import U32, U64
from ..spec.values import Str, Username
from .func import CallSite, Func, Param, func
from .lookup import as_id, find_places, lower_find_task
from .text import store_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Value
    from .emit import Emitter, Place
    from .func import Checking

COMM_LENGTH = 16
"""Bytes of a task's name, NUL included (TASK_COMM_LEN)."""


class _Half(Func):
    """One half of what a helper gives."""

    helper: str
    high: bool

    def check(self, call: CallSite, to: Checking) -> CType:
        return UINT32

    def lower(self, call: CallSite, to: Emitter) -> Value:
        both = to.b.call(self.helper)
        return to.b.ext(to.b.op("lshr", both, 32) if self.high else both, U32)


@func
class Uid(_Half):
    """user id"""

    name, helper, high = "uid", "get_current_uid_gid", False


@func
class UserName(_Half):
    """name of the user"""

    name, helper, high = "username", "get_current_uid_gid", False

    def check(self, call: CallSite, to: Checking) -> CType:
        return Username()


@func
class Gid(_Half):
    """group id"""

    name, helper, high = "gid", "get_current_uid_gid", True


@func
class Cpu(Func):
    """number of the CPU that runs the probe"""

    name = "cpu"

    def check(self, call: CallSite, to: Checking) -> CType:
        return UINT64

    def lower(self, call: CallSite, to: Emitter) -> Value:
        return to.b.ext(to.b.call("get_smp_processor_id"), U64)


@func
class Comm(Func):
    """name of the current thread, or of the one with an id; at most 15 bytes, "N/A" where there is none"""

    name = "comm"
    params = (Param("pid", "int", optional=True),)

    def check(self, call: CallSite, to: Checking) -> CType:
        if call.args:
            types = to.target.types if to.target is not None else None
            if find_places(types) is None:
                hint = (types.missing or None) if types is not None else None
                message = "comm(pid) can't be found: it is not known where the kernel has its processes"
                to.error(message, call.span, hint)
        return Str(COMM_LENGTH)

    def lower_into(self, call: CallSite, to: Emitter, place: Place) -> None:
        if call.args:
            self._lower_other(call, to, place)
        else:
            self._fill(to, place, "get_current_comm")

    def _lower_other(self, call: CallSite, to: Emitter, place: Place) -> None:
        b = to.b
        places = find_places(to.unit.target.types)
        if places is None:
            raise InternalError("the kernel's processes are where they were not when types were found")
        none, done = b.new_block(), b.new_block()
        task = lower_find_task(to, places, as_id(to, to.value(call.args[0])), none)
        self._fill(to, place, "probe_read_kernel", b.op("add", task, places.comm))
        b.jump(done)
        b.place(none)
        store_text(b, place, b"N/A")
        b.jump(done)
        b.place(done)

    def _fill(self, to: Emitter, place: Place, helper: str, *source: Value) -> None:
        # The kernel fills all its bytes: after the NUL come zeros.
        b, room = to.b, place.type.size
        b.call(helper, b.offset(place.pointer, place.offset), min(room, COMM_LENGTH), *source)
        if place.clean and room > COMM_LENGTH:
            b.zero(place.pointer, room - COMM_LENGTH, place.offset + COMM_LENGTH)
