r"""Text → tokens, one at a time, as the parser asks for them.

The language has no single set of tokens: an attach point such as `uprobe:/bin/*#x:"A::f"` is raw
text, a body is not. So `Tokens` reads only the token the parser stands on, and can be told to go on
from any offset (`seek`). Because a token may be read past the end of what is tokens (the start of
the next probe), what is no token is an error only when the parser has no use for it.

The kind of an operator or a keyword is its text; the other kinds are "name", "variable" (`$x`),
"map" (`@x`), "parameter" (`$1`, `$#`), "integer", "string", `CLOSE`, "end" and "bad".
"""

from __future__ import annotations

import re

from ..base.errors import SourceError
from ..base.source import Diagnostic, Span
from .literals import LiteralError, parse_integer, parse_string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from ..base.source import Source

_KEYWORDS = """
if else while for unroll let return break continue import true false
sizeof offsetof typeof typeinfo comptime struct union enum
"""
KEYWORDS = frozenset(_KEYWORDS.split())

# A slash before an opening brace ends a predicate, and never divides.
CLOSE = "/ {"

# White space and comments, which match in one way only, so that nothing is tried twice. (Possessive
# quantifiers would say that plainly, but Python 3.11 loses its place when an alternative inside one fails.)
_LAYOUT = r"\s*(?:(?://[^\n]*(?:\n|\Z)|/\*[^*]*\*+(?:[^/*][^*]*\*+)*/)\s*)*"

_GROUPS = (
    ("name", r"[A-Za-z_]\w*"),
    (
        "operator",
        r"<<=|>>=|\+\+|--|->|&&|\|\||<<|>>|\.\.|[-+*/%&|^=!<>]=|[-+*%&|^=!<>~?:;,.()\[\]{}]|/(?!\*)",
    ),
    ("variable", r"\$[A-Za-z_]\w*"),
    ("map", r"@(?:[A-Za-z_]\w*)?"),
    ("integer", r"[0-9]\w*"),
    ("string", r'"[^"\\]*(?:\\.[^"\\]*)*"'),  # over several lines too
    ("parameter", r"\$(?:[0-9]+|\#)"),
    ("end", r"\Z"),
    ("bad", r"(?s:.)"),
)
_KINDS = ("", *(kind for kind, _ in _GROUPS))
_match: Callable[[str, int], Any] = re.compile(
    _LAYOUT + "(?:" + "|".join(f"({pattern})" for _, pattern in _GROUPS) + ")", re.ASCII
).match

# Blocks and expressions may stand in one another this deep; each level costs the parser at most
# seven frames of Python's thousand. Operators and `else if` in a row make a tree as high as they are many.
MAX_DEPTH = 100
MAX_CHAIN = 500

# Other languages' words for what is spelled otherwise here.
_WORDS = {"and": "&&", "or": "||", "not": "!", "elif": "else if", "elsif": "else if", "elseif": "else if"}
_QUOTES = "'`‘’“”"


_TERMS = {
    "an expression": "expression",
    "a setting's name": "config key",
    "a variable after `for`": "variable in for loop",
    "a string after `import`": "string after 'import'",
    "the greatest number of entries": "positive integer for map declaration max entries",
    "`/` to close the predicate": "'/' to close predicate",
    "`;` after `import`": "';' after import",
}
"""What is expected → how bpftrace says that, where it says it otherwise."""


def _term(expected: str) -> str:
    if expected in _TERMS:
        return _TERMS[expected]
    if expected.startswith("a field's name"):
        return "identifier"
    return f"'{expected[1 : expected.index('`', 1)]}'" if expected[0] == "`" else expected


