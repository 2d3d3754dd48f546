"""Processes: starting a command that waits for its probes, noticing its end, names.

A command is held by ptrace(2) at its exec, before the first instruction of the new program: so what
the command does is traced from the start, and nothing that this process's copy did before is.
"""

from __future__ import annotations

import os
import select
import signal
from enum import IntEnum

from ..base.errors import KernelError, TargetError, UsageError
from .fd import Fd
from .procfs import find_process
from .syscall import check, ptrace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self


class Ptrace(IntEnum):
    """Requests of ptrace(2) that a command is held with until its probes are attached."""

    TRACEME = 0
    DETACH = 17
    SETOPTIONS = 0x4200


_PTRACE_O_EXITKILL = 1 << 20  # the process held is killed when its tracer ends

_EXEC_FAILED = 127
_SIGNALLED = 128
_GRACE = 2.0

# What Python has set otherwise than a program expects to find it.
_RESET = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM)


def split_command(text: str) -> list[str]:
    """The words of a command line, quoted as for a shell; no shell runs. Raises UsageError."""
    import shlex

    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"command {text!r}: {str(error).lower()}") from error
    if not words:
        raise UsageError("expected a command, got nothing")
    return words


class Child:
    """A command started here, held until `go`. A context manager that ends it.

    `pidfd` is readable once the command has ended.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.pidfd = Fd(os.pidfd_open(pid))
        self._held = True
        self._status: int | None = None

    def go(self) -> None:
        """Let the command run. From the thread that started it. Raises KernelError."""
        if self._held:
            self._held = False
            check("let the command run", ptrace(Ptrace.DETACH, self.pid))

    def poll(self) -> int | None:
        """The exit status (128 + N when signal N ended it), or None while it runs."""
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = _exit_status(status)
        return self._status

    def wait(self, timeout: float | None = None) -> int | None:
        """The exit status; None if it still runs after `timeout` seconds."""
        if self._status is None:
            poll = select.poll()
            poll.register(self.pidfd.number, select.POLLIN)
            poll.poll(None if timeout is None else timeout * 1000)
        return self.poll()

    def terminate(self, grace: float = _GRACE) -> int:
        """Ask the command to end (SIGTERM), and kill it after `grace` seconds; the exit status."""
        status = self.poll()
        if status is None:
            os.kill(self.pid, signal.SIGKILL if self._held else signal.SIGTERM)
            status = self.wait(grace)
        while status is None:
            os.kill(self.pid, signal.SIGKILL)
            status = self.wait()
        return status

    def close(self) -> None:
        """End the command if it still runs."""
        if self.pidfd.number >= 0:
            self.terminate()
            self.pidfd.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def spawn(argv: list[str]) -> Child:
    """Start a command, found as the shell finds it, and hold it at its exec.

    It dies with this process as long as it is held. Raises TargetError if it can't be run.
    """
    failure, tell = os.pipe2(os.O_CLOEXEC)
    with Fd(failure):
        with Fd(tell):
            pid = os.fork()
            if pid == 0:
                _become(argv, tell)
        number = os.read(failure, 4)
    _, status = os.waitpid(pid, os.WUNTRACED)
    if number:
        raise TargetError(f"command {argv[0]}: {os.strerror(int(number)).lower()}")
    if not os.WIFSTOPPED(status):
        raise TargetError(f"command {argv[0]}: ended before it ran, status {_exit_status(status)}")
    check("hold the command", ptrace(Ptrace.SETOPTIONS, pid, _PTRACE_O_EXITKILL))
    return Child(pid)


def open_process(pid: int) -> Fd:
    """A descriptor that is readable once process `pid` has ended. Raises TargetError."""
    try:
        return Fd(os.pidfd_open(pid))
    except ProcessLookupError as error:
        raise TargetError(f"no process has the id {pid}") from error
    except OSError as error:
        leader = find_process(pid)
        if leader is None or leader == pid:
            raise KernelError(f"watch process {pid}", error.errno or 0) from error
        raise TargetError(f"{pid} is a thread of process {leader}", hint=f"-p {leader}") from error


def _become(argv: list[str], tell: int) -> None:
    """In the child: become the command, or tell the errno. Never returns."""
    number = 0
    try:
        for each in _RESET:
            signal.signal(each, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        number = -ptrace(Ptrace.TRACEME)
        if not number:
            os.execvp(argv[0], argv)
    except OSError as error:
        number = error.errno or 0
    finally:
        # Whatever happened, the child must not go on as a second probee.
        os.write(tell, b"%d" % number)
        os._exit(_EXEC_FAILED)


def _exit_status(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else _SIGNALLED - code
