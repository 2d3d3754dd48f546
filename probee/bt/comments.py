"""What the tree of a script leaves out and a formatter needs: comments, and where blocks end.

Comments stand between tokens only: not in strings, attach points or C text.
"""

from __future__ import annotations

import re

from ..base.record import record
from .lexer import Tokens

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import tree

_COMMENT = re.compile(r"//[^\n]*|/\*[^*]*\*+(?:[^/*][^*]*\*+)*/")


@record
class Comment:
    """A comment with its marks. `own_line` tells that nothing but white space is before it on its line."""

    start: int
    end: int
    text: str
    own_line: bool


@record
class Layout:
    """Comments in order, and for each opening brace of a body its offset and that of its closing one."""

    comments: tuple[Comment, ...]
    braces: dict[int, int]


def find_layout(script: tree.Script) -> Layout:
    """Comments and braces of a script that has been parsed."""
    text = script.source.text
    raw = {c.span.start: c.span.end for c in script.c_definitions}
    raw.update((point.span.start, point.span.end) for probe in script.probes for point in probe.points)
    comments: list[Comment] = []
    opened: list[int] = []
    braces: dict[int, int] = {}
    p = Tokens(script.source)
    if text.startswith("#!", p.start):
        raw[p.start] = (text + "\n").index("\n", p.start)
    while True:
        for match in _COMMENT.finditer(text, p.last, p.start):
            own_line = not text[text.rfind("\n", 0, match.start()) + 1 : match.start()].strip()
            comments.append(Comment(match.start(), match.end(), match[0].rstrip(), own_line))
        if p.kind == "end":
            return Layout(tuple(comments), braces)
        if p.start in raw:
            p.seek(raw[p.start])
            continue
        if p.kind == "{":
            opened.append(p.start)
        elif p.kind == "}":
            braces[opened.pop()] = p.start
        p.advance()
