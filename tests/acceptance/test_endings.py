"""However a run ends, it ends: maps printed where there is someone to read them, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from bpfstate import find_ids, have_id
from programs import PATIENCE, ROOT, end, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from programs import Probee, Target

pytestmark = [pytest.mark.kernel, pytest.mark.needs("uprobe", "cc")]

# Prints where `step` is, waits for a line, then calls it every millisecond until it is killed.
STEPS = r"""
#include <stdio.h>
#include <unistd.h>
__attribute__((noinline)) void step(long n) { __asm__ volatile("" :: "r"(n) : "memory"); }
int main(void) {
    printf("%p\n", (void *)step);
    fflush(stdout);
    getchar();
    for (long n = 1;; n++) { step(n); usleep(1000); }
}
"""

FIVE_STEPS = r"""
__attribute__((noinline)) void step(long n) { __asm__ volatile("" :: "r"(n) : "memory"); }
int main(void) { for (long n = 1; n <= 5; n++) step(n); }
"""

BEGIN_AND_END = 'BEGIN { printf("first\\n"); } END { printf("last %d\\n", @calls > 0); }'


def counting(binary: Path) -> str:
    return f"{BEGIN_AND_END} uprobe:{binary}:step {{ @calls = count(); }}"


def printing(binary: Path) -> str:
    return f'uprobe:{binary}:step {{ printf("%ld\\n", arg0); }}'


def check_ended_well(stdout: str) -> None:
    """`END` ran after `BEGIN`, and the map with at least one call was printed after both."""
    lines = [line for line in stdout.splitlines() if line]
    assert lines[:2] == ["first", "last 1"]
    name, _, count = lines[2].partition(": ")
    assert name == "@calls"
    assert int(count) > 0
    assert len(lines) == 3


@pytest.fixture
def steps(cc: Callable[..., Path], target: Callable[..., Target]) -> Target:
    process = target(cc(STEPS, name="steps"))
    process.read_line()
    process.go()
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_well(probee: Probee, steps: Target, tmp_path: Path, number: signal.Signals) -> None:
    run = probee.start("-e", counting(tmp_path / "steps"), "-p", steps.pid)
    run.wait_attached()
    wait_until(lambda: "first" in run.stdout)
    subprocess.run(["sleep", "0.2"], check=True)
    run.signal(number)
    result = run.wait(5)
    assert result.returncode == 0, result.stderr
    check_ended_well(result.stdout)


def test_exit_ends_well(probee: Probee, steps: Target, tmp_path: Path) -> None:
    script = counting(tmp_path / "steps") + " interval:ms:300 { exit(); }"
    result = probee("-e", script, "-p", steps.pid, timeout=10)
    assert result.returncode == 0, result.stderr
    check_ended_well(result.stdout)


def test_end_of_the_command_ends_well(probee: Probee, cc: Callable[..., Path]) -> None:
    binary = cc(FIVE_STEPS)
    result = probee("-e", counting(binary), "-c", binary, timeout=10)
    assert result.returncode == 0, result.stderr
    check_ended_well(result.stdout)
    assert "@calls: 5" in result.lines


def test_end_of_the_traced_process_ends_well(probee: Probee, steps: Target, tmp_path: Path) -> None:
    run = probee.start("-e", counting(tmp_path / "steps"), "-p", steps.pid)
    run.wait_attached()
    wait_until(lambda: "first" in run.stdout)
    subprocess.run(["sleep", "0.2"], check=True)
    end(steps.process)
    result = run.wait(10)
    assert result.returncode == 0, result.stderr
    check_ended_well(result.stdout)


def test_reader_goes_away(probee: Probee, steps: Target, tmp_path: Path) -> None:
    """`probee ... | head -3`."""
    errors = tmp_path / "errors"
    with errors.open("wb") as stderr:
        run = subprocess.Popen(
            [*probee.command, "-q", "-e", printing(tmp_path / "steps"), "-p", str(steps.pid)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=probee.env,
        )
        try:
            head = subprocess.run(
                ["head", "-3"], stdin=run.stdout, capture_output=True, timeout=20 * PATIENCE, check=True
            )
            assert run.stdout is not None
            run.stdout.close()
            assert run.wait(10) in {0, 1, -signal.SIGPIPE, 128 + signal.SIGPIPE}
        finally:
            end(run)
    assert len(head.stdout.split()) == 3
    assert len(errors.read_text().splitlines()) <= 1
    assert "Traceback" not in errors.read_text()


def test_closed_stderr(probee: Probee, cc: Callable[..., Path]) -> None:
    binary = cc(FIVE_STEPS)
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" 2>&-', "sh", *probee.command, "-e", printing(binary), "-c", binary],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=probee.env,
        timeout=20 * PATIENCE,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout.split() == ["1", "2", "3", "4", "5"]


def test_full_disk(probee: Probee, cc: Callable[..., Path]) -> None:
    binary = cc(FIVE_STEPS)
    result = probee("-q", "-e", printing(binary), "-c", binary, "-o", "/dev/full", timeout=20)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    errors = [line for line in result.stderr.splitlines() if line.startswith("ERROR: ")]
    assert len(errors) == 1
    assert "/dev/full" in errors[0]
    assert "No space left on device" in errors[0]


def test_kill_leaves_nothing_behind(
    probee: Probee, cc: Callable[..., Path], target: Callable[..., Target]
) -> None:
    binary = cc(STEPS)
    process = target(binary)
    address = int(process.read_line(), 16)
    untouched = read_memory(process.pid, address)
    run = probee.start("-e", counting(binary), "-p", process.pid)
    run.wait_attached()
    held = find_ids(run.pid)
    assert {kind for kind, _ in held} >= {"prog_id", "map_id"}
    assert read_memory(process.pid, address) != untouched, "the probe is not in the target's code"
    run.signal(signal.SIGKILL)
    run.process.wait(10)
    wait_until(lambda: not any(have_id(kind, number) for kind, number in held))
    wait_until(lambda: read_memory(process.pid, address) == untouched)


@pytest.mark.parametrize(
    "loop",
    [
        "with probee.run(SCRIPT, pid=PID) as run:\n    for event in run: fail(event)",
        "for event in probee.run(SCRIPT, pid=PID): fail(event)",
    ],
    ids=["with", "for"],
)
def test_exception_in_the_loop_detaches(probee: Probee, steps: Target, tmp_path: Path, loop: str) -> None:
    program = f"""
import os, sys, probee
sys.path.insert(0, {str(ROOT / "tests")!r})
from bpfstate import find_ids

SCRIPT, PID = {printing(tmp_path / "steps")!r}, {steps.pid}

def fail(event):
    assert any(kind == "prog_id" for kind, _ in find_ids(os.getpid()))
    raise LookupError(event.text)

def trace():
{textwrap.indent(loop, "    ")}

try:
    trace()
except LookupError as error:
    print("caught", int(error.args[0]) > 0)
print("held", sorted(find_ids(os.getpid())))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=probee.env,
        timeout=20 * PATIENCE,
        check=False,
    )
    assert done.stdout.splitlines() == ["caught True", "held []"], done.stderr


def read_memory(pid: int, address: int) -> bytes:
    """The 4 bytes of code at `address` of a process that we started."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        return os.pread(memory.fileno(), 4, address)
