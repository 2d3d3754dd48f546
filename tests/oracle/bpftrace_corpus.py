"""The scripts in bpftrace's own unit tests, and what each says of them. Read where they lie; none is kept.

A case is a call of a test function whose first text is a script. What else the call is given differs from
file to file: `_READERS` says how.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/|\#[^\n]*(?:\\\n[^\n]*)*
    |R"(?P<mark>[^(]*)\((?P<raw>.*?)\)(?P=mark)"
    |"(?P<text>(?:[^"\\]|\\.)*)"
    |(?P<char>'(?:[^'\\]|\\.)+')
    |(?P<word>[A-Za-z_]\w*(?:::[A-Za-z_~]\w*)*)
    |(?P<number>\d[\w.]*)
    |(?P<punct>\S)""",
    re.S | re.X,
)

_ESCAPES = {"\n": "", "n": "\n", "t": "\t", "r": "\r", "0": "\0", "a": "\a"}
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{1,2}|u[0-9a-fA-F]{4}|[0-7]{1,3}|.)", re.S)

Token = tuple[str, str]
"""A kind ("text", "word", "number", "char", "punct"), and the text."""


class Case(NamedTuple):
    """A script, and what is said of it. `error` None: accepted; "": refused with any text."""

    file: str
    name: str
    number: int
    script: str
    error: str | None = None
    exact: bool = False
    warning: str = ""
    no_warning: str = ""
    unsafe: bool = False
    stage: str = "check"
    params: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"{self.file}.{self.name}.{self.number}"


def read_cases(folder: Path, file: str) -> list[Case]:
    """The cases of `file`.cpp in bpftrace's folder of tests."""
    tokens = list(_tokens((folder / f"{file}.cpp").read_text()))
    texts: dict[str, str] = {}
    cases: list[Case] = []
    name, counts, params = "", dict[str, int](), list[str]()
    for at, (kind, word) in enumerate(tokens):
        if kind != "word":
            continue
        _note_constant(tokens, at, texts)
        if word in ("TEST", "TEST_F", "TEST_P") and tokens[at + 1][1] == "(":
            name, params = tokens[at + 4][1], []
        elif word == "add_param" or word.endswith("::add_param"):
            params += [text for text in (_text(_arguments(tokens, at + 1)[0], texts),) if text is not None]
        elif name and word in _FUNCTIONS and tokens[at + 1][1] == "(":
            arguments = _arguments(tokens, at + 1)
            mocked = bool(arguments) and _text(arguments[0], texts) is None
            if mocked:
                arguments = arguments[1:]
            script = _text(arguments[0], texts) if arguments else None
            if script is None:
                continue
            number = counts[name] = counts.get(name, 0) + 1
            case = Case(file, name, number, script.lstrip("\n"), params=tuple(params))
            made = _READERS[file](case, word, arguments[1:], texts)
            if made is not None:
                cases.append(made)
    return cases


def _tokens(text: str) -> Iterator[Token]:
    for match in _TOKEN.finditer(text):
        if match["raw"] is not None:
            yield "text", match["raw"]
        elif match["text"] is not None:
            yield "text", _ESCAPE.sub(_unescape, match["text"])
        elif match.lastgroup in ("char", "word", "number", "punct"):
            yield match.lastgroup, match[0]


def _unescape(match: re.Match[str]) -> str:
    letter = match[1]
    if letter[0] in "xu" and len(letter) > 1:
        return chr(int(letter[1:], 16))
    if letter[0].isdigit():
        return chr(int(letter, 8))
    return _ESCAPES.get(letter, letter)


def _note_constant(tokens: list[Token], at: int, texts: dict[str, str]) -> None:
    """Put down a text that has a name: `std::string name = "…"`, up to where the name has another."""
    if at + 2 >= len(tokens) or tokens[at + 1][1] not in ("=", "(", "{"):
        return
    value = at + 2
    while tokens[value][0] == "text":
        value += 1
    if value > at + 2 and tokens[value][1] in (";", ")", "}"):
        texts[tokens[at][1]] = "".join([text for _, text in tokens[at + 2 : value]])


def _arguments(tokens: list[Token], at: int) -> list[list[Token]]:
    """The arguments of a call, `at` its opening parenthesis."""
    arguments: list[list[Token]] = [[]]
    depth = 0
    for kind, text in tokens[at:]:
        if kind == "punct" and text in "([{":
            depth += 1
            if depth == 1:
                continue
        elif kind == "punct" and text in ")]}":
            depth -= 1
            if not depth:
                break
        elif kind == "punct" and text == "," and depth == 1:
            arguments.append([])
            continue
        arguments[-1].append((kind, text))
    return [argument for argument in arguments if argument]


def _text(argument: list[Token], texts: dict[str, str]) -> str | None:
    """The text that an argument is, or None."""
    if len(argument) == 1 and argument[0][0] == "word":
        return texts.get(argument[0][1])
    if argument[0][1] in ("std::string", "std::string_view") and len(argument) > 3:
        argument = argument[2:-1]
    if all(kind == "text" for kind, _ in argument):
        return "".join(text for _, text in argument)
    return None


