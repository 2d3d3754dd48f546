"""Attach points: raw text, not tokens.

An attach point runs to white space, a comma or an opening brace that is not in quotes, or to a
slash before its first colon (what follows is a predicate then; after a colon it is a path).
`$1` … outside of quotes stand for arguments of the script. Colons split what they expand to, too.
"""

from __future__ import annotations

from ..base.source import Span
from . import tree
from .lexer import CLOSE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .lexer import Tokens

_PREDICATE = "a predicate belongs to a probe, as in `kprobe:f / pid == 1 / { … }`"
_HINTS = {
    "{": "actions belong to a probe, as in `begin { … }`",
    "}": "there is one `}` too many before",
    "/": _PREDICATE,
    CLOSE: _PREDICATE,
    "map": "a map is declared with `let @name = hash(100);`",
}

_BEGINNINGS = frozenset('_*["$')
_ENDS = frozenset(" \t\r\n\f\v{,")


def attach_point(p: Tokens) -> tree.AttachPoint:
    """attach_point = [name "="] provider {":" argument}"""
    start = p.start
    stop = _raw_end(p, start)
    if stop == start or not (p.text[start].isalnum() or p.text[start] in _BEGINNINGS):
        raise p.unexpected("a probe", _HINTS.get(p.kind))
    span = Span(p.source, start, stop)
    text = _expand(p, start, stop)
    parts = _parts(text)
    p.seek(stop)
    name = ""
    before, equals, after = parts[0].partition("=")
    if equals and after:
        name, parts[0] = before, after
    return tree.AttachPoint(span, text, parts[0], tuple(parts[1:]), name)


def _raw_end(p: Tokens, at: int) -> int:
    """Offset of the end of the attach point at `at`."""
    text, colon = p.text, False
    while at < len(text) and text[at] not in _ENDS:
        if text[at] == '"':
            p.seek(at)
            if p.kind != "string":
                raise p.unexpected("a quoted part of an attach point")
            at = p.end
            continue
        if text[at] == "/" and not colon:
            break
        colon = colon or text[at] == ":"
        at += 1
    return at


def _expand(p: Tokens, start: int, stop: int) -> str:
    """Text from `start` to `stop` with parameters in place of `$1` …"""
    raw = p.text[start:stop]
    if "$" not in raw:
        return raw
    import re

    def replacement(match: re.Match[str]) -> str:
        if match[0][0] == '"':
            return match[0]
        number = match[1] or ""
        if not number.isdecimal() or number[0] == "0" or len(number) > 9:
            span = Span(p.source, start + match.start(), start + match.end())
            hint = 'a `$` that is meant as such stands in quotes: "$"'
            raise p.error(f"expected a parameter's number after `$`, got `{span.text}`", span, hint)
        return p.params[int(number) - 1] if int(number) <= len(p.params) else ""

    return re.sub(r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"|\$([0-9]+|.?)', replacement, raw)


def _parts(text: str) -> list[str]:
    """Text between colons, without quotes. An `@` outside of quotes is a part of its own."""
    if '"' not in text:
        return text.replace("@", ":@:").split(":")
    parts = [""]
    quoted = False
    at = 0
    while at < len(text):
        character = text[at]
        if character == '"':
            quoted = not quoted
        elif not quoted and character in ":@":
            parts += ["@", ""] if character == "@" else [""]
        else:
            if quoted and character == "\\":
                at += 1
            parts[-1] += text[at : at + 1]
        at += 1
    return parts
