"""Tree → text, for `-d ast` and for tests: a node a line, with its plain fields and (line:column).

It knows no node by name: what a record's fields hold decides how they are shown. Fields that have
their default value, and spans, are left out.
"""

from __future__ import annotations

from ..base.record import defaults, fields
from ..base.source import Source, Span
from . import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .tree import Node

_INDENT = "  "


def render_tree(node: Node) -> str:
    """The tree under `node`, children indented under their parent and labelled with their field."""
    lines: list[str] = []
    pending: list[tuple[int, str, Node]] = [(0, "", node)]
    while pending:
        level, label, item = pending.pop()
        plain, children = _split(item)
        line, column = item.span.source.position(item.span.start)
        words = [label + type(item).__name__, *plain, f"({line}:{column})"]
        lines.append(_INDENT * level + " ".join(words))
        pending += [(level + 1, name, child) for name, child in reversed(children)]
    return "\n".join(lines)


def _split(node: Node) -> tuple[list[str], list[tuple[str, Node]]]:
    """The plain fields of `node` as text, and its children with their labels."""
    plain: list[str] = []
    children: list[tuple[str, Node]] = []
    usual = defaults(node)
    for name in fields(node):
        value = getattr(node, name)
        if isinstance(value, tree.Node):
            children.append((f"{name}: ", value))
        elif isinstance(value, tuple) and value and isinstance(value[0], tree.Node):
            children += [(f"{name}: ", child) for child in value]
        elif not isinstance(value, Span | Source) and value != () and value is not None:
            if name not in usual or value != usual[name]:
                plain.append(f"{name}={_plain(value)}")
    return plain, children


def _plain(value: object) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_plain, value)) + ")"
    return repr(value)
