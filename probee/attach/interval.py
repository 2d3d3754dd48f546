"""interval: a program on one CPU's clock.

A cpu-clock event of one online CPU and every process (pid -1) is a timer of that CPU: it fires
also when the CPU is idle.
"""

from __future__ import annotations

from ..kernel.cpus import online_cpus
from ..kernel.perf import attach_event, open_event
from ..spec.abi import PerfSoftware, PerfType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..kernel.fd import Fds
    from ..kernel.programs import KernelProgram
    from ..spec.bundle import IntervalLink


def attach(link: IntervalLink, program: KernelProgram) -> Fds:
    """Run the program every `link.period` nanoseconds. Raises AttachError."""
    what = f"attach {link.probe or f'a timer of {link.period} ns'}"
    cpu = online_cpus()[0]
    event = open_event(what, PerfType.SOFTWARE, PerfSoftware.CPU_CLOCK, cpu=cpu, period=link.period)
    return attach_event(what, event, program.fd.number)
