"""Going through a tree."""

from __future__ import annotations

from ..base.record import fields
from . import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def walk(node: object) -> Iterator[tree.Node]:
    """`node` and every node below it, each before its children."""
    if isinstance(node, tuple):
        for item in node:
            yield from walk(item)
    elif isinstance(node, tree.Node):
        yield node
        for name in fields(node):
            if name != "span":
                yield from walk(getattr(node, name))
