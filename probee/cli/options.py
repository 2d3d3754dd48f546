"""Options of `probee` as a tracer: bpftrace's, which may stand before, between and after the words."""

from __future__ import annotations

from ..base.errors import UsageError
from ..base.record import record

USAGE = """\
USAGE:
    probee [options] FILE [ARG ...]
    probee [options] -e 'PROGRAM' [ARG ...]
    probee [options] -              (the program comes from standard input)
    probee --vm [options] FILE      (on a BPF machine in Python, without root)
    probee COMMAND                  (doctor, demo, list, nm, dwarf, asm, disasm, cbpf)

OPTIONS:
    -e PROGRAM     run this program
    -p PID         trace only this process; end when it does
    -c COMMAND     start this command and trace only it; end when it does
    -o FILE        write output to FILE
    -f FORMAT      text (default) or json
    -l [PATTERN]   list the probes that match, or those of FILE; with -v their parameters
    -q             say nothing but what the program prints
    -v             show the verifier's log, and more
    -d STAGE       print a stage of the compiler and stop: ast, ir, asm, all
    --dry-run      compile and load, attach nothing
    --unsafe       allow functions that change the traced system, such as system()
    --test         run the program's test: probes, and nothing else
    --bench        run the program's bench: probes, and nothing else
    -h, --help     this text
    -V, --version  the version

ARG is $1, $2, ... of the program.
"""

STAGES = ("ast", "ir", "asm", "all")
FORMATS = ("text", "json")
MODES = ("test", "bench")
PID_MAX = 0x400000
"""Highest process id the kernel hands out (PID_MAX_LIMIT)."""

_VALUED = {
    "-e": "",
    "-p": "--pid",
    "-c": "--cmd",
    "-o": "--output",
    "-f": "--format",
    "-d": "--debug",
    "--mode": "--mode",
}
_FLAGS = {
    "-q": "--quiet",
    "-v": "",
    "-k": "",
    "-l": "--list",
    "-h": "--help",
    "-V": "--version",
    "--dry-run": "--dry-run",
    "--unsafe": "--unsafe",
    "--test": "--test",
    "--bench": "--bench",
    "--no-warnings": "--no-warnings",
    "--verify-llvm-ir": "--verify-llvm-ir",
}
_LONG = {long: short for short, long in {**_VALUED, **_FLAGS}.items() if long}


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
    unsafe: bool = False
    mode: str = ""
    listing: bool = False
    help: bool = False
    version: bool = False
    words: tuple[str, ...] = ()


def parse_options(arguments: list[str]) -> Options:
    """Read the command line. Raises UsageError."""
    given, words = _split(arguments)
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
        unsafe="--unsafe" in given,
        mode=_mode(given),
        listing="-l" in given,
        help="-h" in given,
        version="-V" in given,
        words=tuple(words),
    )


def _mode(given: dict[str, str]) -> str:
    """What --test, --bench and --mode ask for together."""
    modes = [mode for mode in MODES if f"--{mode}" in given]
    if "--mode" in given:
        modes.append(_one_of("--mode", given["--mode"], MODES))
    if len(set(modes)) > 1:
        raise UsageError("--test and --bench can't be used together")
    return modes[0] if modes else ""


def _split(arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    """Options by their short names, and the words that are none.

    As getopt_long reads them: options may follow words, `--` ends them, flags may be joined (`-qv`), a
    value may follow at once (`-p12`, `--pid=12`), long names may be cut short where that is clear.
    """
    given: dict[str, str] = {}
    words: list[str] = []
    rest = list(reversed(arguments))
    while rest:
        word = rest.pop()
        if word == "--":
            words += reversed(rest)
            break
        if len(word) < 2 or word[0] != "-":
            words.append(word)
            continue
        if word[1] == "-":
            written, equals, value = word.partition("=")
            name = _find_long(written)
        else:
            written = name = word[:2]
            equals = value = word[2:]
        if name in _VALUED:
            if not equals:
                if not rest:
                    raise _wrong(f"{written}: expected a value, got nothing")
                value = rest.pop()
            given[name] = value
        elif name not in _FLAGS:
            raise _wrong(f"{written}: no such option")
        elif word[1] == "-" and equals:
            raise _wrong(f"{written}: takes no value")
        else:
            given[name] = ""
            if value:
                rest.append(f"-{value}")
    return given, words


def _find_long(written: str) -> str:
    """The short name of a long option, or of the only one that begins so."""
    if written in _LONG:
        return _LONG[written]
    begin = [long for long in _LONG if long.startswith(written)]
    if len(begin) > 1:
        raise _wrong(f"{written}: stands for {' and '.join(begin)}")
    return _LONG[begin[0]] if begin else written


def _wrong(message: str) -> UsageError:
    return UsageError(message, hint="probee --help lists the options")


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
