"""C's preprocessor (ISO C 6.10): directives, conditionals, and the files that are included.

What a file holds is asked of a callback, so nothing is opened here. An included file that others provide
(the kernel's types come from its BTF) is an empty one.
"""

from __future__ import annotations

from ..base.source import Source
from .expressions import Constants, parse_string
from .macros import Macros, parse_macro
from .tokens import Cursor, Token, between, source_error, spell, tokenize
from .types import INT64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from ..base.source import Span
    from .expressions import Value

    Include: TypeAlias = Callable[[str, str, Source], Source | None]

MOST_INCLUDED = 64
"""Files that may include one another."""
MOST_FILES = 5000


class _File:
    """An open file: what of it is left, and its conditionals [one was taken, #else was seen, where]."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.tokens = tokenize(source)
        self.at = 0
        self.conditions: list[tuple[bool, bool, Token]] = []


class Preprocessor:
    """Expanded tokens of a source and of what it includes.

    `include(name, form, source)` is the file that `source` means by "name" (form "quoted"), by <name>
    ("angled"), or by an #include_next ("next": from the folder after its own); None if there is none.
    Raises SourceError.
    """

    def __init__(self, source: Source, macros: Macros, include: Include | None = None) -> None:
        self.macros = macros
        self._include = include
        self._files = [_File(source)]
        self._opened = 1
        self._once: set[str] = set()

    def iter_tokens(self) -> Iterator[Token]:
        """All tokens, expanded, the last of the kind "end". A `#pragma pack` is a token of its own."""
        return self.macros.iter_expanded(self._read)

    def _read(self) -> Token:
        """The next token that is in no directive, from the innermost file."""
        while self._files:
            file = self._files[-1]
            token = file.tokens[file.at]
            if token.first and token.text == "#" and token.kind == "punctuator":
                made = self._directive(file)
                if made is not None:
                    return made
                continue
            if token.kind != "end":
                file.at += 1
                return token
            if file.conditions:
                raise source_error(file.conditions[-1][2].span, "this has no #endif")
            self._files.pop()
            if not self._files:
                return token
        raise StopIteration

    # -- directives -------------------------------------------------------------------------------

    def _line(self, file: _File) -> list[Token]:
        """The tokens of the line at hand, passed."""
        start = file.at
        file.at += 1
        while not file.tokens[file.at].first:
            file.at += 1
        return file.tokens[start : file.at]

    def _directive(self, file: _File) -> Token | None:
        line = self._line(file)
        if len(line) == 1 or line[1].kind == "number":  # "# 33 "file"" is where a line came from
            return None
        word = line[1].text
        if word == "pragma":
            return self._pragma(file, line)
        handle = _DIRECTIVES.get(word)
        if handle is None:
            raise source_error(line[1].span, f"expected a directive, got '#{word}'")
        handle(self, file, line)
        return None

    def _define(self, file: _File, line: list[Token]) -> None:
        self.macros.define(parse_macro([_named(line), *line[3:]]))

    def _undef(self, file: _File, line: list[Token]) -> None:
        self.macros.undefine(_named(line).text)

    def _error(self, file: _File, line: list[Token]) -> None:
        raise source_error(between(line[0], line[-1]), f"#error {spell(line[2:])}")

    def _ignore(self, file: _File, line: list[Token]) -> None:
        """#warning, #line, #ident: nothing that changes a type."""

    def _pragma(self, file: _File, line: list[Token]) -> Token | None:
        words = [t.text for t in line[2:]]
        if words == ["once"]:
            self._once.add(file.source.name)
        if words[:1] != ["pack"]:
            return None
        first, last = line[0], line[-1]
        return Token("pragma", " ".join(words), file.source, first.start, last.end)

    def _included(self, file: _File, line: list[Token]) -> None:
        rest = line[2:]
        if not rest:
            raise source_error(between(line[0], line[1]), 'expected "file" or <file> after #include')
        if rest[0].kind != "string" and rest[0].text != "<":
            rest = self.macros.expand(rest)
        if rest and rest[0].kind == "string":
            name, form = parse_string(rest[0]), "quoted"
        elif len(rest) > 2 and rest[0].text == "<" and rest[-1].text == ">":
            name, form = spell(rest[1:-1]), "angled"
        else:
            raise source_error(between(line[0], line[-1]), 'expected "file" or <file> after #include')
        span = between(line[0], line[-1])
        form = "next" if line[1].text == "include_next" else form
        found = self._include(name, form, file.source) if self._include else None
        if found is None:
            raise source_error(span, f"'{name}' file not found")
        self._open(found, span)

    def _open(self, source: Source, span: Span) -> None:
        self._opened += 1
        if source.name in self._once:
            return
        if len(self._files) >= MOST_INCLUDED or self._opened > MOST_FILES:
            raise source_error(span, f"expected files at most {MOST_INCLUDED} deep in one another, got more")
        self._files.append(_File(source))

    # -- conditionals -----------------------------------------------------------------------------

    def _if(self, file: _File, line: list[Token]) -> None:
        self._enter(file, line, self._test(file, line))

    def _ifdef(self, file: _File, line: list[Token]) -> None:
        self._enter(file, line, self.macros.find(_named(line).text) is not None)

    def _ifndef(self, file: _File, line: list[Token]) -> None:
        self._enter(file, line, self.macros.find(_named(line).text) is None)

    def _enter(self, file: _File, line: list[Token], taken: bool) -> None:
        file.conditions.append((taken, False, line[0]))
        if not taken:
            self._skip(file)

    def _other(self, file: _File, line: list[Token]) -> None:
        """#elif, #else and the like after a group that was taken."""
        self._check_open(file, line)
        taken, ended, opened = file.conditions[-1]
        if ended:
            raise source_error(between(line[0], line[1]), f"#{line[1].text} after #else")
        file.conditions[-1] = taken, line[1].text == "else", opened
        self._skip(file)

    def _endif(self, file: _File, line: list[Token]) -> None:
        self._check_open(file, line)
        file.conditions.pop()

    def _check_open(self, file: _File, line: list[Token]) -> None:
        if not file.conditions:
            raise source_error(between(line[0], line[1]), f"#{line[1].text} without #if")

    def _skip(self, file: _File) -> None:
        """Pass all up to the group of the conditional at hand that is to be taken, or its end."""
        level = 0
        while True:
            token = file.tokens[file.at]
            if token.kind == "end":
                raise source_error(file.conditions[-1][2].span, "this has no #endif")
            if not (token.first and token.text == "#"):
                file.at += 1
                continue
            line = self._line(file)
            word = line[1].text if len(line) > 1 else ""
            if word in ("if", "ifdef", "ifndef"):
                level += 1
            elif word == "endif":
                if not level:
                    file.conditions.pop()
                    return
                level -= 1
            elif not level and word in _ELSES and self._takes(file, line, word):
                return

    def _takes(self, file: _File, line: list[Token], word: str) -> bool:
        taken, ended, opened = file.conditions[-1]
        if ended:
            raise source_error(between(line[0], line[1]), f"#{word} after #else")
        takes = not taken and _ELSES[word](self, file, line)
        file.conditions[-1] = taken or takes, word == "else", opened
        return takes

    def _test(self, file: _File, line: list[Token]) -> bool:
        """The value of the expression of an #if or #elif."""
        if len(line) < 3:
            raise source_error(between(line[0], line[-1]), f"#{line[1].text} has no expression")
        tokens = self.macros.expand(self._asked(file, line[2:]))
        last = line[-1]
        end = Token("end", "", last.source, last.end, last.end)
        cursor = Cursor(iter([*tokens, end]))
        value = Constants(cursor, _zero, wide=True).constant()
        if cursor.token.kind != "end":
            raise cursor.unexpected("an operator")
        return value != 0

    def _asked(self, file: _File, tokens: list[Token]) -> list[Token]:
        """`tokens` with every `defined X` and `__has_include(…)` replaced by 1 or 0."""
        made: list[Token] = []
        rest = iter(tokens)
        for token in rest:
            if token.text not in ("defined", "__has_include", "__has_attribute", "__has_builtin"):
                made.append(token)
                continue
            asked = [t for t in [next(rest, None)] if t is not None]
            if asked and asked[0].text == "(":
                asked = []
                for inner in rest:
                    if inner.text == ")":
                        break
                    asked.append(inner)
            if not asked:
                raise source_error(token.span, f"expected a name after {token.text}")
            number = str(int(self._answer(file, token.text, asked)))
            made.append(Token("number", number, token.source, token.start, token.end))
        return made

    def _answer(self, file: _File, word: str, asked: list[Token]) -> bool:
        if word == "defined":
            return self.macros.find(asked[0].text) is not None or asked[0].text == "__has_include"
        if word == "__has_include" and self._include is not None:
            text = spell(asked)
            form = "quoted" if text[0] == '"' else "angled"
            return self._include(text[1:-1], form, file.source) is not None
        return False


