"""profile, software, hardware: programs that run every so many times that something happens.

`profile:hz:99`, `profile:ms:10`, `profile:1s`: a timer of every CPU, or of one process's own time.
`software:page-faults`, `software:faults:1`: what the kernel counts.
`hardware:cache-misses:1000`: what the CPU counts.
"""

from __future__ import annotations

from ..base.registry import near_misses
from ..spec.abi import PerfHardware, PerfSoftware, PerfType, ProgType
from ..spec.bundle import PerfLink
from .interval import parse_count, parse_period
from .provider import Point, Provider, Site

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import IntEnum

    from ..base.errors import SourceError
    from ..spec.target import Target

SOFTWARE: dict[str, tuple[PerfSoftware, int]] = {
    "alignment-faults": (PerfSoftware.ALIGNMENT_FAULTS, 1),
    "bpf-output": (PerfSoftware.BPF_OUTPUT, 1),
    "context-switches": (PerfSoftware.CONTEXT_SWITCHES, 1_000),
    "cpu-clock": (PerfSoftware.CPU_CLOCK, 1_000_000),
    "cpu-migrations": (PerfSoftware.CPU_MIGRATIONS, 1),
    "dummy": (PerfSoftware.DUMMY, 1),
    "emulation-faults": (PerfSoftware.EMULATION_FAULTS, 1),
    "major-faults": (PerfSoftware.PAGE_FAULTS_MAJ, 1),
    "minor-faults": (PerfSoftware.PAGE_FAULTS_MIN, 100),
    "page-faults": (PerfSoftware.PAGE_FAULTS, 100),
    "task-clock": (PerfSoftware.TASK_CLOCK, 1),
}
HARDWARE: dict[str, tuple[PerfHardware, int]] = {
    "backend-stalls": (PerfHardware.STALLED_CYCLES_BACKEND, 1_000_000),
    "branch-instructions": (PerfHardware.BRANCH_INSTRUCTIONS, 100_000),
    "branch-misses": (PerfHardware.BRANCH_MISSES, 100_000),
    "bus-cycles": (PerfHardware.BUS_CYCLES, 100_000),
    "cache-misses": (PerfHardware.CACHE_MISSES, 1_000_000),
    "cache-references": (PerfHardware.CACHE_REFERENCES, 1_000_000),
    "cpu-cycles": (PerfHardware.CPU_CYCLES, 1_000_000),
    "frontend-stalls": (PerfHardware.STALLED_CYCLES_FRONTEND, 1_000_000),
    "instructions": (PerfHardware.INSTRUCTIONS, 1_000_000),
    "ref-cycles": (PerfHardware.REF_CPU_CYCLES, 1_000_000),
}
"""Name of an event → its number, and how often it happens between two runs when the script does not say."""

ALIASES = {
    "cpu": "cpu-clock",
    "cs": "context-switches",
    "faults": "page-faults",
    "branches": "branch-instructions",
    "cycles": "cpu-cycles",
}


class _Profile(Provider):
    name = "profile"
    aliases = ("p",)
    usage = "profile:hz:99, profile:ms:10, profile:us:500, profile:s:1, or profile:10ms"
    program_type = ProgType.PERF_EVENT
    task = True

    def expand(self, point: Point, target: Target, pid: int = 0) -> list[Site]:
        probe = ":".join((self.name, *point.args))
        period = parse_period(self, point)
        link = PerfLink("", PerfType.SOFTWARE, PerfSoftware.CPU_CLOCK, period, pid, probe, point.span)
        return [Site(probe, "", link)]


class _Counted(Provider):
    """Events that are counted; `events` are their names."""

    program_type = ProgType.PERF_EVENT
    task = True

    def __init__(
        self, name: str, type: PerfType, events: Mapping[str, tuple[IntEnum, int]], example: str
    ) -> None:
        self.name, self.aliases = name, (name[0],)
        self.usage = f"{name}:{example}, {name}:{example}:1000"
        self._type, self._events = type, events

    def expand(self, point: Point, target: Target, pid: int = 0) -> list[Site]:
        if not 1 <= len(point.args) <= 2 or not point.args[0]:
            raise self.misspelled(point, f"expected {self.name}:EVENT or {self.name}:EVENT:COUNT")
        written, *counts = point.args
        name = ALIASES.get(written, written)
        if "*" in name:
            raise self.misspelled(point, f"wildcards are not allowed for {self.name} probe type")
        if name not in self._events:
            raise self._unknown(point, written)
        event, count = self._events[name]
        if counts:
            count = parse_count(counts[0])
            if not 0 < count < 1 << 63:
                raise self.misspelled(point, f"expected a positive integer as count, got {counts[0]!r}")
        probe = ":".join((self.name, *point.args))
        return [Site(probe, "", PerfLink("", self._type, event, count, pid, probe, point.span))]

    def _unknown(self, point: Point, name: str) -> SourceError:
        near = near_misses(name, (*self._events, *[a for a, of in ALIASES.items() if of in self._events]))
        hint = f"did you mean {' or '.join(near)}?" if near else f"events: {', '.join(self._events)}"
        return self.wrong(point, f"{name} is not a {self.name} probe", hint)


PROVIDERS = (
    _Profile(),
    _Counted("software", PerfType.SOFTWARE, SOFTWARE, "page-faults"),
    _Counted("hardware", PerfType.HARDWARE, HARDWARE, "cache-misses"),
)
