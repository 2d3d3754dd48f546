"""docs/testing.md does what it says: its examples are run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from probee.testing.triggers import Trigger
from programs import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (ROOT / "docs/testing.md").read_text()
ENV = {**os.environ, "PYTHONPATH": str(ROOT)}


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.+?)```", PAGE, re.DOTALL)


def test_the_page_has_three_examples() -> None:
    assert [len(_blocks(kind)) for kind in ("python", "bpftrace", "sh", "text")] == [3, 1, 1, 1]
    assert re.findall(r"^## (\d)", PAGE, re.MULTILINE) == ["1", "2", "3"]


@pytest.mark.parametrize("number", [0, 2])
def test_programs(number: int) -> None:
    done = subprocess.run([sys.executable, "-c", _blocks("python")[number]], env=ENV, check=False)
    assert done.returncode == 0


@pytest.mark.kernel
def test_the_same_program_in_the_kernel() -> None:
    text = _blocks("python")[2].replace("probee.vm.machine", "probee.kernel.machine").replace("Vm", "Kernel")
    assert subprocess.run([sys.executable, "-c", text], env=ENV, check=False).returncode == 0


def test_the_pytest(tmp_path: Path) -> None:
    (tmp_path / "slow.bt").write_text(_blocks("bpftrace")[0])
    (tmp_path / "test_slow.py").write_text(_blocks("python")[1])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "."]
    done = subprocess.run(command, cwd=tmp_path, env=ENV, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "6 passed" in done.stdout


def test_the_command(tmp_path: Path) -> None:
    wrapper = tmp_path / "probee"
    wrapper.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m probee "$@"\n')
    wrapper.chmod(0o755)
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    done = subprocess.run(
        ["sh", "-c", _blocks("sh")[0]],
        capture_output=True,
        text=True,
        env={**ENV, "PATH": path},
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, _blocks("text")[0], "")


def test_defaults_are_those_of_the_table() -> None:
    made = Trigger("uprobe:f")
    rows = dict(re.findall(r"^\| (`[^|]+`) \| [^|]+ \| ([^|]+?) \|$", PAGE, re.MULTILINE))
    assert rows["`pid`, `tid`, `uid`, `gid`"] == f"{made.pid}, the same as `pid`, {made.uid}, {made.gid}"
    assert rows["`comm`"] == f"`{made.comm}`"
    assert (rows["`cpu`"], rows["`times`"]) == (str(made.cpu), str(made.times))
