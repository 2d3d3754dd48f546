"""Programs that the machine runs itself: begin, end, self, test, bench.

`begin` before the others attach, `end` after they are gone, `self:signal:SIGUSR1` when probee gets that
signal; `test:NAME` and `bench:NAME` only when tests or benchmarks are asked for.
"""

from __future__ import annotations

from ..spec.abi import ProgType
from ..spec.bundle import Special
from .provider import Point, Provider, Site

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..spec.target import Target

SIGNALS = ("SIGUSR1",)


class _Special(Provider):
    program_type = ProgType.RAW_TRACEPOINT

    def __init__(self, name: str) -> None:
        self.name = name
        self.usage = name

    def expand(self, point: Point, target: Target, pid: int = 0) -> list[Site]:
        if point.args:
            raise self.misspelled(point, f"{self.name} takes no arguments, got {':'.join(point.args)!r}")
        return [Site(self.name, "", Special("", self.name, self.name))]


class _Self(Provider):
    name = "self"
    usage = "self:signal:SIGUSR1"
    program_type = ProgType.RAW_TRACEPOINT

    def expand(self, point: Point, target: Target, pid: int = 0) -> list[Site]:
        if len(point.args) != 2:
            raise self.misspelled(point, f"expected self:signal:NAME, got {point.text!r}")
        trigger, name = point.args
        if trigger != "signal":
            raise self.misspelled(point, f"{trigger} is not a supported trigger")
        if name not in SIGNALS:
            raise self.misspelled(point, f"{name} is not a supported signal")
        probe = f"self:signal:{name}"
        return [Site(probe, "", Special("", name, probe))]


class _Trial(Provider):
    """A test or benchmark: a program for packets, since those are what the kernel repeats and times."""

    program_type = ProgType.XDP

    def __init__(self, name: str) -> None:
        self.name = name
        self.usage = f"{name}:NAME"

    def expand(self, point: Point, target: Target, pid: int = 0) -> list[Site]:
        if len(point.args) != 1 or not point.args[0]:
            raise self.misspelled(point, f"{self.name} probes must have a name")
        probe = f"{self.name}:{point.args[0]}"
        return [Site(probe, "", Special("", self.name, probe))]


PROVIDERS = (_Special("begin"), _Special("end"), _Self(), _Trial("test"), _Trial("bench"))
