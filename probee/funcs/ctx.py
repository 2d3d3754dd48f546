"""What the kernel hands to a program: ctx."""

from __future__ import annotations

from ..ctype.types import VOID, CType, Ptr
from ..ir.types import U64
from ..spec.abi import ProgType
from .func import CallSite, Func, func

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Value
    from .emit import Emitter
    from .func import Checking

_RECORDS = {ProgType.KPROBE: "pt_regs", ProgType.PERF_EVENT: "bpf_perf_event_data"}


@func
class Ctx(Func):
    """address of the program's context: the registers of a uprobe or kprobe, those and more of a timer"""

    name = "ctx"

    def check(self, call: CallSite, to: Checking) -> CType:
        for provider in to.providers:
            if provider.program_type == ProgType.TRACEPOINT:
                to.error("Use args instead of ctx in tracepoint", call.span)
                return Ptr(VOID, "kernel")
            if provider.program_type not in _RECORDS:
                to.error(f"The ctx builtin can not be used with '{provider.name}' probes", call.span)
                return Ptr(VOID, "kernel")
        names = {_RECORDS[provider.program_type] for provider in to.providers}
        return Ptr(to.refer("struct", names.pop()) if len(names) == 1 else VOID, "kernel")

    def pointee(self, call: CallSite, to: Emitter) -> Value:
        return to.b.context()

    def lower(self, call: CallSite, to: Emitter) -> Value:
        return to.b.cast(to.b.context(), U64)
