"""BEGIN and END: programs that the machine runs once, before the others attach and after they are gone."""

from __future__ import annotations

from ..spec.abi import ProgType
from ..spec.bundle import Special
from .provider import Point, Provider, Site

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..spec.target import Target


class _Special(Provider):
    program_type = ProgType.RAW_TRACEPOINT

    def __init__(self, name: str) -> None:
        self.name = name
        self.usage = name

    def expand(self, point: Point, target: Target, pid: int = 0) -> list[Site]:
        if point.args:
            raise self.misspelled(point, f"{self.name} takes no arguments, got {':'.join(point.args)!r}")
        return [Site(self.name, "", Special("", self.name, self.name))]


PROVIDERS = (_Special("begin"), _Special("end"))
