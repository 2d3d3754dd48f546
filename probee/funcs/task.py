"""Who runs: uid gid username comm cpu."""

from __future__ import annotations

from ..ctype.types import UINT32, UINT64, CType
from ..ir.types import U32, U64
from ..spec.values import Str, Username
from .func import CallSite, Func, func

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
    """name of the current thread, at most 15 bytes"""

    name = "comm"

    def check(self, call: CallSite, to: Checking) -> CType:
        return Str(COMM_LENGTH)

    def lower_into(self, call: CallSite, to: Emitter, place: Place) -> None:
        # The kernel fills all its bytes: after the NUL come zeros.
        b, room = to.b, place.type.size
        b.call("get_current_comm", b.offset(place.pointer, place.offset), min(room, COMM_LENGTH))
        if place.clean and room > COMM_LENGTH:
            b.zero(place.pointer, room - COMM_LENGTH, place.offset + COMM_LENGTH)
