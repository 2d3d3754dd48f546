"""What a pointer may be used for, by the space it points into: tables that the checker's rules share."""

from __future__ import annotations

from .helpers import HELPERS
from .nodes import Value
from .types import PtrType, Space

OWN = frozenset({Space.STACK, Space.VALUE, Space.RING})
"""Memory of ours: loads, stores and helpers may touch it."""

FOREIGN = frozenset({Space.KERNEL, Space.USER})
"""Memory that only a helper may read; such a pointer is a number, and never checked against 0."""

READ = OWN | {Space.KEY}
"""Memory that loads and helpers may read."""

HELPER_SPACES = {"m": frozenset({Space.MAP}), "p": READ, "o": OWN}
"""By the letters of a helper's `args`."""

ACCESS: dict[str, tuple[frozenset[Space], ...]] = {
    "load": (READ | {Space.CTX},),
    "copy": (OWN, READ | {Space.CTX}),
    "padd": (READ | FOREIGN | {Space.CTX},),
    "each": (frozenset({Space.MAP}),),
    **dict.fromkeys(("store", "zero", "atomic_add", "fetch_add", "xchg", "cmpxchg"), (OWN,)),
}
"""For ops that touch memory or move pointers: the spaces of their first arguments."""

RELEASES = frozenset({"ringbuf_submit", "ringbuf_discard"})


def find_space(value: Value) -> Space | None:
    """What `value` points into, None for an integer."""
    return value.type.space if isinstance(value.type, PtrType) else None


def find_needed(value: Value) -> list[Value]:
    """The arguments of `value` that must not be 0."""
    if value.op == "call":
        if value.attr in RELEASES:
            return value.args[:1]
        kinds = HELPERS[value.attr].args
        return [a for a, kind in zip(value.args, kinds, strict=True) if kind in HELPER_SPACES]
    if value.op == "cast":
        new = value.type
        return value.args if isinstance(new, PtrType) and not new.nullable else []
    touched = value.args[: len(ACCESS.get(value.op, ()))]
    return [a for a in touched if find_space(a) not in FOREIGN]
