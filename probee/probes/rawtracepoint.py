"""rawtracepoint: a tracepoint of the kernel before tracefs makes a record of it: argN are its arguments.

`rawtracepoint:EVENT`, or `rawtracepoint:MODULE:EVENT`, where the module only says where the event is from.
"""

from __future__ import annotations

from ..base.errors import TargetError
from ..spec.abi import ProgType
from ..spec.bundle import RawTracepointLink
from .glob import compile_glob
from .provider import Point, Provider, Site, names_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..spec.target import Target


class _RawTracepoint(Provider):
    name = "rawtracepoint"
    aliases = ("rt",)
    usage = "rawtracepoint:EVENT, such as rawtracepoint:sched_switch"
    program_type = ProgType.RAW_TRACEPOINT
    arguments = "raw"
    task = True
    space = "kernel"

    def expand(self, point: Point, target: Target, pid: int = 0) -> list[Site]:
        if not 1 <= len(point.args) <= 2 or not all(point.args):
            raise self.misspelled(point, f"expected rawtracepoint:EVENT, got {point.text!r}")
        event = point.args[-1]
        events = [event]
        if "*" in event:
            pattern = compile_glob(event)
            events = sorted(
                {e for _, e in names_of(target, point).iter_tracepoints() if pattern.fullmatch(e)}
            )
            if not events:
                raise TargetError(f"No matches for rawtracepoint {event}.", span=point.span)
        return [self._site(point, name) for name in events]

    def _site(self, point: Point, event: str) -> Site:
        probe = f"{self.name}:{event}"
        return Site(probe, "", RawTracepointLink("", event, probe, point.span))


PROVIDERS = (_RawTracepoint(),)
