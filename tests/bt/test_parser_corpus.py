"""Scripts of bpftrace itself, where its source is at hand: its tools, standard library and tests."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from probee.base.errors import SourceError
from probee.bt.dump import render_tree

from .shapes import script

pytestmark = pytest.mark.needs("bpftrace_source")

FOLDER = Path(os.environ.get("BPFTRACE_DIR", "/nonexistent"))


def _refusals(scripts: list[tuple[str, str]]) -> list[str]:
    refused = []
    for name, text in scripts:
        try:
            render_tree(script(text, "1", "2", "3"))
        except SourceError as error:
            refused.append(f"{name}\n{error.render()}")
    return refused


def test_every_script_is_accepted() -> None:
    found = programs(FOLDER)
    assert len(found) > 950
    assert _refusals(found) == []


def programs(folder: Path) -> list[tuple[str, str]]:
    """Name and text of every script under a folder with bpftrace's source."""
    globs = ("tools/**/*.bt", "src/stdlib/*.bt", "tests/**/*.bt")
    found = [(path.name, path.read_text()) for glob in globs for path in sorted(folder.glob(glob))]
    suites = sorted(path for path in (folder / "tests" / "runtime").iterdir() if path.is_file())
    return found + [program for suite in suites for program in _programs(suite)]


def _programs(suite: Path) -> list[tuple[str, str]]:
    """Name and text of the programs of a suite: of PROG, and of -e in RUN unless it only lists probes."""
    lines = [line for line in suite.read_text().split("\n") if not line.startswith("#")]
    found = []
    for case in re.split(r"\n\s*\n", "\n".join(lines).replace("{{BEFORE_PID}}", "1")):
        name = re.search(r"^NAME (.*)", case, re.MULTILINE)
        program = re.search(r"^PROG (.*(?:\n {5}.*)*)", case, re.MULTILINE)
        command = re.search(r"^RUN (.*\{\{BPFTRACE\}\} .*-e .*)", case, re.MULTILINE)
        label = f"{suite.name}: {name[1] if name else ''}"
        if program:
            found.append((label, program[1].replace("\n     ", "\n")))
        elif command and "-l" not in (words := shlex.split(command[1])) and "-e" in words:
            found.append((label, words[words.index("-e") + 1]))
    return [(name, text) for name, text in found if "$(" not in text]  # the shell writes that part
