"""C text at the head of a script: found here, understood elsewhere.

Only its extent matters: a directive is a line (more after backslashes), a definition runs to the
brace that closes it.
"""

from __future__ import annotations

import re

from ..base.source import Span
from . import tree
from .lexer import KEYWORDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .lexer import Tokens

# Braces that count. Comments and quoted text without an end run to the end: each is looked at once.
_BRACES = re.compile(
    r"""//[^\n]*|/\*[^*]*(?:\*+[^/*][^*]*)*(?:\*+/)?|"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?|([{}])"""
)


def c_definition(p: Tokens) -> tree.CDefinition:
    """c_definition = "#" line | ("struct" | "union" | "enum") … "{" … "}" {attribute} [";"]"""
    start = p.start
    if p.text[start] == "#":
        stop = _line_end(p.text, start)
        p.seek(stop)
        return _c_text(p, start, stop)
    p.advance()
    while p.kind == "name" or p.kind in KEYWORDS or p.kind == "(":
        if p.kind == "(":
            _parentheses(p)
        else:
            p.advance()
    if p.kind != "{":
        raise p.unexpected("`{`", "a definition in C gives the members")
    stop = _brace_end(p)
    p.seek(stop)
    while p.kind == "name" and p.word == "__attribute__":
        p.advance()
        if p.kind != "(" or p.text[p.end : p.end + 1] != "(":
            raise p.error("__attribute__ syntax error, expected '(('")
        _parentheses(p)
        stop = p.last
    p.accept(";")
    return _c_text(p, start, stop)


def _c_text(p: Tokens, start: int, stop: int) -> tree.CDefinition:
    return tree.CDefinition(Span(p.source, start, stop), p.text[start:stop])


def _line_end(text: str, start: int) -> int:
    """Offset of the end of the directive at `start`, without white space."""
    end = start
    while True:
        newline = text.find("\n", end)
        if newline < 0:
            newline = len(text)
        stop = start + len(text[start:newline].rstrip())
        if newline == len(text) or text[stop - 1] != "\\":
            return stop
        end = newline + 1


def _brace_end(p: Tokens) -> int:
    """Offset after the brace that closes the one at hand."""
    depth = 0
    for match in _BRACES.finditer(p.text, p.start):
        if match[1] == "{":
            depth += 1
        elif match[1] == "}":
            depth -= 1
            if depth == 0:
                return match.end()
    raise p.error("this `{` is not closed", hint="expected `}`")


def _parentheses(p: Tokens) -> None:
    """Pass a parenthesis and all in it."""
    depth = 0
    while True:
        if p.kind == "(":
            depth += 1
        elif p.kind == ")":
            depth -= 1
        elif p.kind in ("end", "bad", "{", "}", ";"):
            raise p.unexpected("`)`")
        p.advance()
        if depth == 0:
            return
