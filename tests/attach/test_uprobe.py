"""uprobe and uretprobe on programs made for the test: counts, threads, pids, execs, forks, failures."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from builders.bpf import COUNTERS, counting
from probee.attach.machine import LiveMachine
from probee.base.errors import AttachError, TargetError
from probee.kernel.features import FEATURES
from probee.kernel.proc import spawn
from probee.spec.abi import AttachType, ProgType
from probee.spec.bundle import UprobeLink
from programs import Target, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from probee.kernel.programs import KernelProgram

pytestmark = [pytest.mark.kernel, pytest.mark.needs("uprobe", "cc")]

SOURCE = """
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noinline)) long hit(long n) { return n + 1; }

static pthread_barrier_t barrier;

static void *work(void *times) {
    for (long i = 0; i < (long)times; i++) hit(i);
    return NULL;
}

static void *wait_and_work(void *times) {
    pthread_barrier_wait(&barrier);
    return work(times);
}

/* target THREADS TIMES MODE...: at each line of input, do what the next MODE says */
int main(int argc, char **argv) {
    int threads = atoi(argv[1]);
    long times = atol(argv[2]);
    pthread_t ids[16];
    for (int mode = 3; mode < argc; mode++) {
        if (getchar() == EOF) return 1;
        switch (argv[mode][0]) {
        case 'r':
            for (int i = 0; i < threads; i++) pthread_create(&ids[i], NULL, work, (void *)times);
            for (int i = 0; i < threads; i++) pthread_join(ids[i], NULL);
            break;
        case 's':
            pthread_barrier_init(&barrier, NULL, threads + 1);
            for (int i = 0; i < threads; i++) pthread_create(&ids[i], NULL, wait_and_work, (void *)times);
            break;
        case 'j':
            pthread_barrier_wait(&barrier);
            for (int i = 0; i < threads; i++) pthread_join(ids[i], NULL);
            break;
        case 'f':
            if (fork() == 0) { work((void *)times); _exit(0); }
            wait(NULL);
            break;
        }
        puts("done");
        fflush(stdout);
    }
    return 0;
}
"""

MULTI = FEATURES.find("uprobe_multi_pid")
assert MULTI is not None
WAYS = [AttachType.NONE] + ([AttachType.TRACE_UPROBE_MULTI] if MULTI.probe().have else [])


@pytest.fixture(params=WAYS, ids=lambda way: way.name)
def way(request: pytest.FixtureRequest) -> AttachType:
    """Each test by perf events, and by uprobe_multi where the kernel has it right."""
    found: AttachType = request.param
    return found


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


@pytest.fixture
def counter(way: AttachType) -> Iterator[Counter]:
    with LiveMachine() as machine:
        yield Counter(machine, way)


@pytest.fixture
def binary(cc: Callable[..., Path]) -> Path:
    return cc(SOURCE)


def offset_of(binary: Path, name: str = "hit") -> int:
    """File offset of a function, by nm and the fact that small programs' text is mapped where it lies."""
    symbols = subprocess.run(["nm", str(binary)], capture_output=True, text=True, check=True).stdout
    return next(int(line.split()[0], 16) for line in symbols.splitlines() if line.split()[-1] == name)


def link(binary: Path, *, pid: int = 0, ret: bool = False, offset: int | None = None) -> UprobeLink:
    at = offset_of(binary) if offset is None else offset
    return UprobeLink("test", str(binary), at, ret, pid, probe=f"uprobe:{binary.name}:hit")


def step(target: Target) -> None:
    target.go()
    assert target.read_line() == "done"


@pytest.mark.parametrize("ret", [False, True], ids=["entry", "return"])
def test_every_call_counts_until_closed(
    counter: Counter, binary: Path, target: Callable[..., Target], ret: bool
) -> None:
    traced = target(binary, 1, 23, "r", "r", "r")
    step(traced)
    handle = counter.machine.attach(link(binary, pid=traced.pid, ret=ret), counter.program)
    step(traced)
    assert counter.count == 23
    handle.close()
    step(traced)
    assert counter.count == 23
    handle.close()


@pytest.mark.parametrize("ret", [False, True], ids=["entry", "return"])
def test_no_call_of_any_thread_is_missed(
    counter: Counter, binary: Path, target: Callable[..., Target], ret: bool
) -> None:
    traced = target(binary, 4, 5003, "r")
    counter.machine.attach(link(binary, pid=traced.pid, ret=ret), counter.program)
    step(traced)
    assert counter.count == 4 * 5003


