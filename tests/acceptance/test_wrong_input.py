"""Wrong scripts and wrong command lines: one clear error that points at its place, status 1, no traceback."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from programs import PATIENCE, Result

if TYPE_CHECKING:
    from pathlib import Path

    from programs import Probee

pytestmark = pytest.mark.kernel

# ▶ stands before the first character that the error must point at, and is taken out.
WRONG_SCRIPTS = {
    # what a parser sees
    "empty block is never closed": ("BEGIN { @x = 1;▶", "expected"),
    "string is never closed": ('BEGIN { printf(▶"hello); }', "string"),
    "comment is never closed": ("BEGIN { } ▶/* no end", "comment"),
    "probe without a block": ("BEGIN▶", "expected"),
    "missing operand": ("BEGIN { @x = 1 + ▶; }", "expected"),
    "missing semicolon": ("BEGIN { @x = 1 ▶@y = 2; }", "expected"),
    "unknown character": ("BEGIN { @x = ▶`1; }", "`"),
    "number too large": ("BEGIN { @x = ▶18446744073709551616; }", "64 bits"),
    "digit of another base": ("BEGIN { @x = 0xf▶g; }", "suffix"),
    "assignment to a number": ("BEGIN { ▶1 = 2; }", "assigned"),
    "on the third line": ("BEGIN\n{\n    @x = ▶);\n}\n", "expected"),
    # names
    "unknown probe": ("▶uprob:/bin/true:main { }", "uprobe"),
    "unknown function": ('BEGIN { ▶prinf("x"); }', "printf"),
    "unknown builtin": ("BEGIN { @x = ▶piid; }", "pid"),
    "unknown variable": ("BEGIN { @x = ▶$never; }", "$never"),
    "unknown format": ('BEGIN { ▶printf("%y", 1); }', "format"),
    # how many
    "too few printf arguments": ('BEGIN { ▶printf("%d %d", 1); }', "2"),
    "too many printf arguments": ('BEGIN { ▶printf("%d", 1, 2); }', "2"),
    "too many arguments": ("BEGIN { ▶exit(1, 2); }", "exit"),
    "too few arguments": ("BEGIN { @x = ▶lhist(1, 2); }", "lhist"),
    "argument where none goes": ("BEGIN { @x = ▶count(1); }", "count"),
    # types
    "string plus integer": ('BEGIN { @x = ▶"a" + 1; }', "string"),
    "map of two types": ('BEGIN { @x = 1; ▶@x = "a"; }', "@x"),
    "map with keys of two types": ('BEGIN { @x[1] = 1; ▶@x["a"] = 2; }', "@x"),
    "map with and without keys": ("BEGIN { @x[1] = 1; ▶@x = 2; }", "@x"),
    "map of two aggregations": ("BEGIN { @x = count(); ▶@x = hist(1); }", "@x"),
    "variable of two types": ('BEGIN { $a = 1; $a = ▶"b"; }', "$a"),
    "aggregation in an expression": ("BEGIN { $a = ▶count(); }", "count"),
    "integer for a format": ("BEGIN { printf(▶1); }", "printf"),
    "hist of a string": ('BEGIN { @x = hist(▶"a"); }', "hist"),
    "lhist with a step of nothing": ("BEGIN { @x = lhist(1, 0, 10, ▶0); }", "step"),
    "clear of a number": ("BEGIN { clear(▶1); }", "map"),
    # what a probe offers
    "retval at the entry": ("uprobe:libc:fopen { @x = ▶retval; }", "retval"),
    "argument of nothing": ("BEGIN { @x = ▶arg0; }", "arg0"),
    "interval without a unit": ("▶interval:5x:1 { }", "interval"),
    "interval of nothing": ("▶interval:s:0 { }", "interval"),
    # what isn't there
    "no such file": ("▶uprobe:/nowhere/at/all:main { }", "/nowhere/at/all"),
    "no such library": ("▶uprobe:libnowhere:main { }", "libnowhere"),
    "no such function": ("▶uprobe:libc:fopeen { }", "fopen"),
    "offset outside of the code": ("▶uprobe:/bin/true:0x0 { }", "0x0"),
    "not an ELF file": ("▶uprobe:/etc/passwd:main { }", "/etc/passwd"),
}

HEADER = re.compile(r"stdin:(\d+):(\d+)-(\d+): ERROR: (.+)")


def check_one_error(result: Result) -> None:
    assert result.returncode == 1
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert result.stderr.count("ERROR: ") == 1, result.stderr


@pytest.mark.parametrize(("script", "fragment"), WRONG_SCRIPTS.values(), ids=WRONG_SCRIPTS)
def test_wrong_script(probee: Probee, script: str, fragment: str) -> None:
    before, _, after = script.partition("▶")
    result = probee("-e", before + after)
    check_one_error(result)
    header, source_line, underline, *rest = result.stderr.splitlines()
    place = HEADER.fullmatch(header)
    assert place, header
    line, first, last, _ = place.groups()
    column = len(before.rpartition("\n")[2]) + 1
    assert (int(line), int(first)) == (before.count("\n") + 1, column), result.stderr
    assert source_line == (before + after).split("\n")[int(line) - 1]
    assert underline == " " * (column - 1) + "~" * max(int(last) - int(first), 1)
    assert all(line.startswith("HINT: ") for line in rest)
    assert fragment in result.stderr.replace(source_line, "", 1), "the message doesn't say what is wrong"


def test_file_is_named_in_its_errors(probee: Probee, tmp_path: Path) -> None:
    script = tmp_path / "wrong.bt"
    script.write_text("// a comment\nBEGIN { @x = ; }\n")
    result = probee(script)
    check_one_error(result)
    assert result.stderr.startswith(f"{script}:2:14-15: ERROR: ")


WRONG_COMMAND_LINES = {
    "no such script": (["/nowhere/script.bt"], "/nowhere/script.bt"),
    "script is a folder": (["/tmp"], "/tmp"),
    "pid is no number": (["-e", "BEGIN { }", "-p", "12x"], "12x"),
    "pid out of range": (["-e", "BEGIN { }", "-p", "4194305"], "4194305"),
    "no such pid": (["-e", "BEGIN { }", "-p", "4194303"], "4194303"),
    "no such command": (["-e", "BEGIN { }", "-c", "/nowhere/command"], "/nowhere/command"),
    "no such folder for the output": (["-e", "BEGIN { }", "-o", "/nowhere/out"], "/nowhere/out"),
    "unknown option": (["--unknown-option", "-e", "BEGIN { }"], "--unknown-option"),
    "unknown format": (["-f", "yaml", "-e", "BEGIN { }"], "yaml"),
    "option without its value": (["-e"], "-e"),
    "nothing to run": ([], "-e"),
}


@pytest.mark.parametrize(("arguments", "fragment"), WRONG_COMMAND_LINES.values(), ids=WRONG_COMMAND_LINES)
def test_wrong_command_line(probee: Probee, arguments: list[str], fragment: str) -> None:
    result = probee(*arguments)
    check_one_error(result)
    assert fragment in result.stderr


# As nobody, yet able to read every file: an interpreter installed under /root must still start.
NOBODY = (
    "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
    "--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search",
)  # fmt: skip


def test_not_root(probee: Probee) -> None:
    done = subprocess.run(
        [*NOBODY, *probee.command, "-e", "BEGIN { exit(); }"],
        capture_output=True,
        text=True,
        env=probee.env,
        timeout=20 * PATIENCE,
        check=False,
    )
    check_one_error(Result(done.returncode, done.stdout, done.stderr))
    assert "root" in done.stderr
