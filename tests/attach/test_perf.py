"""profile, software and hardware on processes of the test's own: events of their threads, never of a CPU."""

from __future__ import annotations

import errno
import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from builders.bpf import COUNTERS, counting
from probee.attach import perf
from probee.attach.machine import LiveMachine
from probee.base.errors import AttachError, FeatureError
from probee.kernel.procfs import find_threads
from probee.spec.abi import PerfHardware, PerfSoftware, PerfType, ProgType
from probee.spec.bundle import PerfLink
from programs import Target, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.kernel

MS = 1_000_000

# At each line of input, three threads run for 0.2 s of their own time each, one after another.
BUSY = """
import sys, threading, time
def work():
    end = time.thread_time() + 0.2
    while time.thread_time() < end: pass
print("ready", flush=True)
for line in sys.stdin:
    for _ in range(3):
        thread = threading.Thread(target=work); thread.start(); thread.join()
    print("done", flush=True)
"""


class Counter:
    def __init__(self, machine: LiveMachine) -> None:
        self._machine = machine
        counters = machine.create_map(COUNTERS)
        self._program = machine.load(counting(ProgType.PERF_EVENT), {"counters": counters})
        self._count = counters.view().cast("Q")

    def attach(self, pid: int, config: PerfSoftware, period: int) -> None:
        link = PerfLink("test", PerfType.SOFTWARE, config, period, pid, "test")
        self._machine.attach(link, self._program)

    @property
    def count(self) -> int:
        return self._count[0]


@pytest.fixture
def counter() -> Iterator[Counter]:
    with LiveMachine() as machine:
        yield Counter(machine)


@pytest.fixture
def busy(target: Callable[..., Target]) -> Target:
    process = target(sys.executable, "-c", BUSY)
    assert process.read_line() == "ready"
    return process


def run(process: Target) -> None:
    process.go()
    assert process.read_line() == "done"


def test_a_profile_is_of_the_time_that_a_process_runs(counter: Counter, busy: Target) -> None:
    counter.attach(busy.pid, PerfSoftware.CPU_CLOCK, 10 * MS)
    run(busy)
    # 0.6 s in threads that were born since; a CPU that others take away for a while only delays it.
    assert 40 <= counter.count <= 90


def test_threads_that_are_there_are_seen_as_well(counter: Counter, target: Callable[..., Target]) -> None:
    text = BUSY.replace("import sys, threading, time", "import sys, threading, time, os").replace(
        'print("ready", flush=True)\nfor line in sys.stdin:',
        "go = threading.Event()\n"
        "def later(): go.wait(); work()\n"
        "old = [threading.Thread(target=later) for _ in range(4)]\n"
        "for thread in old: thread.start()\n"
        'print("ready", flush=True)\n'
        "for line in sys.stdin:\n    go.set()\n    for thread in old: thread.join()",
    )
    process = target(sys.executable, "-c", text)
    assert process.read_line() == "ready"
    assert len(find_threads(process.pid)) == 5
    counter.attach(process.pid, PerfSoftware.CPU_CLOCK, 10 * MS)
    run(process)
    assert 80 <= counter.count <= 190  # 7 threads of 0.2 s, of which 4 were there


def test_page_faults_are_counted_to_the_last(counter: Counter, target: Callable[..., Target]) -> None:
    text = """
import mmap, sys
memory = mmap.mmap(-1, 4096 * 1000, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
memory.madvise(mmap.MADV_NOHUGEPAGE)
for line in sys.stdin:
    for page in range(1000): memory[page * 4096] = 1
    print("done", flush=True)
"""
    process = target(sys.executable, "-c", text)
    process.go()
    process.read_line()
    counter.attach(process.pid, PerfSoftware.PAGE_FAULTS, 1)
    run(process)
    assert counter.count < 100  # the pages are there
    fresh = target(sys.executable, "-c", text)
    wait_until(lambda: os.readlink(f"/proc/{fresh.pid}/exe") == os.path.realpath(sys.executable))
    counter.attach(fresh.pid, PerfSoftware.PAGE_FAULTS, 1)
    run(fresh)
    assert counter.count >= 1000


def test_a_process_that_has_ended_is_no_error(counter: Counter, busy: Target) -> None:
    busy.process.send_signal(signal.SIGKILL)
    busy.wait()
    counter.attach(busy.pid, PerfSoftware.CPU_CLOCK, 10 * MS)
    assert counter.count == 0


@pytest.mark.parametrize("most", [0, 128])
def test_every_cpu_is_the_way_out_when_threads_cannot_be_told(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Too many of them, or never the same ones twice."""
    births = iter(range(1, 1000))
    monkeypatch.setattr(perf, "_MOST_THREADS", most)
    monkeypatch.setattr(perf, "find_threads", lambda pid: [os.getpid()] * next(births))
    asked = []
    monkeypatch.setattr(perf, "_attach_to_cpus", lambda link, program: asked.append(link))
    link = PerfLink("test", PerfType.SOFTWARE, PerfSoftware.DUMMY, 1, os.getpid(), "test")
    with LiveMachine() as machine:
        counters = machine.create_map(COUNTERS)
        program = machine.load(counting(ProgType.PERF_EVENT), {"counters": counters})
        perf.attach(link, program)
    assert asked == [link]


def test_what_nothing_counts_is_told_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AttachError("attach hardware:cycles", errno.ENOENT)

    monkeypatch.setattr(perf, "open_thread_event", refuse)
    link = PerfLink("test", PerfType.HARDWARE, PerfHardware.CPU_CYCLES, 1000, os.getpid(), "hardware:cycles")
    with LiveMachine() as machine:
        counters = machine.create_map(COUNTERS)
        program = machine.load(counting(ProgType.PERF_EVENT), {"counters": counters})
        with pytest.raises(FeatureError, match="hardware:cycles: nothing counts this here"):
            machine.attach(link, program)
