"""tracepoint: a program at a tracepoint, by an event with the number that tracefs gives it.

The event is opened on one CPU; but a program at it runs on all, for every process.
"""

from __future__ import annotations

from ..base.errors import TargetError
from ..kernel.cpus import online_cpus
from ..kernel.names import find_tracefs
from ..kernel.perf import attach_event, open_event
from ..kernel.procfs import read_text
from ..spec.abi import PerfType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..kernel.fd import Fds
    from ..kernel.programs import KernelProgram
    from ..spec.bundle import TracepointLink


def attach(link: TracepointLink, program: KernelProgram) -> Fds:
    """Run the program at each hit. Raises AttachError, TargetError, FeatureError."""
    what = f"attach {link.probe or f'tracepoint:{link.category}:{link.event}'}"
    number = read_text(f"{find_tracefs()}/events/{link.category}/{link.event}/id")
    if number is None:
        raise TargetError(f"no tracepoint {link.category}:{link.event}", span=link.span)
    # Every hit counts: its period is 1.
    event = open_event(what, PerfType.TRACEPOINT, int(number), cpu=online_cpus()[0], period=1)
    return attach_event(what, event, program.fd.number)
