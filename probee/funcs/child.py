"""The command that the tracer started (-c): cpid has_cpid."""

from __future__ import annotations

from ..ctype.types import BOOL, UINT32, CType
from ..ir.types import U32, U64
from .func import CallSite, Func, func
from .unit import GLOBALS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Value
    from .emit import Emitter
    from .func import Checking


class _Child(Func):
    """It stands in the globals, so that the code is the same for every process."""

    def check(self, call: CallSite, to: Checking) -> CType:
        return UINT32

    def lower(self, call: CallSite, to: Emitter) -> Value:
        b = to.b
        return b.ext(b.load(b.global_(GLOBALS, to.unit.child_pid()), U64), U32)


@func
class ChildId(_Child):
    """process id of the command that the tracer started; 0 where there is none"""

    name = "__builtin_cpid"


@func
class Cpid(_Child):
    """process id of the command that the tracer started; 0, with a warning, where there is none"""

    name = "cpid"
    effect = True

    def lower(self, call: CallSite, to: Emitter) -> Value:
        b = to.b
        pid = super().lower(call, to)
        none, done = b.new_block(), b.new_block()
        b.branch(b.compare("ne", pid, 0), done, none)
        b.place(none)
        to.event("warnf", call, format="No child command (`-c`); cpid is zero")
        b.jump(done)
        b.place(done)
        return pid


@func
class HasCpid(_Child):
    """true if the tracer started a command"""

    name = "has_cpid"

    def check(self, call: CallSite, to: Checking) -> CType:
        return BOOL

    def lower(self, call: CallSite, to: Emitter) -> Value:
        return to.b.compare("ne", super().lower(call, to), 0)
