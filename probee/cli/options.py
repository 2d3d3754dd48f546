"""Options of `probee` as a tracer: bpftrace's, which may stand before, between and after the words."""

from __future__ import annotations

from ..base.errors import UsageError
from ..base.record import record

USAGE = """\
USAGE:
    probee [options] FILE [ARG ...] [-- --NAME=VALUE ...]
    probee [options] -e 'PROGRAM' [ARG ...] [-- --NAME=VALUE ...]
    probee [options] -              (the program comes from standard input)
    probee --vm [options] FILE      (on a BPF machine in Python, without root)
    probee COMMAND                  (doctor, demo, fmt, list, nm, dwarf, asm, disasm, cbpf)

OPTIONS:
    -e PROGRAM     run this program
    -p PID         trace only this process; end when it does
    -c COMMAND     start this command and trace only it; end when it does
    -l [PATTERN]   list the probes that match, or those of FILE; with -v their parameters
    -q             say nothing but what the program prints
    -v             show the verifier's log, and more
    -k             warn when a lookup or a read of memory fails
    --no-warnings  say no warnings
    -h, --help     this text
    -V, --version  the version
    --info         what this machine can trace, as bpftrace says it

    -o FILE        write output to FILE
    -f FORMAT      text (default), json (an object a line), json-array, csv (of maps), folded (of stacks)
    -B MODE        hold output back: none, line (default: until the events at hand are printed) or full

    -I DIR         look for C headers in DIR, too
    --include FILE read this C header before the program
    --debuginfo DIR[:DIR]
                   look for separate debug files in DIR, too
    --traceable-functions FILE
                   take the kernel's traceable functions from FILE
    --no-feature FEATURE[,FEATURE]
                   do without kprobe_multi, kprobe_session or uprobe_multi
    --unsafe       allow functions that change the traced system, such as system()

    --test         run the program's test: probes, and nothing else
    --bench        run the program's bench: probes, and nothing else
    --probe-filter REGEX
                   only probes in whose name it is found
    --fmt          print the program in canonical form (see probee fmt)
    --mode MODE    test, bench, format, codegen (compile only) or compiler-bench

    -d STAGE       print a stage of the compiler and stop: ast, ir, asm, all
    --dry-run      compile and load, attach nothing
    --aot FILE     write the program as a command of its own, FILE

ARG is $1, $2, ... of the program, --NAME=VALUE what its getopt("NAME") gives.
"""

STAGES = ("ast", "ir", "asm", "all")
_STAGE_NAMES = {
    **dict.fromkeys(STAGES, ""),
    "parse": "ast",
    "types": "ir",
    "codegen": "ir",
    "codegen-opt": "ir",
    "dis": "asm",
    "libbpf": "verifier",
    "verifier": "verifier",
}
"""What -d takes, with bpftrace's names for what is nearest of ours."""

FORMATS = ("text", "json", "json-array", "csv", "folded")
MODES = ("test", "bench", "format", "codegen", "compiler-bench")
BUFFERING = ("line", "full", "none")
LACKING = ("kprobe_multi", "kprobe_session", "uprobe_multi")
"""Features that --no-feature does without."""

PID_MAX = 0x400000
"""Highest process id the kernel hands out (PID_MAX_LIMIT)."""

_VALUED = {
    "-e": "",
    "-p": "--pid",
    "-c": "--cmd",
    "-o": "--output",
    "-f": "--format",
    "-d": "--debug",
    "-B": "",
    "-I": "",
    **{
        name: name
        for name in (
            "--include",
            "--mode",
            "--debuginfo",
            "--traceable-functions",
            "--dwarf-pid",
            "--no-feature",
            "--probe-filter",
            "--aot",
            "--emit-elf",
            "--emit-llvm",
        )
    },
}
_FLAGS = {
    "-q": "--quiet",
    "-v": "--verbose",
    "-k": "--warnings",
    "-l": "--list",
    "-h": "--help",
    "-V": "--version",
    "-b": "--btf",
    **{
        name: name
        for name in (
            "--info",
            "--dry-run",
            "--unsafe",
            "--test",
            "--bench",
            "--fmt",
            "--no-warnings",
            "--usdt-file-activation",
            "--verify-llvm-ir",
        )
    },
}
_LONG = {long: short for short, long in {**_VALUED, **_FLAGS}.items() if long}

_UNMADE = {
    "--emit-elf": "programs are not made in ELF form",
    "--emit-llvm": "programs are made without LLVM",
}


