"""`probee -e PROGRAM`, `probee FILE`: compile a script, make it live, and print what it says."""

from __future__ import annotations

import os
import signal
import sys
import time

from ..base.errors import TargetError, UsageError
from ..base.source import Source
from ..render.sink import BrokenPipe, Sink
from .options import USAGE, Options, parse_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from ..attach.machine import LiveMachine
    from ..render.output import Output
    from ..session import Session
    from ..spec.target import Target
    from ..symbols.live import LiveSymbols

_IDLE = 0.1
"""Seconds after which losses are looked at though no event came."""

_PIPE_CLOSED = 128 + signal.SIGPIPE
_NOTIFY = "__BPFTRACE_NOTIFY_PROBES_ATTACHED"


def main(arguments: list[str]) -> int:
    """Run a script as the command line says; the exit status. Raises ProbeeError."""
    options = parse_options(arguments)
    if options.help:
        sys.stdout.write(USAGE)
        return 0
    if options.version:
        from .. import __version__

        sys.stdout.write(f"probee v{__version__}\n")
        return 0
    if options.listing and options.program is None and not _is_file(options.words):
        from .list import list_probes, split_patterns

        patterns = split_patterns(options.words)
        return list_probes(patterns, options.pid, verbose=options.verbose, debug_roots=options.debug_roots)
    source, params = _read_source(options)
    if options.listing:
        from .list import list_program

        return list_program(
            source, params, options.pid, verbose=options.verbose, debug_roots=options.debug_roots
        )
    if options.stage:
        from .stages import show_stages

        show_stages(source, params, options)
        return 0
    return _trace(source, params, options)


def _is_file(words: Sequence[str]) -> bool:
    return bool(words) and os.path.isfile(words[0])


def _read_source(options: Options) -> tuple[Source, tuple[str, ...]]:
    """The script, and the words that are its parameters."""
    if options.program is not None:
        return Source("stdin", options.program), options.words
    if not options.words:
        raise UsageError("expected a FILE or -e PROGRAM, got nothing", hint="probee --help")
    name, *params = options.words
    if name == "-":
        data = sys.stdin.buffer.read()
        name = "stdin"
    else:
        try:
            with open(name, "rb") as file:
                data = file.read()
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise UsageError(f"failed to open file '{name}': {reason}") from None
    return Source(name, data.decode("utf-8", "surrogateescape")), tuple(params)


def _trace(source: Source, params: tuple[str, ...], options: Options) -> int:
    from ..attach.machine import LiveMachine
    from ..session import Session, compile_source, open_symbols, survey_system

    target = survey_system(options.debug_roots)
    _check_pid(options.pid, target)
    with _Files(options) as files, _Command(options.command) as command:
        pid = options.pid or command.pid
        compiled = compile_source(source, target, params=params, pid=pid, unsafe=options.unsafe)
        if options.warnings:
            for warning in compiled.warnings:
                files.err.write(warning.render().encode("utf-8", "backslashreplace") + b"\n")
        files.err.flush()
        symbols = open_symbols(compiled.bundle)
        output = files.make_output(symbols)
        machine = LiveMachine(verbose=options.verbose)
        with Session(compiled.bundle, machine, output.form) as session:
            session.load()
            if options.verbose:
                _show_logs(session, files.err)
            if options.dry_run:
                return 0
            if options.mode:
                from .trials import run_trials

                return run_trials(session, output, files.out, options)
            return _Run(session, machine, output, options, command, symbols).run()


def _check_pid(pid: int, target: Target) -> None:
    if pid and target.files is not None and not target.files.process_exists(pid):
        raise TargetError(f"no process has the id {pid}")


def _show_logs(session: Session, err: Sink) -> None:
    for name, log in session.logs():
        err.write(f"verifier's log of {name}:\n{log}\n".encode("utf-8", "backslashreplace"))
    err.flush()