def test_threads_that_are_there_already_are_traced(
    counter: Counter, binary: Path, target: Callable[..., Target]
) -> None:
    traced = target(binary, 3, 23, "s", "j")
    step(traced)
    counter.machine.attach(link(binary, pid=traced.pid), counter.program)
    step(traced)
    assert counter.count == 69


def test_a_pid_leaves_other_processes_of_the_file_alone(
    counter: Counter, binary: Path, target: Callable[..., Target]
) -> None:
    traced, other = target(binary, 2, 23, "r", "r"), target(binary, 2, 17, "r", "r")
    counter.machine.attach(link(binary, pid=traced.pid), counter.program)
    step(other)
    step(traced)
    step(other)
    assert counter.count == 46


def test_without_a_pid_every_process_of_the_file_counts(
    counter: Counter, binary: Path, target: Callable[..., Target]
) -> None:
    first = target(binary, 1, 23, "r")
    counter.machine.attach(link(binary), counter.program)
    second = target(binary, 1, 17, "r")
    step(first)
    step(second)
    assert counter.count == 40


def test_what_a_traced_process_forks_is_not_traced(
    counter: Counter, binary: Path, target: Callable[..., Target]
) -> None:
    traced = target(binary, 1, 23, "f", "r")
    counter.machine.attach(link(binary, pid=traced.pid), counter.program)
    step(traced)
    assert counter.count == 0
    step(traced)
    assert counter.count == 23


def test_a_command_held_at_its_exec_is_traced_from_its_first_call(counter: Counter, binary: Path) -> None:
    with open("/dev/zero", "rb") as zeros, StandardInput(zeros.fileno()):
        child = spawn([str(binary), "1", "23", "r"])
    with child:
        counter.machine.attach(link(binary, pid=child.pid), counter.program)
        child.go()
        assert child.wait(20) == 0
    assert counter.count == 23


def test_a_library_that_is_mapped_later_is_traced(
    counter: Counter, cc: Callable[..., Path], target: Callable[..., Target]
) -> None:
    library = cc("long hit(long n) { return n + 1; }\n", "-shared", "-fPIC", name="libhit.so")
    loader = cc(
        """
        #include <dlfcn.h>
        #include <stdio.h>
        int main(int argc, char **argv) {
            getchar();
            long (*hit)(long) = (long (*)(long))dlsym(dlopen(argv[1], RTLD_NOW), "hit");
            for (long i = 0; i < 23; i++) hit(i);
            puts("done");
            return argc == 0;
        }
        """,
        "-ldl",
        name="loader",
    )
    traced = target(loader, library)
    counter.machine.attach(link(library, pid=traced.pid), counter.program)
    step(traced)
    assert counter.count == 23


def test_a_pid_given_before_an_exec_still_means_the_process(
    counter: Counter, binary: Path, target: Callable[..., Target]
) -> None:
    traced = target("/bin/sh", "-c", f"read line; exec {binary} 1 23 r")
    counter.machine.attach(link(binary, pid=traced.pid), counter.program)
    traced.go()
    step(traced)
    assert counter.count == 23


# -- many places at once ------------------------------------------------------------------------

MANY = """
#include <stdio.h>
__attribute__((noinline)) int one(int n) { return n + 1; }
__attribute__((noinline)) int two(int n) { return n + 2; }
__attribute__((noinline)) int three(int n) { return n + 3; }
int main(void) {
    for (int i = 0; i < 2; i++) { getchar(); one(1); two(2); three(3); puts("done"); fflush(stdout); }
    return 0;
}
"""


def test_many_places_of_a_program_are_attached_together(
    counter: Counter, way: AttachType, cc: Callable[..., Path], target: Callable[..., Target]
) -> None:
    binary = cc(MANY)
    traced = target(binary)
    places = [
        link(binary, pid=traced.pid, offset=offset_of(binary, name)) for name in ("one", "two", "three")
    ]
    returns = [link(binary, pid=traced.pid, ret=True, offset=place.offset) for place in places[:2]]
    handles = counter.machine.attach_all([*places, *returns], counter.program)
    assert len(handles) == (2 if way == AttachType.TRACE_UPROBE_MULTI else 5)
    step(traced)
    assert counter.count == 5
    for handle in handles:
        handle.close()
    step(traced)
    assert counter.count == 5


def test_one_bad_place_among_many_is_named(counter: Counter, binary: Path) -> None:
    good, size = offset_of(binary), binary.stat().st_size
    places = [link(binary, offset=good), link(binary, offset=size + 64), link(binary, offset=good + 1)]
    with pytest.raises(TargetError, match=f"got {size + 64:#x}"):
        counter.machine.attach_all(places, counter.program)


