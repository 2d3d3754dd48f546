"""docs/isa.md is what the tables say, and the fuzzer finds nothing in a second."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_page_is_up_to_date() -> None:
    done = subprocess.run([sys.executable, ROOT / "scripts" / "isa", "--check"], check=False)
    assert done.returncode == 0, "run scripts/isa"


def test_a_second_of_fuzzing() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "fuzz"), "1", "23"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("inputs, seed 23\n")
