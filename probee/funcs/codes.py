"""Numbers by name: strerror signal_name syscall_name. The name is found when it is shown."""

from __future__ import annotations

from ..ctype.types import CType
from ..ir.types import S32
from ..spec.values import Code
from .func import CallSite, Func, Param, func

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Value
    from .emit import Emitter
    from .func import Checking


class _Named(Func):
    params = (Param("number", "int"),)
    kind: str

    def check(self, call: CallSite, to: Checking) -> CType:
        return Code(self.kind)

    def lower(self, call: CallSite, to: Emitter) -> Value:
        return to.b.ext(to.value(call.args[0]), S32)


@func
class Strerror(_Named):
    """the text of an errno, negative or not; for printing, and as key or value of a map"""

    name, kind = "strerror", "errno"


@func
class SignalName(_Named):
    """the name of a signal; for printing, and as key or value of a map"""

    name, kind = "signal_name", "signal"


@func
class SyscallName(_Named):
    """the name of a system call; for printing, and as key or value of a map"""

    name, kind = "syscall_name", "syscall"
