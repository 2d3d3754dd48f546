"""Options of `probee` as a tracer: bpftrace's, which may stand before, between and after the words."""

from __future__ import annotations

import getopt

from ..base.errors import UsageError
from ..base.record import record

USAGE = """\
USAGE:
    probee [options] FILE [ARG ...]
    probee [options] -e 'PROGRAM' [ARG ...]
    probee [options] -              (the program comes from standard input)
    probee COMMAND                  (doctor, demo, asm, disasm, cbpf)

OPTIONS:
    -e PROGRAM     run this program
    -p PID         trace only this process; end when it does
    -c COMMAND     start this command and trace only it; end when it does
    -o FILE        write output to FILE
    -f FORMAT      text (default) or json
    -q             say nothing but what the program prints
    -v             show the verifier's log, and more
    -d STAGE       print a stage of the compiler and stop: ast, ir, asm, all
    --dry-run      compile and load, attach nothing
    -h, --help     this text
    -V, --version  the version

ARG is $1, $2, ... of the program.
"""

STAGES = ("ast", "ir", "asm", "all")
FORMATS = ("text", "json")
PID_MAX = 0x400000
"""Highest process id the kernel hands out (PID_MAX_LIMIT)."""

_SHORT = "e:p:c:o:f:qvd:hVk"
_LONG = ["pid=", "cmd=", "output=", "format=", "quiet", "debug=", "dry-run", "help", "version", "no-warnings"]
_NAMES = {
    "--pid": "-p",
    "--cmd": "-c",
    "--output": "-o",
    "--format": "-f",
    "--quiet": "-q",
    "--debug": "-d",
    "--help": "-h",
    "--version": "-V",
}


@record
class Options:
    """What was asked for. `program` is None when a file is to be read; `words` are what is left."""

    program: str | None = None
    pid: int = 0
    command: str = ""
    output: str = ""
    format: str = "text"
    quiet: bool = False
    verbose: bool = False
    warnings: bool = True
    stage: str = ""
    dry_run: bool = False
    help: bool = False
    version: bool = False
    words: tuple[str, ...] = ()


def parse_options(arguments: list[str]) -> Options:
    """Read the command line. Raises UsageError."""
    try:
        found, words = getopt.gnu_getopt(arguments, _SHORT, _LONG)
    except getopt.GetoptError as error:
        raise UsageError(_explain(error), hint="probee --help lists the options") from None
    given: dict[str, str] = {}
    for name, value in found:
        given[_NAMES.get(name, name)] = value
    if "-p" in given and "-c" in given:
        raise UsageError("-p and -c can't be used together")
    return Options(
        program=given.get("-e"),
        pid=parse_pid(given["-p"]) if "-p" in given else 0,
        command=given.get("-c", ""),
        output=given.get("-o", ""),
        format=_one_of("-f", given.get("-f", "text"), FORMATS),
        quiet="-q" in given,
        verbose="-v" in given,
        warnings="--no-warnings" not in given,
        stage=_one_of("-d", given["-d"], STAGES) if "-d" in given else "",
        dry_run="--dry-run" in given,
        help="-h" in given,
        version="-V" in given,
        words=tuple(words),
    )


def _explain(error: getopt.GetoptError) -> str:
    option = f"--{error.opt}" if len(error.opt) > 1 else f"-{error.opt}"
    if "requires argument" in error.msg:
        return f"{option}: expected a value, got nothing"
    if "must not have" in error.msg:
        return f"{option}: takes no value"
    if "not a unique prefix" in error.msg:
        return f"{option}: stands for more than one option"
    return f"{option}: no such option"


def _one_of(option: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise UsageError(f"{option}: expected {', '.join(known[:-1])} or {known[-1]}, got {value!r}")
    return value


def parse_pid(text: str) -> int:
    """A process id, in bpftrace's words when it is none. Raises UsageError."""
    try:
        pid = int(text, 10)
    except ValueError:
        digits = text[: len(text) - len(text.lstrip("0123456789"))]
        kind = f"invalid trailing bytes: {text}" if digits else f"invalid integer: {text}"
        raise UsageError(f"Failed to parse pid: {kind}") from None
    if not 0 < pid <= PID_MAX:
        raise UsageError(f"Failed to parse pid: Pid out of range: {pid}")
    return pid
