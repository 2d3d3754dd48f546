"""Wrong scripts and wrong command lines: one clear error that points at its place, status 1, no traceback."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from programs import PATIENCE, Result

if TYPE_CHECKING:
    from collections.abc import Callable
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
    "number too large": ("BEGIN { @x = ▶18446744073709551616; }", "maximum value"),
    "digit of another base": ("BEGIN { @x = 0xf▶g; }", "suffix"),
    "assignment to a number": ("BEGIN { 1 ▶= 2; }", "assigned"),
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
    "string in a range": ('BEGIN { ▶for $i : "a"..3 { } }', "integer"),
    "map of two types": ('BEGIN { @x = 1; ▶@x = "a"; }', "@x"),
    "map with keys of two types": ('BEGIN { @x[1] = 1; ▶@x["a"] = 2; }', "@x"),
    "map with and without keys": ("BEGIN { @x[1] = 1; ▶@x = 2; }", "@x"),
    "map of two aggregations": ("BEGIN { @x = count(); @x = ▶hist(1); }", "@x"),
    "variable of two types": ('BEGIN { $a = 1; ▶$a = "b"; }', "$a"),
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
    "a mark of nothing": ("▶usdt:/bin/true:none:such { }", "no USDT probes"),
    "tracepoint of nothing": ("▶tracepoint:sched:sched_swich { }", "sched_switch"),
    "raw tracepoint of nothing": ("▶rawtracepoint:sched_swich { }", "sched_switch"),
    "cgroup of nothing": ('BEGIN { @x = cgroupid(▶"/nowhere"); }', "/nowhere"),
    "header of nothing": ("▶#include <no_such.h>\nBEGIN { }", "no_such.h"),
    # types of the kernel
    "field of nothing": ("BEGIN { @x = ▶curtask->cmm; }", "comm"),
    "struct of nothing": ("BEGIN { @x = ((▶struct task_strct *)curtask)->pid; }", "struct task_strct"),
    "field of a tracepoint": ("tracepoint:sched:sched_switch { @x = ▶args.nxt_pid; }", "next_pid"),
    "size of nothing": ("BEGIN { @x = sizeof(▶struct no_such); }", "struct no_such"),
    # loops over maps
    "loop over a scalar": ("BEGIN { @m = 1; for $kv : ▶@m { } }", "@m"),
    "loop over nothing": ("BEGIN { for $kv : ▶@m { } }", "@m"),
    "loop over a number": ("BEGIN { $s = 5; for $kv : ▶$s { } }", "a map"),
    "third of a key and a value": ("BEGIN { @m[1] = 1; for $kv : @m { print(▶$kv.2); } }", "2 elements"),
    # stacks
    "stacks in no form": ("BEGIN { @[ustack(▶perff)] = count(); }", "perf"),
    "stacks too deep": ("BEGIN { @[▶kstack(5000)] = count(); }", "1024"),
    # options, settings, what is shown
    "getopt of a number": ("BEGIN { print(getopt(▶5)); }", "string literal"),
    "getopt of too much": ('BEGIN { print(▶getopt("a", 1, "b", 2)); }', "usage"),
    "unknown setting": ('config = { ▶percentile = "50" } BEGIN { }', "percentiles"),
    "setting of the wrong kind": ('config = { ▶max_strlen = "a" } BEGIN { }', "number"),
    "percentiles of a count": ("BEGIN { @h = count(); print(@h, ▶p50); }", "hist"),
    "series without steps": ("BEGIN { @ = ▶tseries(1); }", "usage"),
    "register of nothing": ('uprobe:libc:malloc { print(reg(▶"rx")); }', "r15"),
}

# The same in programs: {app} has debug information, the others are made below.
WRONG_TRACES = {
    "argument of another name": ("uprobe:{app}:serve {{ print(▶args.nod); }}", "node"),
    "field of another name": ("uprobe:{app}:serve {{ print(▶args.node->nam); }}", "name"),
    "field of a number": ("uprobe:{app}:serve {{ print(▶args.count->x); }}", "int32"),
    "field of another struct": ("uprobe:{app}:serve {{ print(▶((struct node *)arg0)->nam); }}", "name"),
    "struct of another name": ("uprobe:{app}:serve {{ print(((▶struct nod *)arg0)->id); }}", "struct nod"),
    "arguments at the return": ("uretprobe:{app}:serve {{ print(▶args.node); }}", "at its entry"),
    "argument in a register of its own": ("uprobe:{app}:scale {{ print(▶args.by); }}", "floating point"),
    "variable of another name": ("uprobe:{app}@app.c:7 {{ print(▶args.summ); }}", "sum"),
    "line without code": ("▶uprobe:{app}@app.c:1 {{ }}", "lines of app.c that have code: 3, 4"),
    "line past the end": ("▶uprobe:{app}@app.c:400 {{ }}", "lines of app.c that have code"),
    "line that is no number": ("▶uprobe:{app}@app.c:x {{ }}", "FILE:LINE"),
    "line of another file": ("▶uprobe:{app}@ap.c:7 {{ }}", "app.c"),
    "no line": ("▶uprobe:{app}@app.c {{ }}", "FILE:LINE"),
    "function of another name": ("▶uprobe:{app}:srve {{ }}", "serve"),
    "offset past the function": ("▶uprobe:{app}:serve+4000 {{ }}", "past the end"),
    "name without debug information": ("▶uprobe:{plain}:serve {{ print(args.node); }}", "-g"),
    "line without debug information": ("▶uprobe:{plain}@app.c:7 {{ }}", "no debug information"),
    "stripped": ("▶uprobe:{stripped}:serve {{ }}", "stripped"),
    "a script": ("▶uprobe:{script}:f {{ }}", "a script of /bin/sh"),
    "empty": ("▶uprobe:{empty}:f {{ }}", "empty"),
    "cut short": ("▶uprobe:{cut}:serve {{ }}", "section"),
    "a folder": ("▶uprobe:{folder}:f {{ }}", "does not exist or is not executable"),
}

APP = """\
struct node { int id; const char *name; struct node *next; };
__attribute__((noinline)) int serve(struct node *node, int count)
{
	int sum = 0;
	for (; node; node = node->next)
		sum += node->id * count;
	return sum;
}
__attribute__((noinline)) double scale(double by) { return by * 2; }
int main(void)
{
	struct node one = { 1, "one", 0 };
	return serve(&one, 0) + (int)scale(0);
}
"""

HEADER = re.compile(r"stdin:(\d+):(\d+)-(\d+): ERROR: (.+)")


def check_one_error(result: Result) -> None:
    assert result.returncode == 1
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert result.stderr.count("ERROR: ") == 1, result.stderr


@pytest.mark.parametrize(("script", "fragment"), WRONG_SCRIPTS.values(), ids=WRONG_SCRIPTS)
def test_wrong_script(probee: Probee, script: str, fragment: str) -> None:
    check_place(probee, script, fragment)


@pytest.mark.needs("cc")
@pytest.mark.parametrize(("script", "fragment"), WRONG_TRACES.values(), ids=WRONG_TRACES)
def test_wrong_trace(
    probee: Probee, cc: Callable[..., Path], tmp_path: Path, script: str, fragment: str
) -> None:
    files = {"app": cc(APP, "-g", name="app"), "plain": cc(APP, name="plain"), "folder": tmp_path}
    files["stripped"] = cc(APP, "-s", name="stripped")
    for name, data in (("script", b"#!/bin/sh\n"), ("empty", b""), ("cut", files["app"].read_bytes()[:3000])):
        files[name] = tmp_path / name
        files[name].write_bytes(data)
        files[name].chmod(0o755)
    check_place(probee, script.format(**files), fragment)


def check_place(probee: Probee, script: str, fragment: str) -> None:
    """Run a script whose error is at the mark in it, and says the fragment."""
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
    "unknown mode of holding back": (["-B", "some", "-e", "BEGIN { }"], "full"),
    "unknown stage": (["-d", "nothing", "-e", "BEGIN { }"], "nothing"),
    "unknown option of the script": (["-e", 'BEGIN { getopt("n"); }', "--", "--m=1"], "--n"),
    "option of the script that is no number": (
        ["-e", 'BEGIN { print(getopt("n", 3)); }', "--", "--n=x"],
        "x",
    ),
    "header that is not there": (["--include", "/nowhere.h", "-e", "BEGIN { }"], "/nowhere.h"),
    "list of a kind that is not there": (["-l", "uprobes:*"], "uprobe"),
    "list of a function that is not there": (["-l", "uprobe:libc:fopeen"], "fopen"),
    "option of fmt": (["fmt", "--chek"], "--check"),
    "script for fmt": (["fmt", "/nowhere.bt"], "/nowhere.bt"),
    "nm of nothing": (["nm"], "FILE"),
    "nm of no program": (["nm", "/etc/passwd"], "ELF"),
    "dwarf of half": (["dwarf", "libc"], "FUNCTION"),
    "demo of something": (["demo", "something"], "something"),
    "quote of a command": (["-e", "BEGIN { }", "-c", "'true"], "quotation"),
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


SAYING = {
    "help": "-h", "version": "--version", "info": "--info", "doctor": "doctor", "list": "-l self:*",
    "functions": "nm libc f*", "instructions": "-d asm -e BEGIN{}", "events": "-e BEGIN{print(1);exit();}",
}  # fmt: skip


@pytest.mark.parametrize("words", SAYING.values(), ids=SAYING)
def test_standard_output_is_full(probee: Probee, words: str) -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >/dev/full', "sh", *probee.command, *words.split()],
        capture_output=True, text=True, env=probee.env, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.endswith("ERROR: write to stdout: No space left on device\n")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", SAYING.values(), ids=SAYING)
def test_standard_output_is_closed(probee: Probee, words: str) -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *probee.command, *words.split()],
        capture_output=True, text=True, env=probee.env, timeout=30, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr.replace("Attached 1 probe\n", "")) == (0, "")


@pytest.mark.parametrize(
    "command", ["", "asm", "cbpf", "demo", "disasm", "doctor", "dwarf", "fmt", "list", "nm"]
)
def test_help(probee: Probee, command: str) -> None:
    result = probee(*command.split(), "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("USAGE:\n    probee ")
