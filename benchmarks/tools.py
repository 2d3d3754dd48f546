"""The two tools that are compared, run on a target of our own, and what the kernel says of them.

Only processes started here are traced: the probed function lives in a binary compiled for the run.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HERE = Path(__file__).resolve().parent

_SYS_BPF = {"x86_64": 321, "aarch64": 280}
_BPF_ENABLE_STATS = 32


@dataclass(frozen=True)
class Tool:
    """A tracer with bpftrace's command line."""

    name: str
    command: tuple[str, ...]

    def version(self) -> str:
        done = subprocess.run([*self.command, "--version"], capture_output=True, text=True, check=True)
        return done.stdout.strip()


def find_probee() -> Tool:
    """probee, by the console script of this environment where it is installed."""
    script = Path(sys.executable).parent / "probee"
    return Tool("probee", (str(script),) if script.exists() else (sys.executable, "-m", "probee"))


def find_tools() -> tuple[Tool, Tool]:
    """probee and bpftrace."""
    theirs = shutil.which("bpftrace")
    if theirs is None:
        raise SystemExit("ERROR: no bpftrace to compare with\nHINT: apt-get install -y bpftrace")
    return find_probee(), Tool("bpftrace", (theirs,))


def compile_target(folder: str) -> Path:
    """The target of target.c, compiled into `folder`."""
    binary = Path(folder, "target")
    subprocess.run(["cc", "-O1", "-Wall", "-o", binary, HERE / "target.c"], check=True)
    return binary


class Target:
    """A running target; see target.c for the lines that it prints."""

    def __init__(self, binary: Path, calls: int, burst: int = 0, pause_us: int = 0) -> None:
        self.process = subprocess.Popen(
            [binary, str(calls), str(burst), str(pause_us)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self.process.pid

    def read_line(self, expected: str) -> list[str]:
        """The words of the next line after its first, which must be `expected`."""
        assert self.process.stdout is not None
        word, *rest = self.process.stdout.readline().split() or [""]
        if word != expected:
            raise SystemExit(f"ERROR: expected {expected!r} from the target, got {word!r}")
        return rest


@contextmanager
def running_target(binary: Path, calls: int, burst: int = 0, pause_us: int = 0) -> Iterator[Target]:
    target = Target(binary, calls, burst, pause_us)
    try:
        target.read_line("ready")
        yield target
    finally:
        target.process.kill()
        target.process.communicate()


class Run:
    """A tool that traces; `output` is all that it wrote, once it has ended."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.pid = process.pid
        self.output = ""
        self._process = process

    def wait(self) -> None:
        """Until it ends by itself."""
        self._process.wait(timeout=20)


@contextmanager
def running_tool(tool: Tool, script: str, pid: int) -> Iterator[Run]:
    """`tool` tracing process `pid` by `script`; ended by SIGINT. What it says of its failure is shown."""
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        process = subprocess.Popen(
            [*tool.command, "-p", str(pid), "-e", script],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            text=True,
        )
        run = Run(process)
        try:
            yield run
        finally:
            failed = process.poll()
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=20)
            finally:
                process.kill()
                process.wait()
            output.seek(0)
            run.output = output.read()
            if failed:
                print(f"{tool.name} ended with {failed}: {run.output}", file=sys.stderr)


@contextmanager
def bpf_stats() -> Iterator[None]:
    """The kernel measures every BPF program meanwhile.

    As `sysctl kernel.bpf_stats_enabled=1`, but held by a file descriptor: it is put back however this
    process ends.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    attr = ctypes.create_string_buffer(128)  # all 0: of type BPF_STATS_RUN_TIME
    fd: int = libc.syscall(_SYS_BPF[platform.machine()], _BPF_ENABLE_STATS, attr, 128)
    if fd < 0:
        raise SystemExit(f"ERROR: bpf(BPF_ENABLE_STATS): {os.strerror(ctypes.get_errno())}")
    try:
        yield
    finally:
        os.close(fd)


def read_run_time(pid: int) -> tuple[int, int]:
    """(nanoseconds, runs) of all the BPF programs that process `pid` holds, each counted once."""
    programs = {}
    for file in Path("/proc", str(pid), "fdinfo").iterdir():
        try:
            fields = dict(line.split(":", 1) for line in file.read_text().splitlines() if ":" in line)
        except FileNotFoundError:
            continue  # closed since the folder was read
        if "run_cnt" in fields:
            programs[int(fields["prog_id"])] = int(fields["run_time_ns"]), int(fields["run_cnt"])
    return sum(ns for ns, _ in programs.values()), sum(runs for _, runs in programs.values())


def read_peak_kib(pid: int) -> int:
    """Peak resident memory of a running process. (Of an ended one, rusage also counts what forked it.)"""
    for line in Path("/proc", str(pid), "status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise SystemExit(f"ERROR: process {pid} has ended")


def clock_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def describe(values: Sequence[float], unit: str, digits: int = 0) -> str:
    """Median, and the range."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:,.{digits}f} {unit} ({low:,.{digits}f}..{high:,.{digits}f})"


def describe_goal(value: float, goal: float) -> str:
    return f"goal {goal:g}: {'reached' if value <= goal else 'MISSED'}"


def describe_ratio(ours: Sequence[float], theirs: Sequence[float], goal: float | None) -> str:
    """Ratio of the medians, against the goal where there is one."""
    ratio = statistics.median(ours) / statistics.median(theirs)
    return f"ratio {ratio:.3f}" + (f", {describe_goal(ratio, goal)}" if goal is not None else "")
