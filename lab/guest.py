"""One command in one guest, from its orders to its end."""

from __future__ import annotations

import os
import select
import socket
import struct
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from .machine import Machine, Settings, machine_command
from .snapshot import find_snapshot, make_snapshot
from .wire import BOOTED, END, STARTS, STDERR, STDIN, STDOUT, Job, encode_frame, encode_orders

if TYPE_CHECKING:
    from .kernel import Kernel

TIMED_OUT = 124
LOST = 125
"""Exit statuses of guests that did not tell their command's."""

_CHUNK = 16384
_FILES = {STDOUT: 1, STDERR: 2}


def run_guest(job: Job, kernel: Kernel, settings: Settings, seconds: float, *, cold: bool = False) -> int:
    """Run `job` within `seconds`, its streams being those of this process, and give its exit status.

    128 + N for signal N. TIMED_OUT and LOST are explained on stderr, with the guest's last words. Boots where
    it is to be `cold`, else starts from a saved machine. Raises TargetError where something is not installed.
    """
    deadline = time.monotonic() + seconds
    command = machine_command(settings, kernel, job.writable)
    with tempfile.TemporaryDirectory(prefix="guest.") as folder:
        console = Path(folder, "console")
        if cold:
            return _Run(job, kernel, deadline).boot(command, console)
        snapshot = find_snapshot(command, kernel)
        if not snapshot.exists():
            make_snapshot(snapshot, command, console, deadline - time.monotonic())
        run = _Run(job, kernel, deadline)
        status = run.resume(command, console, snapshot)
        if run.started or status != LOST:
            return status
        # It may be cut off, or of another QEMU under the same name.
        snapshot.unlink(missing_ok=True)
        return _Run(job, kernel, deadline).boot(command, console)


class _Run:
    """The streams of one command; `started` once it runs."""

    def __init__(self, job: Job, kernel: Kernel, deadline: float) -> None:
        self.started = False
        self._job, self._kernel = job, kernel
        self._deadline = deadline
        self._status: int | None = None
        self._unsent = b""
        self._stdin_open = True

    def boot(self, command: list[str], console: Path) -> int:
        with Machine(command, console) as machine:
            try:
                if not machine.wait_frame(BOOTED, self._left()):
                    return self._explain(TIMED_OUT, machine)
            except EOFError:
                return self._explain(LOST, machine)
            return self._carry(machine)

    def resume(self, command: list[str], console: Path, snapshot: Path) -> int:
        with snapshot.open("rb") as saved, Machine(command, console, saved.fileno()) as machine:
            return self._carry(machine)

    def _carry(self, machine: Machine) -> int:
        """Give the orders, then pass on whatever comes, either way, until the command has ended."""
        self._unsent = encode_orders(self._job, self._kernel)  # now: they set the clock
        try:
            while self._status is None:
                if self._left() <= 0:
                    return self._explain(TIMED_OUT, machine)
                self._step(machine)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return self._explain(LOST, machine)
        return self._status

    def _step(self, machine: Machine) -> None:
        # One chunk of input at a time: what the command does not read waits here, not in memory.
        takes_input = self.started and self._stdin_open and not self._unsent
        reading: list[int | socket.socket] = [machine.port, *([0] if takes_input else [])]
        writing = [machine.port] if self._unsent else []
        ready, sendable, _ = select.select(reading, writing, [], min(self._left(), 10))
        if 0 in ready:
            data = os.read(0, _CHUNK)
            self._unsent = encode_frame(STDIN, data)
            self._stdin_open = bool(data)
        if sendable:
            self._unsent = self._unsent[machine.port.send(self._unsent, socket.MSG_DONTWAIT) :]
        if machine.port in ready:
            for kind, data in machine.read_frames():
                self._take(kind, data)

    def _take(self, kind: bytes, data: bytes) -> None:
        if kind == STARTS:
            self.started = True
        elif kind == END:
            self._status = struct.unpack("<i", data)[0]
        while kind in _FILES and data:
            data = data[os.write(_FILES[kind], data) :]

    def _left(self) -> float:
        return max(self._deadline - time.monotonic(), 0)

    def _explain(self, status: int, machine: Machine) -> int:
        reason = "time is up" if status == TIMED_OUT else "the guest ended without an exit status"
        sys.stderr.write(f"{machine.read_last_words()}\nguest: {reason}\n")
        return status
