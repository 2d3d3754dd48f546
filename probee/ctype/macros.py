"""Macros of C's preprocessor (ISO C 6.10.3): definition, and expansion of a stream of tokens.

A token that came from a macro keeps the name of that macro in `hidden`, so that nothing expands for ever;
the number of tokens made is bounded, too, since a few lines can ask for billions.
"""

from __future__ import annotations

from ..base.record import record
from ..base.source import Source
from .tokens import MAX_DEPTH, Token, source_error, spell, tokenize

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST_TOKENS = 2_000_000
"""Tokens that all macros of a source may make."""


@record
class Macro:
    """`params` is None for a macro without parentheses; a variadic one's last parameter takes the rest."""

    name: str
    params: tuple[str, ...] | None
    variadic: bool
    body: tuple[Token, ...]

    @property
    def text(self) -> str:
        """The body as written, with one space for any white space."""
        return spell(list(self.body))


def parse_macro(line: list[Token]) -> Macro:
    """The macro of a `#define`, from the tokens after that word. Raises SourceError."""
    name, rest = line[0], line[1:]
    if not rest or rest[0].text != "(" or rest[0].spaced:
        return Macro(name.text, None, False, tuple(rest))
    params: list[str] = []
    at, variadic = 1, False
    while at < len(rest) and rest[at].text != ")":
        token = rest[at]
        if token.text == "...":
            variadic = True
            params.append("__VA_ARGS__")
        elif token.kind == "name" and not variadic:
            params.append(token.text)
            if at + 1 < len(rest) and rest[at + 1].text == "...":
                at, variadic = at + 1, True
        elif token.text != ",":
            raise source_error(token.span, f"expected a macro's parameter, got '{token.text}'")
        at += 1
    if at >= len(rest):
        raise source_error(name.span, f"the parameters of macro '{name.text}' are not closed by ')'")
    return Macro(name.text, tuple(params), variadic, tuple(rest[at + 1 :]))


