"""`probee demo` shows what it says, and ends by itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from programs import Probee

pytestmark = [pytest.mark.kernel, pytest.mark.needs("uprobe")]


def test_demo(probee: Probee) -> None:
    result = probee("demo", timeout=20)
    assert result.returncode == 0, result.stderr
    assert len(re.findall(r"^  probee -p \d+ -e '", result.stdout, re.MULTILINE)) == 3
    assert len(re.findall(r"^fopen: /etc/passwd$", result.stdout, re.MULTILINE)) > 3
    assert re.search(r"^@bytes:\s*\n(\[.+\n)+", result.stdout, re.MULTILINE)
    counts = {name: int(count) for name, count in re.findall(r"^@(\S+): (\d+)$", result.stdout, re.MULTILINE)}
    # The workload opens the four in turn, /etc/passwd twice, and one of them is not there.
    assert counts["opened[/etc/passwd]"] > counts["opened[/etc/group]"] > 0
    # Probes are neither attached nor detached at one instant, so the two counts may differ a little.
    assert 0.5 < counts["failed"] / counts["opened[/etc/no-such-file]"] < 2


def test_demo_takes_no_arguments(probee: Probee) -> None:
    result = probee("demo", "more")
    assert result.returncode == 1
    assert result.stderr == "ERROR: demo takes no arguments, got 'more'\n"
