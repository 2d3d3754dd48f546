"""Semaphores: counts of tracers in a program's memory, kept by the kernel as long as a probe is live."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from builders.bpf import COUNTERS, counting
from probee.attach.machine import LiveMachine
from probee.attach.uprobe import attach_together
from probee.elf.file import Elf
from probee.kernel.features import FEATURES
from probee.spec.abi import AttachType, ProgType
from probee.spec.bundle import UprobeLink
from probee.usdt.notes import Probe, iter_probes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from probee.kernel.programs import KernelProgram
    from programs import Target

pytestmark = [pytest.mark.kernel, pytest.mark.needs("uprobe", "sdt")]

# At each line of input: what the semaphore is, then 23 hits where it is not 0, and 23 of a probe without one.
SOURCE = """
#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>
#include <stdio.h>
unsigned short app_guarded_semaphore __attribute__((section(".probes")));
unsigned short app_other_semaphore __attribute__((section(".probes")));
int main(void) {
    for (int line = 0; getchar() != EOF; line++) {
        printf("%d %d\\n", app_guarded_semaphore, app_other_semaphore);
        fflush(stdout);
        for (int i = 0; i < 23; i++)
            if (app_guarded_semaphore) STAP_PROBE1(app, guarded, i);
        if (app_other_semaphore) STAP_PROBE(app, other);
        puts("done");
        fflush(stdout);
    }
}
"""

MULTI = FEATURES.find("uprobe_multi_pid")
assert MULTI is not None
WAYS = [AttachType.NONE] + ([AttachType.TRACE_UPROBE_MULTI] if MULTI.probe().have else [])


@pytest.fixture
def binary(cc: Callable[..., Path]) -> Path:
    return cc(SOURCE)


@pytest.fixture(params=WAYS, ids=lambda way: way.name)
def counter(request: pytest.FixtureRequest) -> Iterator[Counter]:
    """Each test by perf events, and by uprobe_multi where the kernel has it right."""
    with LiveMachine() as machine:
        yield Counter(machine, request.param)


class Counter:
    """A machine with one program that counts."""

    def __init__(self, machine: LiveMachine, way: AttachType) -> None:
        self.machine = machine
        counters = machine.create_map(COUNTERS)
        self.program: KernelProgram = machine.load(counting(ProgType.KPROBE, way), {"counters": counters})
        self._count = counters.view().cast("Q")

    @property
    def count(self) -> int:
        return self._count[0]


def probes(binary: Path) -> dict[str, Probe]:
    return {probe.name: probe for probe in iter_probes(Elf(binary.read_bytes(), str(binary)))}


def link(binary: Path, name: str = "guarded", *, pid: int = 0, semaphore: bool = True) -> UprobeLink:
    probe = probes(binary)[name]
    assert probe.offset
    assert probe.semaphore_offset
    where = probe.semaphore_offset if semaphore else 0
    return UprobeLink("test", str(binary), probe.offset, pid=pid, semaphore=where)


def hit(program: Target) -> str:
    """Let it run once; what its semaphores were."""
    program.go()
    said = program.read_line()
    assert program.read_line() == "done"
    return said


def test_raised_while_live(counter: Counter, binary: Path, target: Callable[..., Target]) -> None:
    program = target(binary)
    assert hit(program) == "0 0"
    live = counter.machine.attach(link(binary), counter.program)
    assert hit(program) == "1 0"
    assert counter.count == 23
    live.close()
    assert hit(program) == "0 0"
    assert counter.count == 23


def test_not_raised_without_it(counter: Counter, binary: Path, target: Callable[..., Target]) -> None:
    program = target(binary)
    with counter.machine.attach(link(binary, semaphore=False), counter.program):
        assert hit(program) == "0 0"
    assert counter.count == 0


def test_in_processes_that_start_later(counter: Counter, binary: Path, target: Callable[..., Target]) -> None:
    with counter.machine.attach(link(binary), counter.program):
        assert hit(target(binary)) == "1 0"
    assert counter.count == 23


def test_in_the_traced_process_only(counter: Counter, binary: Path, target: Callable[..., Target]) -> None:
    traced, other = target(binary), target(binary)
    with counter.machine.attach(link(binary, pid=traced.pid), counter.program):
        assert (hit(traced), hit(other)) == ("1 0", "0 0")
    assert counter.count == 23


def test_of_several_places(counter: Counter, binary: Path, target: Callable[..., Target]) -> None:
    """Each place of a group has its own, or none."""
    links = [link(binary), link(binary, "other"), link_to_main(binary)]
    program = target(binary)
    assert hit(program) == "0 0"  # past main
    if counter.program.spec.expected_attach == AttachType.TRACE_UPROBE_MULTI:
        live = [attach_together(links, counter.program)]
    else:
        live = [counter.machine.attach(one, counter.program) for one in links]
    assert hit(program) == "1 1"
    assert counter.count == 24
    for one in live:
        one.close()
    assert hit(program) == "0 0"


def link_to_main(binary: Path) -> UprobeLink:
    elf = Elf(binary.read_bytes(), str(binary))
    (main,) = elf.find_symbols("main")
    return UprobeLink("test", str(binary), elf.file_offset(main.value) or 0)


def test_live_until_the_last_is_closed(counter: Counter, binary: Path, target: Callable[..., Target]) -> None:
    program = target(binary)
    with counter.machine.attach(link(binary), counter.program):
        with counter.machine.attach(link(binary), counter.program):
            assert hit(program) == "1 0"
        assert counter.count == 46
        assert hit(program) == "1 0"
    assert hit(program) == "0 0"