class OptionError(UsageError):
    """A wrong option. `getopt` is what getopt_long says of it, "" when it isn't about form."""

    def __init__(self, message: str, getopt: str = "") -> None:
        super().__init__(message, hint="probee --help lists the options" if getopt else None)
        self.getopt = getopt


@record
class Options:
    """What was asked for. `program` is None when a file is to be read; `words` are what is left, and `named`
    the script's own options among that. `compatible`: to be as bpftrace is.

    `stages` are those that -d names, "verifier" for the verifier's log. `lookups`: -k. `settings` are those
    of the environment. `aot` is the file that --aot writes.
    """

    program: str | None = None
    pid: int = 0
    command: str = ""
    output: str = ""
    format: str = "text"
    buffering: str = ""
    quiet: bool = False
    verbose: bool = False
    warnings: bool = True
    lookups: bool = False
    stages: tuple[str, ...] = ()
    dry_run: bool = False
    unsafe: bool = False
    mode: str = ""
    probe_filter: str = ""
    include_folders: tuple[str, ...] = ()
    include_files: tuple[str, ...] = ()
    debug_roots: tuple[str, ...] = ()
    traceable: str | None = None
    without: tuple[str, ...] = ()
    aot: str = ""
    listing: bool = False
    info: bool = False
    help: bool = False
    version: bool = False
    words: tuple[str, ...] = ()
    named: tuple[tuple[str, str | None], ...] = ()
    compatible: bool = False


def parse_options(arguments: list[str]) -> Options:
    """Read the command line. Raises UsageError, of which OptionError are wrong options."""
    given, words, after = _split(arguments)
    for name, why in _UNMADE.items():
        if name in given:
            raise OptionError(f"{name}: {why}; -d asm shows the instructions")
    if "-p" in given and "-c" in given:
        raise OptionError("Cannot use both -c and -p.")
    if "-k" in given and "--no-warnings" in given:
        raise OptionError("-k, --warnings conflicts with --no-warnings")
    for text in given.get("--dwarf-pid", ()):
        parse_pid(text)
    last = {name: values[-1] for name, values in given.items()}
    is_script = "-l" not in given
    named = tuple([_name(word) for word in after if word.startswith("--")]) if is_script else ()
    return Options(
        program=last.get("-e"),
        pid=parse_pid(last["-p"]) if "-p" in last else 0,
        command=last.get("-c", ""),
        output=last.get("-o", ""),
        format=_format(last.get("-f", "text")),
        buffering=_buffering(last["-B"]) if "-B" in last else "",
        quiet="-q" in given,
        verbose="-v" in given,
        warnings="--no-warnings" not in given,
        lookups="-k" in given,
        stages=tuple([stage for text in given.get("-d", ()) for stage in _stages(text)]),
        dry_run="--dry-run" in given,
        unsafe="--unsafe" in given,
        mode=_mode(given, last),
        probe_filter=_regex(last.get("--probe-filter", "")),
        include_folders=tuple(given.get("-I", ())),
        include_files=tuple(given.get("--include", ())),
        debug_roots=tuple([root for text in given.get("--debuginfo", ()) for root in _folders(text)]),
        traceable=last.get("--traceable-functions"),
        without=tuple([name for text in given.get("--no-feature", ()) for name in _lacking(text)]),
        aot=last.get("--aot", ""),
        listing="-l" in given,
        info="--info" in given,
        help="-h" in given,
        version="-V" in given,
        words=(*words, *[word for word in after if not (is_script and word.startswith("--"))]),
        named=named,
    )


def parse_pid(text: str) -> int:
    """A process id, in bpftrace's words when it is none. Raises UsageError."""
    try:
        pid = int(text, 10)
    except ValueError:
        digits = text[: len(text) - len(text.lstrip("0123456789"))]
        kind = f"invalid trailing bytes: {text}" if digits else f"invalid integer: {text}"
        raise UsageError(f"Failed to parse pid: {kind}") from None
    if not 0 < pid <= PID_MAX:
        raise UsageError(f"Pid out of range: {pid}")
    return pid


# The form of a command line


