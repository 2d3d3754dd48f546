"""`probee --test`, `probee --bench`: the test: and bench: probes of a script, run one after another.

A test passes when it returns 0; what it printed is shown only if it does not. A benchmark is run more and
more often until that takes a millisecond; what it prints is dropped, and one that returns something else
than 0 is left out.
"""

from __future__ import annotations

import os
import time

from ..attach.special import measure
from ..base.errors import InternalError, UsageError
from ..kernel.programs import KernelProgram
from ..render.sink import Sink
from ..render.text import TextOutput
from ..render.trials import Benchmark, Trial, render_benchmark, render_trial
from ..session import Printer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..render.output import Output
    from ..session import Session
    from ..spec.bundle import Special
    from ..spec.machine import ProgramHandle
    from .options import Options

_GROWTH = ((1_000, 1_000), (10_000, 100), (100_000, 10), (1_000_000, 2))
"""Nanoseconds that a run of a benchmark took, below which it is done again, and so many times as often."""


def run_trials(session: Session, output: Output, out: Sink, options: Options) -> int:
    """Run begin, the tests or benchmarks, and end; the exit status. Raises UsageError if there are none.

    Results are written to `out`, which is what `output` prints to.
    """
    found = session.find_specials(options.mode)
    if not found:
        raise UsageError(f"the program has no {options.mode}: probes")
    session.set_facts(time.clock_gettime_ns(time.CLOCK_BOOTTIME), 0)
    printer = Printer(session, output)
    session.run("begin")
    run = _run_tests if options.mode == "test" else _run_benchmarks
    with Capture(session) as capture:
        printer.show(session.pump())
        failed = run(found, capture, out, json=options.format.startswith("json"))
    printer.show(session.finish())
    output.end()
    output.flush()
    return 1 if failed else session.exit_code or 0


class Capture:
    """What a session's programs print, kept apart from the run's output."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._fd = os.memfd_create("trial")
        sink = Sink(self._fd, "memory")
        self._printer = Printer(session, TextOutput(sink, sink))

    def take(self) -> tuple[str, int]:
        """What was printed since the last call, and what exit() was given, which is forgotten."""
        session = self._session
        self._printer.show(session.pump())
        code, session.exit_code = session.exit_code or 0, None
        size = os.lseek(self._fd, 0, os.SEEK_CUR)
        text = os.pread(self._fd, size, 0).decode("utf-8", "backslashreplace")
        os.ftruncate(self._fd, 0)
        os.lseek(self._fd, 0, os.SEEK_SET)
        return text, code

    def __enter__(self) -> Capture:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def _run_tests(
    found: list[tuple[Special, ProgramHandle]], capture: Capture, out: Sink, *, json: bool
) -> bool:
    """Run every test; True if one failed."""
    done: list[Trial] = []
    for link, program in found:
        value, duration = measure(_own(program))
        text, code = capture.take()
        done.append(Trial(_name(link), duration, value == 0 and code == 0, text))
        _write(out, render_trial(done, len(found), json=json))
    return not all(trial.passed for trial in done)


def _run_benchmarks(
    found: list[tuple[Special, ProgramHandle]], capture: Capture, out: Sink, *, json: bool
) -> bool:
    """Run every benchmark; True if one failed."""
    names = [_name(link) for link, _ in found]
    failed, first = False, True
    for name, (_, program) in zip(names, found, strict=True):
        value, duration, times = _measure(_own(program))
        _, code = capture.take()
        failed = failed or code != 0
        if value == 0 and code == 0:
            _write(out, render_benchmark(Benchmark(name, duration, times), names, first=first, json=json))
            first = False
    return failed


def _measure(program: KernelProgram) -> tuple[int, int, int]:
    """(what it returned, nanoseconds of a run, how many runs they were taken from)"""
    times = 1
    while True:
        value, duration = measure(program, times)
        more = next((factor for below, factor in _GROWTH if duration * times < below), 1)
        if value != 0 or more == 1:
            return value, duration, times
        times *= more


def _write(out: Sink, text: str) -> None:
    out.write(text.encode("utf-8", "backslashreplace"))
    out.flush()


def _name(link: Special) -> str:
    return link.probe.partition(":")[2]


def _own(program: ProgramHandle) -> KernelProgram:
    if not isinstance(program, KernelProgram):
        raise InternalError(f"program {program.spec.name} is not one of the kernel's")
    return program