# -- what goes wrong ----------------------------------------------------------------------------


def failed(counter: Counter, wanted: UprobeLink) -> str:
    with pytest.raises((AttachError, TargetError)) as caught:
        counter.machine.attach(wanted, counter.program)
    return caught.value.render()


def test_no_such_file(counter: Counter, tmp_path: Path) -> None:
    path = tmp_path / "none"
    assert failed(counter, link(path, offset=0)) == f"ERROR: {path}: no such file or directory"


def test_not_a_file(counter: Counter, tmp_path: Path) -> None:
    assert failed(counter, link(tmp_path, offset=0)) == f"ERROR: {tmp_path} is not a file"


def test_an_offset_past_the_end(counter: Counter, binary: Path) -> None:
    size = binary.stat().st_size
    assert failed(counter, link(binary, offset=size + 0x1000)) == (
        f"ERROR: {binary}: expected an offset below its size {size:#x}, got {size + 0x1000:#x}"
    )


def test_no_such_process(counter: Counter, binary: Path) -> None:
    assert failed(counter, link(binary, pid=0x3FFFFF)) == "ERROR: no process has the id 4194303"


def test_bytes_that_are_no_instruction(
    counter: Counter, cc: Callable[..., Path], target: Callable[..., Target]
) -> None:
    if os.uname().machine != "x86_64":
        bad = ".byte 0, 0, 0, 0"
    else:
        bad = ".byte 0x06"  # PUSH ES, which 64-bit code does not have
    binary = cc(
        f"""
        #include <stdio.h>
        __asm__(".globl hit\\nhit: {bad}\\n.skip 16");
        int main(void) {{ getchar(); puts("done"); return 0; }}
        """
    )
    traced = target(binary)
    wait_until(lambda: "x" in _mapped(traced.pid, binary))
    message = failed(counter, link(binary, pid=traced.pid))
    assert "are not an instruction that a probe can replace" in message
    step(traced)


def _mapped(pid: int, binary: Path) -> str:
    """The permissions under which a process has mapped a file."""
    with open(f"/proc/{pid}/maps") as maps:
        return "".join(line.split()[1] for line in maps if str(binary) in line)


# -- nothing is left ----------------------------------------------------------------------------

OWNER = """
import sys, time
from builders.bpf import COUNTERS, counting
from probee.attach.machine import LiveMachine
from probee.spec.abi import AttachType, ProgType
from probee.spec.bundle import UprobeLink
path, offset, way = sys.argv[1], int(sys.argv[2]), AttachType(int(sys.argv[3]))
machine = LiveMachine()
maps = {"counters": machine.create_map(COUNTERS)}
link = UprobeLink("test", path, offset)
machine.attach(link, machine.load(counting(ProgType.KPROBE, way), maps))
print("attached", flush=True)
time.sleep(1000)
"""


def test_kill_9_leaves_no_probe(way: AttachType, binary: Path, target: Callable[..., Target]) -> None:
    traced = target(binary, 1, 23, "r", "r")
    step(traced)
    offset = offset_of(binary)
    untouched = _code(traced.pid, binary, offset)
    script = f"import sys; sys.path[:] = {sys.path!r}\n{OWNER}"
    owner = target(sys.executable, "-c", script, binary, offset, int(way))
    assert owner.read_line() == "attached"
    assert _code(traced.pid, binary, offset) != untouched
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    wait_until(lambda: _code(traced.pid, binary, offset) == untouched)
    step(traced)


def _code(pid: int, binary: Path, offset: int) -> bytes:
    """The byte of code at a file offset, as the process has it in memory."""
    with open(f"/proc/{pid}/maps") as maps:
        for line in maps:
            span, _, start, *_ = line.split()
            first, last = (int(part, 16) for part in span.split("-"))
            if str(binary) in line and int(start, 16) <= offset < int(start, 16) + last - first:
                with open(f"/proc/{pid}/mem", "rb") as memory:
                    memory.seek(first + offset - int(start, 16))
                    return memory.read(1)
    raise AssertionError(f"{binary} is not mapped at {offset:#x}")


class StandardInput:
    """Make `fd` the standard input while it lasts, for a command that inherits it."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __enter__(self) -> None:
        self._saved = os.dup(0)
        os.dup2(self._fd, 0)

    def __exit__(self, *_: object) -> None:
        os.dup2(self._saved, 0)
        os.close(self._saved)
