"""Script → the same script in canonical form, for `probee fmt`.

Promises that the tree stays the same, that every comment stays, and that what is formatted once is
not changed by formatting it again. A statement with a comment inside is left as it is written.
Blank lines between statements are kept, one at a time.
"""

from __future__ import annotations

import re

from . import tree
from .comments import Comment, find_layout
from .format_inline import render_expression, render_heads, render_simple, render_type, render_value
from .parser import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..base.source import Source
    from .format_inline import Body

INDENT = "  "
WIDTH = 100

_BLANK = re.compile(r"\n[ \t\r\f\v]*\n")


def format_script(source: Source) -> str:
    """Canonical text of a script. Raises `SourceError` if it is none."""
    script = parse(source)
    writer = _Writer(script)
    header = re.match(r"\s*(#![^\n]*)", source.text)
    if header is not None:
        writer.write(header[1].rstrip(), header.end())
    members = (
        *script.c_definitions,
        *script.config,
        *script.imports,
        *script.maps,
        *script.macros,
        *script.functions,
        *script.probes,
    )
    settings = [member for member in members if isinstance(member, tree.Setting)]
    for member in sorted(members, key=lambda member: member.span.start):
        if not isinstance(member, tree.Setting):
            _MEMBERS[type(member)](writer, member)
        elif member is settings[0]:
            _config(writer, settings)
    writer.finish()
    return "".join(line + "\n" for line in writer.lines)


class _Writer:
    """Lines written so far, and how far in the source they reach."""

    __slots__ = ("text", "lines", "level", "at", "comments", "braces", "opens", "fresh")

    def __init__(self, script: tree.Script) -> None:
        layout = find_layout(script)
        self.text = script.source.text
        self.lines: list[str] = []
        self.level = 0
        self.at = 0
        self.comments = list(reversed(layout.comments))
        self.braces = layout.braces
        self.opens = sorted(layout.braces)
        self.fresh = True  # at the beginning of a block, where no blank line is kept

    def write(self, text: str, end: int) -> None:
        """A line (or more, as they are) that stands for the source up to `end`."""
        self.lines.append(INDENT * self.level + text if text else "")
        self.at = max(self.at, end)
        self.fresh = False

    def reach(self, offset: int) -> None:
        """Write comments, and a blank line if there is one, before what begins at `offset`."""
        while self.comments and self.comments[-1].start < offset:
            self._comment(self.comments.pop())
        self._blank(offset)

    def finish(self) -> None:
        """Write the comments that are left."""
        while self.comments:
            self._comment(self.comments.pop())

    def verbatim(self, node: tree.Node) -> bool:
        """Whether a comment stands inside `node`, which must be left as it is then."""
        return any(node.span.start <= comment.start < node.span.end for comment in self.comments)

    def skip_comments(self, end: int) -> None:
        """Leave out the comments before `end`: they were written with the text around them."""
        while self.comments and self.comments[-1].start < end:
            self.comments.pop()

    def brace(self, offset: int) -> tuple[int, int]:
        """Offsets of the first opening brace at or past `offset`, and of its closing one."""
        from bisect import bisect_left

        start = self.opens[bisect_left(self.opens, offset)]
        return start, self.braces[start]

    def _comment(self, comment: Comment) -> None:
        last = self.lines[-1] if self.lines else ""
        joins = not comment.own_line and last and "//" not in last and not last.lstrip().startswith("#")
        if joins:
            self.lines[-1] += " " + comment.text
            self.at = comment.end
        else:
            self._blank(comment.start)
            self.write(comment.text, comment.end)

    def _blank(self, offset: int) -> None:
        if not self.fresh and _BLANK.search(self.text, self.at, max(offset, self.at)):
            self.write("", self.at)


# ---- members ---------------------------------------------------------------------------------


def _as_is(writer: _Writer, node: tree.Node, after: str = "") -> None:
    writer.reach(node.span.start)
    writer.skip_comments(node.span.end)
    writer.write(node.span.text + after, node.span.end)


def _c_definition(writer: _Writer, node: tree.CDefinition) -> None:
    _as_is(writer, node, "" if node.text[0] == "#" else ";")


def _import(writer: _Writer, node: tree.Import) -> None:
    _as_is(writer, node, ";")


def _config(writer: _Writer, settings: list[tree.Setting]) -> None:
    open_, close = _around(writer, settings[0].span.start)
    writer.reach(writer.text.rindex("config", 0, open_))
    writer.write("config = {", open_ + 1)
    writer.level, writer.fresh = writer.level + 1, True
    for setting in settings:
        writer.reach(setting.span.start)
        value = setting.span.text.partition("=")[2].strip()
        verbatim = writer.verbatim(setting)
        writer.skip_comments(setting.span.end)
        writer.write(f"{setting.span.text if verbatim else f'{setting.key} = {value}'};", setting.span.end)
    _close(writer, close)


def _around(writer: _Writer, offset: int) -> tuple[int, int]:
    """Offsets of the braces around `offset`, where none are between."""
    start = max(brace for brace in writer.opens if brace < offset)
    return start, writer.braces[start]


