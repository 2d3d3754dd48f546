"""Rust's mangling before RFC 2603, and rustc's default until it: C++'s nested names, the last one a hash."""

from __future__ import annotations

import re

_NAME = re.compile(r"_ZN((?:\d+[^\d].*)?)17h[0-9a-f]{16}E(\.[\w.@$]*)?$", re.ASCII)
_LENGTH = re.compile(r"\d{1,5}", re.ASCII)
_ESCAPE = re.compile(r"\$([A-Z]{1,2}|u[0-9a-f]{1,6})\$|\.\.", re.ASCII)
_SIGNS = {"SP": "@", "BP": "*", "RF": "&", "LT": "<", "GT": ">", "LP": "(", "RP": ")", "C": ","}


def demangle(name: str) -> str | None:
    """The path that `name` stands for, without its hash; None when it is not of this mangling.

    What a later pass of the compiler put behind it (`.cold`, but not `.llvm.123`) stays.
    """
    found = _NAME.match(name)
    if found is None:
        return None
    parts, rest = [], found[1]
    while rest:
        length = _LENGTH.match(rest)
        size = int(length[0]) if length else 0
        start = length.end() if length else 0
        if not size or len(rest) < start + size:
            return None
        parts.append(_unescape(rest[start : start + size]))
        rest = rest[start + size :]
    return "::".join(parts) + drop_llvm(found[2] or "") if parts else None


def drop_llvm(suffix: str) -> str:
    """A suffix without the unique number that LLVM adds to names it makes global."""
    return suffix.partition(".llvm.")[0]


def _unescape(part: str) -> str:
    # An identifier has to begin with a letter, so an escape at the start has an underscore before it.
    if part.startswith("_$"):
        part = part[1:]
    return _ESCAPE.sub(_replace, part)


def _replace(found: re.Match[str]) -> str:
    code = found[1]
    if code is None:
        return "::"
    if code[0] == "u":
        number = int(code[1:], 16)
        printable = number <= 0x10FFFF and chr(number).isprintable()
        return chr(number) if printable else found[0]
    return _SIGNS.get(code, found[0])
