"""Who runs, as the tracer's namespace of process ids numbers it: pid tid."""

from __future__ import annotations

from ..ctype.types import UINT32, CType
from ..ir.types import U32, U64
from .func import CallSite, Func, Param, func

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Value
    from .emit import Emitter
    from .func import Checking

_MODES = ("curr_ns", "init")


def current_ids(to: Emitter, *, init: bool = False) -> Value:
    """The ids of the process, in the upper half, and of the thread, in the lower; 0 for those that the
    tracer's namespace doesn't know. `init`: in the first namespace, which knows all."""
    b, namespace = to.b, to.unit.target.pid_namespace
    if namespace is None or init:
        return b.call("get_current_pid_tgid")
    # struct bpf_pidns_info: the thread's id, then the process's; zeros where there are none.
    memory = b.slot(8)
    b.store(memory, 0, 8)
    b.call("get_ns_current_pid_tgid", *namespace, memory, 8)
    return b.load(memory, U64)


class _Id(Func):
    params = (Param("namespace", "word", optional=True),)

    def check(self, call: CallSite, to: Checking) -> CType:
        mode = call.args[0].word if call.args else _MODES[0]
        if mode not in _MODES:
            message = f"Invalid PID namespace mode: {mode} (expects: curr_ns or init)"
            to.error(message, call.args[0].span)
        return UINT32

    def _both(self, call: CallSite, to: Emitter) -> Value:
        return current_ids(to, init=bool(call.args) and call.args[0].word == "init")


@func
class Pid(_Id):
    """process id (of the whole process: what the kernel calls tgid), as the tracer sees it; or `pid(init)`"""

    name = "pid"

    def lower(self, call: CallSite, to: Emitter) -> Value:
        return to.b.ext(to.b.op("lshr", self._both(call, to), 32), U32)


@func
class Tid(_Id):
    """thread id, as the tracer sees it; or `tid(init)`"""

    name = "tid"

    def lower(self, call: CallSite, to: Emitter) -> Value:
        return to.b.ext(self._both(call, to), U32)