# ---- what the tests of each file are given


def _braced(case: Case, word: str, arguments: list[list[Token]], texts: dict[str, str]) -> Case | None:
    """`Error{"…"}`, `Warning{…}`, `NoWarning{…}`, `UnsafeMode::Enable`, in any order."""
    for argument in arguments:
        head = argument[0][1]
        text = (_text(argument[2:-1], texts) if len(argument) > 3 else "") or ""
        if head == "Error":
            case = case._replace(error=text.lstrip("\n"))
        elif head == "Warning":
            case = case._replace(warning=text.lstrip("\n"))
        elif head == "NoWarning":
            case = case._replace(no_warning=text.lstrip("\n"))
        elif head == "UnsafeMode::Enable":
            case = case._replace(unsafe=True)
        elif head in ("Mock", "NoFeatures::Enable"):
            return None  # another machine than the usual one
    return case


def _parser(case: Case, word: str, arguments: list[list[Token]], texts: dict[str, str]) -> Case | None:
    case = case._replace(stage="parse")
    if word == "test":
        return case
    error = _text(arguments[0], texts) if arguments else ""
    stage = "check" if "macro" in word else "points"
    return case._replace(error=(error or "").lstrip("\n"), exact=True, stage=stage)


def _plain(case: Case, word: str, arguments: list[list[Token]], texts: dict[str, str]) -> Case | None:
    """`test(script)`, `test_error(script, error)`, `test_warning(script, warning)`"""
    given = [_text(argument, texts) for argument in arguments]
    said = next((text for text in given if text is not None), "")
    if "error" in word:
        return case._replace(error=said.lstrip("\n"))
    if "no_warning" in word:
        return case._replace(no_warning=said)
    if "warning" in word:
        return case._replace(warning=said)
    return case


def _folded(case: Case, word: str, arguments: list[list[Token]], texts: dict[str, str]) -> Case | None:
    single = "comptime_if" in word
    end = "" if single else " exit();" if case.script[-1] in "};" else "; exit();"
    return _plain(case._replace(script=f"begin {{ {case.script}{end} }}"), word, arguments, texts)


def _expanded(case: Case, word: str, arguments: list[list[Token]], texts: dict[str, str]) -> Case | None:
    made = _plain(case, word, arguments, texts)
    return made._replace(stage="expand") if made is not None else None


def _typed(case: Case, word: str, arguments: list[list[Token]], texts: dict[str, str]) -> Case | None:
    """`test(script, error, warning, safe_mode)`"""
    given = [_text(argument, texts) for argument in arguments]
    if given and given[0]:
        case = case._replace(error=given[0].lstrip("\n"))
    if len(given) > 1 and given[1]:
        case = case._replace(warning=given[1].lstrip("\n"))
    return case._replace(unsafe=len(arguments) > 2 and arguments[2][0][1] == "false")


def _configured(case: Case, word: str, arguments: list[list[Token]], texts: dict[str, str]) -> Case | None:
    if "warning" in word:
        return _plain(case, word, arguments, texts)
    given = [_text(argument, texts) for argument in arguments]
    words = [argument[0][1] for argument in arguments]
    said = next((text for text in given if text is not None), None)
    if "false" in words:
        return case._replace(error=(said or "").lstrip("\n"), exact=said is not None)
    return case


def _warned(case: Case, word: str, arguments: list[list[Token]], texts: dict[str, str]) -> Case | None:
    """`test(script, error)`, of which nothing but the text is looked at."""
    return case._replace(error=_text(arguments[0], texts) or "")


def _named(case: Case, word: str, arguments: list[list[Token]], texts: dict[str, str]) -> Case | None:
    """`test(script, true or false)`"""
    refused = [a for a in arguments if a[0][1] in ("false", "true", "0", "1")]
    if refused and refused[0][0][1] == "false":
        return case._replace(error="")
    return case


Reader = "Callable[[Case, str, list[list[Token]], dict[str, str]], Case | None]"

_READERS: dict[str, Callable[[Case, str, list[list[Token]], dict[str, str]], Case | None]] = {
    "parser": _parser,
    "type_checker": _braced,
    "type_resolver": _braced,
    "fold_literals": _folded,
    "macro_expansion": _expanded,
    "pre_type_check": _typed,
    "config_analyser": _configured,
    "unstable_feature": _plain,
    "deprecated": _warned,
    "named_param": _plain,
    "builtins": _plain,
    "resource_analyser": _named,
    "control_flow_analyser": _plain,
    "recursion_check": _plain,
    "attachpoint_passes": _plain,
}
FILES = tuple(_READERS)

_WORDS = """
test test_error test_warning test_parse_failure test_macro_parse_failure test_not test_comptime_if
test_for_warning test_for_no_warning
"""
_FUNCTIONS = frozenset(_WORDS.split())