class Tokens:
    """The token at hand of `source` and a way forward. `params` are `$1` … for attach points.

    `kind`, `start` and `end` are of the token at hand, `last` is where the one before it ended,
    `opened` where the braces around it are.
    """

    __slots__ = ("source", "text", "params", "kind", "start", "end", "last", "depth", "opened")

    def __init__(self, source: Source, params: Sequence[str] = ()) -> None:
        self.source, self.text, self.params = source, source.text, params
        self.depth = 0
        self.opened: list[int] = []
        self.seek(0)

    def seek(self, offset: int) -> None:
        """Go on with the first token at or past `offset`."""
        self.end = offset
        self.advance()

    def advance(self) -> None:
        """Go on with the next token."""
        self.last = self.end
        match = _match(self.text, self.end)
        index = match.lastindex
        self.start, self.end = match.span(index)
        if index == 1:
            word = match[1]
            self.kind = word if word in KEYWORDS else "name"
        elif index == 2:
            self.kind = match[2]
            if self.kind == "/" and _match(self.text, self.end)[2] == "{":
                self.kind = CLOSE
        else:
            self.kind = _KINDS[index]

    @property
    def word(self) -> str:
        """Text of the token at hand."""
        return self.text[self.start : self.end]

    def span(self, start: int) -> Span:
        """From `start` to the end of the token before the one at hand."""
        return Span(self.source, start, self.last)

    def here(self) -> Span:
        """Span of the token at hand."""
        return Span(self.source, self.start, self.end)

    def accept(self, kind: str) -> bool:
        """Whether the token at hand is a `kind`; if so, it is passed."""
        if self.kind != kind:
            return False
        self.advance()
        return True

    def expect(self, kind: str, role: str = "") -> None:
        """Pass a token of `kind`; `role` ("to close the list") ends the complaint if there is none."""
        if self.kind != kind:
            raise self.unexpected(f"`{kind}`{' ' if role else ''}{role}")
        self.advance()

    def expect_word(self, what: str) -> str:
        """Pass a name, which may be a keyword; `what` is what it names."""
        if self.kind != "name" and self.kind not in KEYWORDS:
            raise self.unexpected(what)
        word = self.word
        self.advance()
        return word

    def integer_value(self) -> tuple[int, bool]:
        """Pass an integer; its value and whether it is unsigned."""
        try:
            value = parse_integer(self.word)
        except LiteralError as wrong:
            raise self._literal_error(wrong) from None
        self.advance()
        return value

    def string_value(self) -> bytes:
        """Pass a string; its value."""
        try:
            value = parse_string(self.word)
        except LiteralError as wrong:
            raise self._literal_error(wrong) from None
        self.advance()
        return value

    def deepen(self) -> None:
        """Note that a construct opens inside another; `self.depth -= 1` when it is done."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(f"nested more than {MAX_DEPTH} levels deep")

    def check_chain(self, length: int) -> None:
        """Refuse more than `MAX_CHAIN` links in a row: what walks the tree may recurse."""
        if length > MAX_CHAIN:
            raise self.error(f"more than {MAX_CHAIN} operators in one expression")

    def error(self, message: str, span: Span | None = None, hint: str | None = None) -> SourceError:
        """An error at `span`, the token at hand if not given, for the caller to raise."""
        return SourceError([Diagnostic("ERROR", f"syntax: {message}", span or self.here(), hint)])

    def unexpected(self, expected: str, hint: str | None = None) -> SourceError:
        """An error at the token at hand, for the caller to raise: `expected`, got that token. It is told in
        bpftrace's words, and in ours as a hint."""
        if self.kind == "bad":
            return self._bad_token()
        if self.kind == "end":
            if self.opened:
                line, column = self.source.position(self.opened[-1])
                hint = f"the `{{` of line {line}, column {column} is not closed"
            after = Span(self.source, self.last, self.last)
            got = "the end of the script"
        else:
            after, got, hint = self.here(), self._describe(), self._likely_mend() or hint
        ours = f"expected {expected}, got {got}" + (f": {hint}" if hint else "")
        return self.error(f"expected {_term(expected)}", after, ours)

    def _literal_error(self, wrong: LiteralError) -> SourceError:
        span = Span(self.source, self.start + wrong.start, self.start + wrong.end)
        return self.error(wrong.message, span, wrong.hint)

    def _describe(self) -> str:
        word = self.word if self.end - self.start <= 40 else self.word[:37] + "..."
        return f"keyword `{word}`" if self.kind in KEYWORDS else f"`{word}`"

    def _likely_mend(self) -> str | None:
        """What is probably meant by the token at hand, or the word before it, which can't stand here."""
        mend = _WORDS.get(self.word)
        if mend is None:
            before = re.search(r"[a-z]+\Z", self.text[max(self.last - 8, 0) : self.last])
            mend = _WORDS.get(before[0]) if before else None
        if mend is not None:
            return f"it is spelled `{mend}`"
        return "`==` compares, `=` assigns" if self.kind == "=" else None

    def _bad_token(self) -> SourceError:
        character = self.text[self.start]
        line_end = self.text.find("\n", self.start)
        to_line_end = Span(self.source, self.start, line_end if line_end >= 0 else len(self.text))
        if character == '"':
            return self.error("this string has no end", to_line_end, 'expected `"`')
        if character == "/":
            return self.error("this comment has no end", to_line_end, "expected `*/`")
        if character == "$":
            return self.error("expected identifier after '$'")
        shown = f"`{character}`" if character.isprintable() else f"U+{ord(character):04X}"
        hint = 'strings stand in double quotes: "…"' if character in _QUOTES else None
        return self.error(f"unknown character {shown}", hint=hint)
