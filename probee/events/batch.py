"""Runs of records of one layout, and functions made to measure that take a whole run at once.

The records of a run lie one after another, each behind its ring header and padded to 8 bytes, so
one fused `struct` walks them all and one list comprehension makes whatever is wanted of each.
"""

from __future__ import annotations

import struct

from ..base.bits import align_up
from ..base.errors import FormatError
from ..base.record import record
from ..spec.abi import RINGBUF_HEADER
from .decode import Form, fuse, item_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..spec.bundle import EventLayout


class Batch:
    """`count` records of `layout`, `stride` bytes apart in `view`, ring headers included.

    The view is the ring's own memory: it is valid until the next batch is asked for.
    """

    __slots__ = ("layout", "stride", "count", "view")

    def __init__(self, layout: EventLayout, stride: int, count: int, view: memoryview | bytes) -> None:
        expected = stride_of(layout)
        if stride != expected or len(view) != stride * count:
            raise FormatError(
                f"expected records of {expected} bytes of event {layout.id} ({layout.kind}), "
                f"got {count} in {len(view)} bytes, {stride} apart"
            )
        self.layout = layout
        self.stride = stride
        self.count = count
        self.view = view

    def __repr__(self) -> str:
        return f"<{self.count} × {self.layout.kind} {self.layout.id}>"


def stride_of(layout: EventLayout) -> int:
    """Bytes from one record of a layout to the next, in a ring."""
    return align_up(RINGBUF_HEADER + layout.size, 8)


def batch_of(layout: EventLayout, payload: bytes | memoryview) -> Batch:
    """One record, given without its ring header, as a batch that owns its bytes."""
    if len(payload) != layout.size:
        raise FormatError(
            f"expected {layout.size} bytes of event {layout.id} ({layout.kind}), got {len(payload)}"
        )
    stride = stride_of(layout)
    data = bytes(RINGBUF_HEADER) + bytes(payload)
    return Batch(layout, stride, 1, data.ljust(stride, b"\0"))


@record
class Column:
    """A struct item of each record: `size` bytes at `offset`, unpacked as `code`."""

    offset: int
    size: int
    code: str


def compile_rows(
    layout: EventLayout, columns: list[Column], row: Callable[[list[str]], str], scope: dict[str, Any]
) -> Callable[[memoryview | bytes], list[Any]]:
    """A function from the view of a batch to a list with one thing a record.

    `row` is given the variables that hold the columns and returns the expression that makes the
    thing; `scope` is what else the expression names. Equal columns are unpacked once.
    """
    distinct = sorted(set(columns), key=lambda c: (c.offset, c.size, c.code))
    names = {column: f"v{n}" for n, column in enumerate(distinct)}
    size = stride_of(layout) - RINGBUF_HEADER
    fused = fuse([(c.offset, c.size, c.code) for c in distinct], size, RINGBUF_HEADER)
    targets = "".join(f"{name}, " for name in names.values())
    text = (
        "def rows(view):\n"
        f" return [{row([names[c] for c in columns])} for ({targets}) in iter_unpack(view)]\n"
    )
    scope = {**scope, "iter_unpack": struct.Struct(fused).iter_unpack}
    exec(compile(text, f"<event {layout.id}>", "exec"), scope)
    rows: Callable[[memoryview | bytes], list[Any]] = scope["rows"]
    return rows


class Decoder:
    """Turns batches of one layout into tuples of its fields' values."""

    __slots__ = ("layout", "form", "_rows")

    def __init__(self, layout: EventLayout, form: Form | None = None) -> None:
        self.layout = layout
        self.form = form or Form()
        self._rows: Callable[[memoryview | bytes], list[tuple[Any, ...]]] | None = None

    def rows(self, batch: Batch) -> list[tuple[Any, ...]]:
        """The values of each record, in order of the layout's fields."""
        if self._rows is None:
            self._rows = _compile_decoder(self.layout, self.form)
        return self._rows(batch.view)

    def row(self, payload: bytes | memoryview) -> tuple[Any, ...]:
        """The values of one record, given without its ring header."""
        return self.rows(batch_of(self.layout, payload))[0]


def _compile_decoder(
    layout: EventLayout, form: Form
) -> Callable[[memoryview | bytes], list[tuple[Any, ...]]]:
    items = [item_of(field.type, form) for field in layout.fields]
    columns = [
        Column(field.offset, field.type.size, item.code)
        for field, item in zip(layout.fields, items, strict=True)
    ]

    def row(names: list[str]) -> str:
        values = [
            f"c{n}({name})" if item.convert else name
            for n, (name, item) in enumerate(zip(names, items, strict=True))
        ]
        return f"({''.join(f'{v}, ' for v in values)})" if values else "()"

    return compile_rows(layout, columns, row, {f"c{n}": item.convert for n, item in enumerate(items)})
