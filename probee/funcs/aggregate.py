"""Aggregations of numbers: count sum min max avg stats.

Every CPU has its own instance, and still all additions are atomic: programs can be preempted.
"""

from __future__ import annotations

from ..ctype.types import CType
from ..ir.types import S64, U64
from ..spec.values import Aggregate, Avg, Count, Max, Min, Stats, Sum
from .func import Aggregation, CallSite, Param, func

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Value
    from .emit import Emitter
    from .func import Checking

_TRIES = 4
"""How often an extreme is tried to be set. Only what preempts this very program on this CPU can be in
between, so that a second try is rare and a fourth is never seen."""

_SIGN = 1 << 63


@func
class CountFunc(Aggregation):
    """count the calls"""

    name = "count"

    def check(self, call: CallSite, to: Checking) -> CType:
        return Count()

    def add(self, call: CallSite, to: Emitter, values: list[Value], type: Aggregate, slot: Value) -> None:
        to.b.atomic_add(slot, 1)


class _OfNumber(Aggregation):
    params = (Param("n", "int"),)
    type: type[Sum | Min | Max | Avg | Stats]

    def check(self, call: CallSite, to: Checking) -> CType:
        return self.type(bool(getattr(call.args[0].type, "signed", False)))


@func
class SumFunc(_OfNumber):
    """add up n"""

    name, type = "sum", Sum

    def add(self, call: CallSite, to: Emitter, values: list[Value], type: Aggregate, slot: Value) -> None:
        to.b.atomic_add(slot, values[0])


class _Mean(_OfNumber):
    def add(self, call: CallSite, to: Emitter, values: list[Value], type: Aggregate, slot: Value) -> None:
        to.b.atomic_add(slot, values[0])
        to.b.atomic_add(slot, 1, 8)


@func
class AvgFunc(_Mean):
    """the average of n"""

    name, type = "avg", Avg


@func
class StatsFunc(_Mean):
    """count, average and total of n"""

    name, type = "stats", Stats


class _Extreme(_OfNumber):
    def _encode(self, to: Emitter, value: Value, signed: bool) -> Value:
        """Of two encoded values the unsigned larger one is wanted; 0 is the least."""
        wide = to.b.ext(value, S64 if signed else U64)
        return to.b.op("xor", wide, _SIGN, U64) if signed else wide

    def add(self, call: CallSite, to: Emitter, values: list[Value], type: Aggregate, slot: Value) -> None:
        assert isinstance(type, (Min, Max))
        b = to.b
        new = self._encode(to, values[0], type.signed)
        b.store(slot, 1, 8, 8)
        done = b.new_block()
        old = b.load(slot, U64)
        if not to.unit.target.have("atomics_fetch"):
            # Those kernels run programs with preemption off.
            larger = b.new_block()
            b.branch(b.compare("ult", old, new), larger, done)
            b.place(larger)
            b.store(slot, new, 8)
            b.jump(done)
        else:
            for _ in range(_TRIES):
                larger, beaten = b.new_block(), b.new_block()
                b.branch(b.compare("ult", old, new), larger, done)
                b.place(larger)
                found = b.cmpxchg(slot, old, new)
                b.branch(b.compare("eq", found, old), done, beaten)
                b.place(beaten)
                old = found
            b.jump(done)
        b.place(done)


@func
class MaxFunc(_Extreme):
    """the largest n"""

    name, type = "max", Max


@func
class MinFunc(_Extreme):
    """the smallest n"""

    name, type = "min", Min

    def _encode(self, to: Emitter, value: Value, signed: bool) -> Value:
        wide = to.b.ext(value, S64 if signed else U64)
        return to.b.op("xor", wide, _SIGN - 1 if signed else (1 << 64) - 1, U64)
