"""C text → preprocessing tokens (ISO C 6.4), and a cursor over them.

White space, comments and spliced lines are no tokens; what follows them knows it. What is no token of C is
of the kind "other", an error only for who has no use for it.
"""

from __future__ import annotations

import re

from ..base.errors import SourceError
from ..base.source import Diagnostic, Source, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LAYOUT = r"(?:[ \t\r\f\v]|\\[ \t\r]*\n|//(?:[^\n\\]|\\[\s\S])*|/\*[^*]*\*+(?:[^/*][^*]*\*+)*/)+"
_GROUPS = (
    ("layout", _LAYOUT),
    ("line", r"\n"),
    ("name", r"[A-Za-z_$][\w$]*"),
    ("number", r"\.?[0-9](?:[eEpP][+-]|[\w.])*"),
    ("string", r'(?:u8|[uUL])?"(?:[^"\\\n]|\\[\s\S])*"'),
    ("char", r"(?:u8|[uUL])?'(?:[^'\\\n]|\\[\s\S])+'"),
    (
        "punctuator",
        r"\.\.\.|<<=|>>=|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|\#\#|[-+*/%&|^~!<>=?:;,.()\[\]{}#]",
    ),
    ("other", r"[\s\S]"),
)
_KINDS = ("", *(kind for kind, _ in _GROUPS))
# Prefixes of strings and characters look like names, so these come first.
_ORDER = ("layout", "line", "string", "char", "name", "number", "punctuator", "other")
_pattern = re.compile("|".join(f"(?P<{kind}>{dict(_GROUPS)[kind]})" for kind in _ORDER), re.ASCII)


class Token:
    """One token. `spaced`: white space is before it; `first`: it is the first of its line.

    `hidden` are the macros it came from, which it doesn't name any more. `kind` is "name", "number",
    "string", "char", "punctuator", "other", "pragma" or "end".
    """

    __slots__ = ("kind", "text", "source", "start", "end", "spaced", "first", "hidden")

    def __init__(
        self,
        kind: str,
        text: str,
        source: Source,
        start: int,
        end: int,
        *,
        spaced: bool = False,
        first: bool = False,
        hidden: frozenset[str] = frozenset(),
    ) -> None:
        self.kind, self.text = kind, text
        self.source, self.start, self.end = source, start, end
        self.spaced, self.first, self.hidden = spaced, first, hidden

    @property
    def span(self) -> Span:
        """Where it is; a token that a macro made is where the macro was used."""
        return Span(self.source, self.start, self.end)

    def moved(self, to: Token) -> Token:
        """This token at the place of `to`, the use of a macro."""
        return Token(
            self.kind, self.text, to.source, to.start, to.end, spaced=self.spaced, hidden=self.hidden
        )

    def hiding(self, hidden: frozenset[str]) -> Token:
        """This token where it is, which doesn't name the macros `hidden` either."""
        return Token(
            self.kind,
            self.text,
            self.source,
            self.start,
            self.end,
            spaced=self.spaced,
            hidden=self.hidden | hidden,
        )


def tokenize(source: Source) -> list[Token]:
    """All tokens of `source`, the last of the kind "end". Raises SourceError."""
    text, tokens = source.text, list[Token]()
    spaced, first = False, True
    for match in _pattern.finditer(text):
        kind = match.lastgroup or "other"
        if kind == "line":
            first = spaced = True
            continue
        start, end = match.span()
        if kind == "layout":
            spaced = True
            continue
        if kind == "punctuator" and match[0] == "/" and text.startswith("/*", start):
            raise source_error(Span(source, start, start + 2), "this comment has no end")
        tokens.append(Token(kind, match[0], source, start, end, spaced=spaced, first=first))
        spaced = first = False
    tokens.append(Token("end", "", source, len(text), len(text), spaced=True, first=True))
    return tokens


def spell(tokens: list[Token]) -> str:
    """The tokens as text, one space where there was any."""
    return "".join(" " * (t.spaced and n > 0) + t.text for n, t in enumerate(tokens))


def source_error(span: Span, message: str, hint: str | None = None) -> SourceError:
    """A `SourceError` with a caret, to be raised by the caller."""
    return SourceError((Diagnostic("ERROR", message, span, hint),))


def between(first: Token, last: Token) -> Span:
    """From `first` to `last`, where both are of one source."""
    span = first.span
    return span.to(last.span) if first.source is last.source else span


class Cursor:
    """The token at hand of a stream, `token`, and a way forward."""

    def __init__(self, tokens: Iterator[Token]) -> None:
        self._next: Callable[[], Token] = tokens.__next__
        self._ahead: list[Token] = []
        self.token = self._next()
        self.last = self.token
        self.depth = 0

    def advance(self) -> Token:
        """Pass the token at hand, which is returned. The one at the end stays."""
        self.last = passed = self.token
        if passed.kind != "end":
            self.token = self._ahead.pop(0) if self._ahead else self._next()
        return passed

    def peek(self) -> Token:
        """The token after the one at hand."""
        if self.token.kind == "end":
            return self.token
        if not self._ahead:
            self._ahead.append(self._next())
        return self._ahead[0]

    def at(self, text: str) -> bool:
        """Whether the token at hand is that punctuator or word."""
        token = self.token
        return token.text == text and token.kind in ("punctuator", "name")

    def accept(self, text: str) -> bool:
        """Whether the token at hand is `text`; if so, it is passed."""
        if self.at(text):
            self.advance()
            return True
        return False

    def expect(self, text: str, why: str) -> Token:
        """Pass `text`, or raise the error that it is expected `why`."""
        if not self.at(text):
            raise self.unexpected(f"'{text}' {why}")
        return self.advance()

    def unexpected(self, wanted: str) -> SourceError:
        """The error that something else than the token at hand is wanted."""
        token = self.token
        got = "the end" if token.kind == "end" else f"'{token.text}'"
        return source_error(token.span, f"expected {wanted}, got {got}")

    def nest(self) -> None:
        """Go one level deeper; who does goes back by `depth -= 1`. Raises SourceError at the limit."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise source_error(self.token.span, f"expected at most {MAX_DEPTH} levels in one another")

    def pass_balanced(self) -> None:
        """Pass a `(`, `[` or `{` and all up to its match."""
        opened = self.advance()
        level = 1
        while level:
            if self.token.kind == "end":
                raise source_error(opened.span, f"'{opened.text}' is not closed")
            if self.token.kind == "punctuator":
                level += (self.token.text in "([{") - (self.token.text in ")]}")
            self.advance()


MAX_DEPTH = 50
"""Levels of structs, parentheses and brackets: each costs up to twelve frames of Python's thousand."""
