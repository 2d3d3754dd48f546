"""docs/tutorial.md does what it says: every command on the page is run, and the program at its end."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from programs import PATIENCE, ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from programs import Probee

pytestmark = [pytest.mark.kernel, pytest.mark.needs("uprobe")]

PAGE = (ROOT / "docs/tutorial.md").read_text()
COMMANDS = re.findall(r"```sh\n(.+?)```", PAGE, re.DOTALL)
PROGRAMS = re.findall(r"```python\n(.+?)```", PAGE, re.DOTALL)
SOURCES = re.findall(r"```c\n(.+?)```", PAGE, re.DOTALL)

ROW = r"^\[.+?[\])] +\d+ \|@* *\|$"
HISTOGRAM = rf"(?:{ROW}\n)*" + r"^\[.+?[\])] +\d+ \|@{52}\|$"  # whole rows, down to the fullest
SEEN = [
    r"^hello from \S+, user 0$",
    r"^fopen: /etc/passwd$",
    r"^@asked\[\w+\]: \d+$",
    r"^@unset: \d+$",
    r"^\d{4,} bytes at once$",
    r"^@bytes: ?\n" + HISTOGRAM,
    r"^@bytes: ?\n(?s:.+?)" + r"^\[20, 40\) +\d+ \|@* *\|$",
    r"^@ns: ?\n" + HISTOGRAM,
    r"^@all: \{ \.count = \d+, \.average = \d+, \.total = \d+ \}$",
    r"^\d\d:\d\d:\d\d @calls: \d+$",
    HISTOGRAM + r"\n(?s:.*?)^p50: \d+, p99: \d+$",
    r"^LC_ALL: \d+ times$",
    r"^\d{5,} bytes at once$",
    r"^\S+, started by \S+$",
    r"^uprobe:\./shop:ship\n    struct order\* order\n    int boxes$",
    r"^5 boxes for Ada, then for Grace$",
    r"^5 boxes: 15 in all$",
    r"^@\[\n        ship\+0@(?s:.+?)        main\+\d+@(?s:.+?)\]: 5$",
    r"^map,key,field,value\n@orders,Ada,,5$",
    r"\ABEGIN \{\n  @x = 1;\n  exit\(\);\n\}\n\Z",
]


def test_page_has_twenty_commands_and_a_program_of_each_kind() -> None:
    assert (len(COMMANDS), len(SOURCES), len(PROGRAMS)) == (20, 1, 1)


def mark(command: str, seen: str) -> object:
    """A command and what is to be seen of it; those that trace the page's own program need a compiler."""
    return pytest.param(command, seen, marks=[pytest.mark.needs("cc")] if "./shop" in command else [])


@pytest.mark.parametrize(
    ("command", "seen"), [mark(command, seen) for command, seen in zip(COMMANDS, SEEN, strict=True)]
)
def test_command(probee: Probee, tmp_path: Path, command: str, seen: str) -> None:
    wrapper = tmp_path / "probee"
    wrapper.write_text(f'#!/bin/sh\nexec {shlex.join(probee.command)} "$@"\n')
    wrapper.chmod(0o755)
    if "./shop" in command:
        (tmp_path / "shop.c").write_text(SOURCES[0])
        subprocess.run(["cc", "-g", "-o", "shop", "shop.c"], cwd=tmp_path, check=True)
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    done = subprocess.run(
        ["sh", "-c", command],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**probee.env, "PATH": path},
        cwd=tmp_path,
        timeout=30 * PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    attached = " -e " in command and " -q " not in command
    assert re.fullmatch(r"Attached \d probes?\n" if attached else "", done.stderr)
    assert re.search(seen, done.stdout, re.MULTILINE), done.stdout[-3000:]


def test_program(probee: Probee) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAMS[0]],
        capture_output=True,
        text=True,
        env=probee.env,
        timeout=30 * PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *events, last = done.stdout.splitlines()
    event = re.compile(r"uprobe:\S*libc\S*:write \((\d+), 1\) \1 bytes to 1")
    assert len(events) == 3
    assert all(event.fullmatch(line) for line in events), events
    calls = re.fullmatch(r"calls so far: (\d+)", last)
    assert calls
    assert int(calls[1]) >= 3
