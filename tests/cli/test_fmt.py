"""`probee fmt`: on standard output, in place, only looked at."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from probee.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

UGLY = "begin{@x=1;// one\n}"
CANONICAL = "begin {\n  @x = 1; // one\n}\n"


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "a.bt"
    path.write_text(UGLY)
    path.chmod(0o750)
    return path


def test_it_is_printed(script: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["fmt", str(script)]) == 0
    assert capfdbinary.readouterr().out.decode() == CANONICAL
    assert script.read_text() == UGLY


def test_it_is_written_back(script: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["fmt", "-i", str(script)]) == 0
    assert script.read_text() == CANONICAL
    assert script.stat().st_mode & 0o777 == 0o750
    assert capfd.readouterr().out == f"{script}\n"
    before = script.stat().st_ino
    assert main(["fmt", "--in-place", str(script)]) == 0
    assert (capfd.readouterr().out, script.stat().st_ino) == ("", before)
    assert os.listdir(script.parent) == ["a.bt"]


def test_a_link_stays_one(script: Path) -> None:
    link = script.parent / "link.bt"
    link.symlink_to(script)
    assert main(["fmt", "-i", str(link)]) == 0
    assert link.is_symlink()
    assert script.read_text() == CANONICAL


def test_it_is_only_looked_at(script: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["fmt", "--check", str(script)]) == 1
    assert capfd.readouterr().out == f"{script}\n"
    assert main(["fmt", "--diff", str(script)]) == 1
    assert "+  @x = 1; // one" in capfd.readouterr().out
    assert script.read_text() == UGLY
    script.write_text(CANONICAL)
    assert main(["fmt", "--check", str(script)]) == 0
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-i"], "expected a FILE to write to, got nothing"),
        (["-i", "--check", "x"], "--check and --in-place can't be used together"),
        (["no/such/file.bt"], "no/such/file.bt: No such file or directory"),
    ],
)
def test_wrong_command_lines(arguments: list[str], message: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["fmt", *arguments]) == 1
    assert capfd.readouterr().err.startswith(f"ERROR: {message}")


def test_what_is_no_script_stays_as_it_is(script: Path, capfd: pytest.CaptureFixture[str]) -> None:
    script.write_text("begin {")
    assert main(["fmt", "-i", str(script)]) == 1
    assert "ERROR" in capfd.readouterr().err
    assert script.read_text() == "begin {"


def test_as_an_option_of_the_tracer(script: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--fmt", str(script)]) == 0
    assert capfd.readouterr().out == CANONICAL
    copy = script.parent / "b.bt"
    assert main(["--mode", "format", "-o", str(copy), "-e", UGLY]) == 0
    assert copy.read_text() == CANONICAL