class Macros:
    """The macros that are defined. `predefined` are texts by name, or by name and parameters as in
    `max(a,b)`; they are read when they are first used."""

    def __init__(self, predefined: dict[str, str]) -> None:
        self._predefined = {key.partition("(")[0]: (key, text) for key, text in predefined.items()}
        self.defined: dict[str, Macro] = {}
        self._used: dict[str, Macro] = {}  # of those predefined
        self._left = MOST_TOKENS
        self._depth = 0

    def find(self, name: str) -> Macro | None:
        """The macro called `name`, or None."""
        found = self.defined.get(name) or self._used.get(name)
        if found is None and name in self._predefined:
            head, text = self._predefined.pop(name)
            line = tokenize(Source(f"<{name}>", f"{head} {text}"))[:-1]
            found = self._used[name] = parse_macro(line)
        return found

    def define(self, macro: Macro) -> None:
        """Define a macro, in place of what had its name before."""
        self.undefine(macro.name)
        self.defined[macro.name] = macro

    def undefine(self, name: str) -> None:
        """Forget the macro `name`, if there is one."""
        self.defined.pop(name, None)
        self._used.pop(name, None)
        self._predefined.pop(name, None)

    def expand(self, tokens: list[Token]) -> list[Token]:
        """`tokens` with all macros replaced."""
        return list(self.iter_expanded(iter(tokens).__next__))

    def iter_expanded(self, read: Callable[[], Token]) -> Iterator[Token]:
        """What `read` gives, with all macros replaced, until it raises StopIteration."""
        pushed: list[Token] = []

        def take() -> Token | None:
            if pushed:
                return pushed.pop()
            try:
                return read()
            except StopIteration:
                return None

        while (token := take()) is not None:
            macro = self.find(token.text) if token.kind == "name" and token.text not in token.hidden else None
            if macro is None:
                yield token
                continue
            hidden = token.hidden | {macro.name}
            if macro.params is None:
                made = self._replaced(macro, {}, token, hidden)
            else:
                after = take()
                if after is None or after.text != "(" or after.kind != "punctuator":
                    if after is not None:
                        pushed.append(after)
                    yield token
                    continue
                arguments = self._arguments(macro, token, take)
                made = self._replaced(macro, arguments, token, hidden)
            pushed += reversed(made)

    def _arguments(
        self, macro: Macro, use: Token, take: Callable[[], Token | None]
    ) -> dict[str, list[Token]]:
        params = macro.params or ()
        found: list[list[Token]] = [[]]
        level = 1
        while True:
            token = take()
            if token is None or token.kind == "end":
                raise source_error(use.span, f"the arguments of macro '{macro.name}' are not closed by ')'")
            if token.kind == "punctuator":
                level += (token.text == "(") - (token.text == ")")
                if not level:
                    break
                if token.text == "," and level == 1 and not (macro.variadic and len(found) == len(params)):
                    found.append([])
                    continue
            found[-1].append(token)
        if found == [[]] and not params:
            found = []
        if macro.variadic and len(found) == len(params) - 1:
            found.append([])
        if len(found) != len(params):
            raise source_error(
                use.span, f"macro '{macro.name}' takes {len(params)} arguments, got {len(found)}"
            )
        return dict(zip(params, found, strict=True))

    def _replaced(
        self, macro: Macro, arguments: dict[str, list[Token]], use: Token, hidden: frozenset[str]
    ) -> list[Token]:
        """The body of `macro` with its arguments in it, at the place of `use`."""
        made: list[Token] = []
        expanded: dict[str, list[Token]] = {}
        body = macro.body
        at = 0
        while at < len(body):
            token = body[at]
            after = body[at + 1].text if at + 1 < len(body) else ""
            if token.text == "#" and macro.params is not None and after in arguments:
                text = spell(arguments[after]).replace("\\", "\\\\").replace('"', '\\"')
                made.append(Token("string", f'"{text}"', use.source, use.start, use.end, spaced=token.spaced))
                at += 2
                continue
            if token.text == "##" and made and at + 1 < len(body):
                right = arguments.get(after, [body[at + 1]])
                if made[-1].text == "," and macro.variadic and after == (macro.params or "")[-1]:
                    # GNU's `, ## __VA_ARGS__`: no arguments, no comma.
                    made[-1:] = [made[-1], *right] if right else []
                else:
                    _paste(made, right, use)
                at += 2
                continue
            if token.text in arguments and token.kind == "name":
                if after == "##":
                    taken = arguments[token.text] or [_nothing(use)]
                else:
                    if token.text not in expanded:
                        expanded[token.text] = self._expanded(arguments[token.text], use)
                    taken = expanded[token.text]
                made += _spaced(taken, token.spaced)
            else:
                made.append(token.moved(use))
            at += 1
            self._count(len(made), use)
        self._count(len(made), use)
        self._left -= len(made) + 1
        kept = [token.hiding(hidden) for token in made if token.kind != "nothing"]
        return _spaced(kept, use.spaced)

    def _count(self, made: int, use: Token) -> None:
        if made > self._left:
            raise source_error(use.span, f"expected macros that make at most {MOST_TOKENS} tokens, got more")

    def _expanded(self, argument: list[Token], use: Token) -> list[Token]:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise source_error(use.span, f"expected at most {MAX_DEPTH} uses of macros in one another")
        tokens = self.expand(argument)
        self._depth -= 1
        return tokens


def _spaced(tokens: list[Token], spaced: bool) -> list[Token]:
    """`tokens`, the first of which stands apart, or not, as what it replaces."""
    if not tokens or tokens[0].spaced == spaced:
        return tokens
    first = tokens[0].moved(tokens[0])
    first.spaced = spaced
    return [first, *tokens[1:]]


def _nothing(use: Token) -> Token:
    """What an empty argument leaves beside `##`."""
    return Token("nothing", "", use.source, use.start, use.end)


def _paste(made: list[Token], right: list[Token], use: Token) -> None:
    """Make one token of the last of `made` and the first of `right` (`##`)."""
    left = made.pop()
    head = right[0] if right else _nothing(use)
    text = left.text + head.text
    tokens = tokenize(Source(use.source.name, text))[:-1]
    if len(tokens) > 1:
        raise source_error(use.span, f"'##' of '{left.text}' and '{head.text}' makes no token")
    kind = tokens[0].kind if tokens else "nothing"
    made.append(Token(kind, text, use.source, use.start, use.end, spaced=left.spaced))
    made += right[1:]
