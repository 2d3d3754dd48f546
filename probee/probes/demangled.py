"""Functions by the names that people wrote in C++, Rust and D: patterns of `cpp:`, `rust:` and `d:`."""

from __future__ import annotations

import re

from .glob import compile_glob

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..elf.file import Elf
    from ..elf.symbols import Symbol

LANGUAGES = ("cpp", "rust", "d")

_MANGLED = ("_Z", "_R", "_D")
# The hash at the end of a Rust symbol in the older mangling, which is C++'s otherwise.
_LEGACY_RUST = re.compile(r"17h[0-9a-f]{16}E(?:\.|$)")
_WORD = re.compile(r"\w+")
_SPACES = re.compile(r"\s+")


def iter_demangled(
    elf: Elf, language: str, pattern: str, demangle: Callable[[str], str]
) -> Iterator[tuple[str, Symbol]]:
    """(demangled name, symbol) of the functions in `elf` that were written in `language` and match.

    A pattern may leave out parameters, what templates return, and the spaces between; all overloads and all
    instances of templates whose names it fits are meant.
    """
    matches = compile_glob(_without_spaces(pattern)).fullmatch
    words = _WORD.findall(pattern)
    # All manglings write names with their lengths before them: most symbols are seen not to match so.
    needles = [f"{len(word)}{word}" for word in words if "operator" not in pattern and "*" not in pattern]

    def may_match(name: str) -> bool:
        return name.startswith(_MANGLED) and (not needles or needles[-1] in name or needles[0] in name)

    for symbol in elf.iter_functions(may_match):
        if _language_of(symbol.name) != language:
            continue
        text = demangle(symbol.name)
        forms = _short_forms_of_d(text) if language == "d" else _short_forms(text)
        if any(matches(_without_spaces(form)) for form in (text, *forms)):
            yield text, symbol


def _language_of(name: str) -> str:
    if name.startswith("_D"):
        return "d"
    return "rust" if name.startswith("_R") or _LEGACY_RUST.search(name) else "cpp"


def _without_spaces(text: str) -> str:
    return _SPACES.sub("", text)


def _short_forms(text: str) -> Iterator[str]:
    """A demangled name without the type that templates return, without its parameters, without both, and
    without the arguments of a template at the end, too."""
    yield _without_result(text)
    text = _before_last(text, "(", ")")
    yield text
    text = _without_result(text)
    yield text
    if text.endswith(">") and "operator" not in text:
        yield _before_last(text, "<", ">")


def _short_forms_of_d(text: str) -> Iterator[str]:
    """A demangled name without its parameters, and without the arguments of a template at the end, too."""
    text = _before_last(text, "(", ")")
    yield text
    if text.endswith(")"):
        yield _before_last(text, "(", ")").removesuffix("!")


def _before_last(text: str, opening: str, closing: str) -> str:
    """`text` up to the bracket that the last closing one closes; all of it where there is none."""
    depth = 0
    for at in range(text.rfind(closing), -1, -1):
        depth += {closing: 1, opening: -1}.get(text[at], 0)
        if not depth:
            return text[:at]
    return text


def _without_result(text: str) -> str:
    depth = 0
    for at, character in enumerate(text):
        depth += {"<": 1, "(": 1, ">": -1, ")": -1}.get(character, 0)
        if character == " " and not depth and "operator" not in text[:at]:
            return text[at + 1 :]
    return text
