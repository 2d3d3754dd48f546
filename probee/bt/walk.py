"""Going through a tree."""

from __future__ import annotations

from ..base.errors import SourceError
from ..base.record import fields
from ..base.source import Diagnostic
from . import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

MAX_DEPTH = 200
"""How deep a tree may be, so that what walks it may recurse."""


def walk(node: object) -> Iterator[tree.Node]:
    """`node` and every node below it, each before its children."""
    stack = [node]
    while stack:
        top = stack.pop()
        if isinstance(top, tuple):
            stack.extend(reversed(top))
        elif isinstance(top, tree.Node):
            yield top
            stack.extend([getattr(top, name) for name in reversed(fields(top)) if name != "span"])


def copy_tree(item: Any) -> Any:
    """A copy of a node or of a tuple of nodes, in which no node is one of the original's."""
    if isinstance(item, tuple):
        return tuple([copy_tree(part) for part in item])
    if not isinstance(item, tree.Node):
        return item
    return item.__class__(**{name: copy_tree(getattr(item, name)) for name in fields(item)})


def next_if(statement: tree.If) -> tree.If | None:
    """The `if` of an `else if`."""
    others = statement.otherwise
    return others[0] if len(others) == 1 and isinstance(others[0], tree.If) else None


def if_chain(first: tree.If) -> list[tree.If]:
    """An `if` and its `else if`s, which may be hundreds."""
    links = [first]
    while (following := next_if(links[-1])) is not None:
        links.append(following)
    return links


def ends(node: tree.Expr) -> bool:
    """True for a block that is left by a jump, and so gives no value."""
    if not isinstance(node, tree.BlockExpr) or node.value is not None or not node.body:
        return False
    return isinstance(node.body[-1], tree.Jump)


def check_depth(node: object) -> None:
    """Raise a SourceError for a tree that what recurses can't walk."""
    deep = find_too_deep(node)
    if deep is not None:
        raise SourceError([Diagnostic("ERROR", f"nested more than {MAX_DEPTH} levels deep", deep.span)])


def find_too_deep(node: object) -> tree.Node | None:
    """A node that is more than MAX_DEPTH below `node`, or None; a run of `else if` is one level."""
    stack: list[tuple[object, int]] = [(node, 0)]
    while stack:
        top, depth = stack.pop()
        if isinstance(top, tuple):
            stack.extend([(item, depth) for item in top])
        elif isinstance(top, tree.Node):
            if depth > MAX_DEPTH:
                return top
            for name in fields(top):
                follows = name == "otherwise" and isinstance(top, tree.If)
                stack.append((getattr(top, name), depth if follows else depth + 1))
    return None
