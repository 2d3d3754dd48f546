"""JSON lines as one JSON array: a sink that puts brackets around them and commas between."""

from __future__ import annotations

from .sink import Sink


class ArraySink(Sink):
    """Takes whole lines, each a JSON value, and writes an array of them."""

    __slots__ = ("_some",)

    def __init__(self, fd: int, name: str, *, hold: bool = False) -> None:
        super().__init__(fd, name, hold=hold)
        self._some = False

    def write(self, data: bytes) -> None:
        if not data:
            return
        # Within a JSON value a line break is always escaped.
        lines = data.removesuffix(b"\n").replace(b"\n", b",\n")
        super().write((b",\n" if self._some else b"[\n") + lines)
        self._some = True

    def close(self) -> None:
        """Write what is held back, and the end of the array."""
        super().write(b"\n]\n" if self._some else b"[]\n")
        super().close()
