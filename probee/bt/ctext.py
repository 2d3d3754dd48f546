"""C text at the head of a script: found here, understood elsewhere.

Only its extent matters: a directive is a line (more after backslashes), a definition runs to the
brace that closes it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..base.source import Span
from . import tree
from .lexer import LAYOUT

if TYPE_CHECKING:
    from .lexer import Tokens

_DIRECTIVE = re.compile(r"(?:\\\r?\n|[^\n])*+")
_HEAD = re.compile(rf"(?:{LAYOUT}(?:\w++|\((?:[^()]++|\([^()]*+\))*+\)))*+{LAYOUT}\{{", re.ASCII)
# Comments and quoted text that have no end run to the end, so that each is looked at once.
_BRACES = re.compile(
    r"""//[^\n]*+|/\*(?:[^*]++|\*(?!/))*+(?:\*/)?|"(?:[^"\\\n]|\\.)*+"?|'(?:[^'\\\n]|\\.)*+'?|([{}])"""
)
_ATTRIBUTE = re.compile(rf"{LAYOUT}__attribute__\b{LAYOUT}", re.ASCII)
_ATTRIBUTE_LIST = re.compile(r"\(\((?:[^()]++|\((?:[^()]++|\([^()]*+\))*+\))*+\)\)")


def c_definition(p: Tokens) -> tree.CDefinition:
    """c_definition = "#" line | ("struct" | "union" | "enum") … "{" … "}" {attribute} [";"]"""
    start = p.start
    if p.text[start] == "#":
        match = _DIRECTIVE.match(p.text, start)
        stop = start + len(match[0].rstrip()) if match else start
        p.seek(stop)
        return _c_text(p, start, stop)
    head = _HEAD.match(p.text, start)
    if head is None:
        p.advance()
        p.expect_word("a name")
        raise p.unexpected("`{`")
    stop = _attributes(p, _brace_end(p, head.end()))
    p.seek(stop)
    p.accept(";")
    return _c_text(p, start, stop)


def _c_text(p: Tokens, start: int, stop: int) -> tree.CDefinition:
    return tree.CDefinition(Span(p.source, start, stop), p.text[start:stop])


def _brace_end(p: Tokens, offset: int) -> int:
    """Offset after the brace that closes the one that ends at `offset`."""
    depth = 1
    for match in _BRACES.finditer(p.text, offset):
        if match[1] == "{":
            depth += 1
        elif match[1] == "}":
            depth -= 1
            if depth == 0:
                return match.end()
    raise p.error("this `{` is not closed", Span(p.source, offset - 1, offset), "expected `}`")


def _attributes(p: Tokens, offset: int) -> int:
    """Offset after the `__attribute__((…))`s at `offset`."""
    while (word := _ATTRIBUTE.match(p.text, offset)) is not None:
        arguments = _ATTRIBUTE_LIST.match(p.text, word.end())
        if arguments is None:
            p.seek(word.end())
            raise p.unexpected("`((…))` after `__attribute__`")
        offset = arguments.end()
    return offset
