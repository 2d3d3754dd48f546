"""bpftrace's unit tests and its own scripts, read where they lie: we accept and refuse the same, in the same
words, but for what bpftrace_differences.txt names with its reason."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .bpftrace_corpus import FILES, read_cases
from .bpftrace_verdict import is_later_kind, judge

pytestmark = pytest.mark.needs("bpftrace_source")

FOLDER = Path(os.environ.get("BPFTRACE_DIR", "/nonexistent"), "tests")
DIFFERENCES = Path(__file__).parent / "bpftrace_differences.txt"
LEAST = {"type_checker": 1400, "parser": 450, "fold_literals": 350, "type_resolver": 200}
"""How many cases there are at least: fewer, and reading them has gone wrong."""


@pytest.mark.parametrize("file", FILES)
def test_same_verdicts_and_words(file: str) -> None:
    known = set(DIFFERENCES.read_text().split("\n"))
    cases = read_cases(FOLDER, file)
    assert len(cases) >= LEAST.get(file, 1)
    new = []
    for case in cases:
        outcome = judge(case)
        assert outcome.kind != "crash", f"{case.id}: {outcome.said}"
        if outcome.kind not in ("same", "later") and case.id not in known and not is_later_kind(case):
            new.append(f"{case.id}: {outcome.kind}\n{case.script}\n{outcome.said}")
    assert new == []


def _probee(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "probee", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.kernel
def test_their_test_probes_pass() -> None:
    scripts = sorted((FOLDER / "self").glob("*.bt"))
    assert len(scripts) > 9
    for script in scripts:
        result = _probee("--test", script)
        assert result.returncode == 0, f"{script.name}\n{result.stdout}\n{result.stderr}"


@pytest.mark.kernel
def test_their_tools_compile() -> None:
    """As far as the kinds of probes that they use are there; the kernel must have what they trace."""
    broken = []
    for script in sorted((FOLDER.parent / "tools").glob("*.bt")):
        result = _probee("--unsafe", "-d", "ast", "--dry-run", script)
        if "this is a bug in probee" in result.stderr or "Traceback" in result.stderr:
            broken.append(f"{script.name}: {result.stderr}")
    assert broken == []
