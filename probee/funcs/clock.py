"""Time: nsecs elapsed strftime."""

from __future__ import annotations

from ..base.record import record
from ..ctype.types import UINT64, CType, Int
from ..ir.types import U64
from ..spec.values import Timestamp
from .emit import NEEDS
from .func import CallSite, Func, Param, func
from .text import decode
from .unit import GLOBALS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Value
    from .emit import Emitter
    from .func import Checking

_CLOCKS = {
    "boot": "ktime_get_boot_ns",
    "monotonic": "ktime_get_ns",
    "tai": "ktime_get_tai_ns",
    "sw_tai": "ktime_get_ns",
}


@record
class Nanoseconds(Int):
    """uint64 that is known to be a reading of clock `mode`."""

    mode: str = "boot"


@func
class Nsecs(Func):
    """nanoseconds since the machine was started, sleep included; or of another clock

    `nsecs(boot)`, `nsecs(monotonic)` (sleep left out), `nsecs(tai)` (since 1970, leap seconds counted),
    `nsecs(sw_tai)` (the same on older kernels, by its distance from that clock when the script began).
    """

    name = "nsecs"
    params = (Param("clock", "word", optional=True),)

    def check(self, call: CallSite, to: Checking) -> CType:
        mode = call.args[0].word if call.args else "boot"
        if mode not in _CLOCKS:
            known = ", ".join(_CLOCKS)
            to.error(f"Invalid timestamp mode: {mode}", call.args[0].span, f"expected one of {known}")
        return Nanoseconds(8, False, "", mode)

    def lower(self, call: CallSite, to: Emitter) -> Value:
        return read_clock(to, call.args[0].word if call.args else "boot")


def read_clock(to: Emitter, mode: str) -> Value:
    """Nanoseconds of a clock, by the name that nsecs() has for it."""
    b, helper = to.b, _CLOCKS[mode]
    if helper in NEEDS:
        to.need(helper, "nsecs(tai)")
    time = b.call(helper)
    if mode != "sw_tai":
        return time
    return b.op("add", time, b.load(b.global_(GLOBALS, to.unit.tai_offset()), U64))


@func
class Elapsed(Func):
    """nanoseconds since the script began"""

    name = "elapsed"

    def check(self, call: CallSite, to: Checking) -> CType:
        return UINT64

    def lower(self, call: CallSite, to: Emitter) -> Value:
        b = to.b
        start = b.load(b.global_(GLOBALS, to.unit.start_time()), U64)
        return b.op("sub", b.call("ktime_get_boot_ns"), start)


@func
class Strftime(Func):
    """a time as text, by a format as strftime(3)

    Beside: %f microseconds, %k nanoseconds, %l milliseconds.
    """

    name = "strftime"
    params = (Param("format", "text"), Param("nsecs", "int"))

    def check(self, call: CallSite, to: Checking) -> CType:
        text, time = call.args
        mode = time.type.mode if isinstance(time.type, Nanoseconds) else "boot"
        if mode == "monotonic":
            to.error("strftime() can not take a monotonic timestamp", time.span, "use nsecs or nsecs(tai)")
        if time.number is not None and time.number < 0:
            to.error("strftime() does not accept negative timestamps", time.span)
        return Timestamp(decode(text.text), mode)

    def lower(self, call: CallSite, to: Emitter) -> Value:
        return to.b.ext(to.value(call.args[1]), U64)
