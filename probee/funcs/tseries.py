"""A number over time: tseries."""

from __future__ import annotations

from ..ctype.types import CType
from ..ir.types import S64, U64
from ..spec.values import SERIES_WORDS, Aggregate, Max, Min, TSeries
from .aggregate import AvgFunc, MaxFunc, MinFunc, SumFunc
from .clock import read_clock
from .func import Aggregation, CallSite, Param, func
from .stored import Home
from .text import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Value
    from .emit import Emitter
    from .func import Checking

_MOST = 1_000_000
_AGGREGATIONS: dict[str, Aggregation] = {
    "avg": AvgFunc(),
    "max": MaxFunc(),
    "min": MinFunc(),
    "sum": SumFunc(),
}
_EPOCH = 16
"""Where in an interval its number stands."""

CLOCK_SETTING = "dummy_ts_map"
"""The setting that names a variable to take for the clock, for tests."""


@func
class TSeriesFunc(Aggregation):
    """n over the last `count` intervals of so many nanoseconds

    Of each the last value, or by "avg", "max", "min", "sum".

    A program that is interrupted, on its CPU, by another one at the very start of an interval may take what
    that one added with it: nothing else is ever lost.
    """

    name = "tseries"
    params = (
        Param("n", "int"),
        Param("interval", "number"),
        Param("count", "number"),
        Param("aggregation", "text", optional=True),
    )

    def check(self, call: CallSite, to: Checking) -> CType | None:
        _check_stable(call, to)
        interval, count = [arg.number or 0 for arg in call.args[1:3]]
        agg = decode(call.args[3].text) if len(call.args) > 3 else ""
        wrong = ""
        if interval < 1:
            wrong = f"tseries() interval_ns must be >= 1 ({interval} provided)"
        elif count < 1:
            wrong = f"tseries() num_intervals must be >= 1 ({count} provided)"
        elif count > _MOST:
            wrong = f"tseries() num_intervals must be < {_MOST} ({count} provided)"
        elif len(call.args) > 3 and agg not in _AGGREGATIONS:
            known = f"one of the following aggregation functions: {', '.join(sorted(_AGGREGATIONS))}"
            wrong = f'tseries() expects {known} ("{agg}" provided)'
        if wrong:
            to.error(wrong, call.span)
            return None
        return TSeries(bool(getattr(call.args[0].type, "signed", False)), interval, count, agg)

    def add(self, call: CallSite, to: Emitter, values: list[Value], type: Aggregate, slot: Value) -> None:
        assert isinstance(type, TSeries)
        b = to.b
        now = _read_now(to)
        number = b.op("udiv", now, type.interval)
        place = b.op("umod", number, type.count)
        inside, done = b.new_block(), b.new_block()
        # Always so; said for the verifier, which then has the bound at the use.
        b.branch(b.compare("ult", place, type.count), inside, done)
        b.place(inside)
        bucket = b.offset(slot, b.op("mul", place, SERIES_WORDS * 8))
        self._renew(to, bucket, b.op("add", number, 1))
        if type.agg:
            inner = {"min": Min, "max": Max}.get(type.agg)
            kept = inner(type.signed) if inner is not None else type
            _AGGREGATIONS[type.agg].add(call, to, values, kept, bucket)
        else:
            b.store(bucket, b.ext(values[0], S64 if type.signed else U64), 8)
            b.store(bucket, now, 8, 8)
        b.jump(done)
        b.place(done)

    def _renew(self, to: Emitter, bucket: Value, epoch: Value) -> None:
        """Empty a place that another interval had."""
        b = to.b
        other, same = b.new_block(), b.new_block()
        b.branch(b.compare("eq", b.load(bucket, U64, _EPOCH), epoch), same, other)
        b.place(other)
        b.zero(bucket, _EPOCH)
        b.store(bucket, epoch, 8, _EPOCH)
        b.jump(same)
        b.place(same)


def _check_stable(call: CallSite, to: Checking) -> None:
    mode = to.settings.get("unstable_tseries", "enable")
    if mode == "error":
        message = "tseries feature is not enabled by default. To enable this unstable feature, set the config"
        to.error(f"{message} flag to enable. unstable_tseries=enable", call.span)
    elif mode == "warn":
        to.warn_once(
            "Script is using an unstable feature: tseries. "
            "To prevent this warning you must explicitly enable it in the config e.g. unstable_tseries=enable"
        )


def _read_now(to: Emitter) -> Value:
    """The TAI clock, or the variable that a test has for it."""
    stored = to.unit.variables.get(str(to.unit.settings.get(CLOCK_SETTING, "")))
    if stored is not None and stored.home is Home.CELL:
        return to.b.load(to.cell(stored), U64)
    return read_clock(to, "sw_tai")
