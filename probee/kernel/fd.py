"""File descriptors that have an owner."""

from __future__ import annotations

import os


class Fd:
    """Owns one file descriptor. `close` may be called twice; `number` is -1 afterwards."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def fileno(self) -> int:
        return self.number

    def close(self) -> None:
        number, self.number = self.number, -1
        if number >= 0:
            os.close(number)

    def __enter__(self) -> Fd:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Fds:
    """Owns several descriptors that live and end together."""

    __slots__ = ("_fds",)

    def __init__(self, *numbers: int) -> None:
        self._fds = [Fd(number) for number in numbers]

    def add(self, number: int) -> int:
        """Take `number` over; gives it back for use."""
        self._fds.append(Fd(number))
        return number

    def take(self, others: Fds) -> None:
        """Take over what `others` own."""
        self._fds += others._fds
        others._fds = []

    def close(self) -> None:
        """Close all of them, the last one first."""
        while self._fds:
            self._fds.pop().close()

    def __enter__(self) -> Fds:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
