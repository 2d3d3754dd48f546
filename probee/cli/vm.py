"""`probee --vm`: run a script on made-up events, on a machine in Python, and print what it says."""

from __future__ import annotations

import sys

from ..base.errors import UsageError
from ..base.source import Source
from ..render.sink import BrokenPipe, Sink
from .files import parse_words, read_input, read_text, unknown_form

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from ..render.output import Context, Output
    from ..testing.triggers import Sleep, Trigger

USAGE = """\
USAGE:
    probee --vm [options] FILE [ARG ...]
    probee --vm [options] -e PROGRAM [ARG ...]

Runs the script without a kernel: what happens to it are events, a line of JSON each, from --events or from
standard input. Needs neither root nor Linux, nor the programs that are traced.

    {"probe": "uprobe:libc:malloc", "args": [16], "pid": 5, "comm": "redis"}
    {"sleep": 1.5}

OPTIONS:
    -e PROGRAM       run this program
    -o FILE          write output to FILE
    -f FORMAT        text (default) or json
    --events FILE    read events from FILE
    --clock NS       the clock when the script begins
    --step NS        how far it is moved before each event (1000)
    --machine NAME   the CPU whose registers hold arguments: x86_64 (default), aarch64
    --cpus N         how many of it there are (2)
    -h               this text
"""

_LONG = ("events=", "clock=", "step=", "machine=", "cpus=")
_MOST_CPUS = 4096
_PIPE_CLOSED = 128 + 13  # as of a process that SIGPIPE ended; not every system has that signal


def main(arguments: list[str]) -> int:
    """Run the command; the exit status: what the script's exit() was given, else 0. Raises ProbeeError."""
    options, words = parse_words(arguments, "e:o:f:h", USAGE, _LONG)
    if "-h" in options:
        sys.stdout.write(USAGE)
        return 0
    source, params = _read_source(options.get("-e"), words)
    from_stdin = "-e" not in options and words[0] == "-"
    events = _read_events(options.get("--events"), free=not from_stdin)
    path = options.get("-o")
    if path is None:
        return _run(options, source, params, events, Sink(1, "stdout"))
    with _open_output(path) as file:
        return _run(options, source, params, events, Sink(file.fileno(), path))


def _run(
    options: dict[str, str],
    source: Source,
    params: tuple[str, ...],
    events: list[Trigger | Sleep],
    out: Sink,
) -> int:
    """Compile the script and let the events happen to it."""
    from ..session import Printer, Session
    from ..testing.play import Play
    from ..testing.runs import CLOCK, EPOCH, STEP, compile_for, make_context, make_world
    from ..vm.machine import Vm

    machine = options.get("--machine", "x86_64")
    cpus = _parse_number(options, "--cpus", 2, low=1, high=_MOST_CPUS)
    step = _parse_number(options, "--step", STEP)
    world = make_world(clock=_parse_number(options, "--clock", CLOCK), epoch=EPOCH, cpus=cpus)
    compiled = compile_for(source, events, params=params, machine=machine, cpus=cpus)
    context = make_context(world, EPOCH, machine, {}, compiled.bundle.config)
    err = Sink(2, "stderr", optional=True)
    output = _make_output(options.get("-f", "text"), out, err, context)
    for warning in compiled.warnings:
        err.write(warning.render().encode("utf-8", "backslashreplace") + b"\n")
    err.flush()
    vm = Vm(world)
    with Session(compiled.bundle, vm, output.form) as session:
        printer = Printer(session, output)
        play = Play(session, vm, printer.show, machine=machine, step=step)
        session.load()
        try:
            play.begin()
            for what in events:
                play.happen(what)
            play.end()
            printer.end()
        except BrokenPipe:
            return _PIPE_CLOSED
        return session.exit_code or 0


def _open_output(path: str) -> BinaryIO:
    try:
        return open(path, "wb")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


def _read_source(program: str | None, words: list[str]) -> tuple[Source, tuple[str, ...]]:
    """The script, and the words that are its parameters."""
    if program is not None:
        return Source("stdin", program), tuple(words)
    if not words:
        raise UsageError("expected a FILE or -e PROGRAM, got nothing", hint="probee --vm -h")
    name, data = read_input(words[:1])
    return Source(name, data.decode("utf-8", "surrogateescape")), tuple(words[1:])


def _read_events(path: str | None, *, free: bool) -> list[Trigger | Sleep]:
    """The events of a file, or of standard input where that is `free` and no terminal; else none."""
    from ..testing.lines import parse_events

    if path in (None, "-") and not free:
        if path is None:
            return []
        raise UsageError("the program and the events can't both come from standard input")
    if path is None and sys.stdin.isatty():
        return []
    name, data = read_input([path or "-"])
    return parse_events(read_text(name, data), name)


def _make_output(form: str, out: Sink, err: Sink, context: Context) -> Output:
    if form == "json":
        from ..render.json import JsonOutput

        return JsonOutput(out, context)
    if form != "text":
        raise unknown_form(form, ("text", "json"))
    from ..render.text import TextOutput

    return TextOutput(out, err, context)


def _parse_number(
    options: dict[str, str], name: str, default: int, *, low: int = 0, high: int = 1 << 62
) -> int:
    text = options.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdecimal() or len(text) > 19 or not low <= int(text) <= high:
        raise UsageError(f"{name}: expected a number from {low} to {high}, got {text!r}")
    return int(text)