def _split(arguments: list[str]) -> tuple[dict[str, list[str]], list[str], list[str]]:
    """Values of options by their short names, the words that are none, and those after `--`.

    As getopt_long reads them: options may follow words, `--` ends them, flags may be joined (`-qv`), a
    value may follow at once (`-p12`, `--pid=12`), long names may be cut short where that is clear.
    """
    given: dict[str, list[str]] = {}
    words: list[str] = []
    rest = list(reversed(arguments))
    while rest:
        word = rest.pop()
        if word == "--":
            break
        if len(word) < 2 or word[0] != "-":
            words.append(word)
        elif word[1] == "-":
            _take_long(word, rest, given)
        else:
            _take_short(word, rest, given)
    return given, words, rest[::-1]


def _take_long(word: str, rest: list[str], given: dict[str, list[str]]) -> None:
    written, equals, value = word.partition("=")
    name = _find_long(written, word)
    if name in _FLAGS:
        if equals:
            raise OptionError(
                f"{written}: takes no value", f"option '{_full(name)}' doesn't allow an argument"
            )
    elif not equals:
        if not rest:
            text = f"option '{_full(name)}' requires an argument"
            raise OptionError(f"{written}: expected a value, got nothing", text)
        value = rest.pop()
    given.setdefault(name, []).append(value)


def _take_short(word: str, rest: list[str], given: dict[str, list[str]]) -> None:
    """One flag of `-qv`, of which what follows is put back; or an option with its value."""
    name, value = word[:2], word[2:]
    if name in _FLAGS:
        given.setdefault(name, []).append("")
        if value:
            rest.append(f"-{value}")
        return
    if name not in _VALUED:
        raise OptionError(f"{name}: no such option", f"invalid option -- '{name[1]}'")
    if not value:
        if not rest:
            text = f"option requires an argument -- '{name[1]}'"
            raise OptionError(f"{name}: expected a value, got nothing", text)
        value = rest.pop()
    given.setdefault(name, []).append(value)


def _find_long(written: str, word: str) -> str:
    """The short name of a long option, or of the only one that begins so."""
    if written in _LONG:
        return _LONG[written]
    begin = [long for long in _LONG if long.startswith(written)]
    if len(begin) > 1:
        known = " ".join(f"'{long}'" for long in begin)
        raise OptionError(
            f"{written}: stands for {' and '.join(begin)}",
            f"option '{word}' is ambiguous; possibilities: {known}",
        )
    if not begin:
        raise OptionError(f"{written}: no such option", f"unrecognized option '{word}'")
    return _LONG[begin[0]]


def _full(name: str) -> str:
    return _VALUED.get(name) or _FLAGS.get(name) or name


# What the values of options say


def _name(word: str) -> tuple[str, str | None]:
    """An option of the script itself: `--name` or `--name=value`."""
    name, equals, value = word[2:].partition("=")
    return name, value if equals else None


def _mode(given: dict[str, list[str]], last: dict[str, str]) -> str:
    """What --test, --bench, --fmt and --mode ask for together."""
    flags = {"--test": "test", "--bench": "bench", "--fmt": "format"}
    modes = [mode for flag, mode in flags.items() if flag in given]
    if "--mode" in last:
        if last["--mode"] not in MODES:
            raise OptionError("--mode can only be 'codegen', 'compiler-bench', 'bench', 'test' or 'format'.")
        modes.append(last["--mode"])
    if len(set(modes)) > 1:
        option = next(flag for flag, mode in flags.items() if mode in modes)
        raise OptionError(f"{option} conflicts with existing --mode")
    return modes[0] if modes else ""


def _stages(text: str) -> list[str]:
    found = []
    for name in filter(None, text.split(",")):
        if name not in _STAGE_NAMES:
            raise OptionError(f"invalid option for -d: {name}")
        found.append(_STAGE_NAMES[name] or name)
    return found


def _format(value: str) -> str:
    if value not in FORMATS:
        known = ", ".join(f"'{name}'" for name in FORMATS)
        raise UsageError(f'Invalid output format "{value}"\nValid formats: {known}')
    return value


def _folders(text: str) -> list[str]:
    return [folder for folder in text.split(":") if folder]


def _buffering(value: str) -> str:
    if value not in BUFFERING:
        raise OptionError("-B must be either 'line', 'full', or 'none'.")
    return value


def _lacking(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    if not set(names) <= set(LACKING):
        raise OptionError(f"--no-feature can only have values '{','.join(LACKING)}'.")
    return names


def _regex(text: str) -> str:
    if text:
        import re

        try:
            re.compile(text)
        except re.error as error:
            raise UsageError(f"Invalid --probe-filter regex '{text}': {error}") from None
    return text