def _map_decl(writer: _Writer, node: tree.MapDecl) -> None:
    if writer.verbatim(node):
        _as_is(writer, node, ";")
        return
    writer.reach(node.span.start)
    writer.write(f"let {node.name} = {node.kind}({render_expression(node.max_entries)});", node.span.end)


def _macro(writer: _Writer, node: tree.Macro) -> None:
    writer.reach(node.span.start)
    parameters = ", ".join(parameter.name for parameter in node.parameters)
    _block(writer, f"macro {node.name}({parameters})", node.body, node.body.span.start)


def _function(writer: _Writer, node: tree.Function) -> None:
    writer.reach(node.span.start)
    assert node.returns is not None
    pairs = [(p.name, render_type(p.type)) for p in node.parameters if p.type is not None]
    parameters = ", ".join(f"{name} : {type_}" for name, type_ in pairs)
    head = f"fn {node.name}({parameters}) : {render_type(node.returns)}"
    _block(writer, head, node.body, node.returns.span.end)


def _probe(writer: _Writer, node: tree.Probe) -> None:
    head = ""
    for point in node.points:
        writer.reach(point.span.start)
        comma = "" if point is node.points[-1] else ","
        head = point.span.text + comma
        writer.write(head, point.span.end)
    end = node.points[-1].span.end
    if node.predicate is not None:
        writer.reach(node.predicate.span.start)
        end = node.predicate.span.end
        verbatim = writer.verbatim(node.predicate)
        text = node.predicate.span.text if verbatim else render_expression(node.predicate)
        writer.skip_comments(end)
        space = " " if text[0] in "*/=" or verbatim else ""
        writer.write(f"/{space}{text}{space}/", end)
    elif len(node.points) == 1 and writer.lines[-1].strip() == head:
        writer.lines.pop()
        _block(writer, head, node.body, end)
        return
    _block(writer, "", node.body, end)


# ---- statements ------------------------------------------------------------------------------


def _block(writer: _Writer, head: str, body: Body, after: int) -> None:
    """`head { body }`, whose opening brace is the first past offset `after`."""
    start, close = writer.brace(after)
    if isinstance(body, tree.BlockExpr):
        statements, value = body.body, body.value
    else:
        statements, value = body, None
    writer.write(f"{head} {{" if head else "{", start + 1)
    writer.level, writer.fresh = writer.level + 1, True
    for statement in statements:
        _statement(writer, statement)
    if value is not None:
        _value(writer, value)
    _close(writer, close)


def _close(writer: _Writer, close: int) -> None:
    while writer.comments and writer.comments[-1].start < close:
        writer.reach(writer.comments[-1].start + 1)
    writer.level -= 1
    writer.write("}", close + 1)


def _statement(writer: _Writer, statement: tree.Stmt) -> None:
    writer.reach(statement.span.start)
    if render_heads(statement):
        _compound(writer, statement)
    elif writer.verbatim(statement):
        _as_is(writer, statement, ";")
    else:
        _simple(writer, statement)


def _value(writer: _Writer, value: tree.Expr) -> None:
    writer.reach(value.span.start)
    if isinstance(value, tree.IfExpr | tree.BlockExpr):
        _compound(writer, value)
        return
    text = value.span.text if writer.verbatim(value) else render_value(value)
    writer.skip_comments(value.span.end)
    writer.write(text, value.span.end)


def _compound(writer: _Writer, node: tree.Node) -> None:
    """A statement with blocks; what follows a block's `}` stands on the same line."""
    after = node.span.start
    link: Any = node
    for index, (head, body) in enumerate(render_heads(node)):
        if index and writer.lines[-1].strip() == "}":
            head = f"}} {head}"
            writer.lines.pop()
        if hasattr(link, "condition") and head.endswith(")"):
            after = max(after, link.condition.span.end)
            otherwise = getattr(link, "otherwise", None)
            link = otherwise[0] if isinstance(otherwise, tuple) and otherwise else otherwise
        elif isinstance(node, tree.ForRange):
            after = node.end.span.end
        elif isinstance(node, tree.Unroll):
            after = node.count.span.end
        _block(writer, head, body, after)
        after = writer.at


def _simple(writer: _Writer, statement: tree.Stmt) -> None:
    text = render_simple(statement) + ";"
    call = getattr(statement, "value", None) or getattr(statement, "expr", None)
    fits = len(INDENT) * writer.level + len(text) <= WIDTH
    if fits or not isinstance(call, tree.Call) or not call.args:
        writer.write(text, statement.span.end)
        return
    items = [render_expression(item) for item in call.args]
    head = text[: -len(f"({', '.join(items)});")]
    writer.write(f"{head}(", call.name_span.end)
    writer.level += 1
    for item in items:
        writer.write(item + ("" if item is items[-1] else ","), call.name_span.end)
    writer.level -= 1
    writer.write(");", statement.span.end)


_MEMBERS: dict[type, Callable[[_Writer, Any], None]] = {
    tree.CDefinition: _c_definition,
    tree.Import: _import,
    tree.MapDecl: _map_decl,
    tree.Macro: _macro,
    tree.Function: _function,
    tree.Probe: _probe,
}
