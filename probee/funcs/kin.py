"""Who a thread comes from: ppid pcomm leader_tid leader_comm.

Each goes from a task_struct to that of its parent, or of its process's first thread, and reads a member
there; where the members are the kernel's types tell.
"""

from __future__ import annotations

from ..base.errors import InternalError
from ..ctype.types import INT32, CType, Int, Ptr, Struct
from ..ir.types import S32, U64
from ..spec.values import Str
from .func import CallSite, Func, Param, func
from .task import COMM_LENGTH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Value
    from .emit import Emitter, Place
    from .func import Checking

_READ = "probe_read_kernel"


class _Relative(Func):
    """A member of the task that the member `through` points to."""

    params = (Param("task", "any", optional=True),)
    through: str
    member: str
    type: CType

    def check(self, call: CallSite, to: Checking) -> CType:
        for task in call.args:
            if not isinstance(task.type, (Int, Ptr)):
                message = f"{self.name}() expects a pointer to a task_struct, got {task.type}"
                to.error(message, task.span)
        known = to.refer("struct", "task_struct")
        names = {member.name for member in known.members}
        if not {self.through, self.member} <= names:
            types = to.target.types if to.target is not None else None
            hint = (types.missing or None) if types is not None else None
            message = f"{self.name} can't be found: it is not known where a task_struct has it"
            to.error(message, call.span, hint)
        return self.type

    def _find_relative(self, call: CallSite, to: Emitter) -> Value:
        """The address of the other task's member."""
        b = to.b
        task = b.ext(to.value(call.args[0]), U64) if call.args else b.call("get_current_task")
        memory = b.slot(8)
        b.call(_READ, memory, 8, b.op("add", task, _find_offset(to, self.through)))
        return b.op("add", b.load(memory, U64), _find_offset(to, self.member))


def _find_offset(to: Emitter, name: str) -> int:
    """Bytes from the start of a task_struct to its member `name`."""
    types = to.unit.target.types
    known = types.find_type("struct", "task_struct") if types is not None else None
    for member in known.members if isinstance(known, Struct) else ():
        if member.name == name:
            return member.offset_bits // 8
    raise InternalError(f"task_struct has no {name}, which was there when types were found")


class _RelativeId(_Relative):
    member, type = "pid", INT32

    def lower(self, call: CallSite, to: Emitter) -> Value:
        memory = to.b.slot(8)
        to.b.call(_READ, memory, 4, self._find_relative(call, to))
        return to.b.load(memory, S32)


class _RelativeComm(_Relative):
    member, type = "comm", Str(COMM_LENGTH)

    def lower_into(self, call: CallSite, to: Emitter, place: Place) -> None:
        b, room = to.b, place.type.size
        where = self._find_relative(call, to)
        b.call(_READ, b.offset(place.pointer, place.offset), min(room, COMM_LENGTH), where)
        if place.clean and room > COMM_LENGTH:
            b.zero(place.pointer, room - COMM_LENGTH, place.offset + COMM_LENGTH)


@func
class Ppid(_RelativeId):
    """id of the parent process, of a task or of the current thread"""

    name, through = "ppid", "real_parent"


@func
class Pcomm(_RelativeComm):
    """name of the parent process, of a task or of the current thread"""

    name, through = "pcomm", "real_parent"


@func
class LeaderTid(_RelativeId):
    """thread id of the first thread of a task's process, or of the current one"""

    name, through = "leader_tid", "group_leader"


@func
class LeaderComm(_RelativeComm):
    """name of the first thread of a task's process, or of the current one"""

    name, through = "leader_comm", "group_leader"