def _zero(token: Token) -> Value:
    """In #if, a name that is no macro is 0."""
    return 0, INT64


def _named(line: list[Token]) -> Token:
    if len(line) < 3 or line[2].kind != "name":
        raise source_error(between(line[0], line[-1]), f"expected a name after #{line[1].text}")
    return line[2]


_DIRECTIVES: dict[str, Callable[[Preprocessor, _File, list[Token]], None]] = {
    "define": Preprocessor._define,
    "undef": Preprocessor._undef,
    "include": Preprocessor._included,
    "include_next": Preprocessor._included,
    "if": Preprocessor._if,
    "ifdef": Preprocessor._ifdef,
    "ifndef": Preprocessor._ifndef,
    "elif": Preprocessor._other,
    "elifdef": Preprocessor._other,
    "elifndef": Preprocessor._other,
    "else": Preprocessor._other,
    "endif": Preprocessor._endif,
    "error": Preprocessor._error,
    "warning": Preprocessor._ignore,
    "line": Preprocessor._ignore,
    "ident": Preprocessor._ignore,
}
_ELSES: dict[str, Callable[[Preprocessor, _File, list[Token]], bool]] = {
    "elif": Preprocessor._test,
    "elifdef": lambda self, file, line: self.macros.find(_named(line).text) is not None,
    "elifndef": lambda self, file, line: self.macros.find(_named(line).text) is None,
    "else": lambda self, file, line: True,
}
