"""Programs that tests start: probee itself, and targets to be traced. Each ends with its test."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).resolve().parent.parent

PATIENCE = float(os.environ.get("PROBEE_TEST_PATIENCE", "1"))
"""By how much longer than on a real CPU everything may take; guests, whose CPUs are emulated, get 12."""


def few(examples: int) -> int:
    """How many generated examples to try, where each takes longer the more patience is asked for."""
    return max(round(examples / PATIENCE), 5)


@dataclass(frozen=True)
class Result:
    """How a run of probee ended, and all it wrote."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def lines(self) -> list[str]:
        return self.stdout.splitlines()


class Running:
    """A probee that has been started; what it writes goes to files, so it never waits for the test."""

    def __init__(self, process: subprocess.Popen[bytes], stdout: Path, stderr: Path) -> None:
        self.process = process
        self.pid = process.pid
        self._stdout, self._stderr = stdout, stderr

    @property
    def stdout(self) -> str:
        return self._stdout.read_text()

    @property
    def stderr(self) -> str:
        return self._stderr.read_text()

    def wait_attached(self, timeout: float = 20) -> None:
        """Until probee says that it has attached; it must not end before."""
        wait_until(lambda: "Attached " in self.stderr or self.process.poll() is not None, timeout)
        assert "Attached " in self.stderr, f"ended with {self.process.poll()}: {self.stderr}"

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, timeout: float = 20) -> Result:
        """Until it ends by itself; a hang is a failure."""
        returncode = self.process.wait(timeout * PATIENCE)
        return Result(returncode, self.stdout, self.stderr)


class Probee:
    """Runs the command. Call it to run to the end; `start` it to do something in between."""

    command: Sequence[str] = (sys.executable, "-m", "probee")

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[subprocess.Popen[bytes]] = []
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self.env = {**os.environ, "PYTHONPATH": path}

    def __call__(self, *arguments: object, timeout: float = 60, stdin: str = "") -> Result:
        done = subprocess.run(
            [*self.command, *map(str, arguments)],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout * PATIENCE,
            env=self.env,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: object) -> Running:
        number = len(self._started)
        out, err = self._folder / f"stdout.{number}", self._folder / f"stderr.{number}"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(
                [*self.command, *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env=self.env,
            )
        self._started.append(process)
        return Running(process, out, err)

    def close(self) -> None:
        for process in self._started:
            end(process)


class Target:
    """A program to be traced, waiting at its standard input for the test to say `go`."""

    def __init__(self, command: Sequence[object]) -> None:
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self.process.pid

    def go(self) -> None:
        """Let it run: it is waiting for a line."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def read_line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def wait(self, timeout: float = 60) -> int:
        return self.process.wait(timeout * PATIENCE)

    def close(self) -> None:
        end(self.process)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


def end(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """Kill a process of ours that still runs, and reap it."""
    if process.poll() is None:
        process.kill()
    process.wait()


def wait_until(condition: Callable[[], object], timeout: float = 10) -> None:
    """Until `condition()` is true; fails after `timeout` seconds, times PATIENCE."""
    deadline = time.monotonic() + timeout * PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"still not true after {timeout} s: {condition}"
        time.sleep(0.01)
