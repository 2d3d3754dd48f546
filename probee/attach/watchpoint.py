"""watchpoint: a program whenever memory is touched, by a breakpoint of the CPU.

Of a process, the breakpoint is one of each thread that it has, which new threads inherit; without one it
is of every CPU, and of the kernel's memory.
"""

from __future__ import annotations

from ..kernel.abi import BREAKPOINT_MODES
from ..kernel.cpus import online_cpus
from ..kernel.fd import Fds
from ..kernel.perf import attach_event, open_event, open_thread_event
from ..kernel.procfs import find_threads
from ..spec.abi import PerfType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..kernel.fd import Fd
    from ..kernel.programs import KernelProgram
    from ..spec.bundle import WatchLink


def attach(link: WatchLink, program: KernelProgram) -> Fds:
    """Run the program at each access. Raises AttachError."""
    what = f"attach {link.probe}"
    made = Fds()
    try:
        for event in _open_all(what, link):
            made.take(attach_event(what, event, program.fd.number))
    except BaseException:
        made.close()
        raise
    return made


def _open_all(what: str, link: WatchLink) -> list[Fd]:
    kind = sum(BREAKPOINT_MODES[mode] for mode in link.modes)
    size = 8 if link.modes == "x" else link.length
    if not link.pid:
        return [
            open_event(
                what,
                PerfType.BREAKPOINT,
                0,
                cpu=cpu,
                period=1,
                bp_type=kind,
                config1=link.address,
                config2=size,
            )
            for cpu in online_cpus()
        ]
    events = [
        open_thread_event(
            what, PerfType.BREAKPOINT, 0, tid=tid, period=1, bp_type=kind, config1=link.address, config2=size
        )
        for tid in find_threads(link.pid)
    ]
    return [event for event in events if event is not None]
