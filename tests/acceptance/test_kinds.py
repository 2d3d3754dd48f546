"""Every probe kind from the command line, on commands of the test's own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from programs import Probee

pytestmark = pytest.mark.kernel

SPIN = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass"


def maps(text: str) -> dict[str, int]:
    return {name: int(value) for name, value in (line.split(": ") for line in text.splitlines() if line)}


def test_profile_samples_the_command_and_nothing_else(probee: Probee) -> None:
    script = "profile:hz:100 { @[pid, probe] = count(); @mine = count(); }"
    done = probee("-e", script, "-c", f"{sys.executable} -c '{SPIN}'")
    assert (done.returncode, done.stderr) == (0, "Attached 1 probe\n")
    found = maps(done.stdout)
    assert 40 <= found.pop("@mine") <= 90
    assert len(found) == 1
    assert next(iter(found)).endswith(", profile:hz:100]")


def test_software_events(probee: Probee) -> None:
    script = "software:page-faults:1 { @faults = count(); } s:cpu:10000000 { @clock = count(); }"
    done = probee("-q", "-e", script, "-c", f"{sys.executable} -c '{SPIN}'")
    assert (done.returncode, done.stderr) == (0, "")
    found = maps(done.stdout)
    assert found["@faults"] > 100
    assert found["@clock"] >= 40
