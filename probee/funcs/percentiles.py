"""Percentiles, as print() takes them: p50, p99, p99_9 (for 99.9)."""

from __future__ import annotations

from ..base.record import record
from ..ctype.types import CType, Void
from .func import FUNCS, CallSite, Func

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .func import Checking


@record
class Percentile(Void):
    """No value: what print() is asked for, in thousandths of a percent."""

    thousandths: int


class _Name(Func):
    """a percentile of a histogram, for print()"""

    def __init__(self, name: str, thousandths: int) -> None:
        self.name = name
        self._thousandths = thousandths

    def check(self, call: CallSite, to: Checking) -> CType:
        if self._thousandths > 100_000:
            to.error(f"expected a percentile of at most 100, got {self.name}", call.span)
        return Percentile(self._thousandths)


def add_percentile(name: str, percent: int, fraction: str) -> None:
    """Register `name` for `percent` and the digits after its point."""
    FUNCS.add(name, _Name(name, percent * 1000 + int(fraction.ljust(3, "0"))))


def thousandths(type: CType) -> int:
    """What a percentile is, in thousandths of a percent."""
    assert isinstance(type, Percentile)
    return type.thousandths