class _Files:
    """The descriptors that output goes to, for as long as the run lasts."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._fd = -1
        self.err = Sink(2, "stderr", optional=True)
        self.out = Sink(1, "stdout")

    def __enter__(self) -> _Files:
        path = self._options.output
        if path:
            try:
                self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
            except OSError as error:
                raise UsageError(f"failed to open file '{path}': {os.strerror(error.errno or 0)}") from None
            self.out = Sink(self._fd, path)
        return self

    def make_output(self, symbols: Callable[[], LiveSymbols]) -> Output:
        """The output that was asked for."""
        from .facts import make_context

        options = self._options
        context = make_context(symbols, warnings=options.warnings)
        if options.format == "json":
            from ..render.json import JsonOutput

            return JsonOutput(self.out, context)
        from ..render.text import TextOutput

        return TextOutput(self.out, self.err, context)

    def __exit__(self, *_: object) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class _Command:
    """The command of -c, held until the probes are attached; nothing when there is none."""

    def __init__(self, text: str) -> None:
        from ..kernel.proc import Child, spawn, split_command

        self._child: Child | None = spawn(split_command(text)) if text else None
        self.pid = self._child.pid if self._child else 0
        self.fd = self._child.pidfd.number if self._child else -1

    def go(self) -> None:
        if self._child is not None:
            self._child.go()

    def __enter__(self) -> _Command:
        return self

    def __exit__(self, *_: object) -> None:
        if self._child is not None:
            self._child.close()


class _Run:
    """The loop from attaching to the last map, ended by exit(), a signal, or the traced process."""

    def __init__(
        self,
        session: Session,
        machine: LiveMachine,
        output: Output,
        options: Options,
        command: _Command,
        symbols: Callable[[], LiveSymbols],
    ) -> None:
        from ..session import SIGNALS, Printer

        self._session = session
        self._machine = machine
        self._output = output
        self._options = options
        self._command = command
        self._pid = options.pid or command.pid
        self._printer = Printer(session, output)
        self._symbols = symbols
        self._stopped = False
        self._wanted = [name for name in SIGNALS if session.find_specials(name)]

    def run(self) -> int:
        """The exit status: what exit() was given, else 0."""
        session = self._session
        try:
            with (
                _Signals(self._machine, self._stop, self._wanted) as signals,
                _Watched(self._machine, self._options.pid, self._command) as ended,
            ):
                session.set_facts(time.clock_gettime_ns(time.CLOCK_BOOTTIME), self._pid)
                if session.bundle.numbered and self._pid:
                    self._symbols().follow(self._pid)
                count = session.attach()
                if not self._options.quiet:
                    self._output.attached(count)
                    self._output.flush()
                if _NOTIFY in os.environ:
                    os.write(1, _NOTIFY.encode() + b"\n")
                self._command.go()
                self._loop(ended, signals)
                self._printer.show(session.finish())
                self._output.end()
                self._printer.show_maps()
        except BrokenPipe:
            return _PIPE_CLOSED
        return session.exit_code or 0

    def _loop(self, ended: _Watched, signals: _Signals) -> None:
        session = self._session
        while True:
            for name in signals.take():
                session.run(name)
            over = ended.is_over() or self._stopped or not session.is_waiting
            self._printer.show(session.pump())
            if session.bundle.numbered:
                self._symbols().catch_up()
            if over or session.exit_code is not None:
                return
            session.wait(_IDLE, time.sleep)

    def _stop(self) -> None:
        self._stopped = True


class _Signals:
    """While it lasts, SIGINT, SIGTERM and SIGHUP call `stop` and end a wait instead of the process.

    Signals that are `wanted`, by name, end a wait, too, and are there for `take`.
    """

    def __init__(self, machine: LiveMachine, stop: Callable[[], None], wanted: Sequence[str]) -> None:
        self._machine = machine
        self._stop = stop
        self._wanted = [signal.Signals[name] for name in wanted]
        self._taken: list[str] = []
        self._before: dict[int, Any] = {}
        self._pipe = (-1, -1)

    def __enter__(self) -> _Signals:
        self._pipe = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wakeup = signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        self._machine.watch(self._pipe[0])
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._before[number] = signal.signal(number, lambda *_: self._stop())
        for number in self._wanted:
            self._before[number] = signal.signal(
                number, lambda n, _: self._taken.append(signal.Signals(n).name)
            )
        return self

    def take(self) -> list[str]:
        """The names of the wanted signals that have come since the last call."""
        if not self._taken:
            return self._taken
        # Empty the pipe first: a signal that comes later writes to it again.
        try:
            os.read(self._pipe[0], 4096)
        except BlockingIOError:
            pass  # the last call took this signal's byte before its handler had run
        taken, self._taken = self._taken, []
        return taken

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        self._machine.unwatch(self._pipe[0])
        for fd in self._pipe:
            os.close(fd)


class _Watched:
    """The end of the process of -p or -c, if there is one, as something that ends a wait."""

    def __init__(self, machine: LiveMachine, pid: int, command: _Command) -> None:
        from ..kernel.proc import open_process

        self._machine = machine
        self._process = open_process(pid) if pid else None
        self._fd = self._process.number if self._process else command.fd

    def __enter__(self) -> _Watched:
        if self._fd >= 0:
            self._machine.watch(self._fd)
        return self

    def is_over(self) -> bool:
        """True once the process has ended."""
        if self._fd < 0:
            return False
        import select

        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        return bool(poll.poll(0))

    def __exit__(self, *_: object) -> None:
        if self._fd >= 0:
            self._machine.unwatch(self._fd)
        if self._process is not None:
            self._process.close()
