"""The kernel tests, in one guest a kernel: the command line of `scripts/guest-tests`."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from probee.base.errors import ProbeeError

from .debian import SUITES, fetch_kernel
from .guest import TIMED_OUT, run_guest
from .kernel import KERNELS, open_kernel
from .machine import Settings
from .wire import Job

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent

WANTED = "kernel and not slow and not real_time"
"""Tests that say something of a kernel, and whose result does not hang on how quick the machine is."""

PATIENCE = 12
"""By how much the tests wait longer: tests/programs.py."""

TESTED = ("docs", "lab", "probee", "scripts", "tests")
"""What the suite reads, besides .venv and pyproject.toml."""

DEFAULT = ("5.10", "6.1", "7.3")
_SECONDS = 3 * 3600
_MEMORY = "3G"

ABOUT = f"""\
Runs the kernel tests in guests: `scripts/guest-tests [KERNEL...] [pytest's arguments...]`.

KERNEL is {", ".join(SUITES)}, or another that is in {KERNELS}; those of Debian that are not there
are fetched. Without one: {", ".join(DEFAULT)}, one after the other. For example:

    scripts/guest-tests 5.10 tests/attach -k uprobe

The tests are those of -m "{WANTED}"; a guest takes about {PATIENCE} times as long as the host for them.
Exit status 1 if a test failed, or a guest.
"""


@dataclass
class Outcome:
    """What a suite came to on one kernel; `status` is pytest's own, or the guest's."""

    kernel: str
    status: int
    seconds: float
    counts: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)


def main(arguments: list[str]) -> int:
    if set(arguments) & {"-h", "--help"}:
        print(ABOUT, end="")
        return 0
    kernels = [name for name in arguments if re.fullmatch(r"\d+\.\d+", name)]
    rest = arguments[len(kernels) :]
    if arguments[: len(kernels)] != kernels:
        print("ERROR: kernels come before pytest's arguments", file=sys.stderr)
        return 2
    try:
        outcomes = [run_suite(name, rest) for name in kernels or DEFAULT]
    except ProbeeError as error:
        print(error.render(), file=sys.stderr)
        return 2
    for outcome in outcomes:
        print(render_outcome(outcome))
    return int(any(outcome.status for outcome in outcomes))


def run_suite(name: str, arguments: Sequence[str]) -> Outcome:
    """Run the suite on the kernel called `name`; what pytest writes goes to stdout."""
    if name in SUITES and not KERNELS.joinpath(name).exists():
        print(f"fetching {name} of Debian's {SUITES[name]}", flush=True)
        fetch_kernel(SUITES[name])
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="guest-tests.") as folder:
        results = Path(folder, "results")
        results.mkdir()
        report = results / "report.xml"
        job = Job(
            # The cache would be written to a layer that vanishes.
            [
                "python",
                "-m",
                "pytest",
                "-p",
                "no:cacheprovider",
                "-m",
                WANTED,
                f"--junit-xml={report}",
                *arguments,
            ],
            cwd=str(ROOT),
            environment={
                "PATH": f"{ROOT}/.venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "PROBEE_TEST_PATIENCE": str(PATIENCE),
                "PYTHONUNBUFFERED": "1",
            },
            bind=freeze(Path(folder)),
            writable=results,
        )
        kernel = open_kernel(name)
        print(f"== {kernel.release}", flush=True)
        status = run_guest(job, kernel, Settings(cpus=1, memory=_MEMORY), _SECONDS)
        outcome = Outcome(kernel.release, status, time.monotonic() - started)
        if report.exists():
            read_report(outcome, report.read_text())
    return outcome


def freeze(folder: Path) -> list[tuple[str, str]]:
    """Copies of what is tested, to be bound in its place.

    A guest keeps what it knows of a file, say its size: one that is edited while it runs would be cut off.
    """
    for name in TESTED:
        # Without bytecode that is just being written.
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.pyc.*"))
    return [(str(folder / name), str(ROOT / name)) for name in TESTED]


def read_report(outcome: Outcome, xml: str) -> None:
    """Count what pytest's report in JUnit's form says."""
    for case in ElementTree.fromstring(xml).iter("testcase"):
        kinds = {child.tag: child.get("message", "") for child in case}
        name = f"{case.get('classname')}::{case.get('name')}"
        if kinds.keys() & {"failure", "error"}:
            outcome.counts["failed"] += 1
            outcome.failed.append(name)
        elif "skipped" in kinds:
            outcome.counts["skipped"] += 1
            outcome.skipped[kinds["skipped"]] += 1
        else:
            outcome.counts["passed"] += 1


def render_outcome(outcome: Outcome) -> str:
    """A line of numbers, one a failure, one a reason to skip."""
    numbers = ", ".join(f"{outcome.counts[word]} {word}" for word in ("passed", "failed", "skipped"))
    lines = [f"{outcome.kernel}: {numbers}, {outcome.seconds:.0f} s"]
    if not outcome.counts:
        reason = "time was up" if outcome.status == TIMED_OUT else f"exit status {outcome.status}"
        lines = [f"{outcome.kernel}: no result, {reason}, {outcome.seconds:.0f} s"]
    lines += [f"  failed: {name}" for name in outcome.failed]
    lines += [f"  skipped {count}: {reason}" for reason, count in outcome.skipped.most_common()]
    return "\n".join(lines)
