"""Memory of the traced system, by the space that an address belongs to."""

from __future__ import annotations

from ..ctype.types import CType, Ptr, Typedef


def reader_of(type: CType) -> str:
    """The helper that reads memory at an address of `type`; with `_str` after it, the one that reads text.

    What nobody knows the space of is taken for the traced process's.
    """
    while isinstance(type, Typedef):
        type = type.to
    space = type.space if isinstance(type, Ptr) else ""
    return f"probe_read_{space or 'user'}"
