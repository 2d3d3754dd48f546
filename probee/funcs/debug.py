"""What goes to the kernel's trace buffer: debugf."""

from __future__ import annotations

from ..base.bits import align_up
from ..ctype.types import VOID, CType, Int
from ..ir.types import U64
from ..spec.printf import find_fault, parse_format
from ..spec.values import Str
from .emit import ROOM, Place
from .func import Arg, CallSite, Func, Param, func
from .text import decode, store_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Value
    from .emit import Emitter
    from .func import Checking

_MOST = 3
"""What bpf_trace_printk takes besides its format."""

_SPECIFIERS: dict[str, type[CType]] = {"d": Int, "u": Int, "x": Int, "p": Int, "s": Str}


@func
class Debugf(Func):
    """write to the kernel's trace buffer (trace_pipe), by a format as printf(3) with at most three values"""

    name = "debugf"
    params = (Param("format", "text"), Param("value", "any", many=True))
    effect = True

    def check(self, call: CallSite, to: Checking) -> CType:
        to.warn(
            "The debugf() builtin is not recommended for production use. "
            "For more information see bpf_trace_printk in bpf-helpers(7).",
            call.span,
        )
        values = call.args[1:]
        if len(values) > _MOST:
            to.error(f"cannot use more than {_MOST} conversion specifiers", call.span)
        form = parse_format(decode(call.args[0].text))
        fault = find_fault(form, [arg.type for arg in values])
        if fault is not None:
            to.error(f"{self.name}: {fault.message}", call.span)
            return VOID
        for conversion, value in zip(form.conversions, values, strict=True):
            wanted = _SPECIFIERS.get(conversion.specifier)
            if wanted is None:
                message = f"Invalid format specifier for `debugf`: {conversion.specifier}"
                to.error(message, call.args[0].span)
            elif not isinstance(value.type, wanted):
                to.error(f"Type does not match format specifier: {conversion.specifier}", value.span)
        return VOID

    def lower(self, call: CallSite, to: Emitter) -> None:
        b, text = to.b, call.args[0].text or b""
        values = [_value(to, arg) for arg in call.args[1:]]
        size = len(text) + 1
        format = b.slot(align_up(size, 8))
        store_text(b, Place(format, 0, Str(size)), text)
        b.call("trace_printk", format, size, *values, *[0] * (_MOST - len(values)))


def _value(to: Emitter, arg: Arg) -> Value:
    """A number, or the address of text in memory of the program."""
    if not isinstance(arg.type, Str):
        return to.b.ext(to.value(arg), U64)
    size = align_up(arg.type.size + ROOM, 8)
    memory = to.b.slot(size)
    to.b.zero(memory, size)
    to.fill(arg, Place(memory, 0, arg.type))
    return memory
