"""watchpoint: a program whenever memory is touched, by a breakpoint of the CPU.

Of a process, the breakpoint is one of each thread that it has, which new threads inherit; without one it
is of every CPU, and of the kernel's memory.
"""

from __future__ import annotations

from ..base.errors import AttachError
from ..kernel.abi import BREAKPOINT_MODES
from ..kernel.cpus import online_cpus
from ..kernel.fd import Fds
from ..kernel.perf import attach_event, open_event, open_thread_event
from ..kernel.procfs import find_threads
from ..spec.abi import PerfType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..kernel.fd import Fd
    from ..kernel.programs import KernelProgram
    from ..spec.bundle import WatchLink

_CODE_LENGTH = 8
"""Length of a breakpoint on execution: the kernel wants that of a long, whatever instruction is there."""


def attach(link: WatchLink, program: KernelProgram) -> Fds:
    """Run the program at each access. Raises AttachError."""
    what = f"attach {link.probe}"
    made = Fds()
    try:
        for event in _open_each(what, link):
            made.take(attach_event(what, event, program.fd.number))
    except AttachError:
        made.close()
        raise
    return made


def _open_each(what: str, link: WatchLink) -> Iterator[Fd]:
    """One event after another: of each thread of the process, or of each CPU."""
    kind = sum([BREAKPOINT_MODES[mode] for mode in link.modes])
    place = {"config1": link.address, "config2": _CODE_LENGTH if link.modes == "x" else link.length}
    if not link.pid:
        for cpu in online_cpus():
            yield open_event(what, PerfType.BREAKPOINT, 0, cpu=cpu, period=1, bp_type=kind, **place)
        return
    for tid in find_threads(link.pid):
        event = open_thread_event(what, PerfType.BREAKPOINT, 0, tid=tid, period=1, bp_type=kind, **place)
        if event is not None:
            yield event
