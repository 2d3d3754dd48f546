"""A file descriptor that output goes to, written in batches.

Whatever a file can do is met here: writes that take only part, a reader that is gone, a full disk, a
descriptor that was closed, a pipe set to not block. After a failure the sink drops what it is given,
so that the end of a session does not fail a second time.
"""

from __future__ import annotations

import errno
import os

from ..base.errors import KernelError

BATCH = 1 << 20
"""Bytes that are held back at most before they are written unasked."""

HELD = 8 << 10
"""Bytes from which on a sink that holds back what it can writes them when it is flushed."""


class BrokenPipe(KernelError):
    """Nobody reads the output any more, as in `probee … | head`: a session ends quietly at this."""


class Sink:
    """Writes to `fd`, called `name` in errors. The descriptor stays the caller's to close.

    `optional`: what can't be written is dropped in silence. That is for diagnostics, which must not
    end a trace because stderr is gone. `hold`: a flush writes nothing before some is there to be written.
    """

    __slots__ = ("fd", "name", "optional", "failed", "_hold", "_parts", "_size")

    def __init__(self, fd: int, name: str, *, optional: bool = False, hold: bool = False) -> None:
        self.fd = fd
        self.name = name
        self.optional = optional
        self._hold = HELD if hold else 0
        self.failed = False
        self._parts: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        """Take `data`. Raises what `flush` raises."""
        if self.failed:
            return
        self._parts.append(data)
        self._size += len(data)
        if self._size >= BATCH:
            self.drain()

    def flush(self) -> None:
        """Write what is held back, if that is enough. Raises what `drain` raises."""
        if self._size >= self._hold:
            self.drain()

    def close(self) -> None:
        """The end of the output. Raises what `drain` raises."""
        self.drain()

    def drain(self) -> None:
        """Write all that is held back. Raises BrokenPipe, or KernelError with the file's name."""
        if not self._parts:
            return
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts, self._size = [], 0
        try:
            self._write_all(data)
        except OSError as error:
            self.failed = True
            if self.optional:
                return
            kind = BrokenPipe if error.errno == errno.EPIPE else KernelError
            raise kind(f"write to {self.name}", error.errno or 0) from error

    def _write_all(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self.fd, left) :]
            except BlockingIOError:
                self._wait()

    def _wait(self) -> None:
        # Rare: a terminal or pipe that another program has set to not block.
        import select

        poll = select.poll()
        poll.register(self.fd, select.POLLOUT)
        poll.poll()
