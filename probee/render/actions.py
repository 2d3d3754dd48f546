"""Events that ask for something to be done with their text: errorf warnf cat join system.

Both outputs share what a text is made of; what is done with it is theirs.
"""

from __future__ import annotations

import os

from ..events.batch import Decoder
from ..events.decode import Form
from .printf import compile_texts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..events.batch import Batch
    from ..spec.bundle import EventLayout
    from .output import Context

    Handler = Callable[[Batch], object]

SEVERITIES = {"errorf": "ERROR", "warnf": "WARNING"}
"""How messages of the script itself are marked, by the kind of their event."""


def each_text(layout: EventLayout, context: Context, action: Callable[[bytes], None]) -> Handler:
    """A function that does `action` with the text of each record of a batch."""
    if layout.kind == "join":
        return _each_joined(layout, action)
    texts = compile_texts(layout, context)

    def handle(batch: Batch) -> None:
        for text in texts(batch.view):
            action(text)

    return handle


def _each_joined(layout: EventLayout, action: Callable[[bytes], None]) -> Handler:
    """The texts of a record up to the first empty one, with the layout's format between them."""
    decoder = Decoder(layout, Form(raw=True, trailer=b""))
    separator = layout.format.encode("utf-8", "surrogateescape")

    def handle(batch: Batch) -> None:
        for row in decoder.rows(batch):
            used = row.index(b"") if b"" in row else len(row)
            action(separator.join(row[:used]))

    return handle


def open_failure(path: bytes, error: OSError) -> str:
    """What is said of a file that cat() could not read."""
    name = path.decode("utf-8", "backslashreplace")
    return f"failed to open file '{name}' ({os.strerror(error.errno or 0)})"
