"""Fixtures that start programs, and the rule of skipping: only by a named feature, and checked."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from features import EXPECTED_IN_CI, FEATURES

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Generator, Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent


# -- skipping -----------------------------------------------------------------------------------


def pytest_runtest_setup(item: pytest.Item) -> None:
    for name in _needs(item):
        feature = FEATURES[name]
        if feature.present:
            continue
        if os.environ.get("CI") == "true" and name in EXPECTED_IN_CI:
            pytest.fail(f"{feature.reason}, which is expected in CI", pytrace=False)
        pytest.skip(feature.reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    reasons = {FEATURES[name].reason for name in _needs(item)}
    if report.skipped and not (isinstance(report.longrepr, tuple) and _reason(report) in reasons):
        report.outcome = "failed"
        report.longrepr = f"skipped, but not for a feature it needs: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = f"a whole module was skipped: {report.longrepr}"
    return report


def _needs(item: pytest.Item) -> list[str]:
    names = [name for mark in item.iter_markers("needs") for name in mark.args]
    return ["root", "bpf", *names] if item.get_closest_marker("kernel") else names


def _reason(report: pytest.TestReport) -> str:
    assert isinstance(report.longrepr, tuple)
    return report.longrepr[2].removeprefix("Skipped: ")


# -- compiling targets --------------------------------------------------------------------------


@pytest.fixture
def cc(tmp_path: Path) -> Callable[..., Path]:
    """`cc(source, *flags, name="target")`: a C program compiled into the test's own folder.

    The test must carry `needs("cc")`. Optimisation is off and symbols are kept unless flags say otherwise.
    """

    def compile_c(source: str, *flags: str, name: str = "target") -> Path:
        text, binary = tmp_path / f"{name}.c", tmp_path / name
        text.write_text(source)
        command = ["cc", "-std=gnu11", "-Wall", "-Werror", "-O0", "-o", binary, text, "-pthread", *flags]
        built = subprocess.run(command, capture_output=True, text=True, check=False)
        assert built.returncode == 0, built.stderr
        return binary

    return compile_c


# -- running programs ---------------------------------------------------------------------------


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
        returncode = self.process.wait(timeout)
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
            timeout=timeout,
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


@pytest.fixture
def probee(tmp_path: Path) -> Iterator[Probee]:
    """The command under test; what it started is ended with the test."""
    command = Probee(tmp_path)
    yield command
    command.close()


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
        return self.process.wait(timeout)

    def close(self) -> None:
        end(self.process)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


@pytest.fixture
def target() -> Iterator[Callable[..., Target]]:
    """`target(*command)`: starts a program to be traced; it is ended with the test."""
    started: list[Target] = []

    def start(*command: object) -> Target:
        started.append(Target(command))
        return started[-1]

    yield start
    for one in started:
        one.close()


def end(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """Kill a process of ours that still runs, and reap it."""
    if process.poll() is None:
        process.kill()
    process.wait()


def wait_until(condition: Callable[[], object], timeout: float = 10) -> None:
    """Until `condition()` is true; fails after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"still not true after {timeout} s: {condition}"
        time.sleep(0.01)
