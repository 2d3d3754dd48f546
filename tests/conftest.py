"""Fixtures that start programs, and the rule of skipping: only by a named feature, and checked."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from features import EXPECTED_IN_CI, FEATURES
from programs import PATIENCE, Probee, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path


# Time limits of single examples say more of the machine than of the code. In CI the examples are the same
# each time: new ones are for who can look at what they find.
settings.register_profile(
    "probee",
    deadline=None,
    derandomize=os.environ.get("CI") == "true",
    suppress_health_check=[HealthCheck.too_slow] if PATIENCE > 1 else [],
)
settings.load_profile("probee")

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


# -- what takes long -----------------------------------------------------------------------------

SLOW = re.compile(r"test_(fuzz|random|passes|\w*oracle)$")
"""Modules of generated input and of comparisons with other tools: half the time of all kernel-free tests."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if SLOW.match(item.path.stem):
            item.add_marker(pytest.mark.slow)


# -- compiling targets --------------------------------------------------------------------------


@pytest.fixture
def cc(tmp_path: Path) -> Callable[..., Path]:
    """`cc(source, *flags, name="target")`: a C program compiled into the test's own folder.

    The test must carry `needs("cc")`. Optimisation is off and symbols are kept unless flags say otherwise.
    """

    def compile_c(source: str, *flags: str, name: str = "target") -> Path:
        text, binary = tmp_path / f"{name}.c", tmp_path / name
        text.write_text(source)
        command = [
            "cc",
            "-std=gnu11",
            "-Wall",
            "-Werror",
            "-O0",
            "-o",
            str(binary),
            str(text),
            "-pthread",
            *flags,
        ]
        built = subprocess.run(command, capture_output=True, text=True, check=False)
        assert built.returncode == 0, built.stderr
        return binary

    return compile_c


# -- running programs ---------------------------------------------------------------------------


@pytest.fixture
def probee(tmp_path: Path) -> Iterator[Probee]:
    """The command under test; what it started is ended with the test."""
    command = Probee(tmp_path)
    yield command
    command.close()


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
