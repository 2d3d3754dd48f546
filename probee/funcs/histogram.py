"""Aggregations into buckets: hist lhist."""

from __future__ import annotations

from ..ctype.types import CType
from ..ir.types import U64, IntType
from ..spec.values import Aggregate, Hist, LHist
from .func import Aggregation, CallSite, Param, func

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Value
    from .emit import Emitter
    from .func import Checking

MAX_K = 5
MAX_BUCKETS = 1000


class _Buckets(Aggregation):
    def add(self, call: CallSite, to: Emitter, values: list[Value], type: Aggregate, slot: Value) -> None:
        assert isinstance(type, (Hist, LHist))
        b = to.b
        bucket = self._bucket(to, values[0], type)
        inside, done = b.new_block(), b.new_block()
        # Always so; said for the verifier, which then has the bound at the use.
        b.branch(b.compare("ult", bucket, type.buckets), inside, done)
        b.place(inside)
        b.atomic_add(b.offset(slot, b.op("shl", bucket, 3)), 1)
        b.jump(done)
        b.place(done)

    def _bucket(self, to: Emitter, value: Value, type: Hist | LHist) -> Value:
        raise AssertionError(self.name)


@func
class HistFunc(_Buckets):
    """a histogram of n by powers of two, each in 2**k parts"""

    name = "hist"
    params = (Param("n", "int"), Param("k", "number", optional=True))

    def check(self, call: CallSite, to: Checking) -> CType:
        k = call.args[1].number or 0 if len(call.args) > 1 else 0
        if not 0 <= k <= MAX_K:
            to.error(f"hist: bits must be 0..{MAX_K}, got {k}", call.args[1].span)
            k = 0
        return Hist(k)

    def _bucket(self, to: Emitter, value: Value, type: Hist | LHist) -> Value:
        assert isinstance(type, Hist)
        b = to.b
        number = b.ext(value, U64)
        index = b.op("add", _index(to, number, type.k), 1)
        if not (isinstance(value.type, IntType) and value.type.signed):
            return index
        # All ones for a negative number, which is of bucket 0; else zeros.
        negative = b.op("ashr", number, 63)
        return b.op("and", index, b.op("xor", negative, (1 << 64) - 1))


def _index(to: Emitter, value: Value, k: int) -> Value:
    """The bucket of an unsigned value: its highest 1 + k bits, and how far they were shifted down.

    Without branches: the verifier would walk each of their ways, and after them know many numbers
    instead of one range.
    """
    b = to.b
    # Shifting by k first leaves the power of two; what is lost was below the part's width anyhow.
    rest = b.op("lshr", value, k) if k else value
    power = b.const(0, U64)
    for step in (5, 4, 3, 2, 1, 0):
        high = b.op("lshr", rest, 1 << step)
        # `high` has at most 63 bits, so that the sign of -high says if it is 0.
        shift = b.op("shl", b.op("lshr", b.neg(high), 63), step)
        rest = b.op("lshr", rest, shift)
        power = b.op("add", power, shift)
    return b.op("add", b.op("shl", power, k) if k else power, b.op("lshr", value, power))


@func
class LHistFunc(_Buckets):
    """a histogram of n with buckets of equal width from min to max"""

    name = "lhist"
    params = (Param("n", "int"), Param("min", "number"), Param("max", "number"), Param("step", "number"))

    def check(self, call: CallSite, to: Checking) -> CType | None:
        low, high, step = [arg.number or 0 for arg in call.args[1:4]]
        if step <= 0:
            to.error(f"lhist() step must be >= 1 ({step} provided)", call.args[3].span)
        elif low > high:
            to.error(f"lhist() min must be less than max (provided min {low} and max {high})", call.span)
        elif low + step > high:
            message = (
                f"lhist() step is too large for the given range (provided step {step} for range {high - low})"
            )
            to.error(message, call.args[3].span)
        elif (high - low) // step > MAX_BUCKETS:
            message = (
                f"lhist() too many buckets, must be <= {MAX_BUCKETS} (would need {(high - low) // step})"
            )
            to.error(message, call.span)
        else:
            return LHist(low, high, step)
        return None

    def _bucket(self, to: Emitter, value: Value, type: Hist | LHist) -> Value:
        assert isinstance(type, LHist)
        b = to.b
        signed = isinstance(value.type, IntType) and value.type.signed
        less = "slt" if signed or type.min < 0 else "ult"
        inner, above, below, done = b.new_block(), b.new_block(), b.new_block(), b.new_block()
        upper = b.new_block()
        b.branch(b.compare(less, value, type.min), below, upper)
        b.place(below)
        b.write("bucket", b.const(0, U64))
        b.jump(done)
        b.place(upper)
        b.branch(b.compare(less, value, type.max), inner, above)
        b.place(above)
        b.write("bucket", b.const(type.buckets - 1, U64))
        b.jump(done)
        b.place(inner)
        steps = b.op("udiv", b.op("sub", b.ext(value, U64), type.min), type.step)
        b.write("bucket", b.op("add", steps, 1))
        b.jump(done)
        b.place(done)
        return b.read("bucket", U64)
