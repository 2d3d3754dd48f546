"""Signals to the current process: signal signal_thread."""

from __future__ import annotations

from ..ctype.types import INT64, VOID, CType, Int
from ..ir.types import S64, U32, U64
from .func import CallSite, Func, Param, func

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Value
    from .emit import Emitter, Place
    from .func import Checking

_MOST = 64

_KINDS = "kprobe kretprobe uprobe uretprobe usdt tracepoint profile fentry fexit rawtracepoint"
_PROBES = frozenset(_KINDS.split())

_NAMES = """
HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU
URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS
"""
NUMBERS = {f"SIG{name}": number for number, name in enumerate(_NAMES.split(), 1)}
"""Signals by name, on every CPU but alpha, mips, parisc and sparc."""
NUMBERS |= {"SIGIOT": NUMBERS["SIGABRT"], "SIGPOLL": NUMBERS["SIGIO"]}


class _Signal(Func):
    """A signal by its name or number."""

    params = (Param("signal", "any"),)
    effect = True
    helper: str

    def check(self, call: CallSite, to: Checking) -> CType:
        arg, what = call.args[0], f"{self.name}()"
        kind = next((p.name for p in to.providers if p.name not in _PROBES), None)
        if kind is not None:
            kind = "special" if kind in ("begin", "end") else kind
            to.error(f"{what} can not be used for this probetype {kind}", call.span)
        elif not to.unsafe:
            to.error(f"{what} is unsafe. To use you need the --unsafe flag", call.span)
        elif arg.text is not None:
            if _number_of(arg.text) is None:
                name = arg.text.decode("utf-8", "backslashreplace")
                to.error(f"Invalid string for signal: {name}", arg.span)
        elif arg.number is not None:
            if not 1 <= arg.number <= _MOST:
                message = f"accepts a string literal or an integer between 1 and {_MOST} (inclusive)"
                to.error(f"{what} {message}", arg.span)
        elif not isinstance(arg.type, Int):
            to.error(f"{what} accepts a string literal or an integer", arg.span)
        return VOID

    def lower(self, call: CallSite, to: Emitter) -> None:
        b, arg = to.b, call.args[0]
        number = _number_of(arg.text) if arg.text is not None else arg.number
        done = b.new_block()
        if number is not None:
            self._send(call, to, b.const(number, U32))
            b.jump(done)
            b.place(done)
            return
        value = b.ext(b.ext(to.value(arg), U32), U64)
        good, bad = b.new_block(), b.new_block()
        b.branch(b.compare("ult", b.op("sub", value, 1), _MOST), good, bad)
        b.place(bad)
        message = f"{self.name}() expects an integer between 1 and {_MOST} (inclusive). Got %lld"
        _say(to, "errorf", call, message, value)
        b.jump(done)
        b.place(good)
        self._send(call, to, value)
        b.jump(done)
        b.place(done)

    def _send(self, call: CallSite, to: Emitter, number: Value) -> None:
        b = to.b
        result = b.ext(b.call(self.helper, number), S64)
        failed, on = b.new_block(), b.new_block()
        b.branch(b.compare("ne", result, 0), failed, on)
        b.place(failed)
        _say(to, "warnf", call, "signal call failed with error %lld", result)
        b.jump(on)
        b.place(on)


def _number_of(name: bytes) -> int | None:
    text = name.decode("utf-8", "backslashreplace")
    return NUMBERS.get(text, NUMBERS.get(f"SIG{text}"))


def _say(to: Emitter, kind: str, call: CallSite, format: str, number: Value) -> None:
    def fill(places: list[Place]) -> None:
        to.b.store(places[0].pointer, number, 8, places[0].offset)

    to.send(kind, call, [INT64], fill, format=format)


@func
class Signal(_Signal):
    """send a signal, by name or number, to the current process"""

    name, helper = "signal", "send_signal"


@func
class SignalThread(_Signal):
    """send a signal, by name or number, to the current thread"""

    name, helper = "signal_thread", "send_signal_thread"
