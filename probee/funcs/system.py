"""The machine: rand ncpus numaid jiffies usermode curtask cgroup."""

from __future__ import annotations

from ..arch import find as find_arch
from ..base.errors import SourceError
from ..base.source import Diagnostic
from ..ctype.types import UINT8, UINT32, UINT64, CType, Ptr
from ..ir.types import U64
from .func import CallSite, Func, func
from .registers import WITH_REGISTERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Value
    from .emit import Emitter
    from .func import Checking


class _OfHelper(Func):
    """A number that a helper gives."""

    helper: str
    type: CType = UINT64

    def check(self, call: CallSite, to: Checking) -> CType:
        return self.type

    def lower(self, call: CallSite, to: Emitter) -> Value:
        value = to.b.call(self.helper)
        return value if self.type is UINT32 else to.b.ext(value, U64)


@func
class Rand(_OfHelper):
    """a pseudo-random number of 32 bits"""

    name, helper, type = "rand", "get_prandom_u32", UINT32


@func
class Numaid(_OfHelper):
    """number of the NUMA node that runs the probe"""

    name, helper = "numaid", "get_numa_node_id"


@func
class Jiffies(_OfHelper):
    """the kernel's count of timer ticks"""

    name, helper = "jiffies", "jiffies64"


@func
class Cgroup(_OfHelper):
    """id of the process's cgroup (of version 2)"""

    name, helper = "cgroup", "get_current_cgroup_id"


@func
class Curtask(_OfHelper):
    """address of the current thread's task_struct"""

    name, helper = "curtask", "get_current_task"

    def check(self, call: CallSite, to: Checking) -> CType:
        return Ptr(to.refer("struct", "task_struct"), "kernel")


@func
class Ncpus(Func):
    """how many CPUs the machine can have"""

    name = "ncpus"

    def check(self, call: CallSite, to: Checking) -> CType:
        return UINT64

    def lower(self, call: CallSite, to: Emitter) -> Value:
        return to.b.const(to.unit.target.cpus, U64)


_USER = 3
"""The bits of cs that are set in user mode: the privilege level."""


@func
class Usermode(Func):
    """1 if the CPU was in user mode, 0 if it was in the kernel (x86-64 only)"""

    name = "usermode"

    def check(self, call: CallSite, to: Checking) -> CType:
        return UINT8

    def lower(self, call: CallSite, to: Emitter) -> Value:
        b, machine, kind = to.b, to.unit.target.machine, to.provider.program_type
        if machine != "x86_64":
            message = "'usermode' builtin is only supported on x86_64"
            raise SourceError([Diagnostic("ERROR", message, call.span)])
        if kind not in WITH_REGISTERS:
            # BEGIN and END are run by the tracer; other programs without registers are in the kernel.
            return b.const(int(to.provider.name in ("begin", "end")), U64)
        # Of a timer's registers only whole words can be read.
        level = b.op("and", b.load(b.context(), U64, find_arch(machine).register("cs").offset), _USER)
        return b.compare("eq", level, _USER)
