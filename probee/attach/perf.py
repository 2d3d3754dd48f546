"""profile, software, hardware: a program every so many times that something happens.

Without a process, there is an event on each online CPU. With one, there is an event of each of its
threads, which the threads that it makes from then on inherit: a profile samples the time that the process
runs, a count of 1,000 is of its own thousand switches, and no other process is interrupted. (With an
event of every CPU and a filter in the program, the process would be seen when the CPU's thousandth happens
to be one of its own.)

A thread that is born while this goes on may inherit an event or not, and nobody can tell; so when the
threads have changed it is all done again, and when that goes on, or there are very many of them, it is
done by events of every CPU. The program itself ends at once in any other process, always.
"""

from __future__ import annotations

import errno

from ..base.errors import AttachError, FeatureError
from ..kernel.cpus import online_cpus
from ..kernel.fd import Fds
from ..kernel.perf import attach_event, open_event, open_thread_event
from ..kernel.procfs import find_threads
from ..spec.abi import PerfType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..kernel.programs import KernelProgram
    from ..spec.bundle import PerfLink

_MOST_THREADS = 128
_TRIES = 4

# What the kernel answers when nothing here counts an event, or nothing can interrupt on it.
_NOT_COUNTED = (errno.ENOENT, errno.EOPNOTSUPP, errno.ENODEV)


def attach(link: PerfLink, program: KernelProgram) -> Fds:
    """Run the program every `link.period`th time. Raises AttachError, and FeatureError without a counter."""
    try:
        handle = _attach_to_threads(link, program) if link.pid else None
        return handle or _attach_to_cpus(link, program)
    except AttachError as error:
        if link.type == PerfType.HARDWARE and error.errno in _NOT_COUNTED:
            message = f"{link.probe}: nothing counts this here, as in many virtual machines"
            raise FeatureError(message, hint="software:cpu-clock and profile need no counter") from error
        raise


def _attach_to_cpus(link: PerfLink, program: KernelProgram) -> Fds:
    what = f"attach {link.probe}"
    made = Fds()
    try:
        for cpu in online_cpus():
            event = open_event(what, link.type, link.config, cpu=cpu, period=link.period)
            made.take(attach_event(what, event, program.fd.number))
    except AttachError:
        made.close()
        raise
    return made


def _attach_to_threads(link: PerfLink, program: KernelProgram) -> Fds | None:
    """Events of the threads of `link.pid`; None where the threads change too fast or are too many."""
    for _ in range(_TRIES):
        threads = find_threads(link.pid)
        if len(threads) > _MOST_THREADS:
            return None
        made = _open_threads(link, program, threads)
        if find_threads(link.pid) == threads:
            return made
        made.close()
    return None


def _open_threads(link: PerfLink, program: KernelProgram, threads: list[int]) -> Fds:
    what = f"attach {link.probe}"
    made = Fds()
    try:
        for tid in threads:
            event = open_thread_event(what, link.type, link.config, tid=tid, period=link.period)
            if event is not None:
                made.take(attach_event(what, event, program.fd.number))
    except AttachError:
        made.close()
        raise
    return made
