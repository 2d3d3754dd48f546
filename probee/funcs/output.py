"""What a script prints: printf errorf warnf print time cat system."""

from __future__ import annotations

from ..ctype.types import VOID, CType, Void
from ..spec.printf import find_fault, parse_format
from ..spec.values import Aggregate, Hist, LHist, Stats
from .func import CallSite, Func, Param, func
from .percentiles import Percentile, thousandths
from .text import decode
from .unit import CONTROL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Value
    from .emit import Emitter
    from .func import Arg, Checking


class _Formatted(Func):
    """Something done with a text that is made by a format as printf(3)."""

    params = (Param("format", "text"), Param("value", "any", many=True))
    effect = True

    def check(self, call: CallSite, to: Checking) -> CType:
        form = parse_format(decode(call.args[0].text))
        fault = find_fault(form, [arg.type for arg in call.args[1:]])
        if fault is not None:
            span = call.span
            if fault.conversion is not None:
                span = call.args[1 + form.conversions.index(fault.conversion)].span
            to.error(f"{self.name}: {fault.message}", span)
        return VOID

    def lower(self, call: CallSite, to: Emitter) -> None:
        format = decode(call.args[0].text)
        to.event(self.name, call, call.args[1:], format=format, numbers=self._numbers(to))

    def _numbers(self, to: Emitter) -> tuple[int, ...]:
        return ()


@func
class Printf(_Formatted):
    """print values by a format as printf(3)"""

    name = "printf"


@func
class Errorf(_Formatted):
    """print an error with its place in the script, by a format as printf(3)"""

    name = "errorf"


@func
class Warnf(_Formatted):
    """print a warning with its place in the script, by a format as printf(3)"""

    name = "warnf"


@func
class Cat(_Formatted):
    """print the contents of a file, whose name is made by a format as printf(3)

    At most as many bytes as `max_cat_bytes` in config says; read when the event is shown.
    """

    name = "cat"

    def _numbers(self, to: Emitter) -> tuple[int, ...]:
        return (to.unit.options.max_cat_bytes,)


@func
class System(_Formatted):
    """run a command of the shell, made by a format as printf(3), and print what it writes

    It runs when the event is shown, with the rights of the tracer, which waits for it.
    """

    name = "system"
    unsafe = True


@func
class Print(Func):
    """print a map, or any value with a newline

    Of a map at most `top` entries (the largest), values divided by `div`. Of histograms also percentiles,
    after `top` and `div` where those are given: `print(@h, p50, p99_9)`.
    """

    name = "print"
    params = (
        Param("value", "print"),
        Param("top", "any", optional=True),
        Param("div", "any", optional=True),
        Param("percentile", "any", many=True),
    )
    effect = True

    def check(self, call: CallSite, to: Checking) -> CType:
        value = call.args[0]
        if len(_split_options(call)[0]) > _OPTIONS:
            message = f"print() takes up to {1 + _OPTIONS} arguments ({len(call.args)} provided)"
            to.error(message, call.span, f"usage: {self.usage}")
        elif not value.variable:
            if isinstance(value.type, Void):
                to.error(f"{value.type} type passed to print() is not printable", value.span)
            elif isinstance(value.type, Aggregate):
                message = f"Map type {value.type} cannot print the value of individual keys."
                to.error(f"{message} You must print the whole map.", value.span)
            elif len(call.args) > 1:
                message = f"Non-map print() only takes 1 argument, {len(call.args)} found"
                to.error(message, call.span)
        else:
            self._check_options(call, to)
            if to.loops:
                to.warn(_IN_LOOP, call.span)
        return VOID

    def _check_options(self, call: CallSite, to: Checking) -> None:
        numbers, percentiles = _split_options(call)
        for arg in numbers:
            if arg.number is None:
                to.error("print() expects constant integers as top and div", arg.span)
            elif arg.number < 0:
                to.error(f"print() expects a positive number, got {arg.number}", arg.span)
        value = to.value_type(call.args[0].variable)
        if percentiles and value is not None and not isinstance(value, (Hist, LHist)):
            to.error(f"percentiles are of hist() and lhist(), {value} provided", percentiles[0].span)
        if numbers and isinstance(value, Stats):
            to.warn("print()'s top and div arguments are ignored when used on stats() maps.", call.span)

    def lower(self, call: CallSite, to: Emitter) -> None:
        value = call.args[0]
        if value.variable:
            options, percentiles = _split_options(call)
            numbers = tuple([arg.number or 0 for arg in options])
            if percentiles:
                numbers += (0,) * (_OPTIONS - len(numbers)) + tuple(
                    [thousandths(arg.type) for arg in percentiles]
                )
            to.event("print", call, ring=CONTROL, variable=value.variable, numbers=numbers)
        else:
            to.event("print_value", call, (value,))


_IN_LOOP = (
    "Due to it's asynchronous nature using 'print()' in a loop can lead to unexpected behavior. "
    "The map will likely be updated before the runtime can 'print' it."
)

_OPTIONS = 2
"""top and div"""


def _split_options(call: CallSite) -> tuple[list[Arg], list[Arg]]:
    """The numbers, and the percentiles, that follow a map."""
    options = call.args[1:]
    percentiles = [arg for arg in options if isinstance(arg.type, Percentile)]
    return [arg for arg in options if arg not in percentiles], percentiles


@func
class Time(Func):
    """print the time of day, by a format as strftime(3)"""

    name = "time"
    params = (Param("format", "text", optional=True),)
    effect = True

    DEFAULT = "%H:%M:%S\n"

    def lower(self, call: CallSite, to: Emitter) -> Value | None:
        to.event("time", call, format=decode(call.args[0].text) if call.args else self.DEFAULT)
        return None
