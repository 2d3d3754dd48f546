"""The order of events that come through two rings.

Data (what scripts print) and control (exit, clear, print of a map, …) have a ring each, so that a
flood of data can't lose a control record. A control record carries the position of the data ring's
producer at which it was sent, and it is due once the data before that position has been handled.
"""

from __future__ import annotations

import struct

from ..base.errors import FormatError
from ..spec.abi import RINGBUF_HEADER
from .batch import Batch, batch_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Protocol

    from ..spec.bundle import EventLayout

    class Ring(Protocol):
        """The consumer's end of a ring; positions are bytes since the start, as the kernel's."""

        def producer(self) -> int: ...

        def read_runs(self, until: int | None = None) -> list[tuple[int, int, memoryview]]:
            """Submitted records before `until` as runs (stride, count, bytes with ring headers) of
            records of the same event id and length."""

        def position(self) -> int: ...

        def release(self) -> None: ...


_ID = struct.Struct(f"={RINGBUF_HEADER}xI")
_CONTROL = struct.Struct(f"={RINGBUF_HEADER}xI4xQ")


class Stream:
    """Events of a data and a control ring in their order; either ring may be None.

    To end at an `exit`: stop iterating at it, detach the probes, call `discard`, run what is left to
    run (END), and pump again.
    """

    def __init__(
        self, layouts: Iterable[EventLayout], data: Ring | None, control: Ring | None = None
    ) -> None:
        self._layouts = {layout.id: layout for layout in layouts}
        self._data = data
        self._control = control
        self._pending: list[tuple[int, Batch]] = []

    def pump(self) -> Iterator[Batch]:
        """Every event that is due now; a control event is a batch of one record.

        A batch is valid until the next is asked for. What is sent meanwhile is left for the next
        pump, so that a pump ends. Raises FormatError for records that fit no layout.
        """
        # Where the data ends is read before the control ring: a control record that is not seen
        # now was sent later than all data before this point.
        end = self._data.producer() if self._data else 0
        self._read_control()
        while self._pending and (self._pending[0][0] <= end or self._data is None):
            due = self._pending[0][0]
            yield from self._read_data(due)
            if self._data is not None and self._data.position() < due:
                return  # a program is still writing a record that comes before it
            yield self._pending.pop(0)[1]
        yield from self._read_data(end)

    @property
    def is_behind(self) -> bool:
        """True while a control event waits for data before it: no program will wake us for that."""
        return bool(self._pending)

    def discard(self) -> None:
        """Drop every event sent so far, also the control events that were not due yet."""
        for ring in (self._control, self._data):
            if ring is not None:
                for _ in _read(ring, None):
                    pass
        self._pending.clear()

    def _read_control(self) -> None:
        if self._control is None:
            return
        for stride, count, view in _read(self._control, None):
            for at in range(0, stride * count, stride):
                self._pending.append(self._parse_control(bytes(view[at : at + stride])))
        # CPUs race to send, but those of one CPU come in order, and the sort keeps that.
        self._pending.sort(key=lambda entry: entry[0])

    def _parse_control(self, data: bytes) -> tuple[int, Batch]:
        if len(data) < _CONTROL.size:
            raise FormatError(f"expected a control record of {_CONTROL.size} bytes, got {len(data)}")
        id, due = _CONTROL.unpack_from(data)
        layout = self._layout(id)
        return due, batch_of(layout, data[RINGBUF_HEADER : RINGBUF_HEADER + layout.size])

    def _read_data(self, until: int) -> Iterator[Batch]:
        if self._data is None:
            return
        for stride, count, view in _read(self._data, until):
            if len(view) < _ID.size:
                raise FormatError(f"expected an event of at least 4 bytes, got {len(view)}")
            yield Batch(self._layout(_ID.unpack_from(view)[0]), stride, count, view)

    def _layout(self, id: int) -> EventLayout:
        layout = self._layouts.get(id)
        if layout is None:
            raise FormatError(f"expected an event id of the script, got {id}")
        return layout


def _read(ring: Ring, until: int | None) -> Iterator[tuple[int, int, memoryview]]:
    """Runs up to `until`, or the first record still being written; their room is released after them."""
    start = -1
    while start != ring.position() and (until is None or ring.position() < until):
        start = ring.position()
        yield from ring.read_runs(until)
        # Discarded records make no runs, but their room is to be released too.
        if ring.position() != start:
            ring.release()
