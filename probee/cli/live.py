"""A run of a script, from attaching its probes to its last map: what ends it, and what signals mean."""

from __future__ import annotations

import os
import signal
import time

from ..render.sink import BrokenPipe
from ..session import SIGNALS, Printer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from ..attach.machine import LiveMachine
    from ..render.output import Output
    from ..session import Session
    from ..symbols.live import LiveSymbols
    from .options import Options

_IDLE = 0.1
"""Seconds after which losses are looked at though no event came."""

_PIPE_CLOSED = 128 + signal.SIGPIPE
_SIGNALLED = 128
_NOTIFY = "__BPFTRACE_NOTIFY_PROBES_ATTACHED"
_SERVICE = "NOTIFY_SOCKET"


class Stop:
    """Whether somebody has asked for the end of a run."""

    def __init__(self) -> None:
        self._is_asked = False

    def ask(self) -> None:
        self._is_asked = True

    def asked(self) -> bool:
        return self._is_asked


class Command:
    """The command of -c, held until the probes are attached; nothing when there is none.

    `plain`: its words are what is between spaces, and quotes are parts of them.
    """

    def __init__(self, text: str, *, plain: bool = False) -> None:
        from ..kernel.proc import Child, spawn, split_command

        words = text.split() if plain else split_command(text) if text else []
        self._child: Child | None = spawn(words) if words else None
        self.pid = self._child.pid if self._child else 0
        self.fd = self._child.pidfd.number if self._child else -1

    def go(self) -> None:
        if self._child is not None:
            self._child.go()

    def tell(self, verbose: bool) -> None:
        """Say on standard error how it ended, where more is to be said than usual."""
        status = self._child.poll() if self._child is not None and verbose else None
        if status is not None:
            number = status - _SIGNALLED
            text = f"terminated by signal: {number}" if number > 0 else f"exited with code: {status}"
            os.write(2, f"Child {text}\n".encode())

    def __enter__(self) -> Command:
        return self

    def __exit__(self, *_: object) -> None:
        if self._child is not None:
            self._child.close()


class Run:
    """The loop from attaching to the last map, ended by exit(), a signal, or the traced process."""

    def __init__(
        self,
        session: Session,
        machine: LiveMachine,
        output: Output,
        options: Options,
        command: Command,
        symbols: Callable[[], LiveSymbols],
        stop: Stop,
    ) -> None:
        self._session = session
        self._machine = machine
        self._output = output
        self._options = options
        self._command = command
        self._pid = options.pid or command.pid
        self._printer = Printer(session, output)
        self._symbols = symbols
        self._stop = stop
        self._wanted = [name for name in SIGNALS if session.find_specials(name)]

    def run(self) -> int:
        """The exit status: what exit() was given, else 0."""
        session = self._session
        try:
            with (
                _Signals(self._machine, self._stop.ask, self._wanted) as signals,
                _Watched(self._machine, self._options.pid, self._command) as ended,
            ):
                session.set_facts(time.clock_gettime_ns(time.CLOCK_BOOTTIME), self._pid, self._command.pid)
                if session.unwind_maps:
                    self._follow()
                count = session.attach()
                if session.bundle.numbered and not session.unwind_maps:
                    self._follow()  # programs don't need it, so that they need not wait for it
                self._tell_skipped()
                if not self._options.quiet:
                    self._output.attached(count)
                    self._output.flush()
                if _NOTIFY in os.environ:
                    os.write(1, _NOTIFY.encode() + b"\n")
                _tell_service("READY=1\nSTATUS=Processing events...")
                self._command.go()
                self._loop(ended, signals)
                _tell_service("STOPPING=1\nSTATUS=Shutting down...")
                self._printer.show(session.finish())
                self._printer.end()
                self._command.tell(self._options.verbose)
        except BrokenPipe:
            return _PIPE_CLOSED
        finally:
            if session.bundle.numbered:
                self._symbols().close()
        return session.exit_code or 0

    def _tell_skipped(self) -> None:
        """What could not be attached, where the script wants to be told of it."""
        wanted = dict(self._session.bundle.config).get("missing_probes") == "warn"
        if wanted and self._options.warnings:
            for message, _, error in self._session.skipped:
                self._output.warning(error.message)
                self._output.warning(message)

    def _follow(self) -> None:
        """Hear from now on of what is mapped by processes whose stacks are taken."""
        symbols = self._symbols()
        symbols.follow(self._pid, self._session.unwind_maps)
        for fd in symbols.fds:
            self._machine.watch(fd)

    def _loop(self, ended: _Watched, signals: _Signals) -> None:
        session = self._session
        while True:
            for name in signals.take():
                session.run(name)
            over = ended.is_over() or self._stop.asked() or not session.is_waiting
            self._printer.show(session.pump())
            if session.bundle.numbered:
                self._symbols().catch_up()
            if over or session.exit_code is not None:
                return
            session.wait(_IDLE, time.sleep)


class _Signals:
    """While it lasts, SIGINT, SIGTERM and SIGHUP call `stop` and end a wait instead of the process.

    Signals that are `wanted`, by name, end a wait, too, and are there for `take`. The others that a script
    may want are not heeded.
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
        for name in SIGNALS:
            self._before[signal.Signals[name]] = signal.signal(signal.Signals[name], signal.SIG_IGN)
        for number in self._wanted:
            signal.signal(number, lambda n, _: self._taken.append(signal.Signals(n).name))
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

    def __init__(self, machine: LiveMachine, pid: int, command: Command) -> None:
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


def _tell_service(text: str) -> None:
    """Tell systemd, where it started this as a service that says when it is ready."""
    name = os.environ.get(_SERVICE)
    if not name:
        return
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
        try:
            link.sendto(text.encode(), "\0" + name[1:] if name[0] == "@" else name)
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            os.write(2, f"WARNING: Failed to send readiness notification, ignoring: {reason}\n".encode())
