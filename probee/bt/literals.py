"""Integer and string literals: spelling → value.

`LiteralError` says what is wrong and which characters of the spelling are meant; the parser turns
it into a diagnostic.
"""

from __future__ import annotations

_U64 = (1 << 64) - 1

# Suffix → greatest value, factor, whether it makes the literal unsigned.
_SUFFIXES: dict[str, tuple[int, int, bool]] = {
    "": (_U64, 1, False),
    "u": ((1 << 32) - 1, 1, True),
    "ul": (_U64, 1, True),
    "ull": (_U64, 1, True),
    "l": ((1 << 63) - 1, 1, False),
    "ll": ((1 << 63) - 1, 1, False),
    "ns": (_U64, 1, False),
    "us": (_U64, 1_000, False),
    "ms": (_U64, 1_000_000, False),
    "s": (_U64, 1_000_000_000, False),
    "m": (_U64, 60_000_000_000, False),
    "h": (_U64, 3_600_000_000_000, False),
    "d": (_U64, 86_400_000_000_000, False),
}

_DIGITS = {16: "0123456789abcdefABCDEF_", 10: "0123456789_", 8: "01234567_", 2: "01_"}
_PREFIXES = {"0x": 16, "0X": 16, "0b": 2, "0B": 2}

_ESCAPED = {"n": b"\n", "t": b"\t", "r": b"\r", '"': b'"', "\\": b"\\"}


class LiteralError(Exception):
    """`message` about characters `start` to `end` of the spelling."""

    def __init__(self, message: str, start: int, end: int, hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.start, self.end, self.hint = message, start, end, hint


def parse_integer(text: str) -> tuple[int, bool]:
    """Value of an integer literal, and whether its suffix makes it unsigned. Durations give ns.

    Decimal, hex, octal (`0NN`), binary, one digit with an exponent (`1e6`), `_` between digits, a
    C suffix or a unit of time. Raises `LiteralError`.
    """
    if text.isdecimal() and (text[0] != "0" or text == "0") and len(text) < 20:
        return int(text), False
    number, suffix = _split(text)
    known = _SUFFIXES.get(suffix) or _SUFFIXES.get(suffix.lower() if suffix.isupper() else suffix)
    if known is None:
        raise _bad_suffix(text, len(text) - len(suffix))
    greatest, factor, unsigned = known
    if number > greatest // factor:
        raise LiteralError(f"overflow error, maximum value is {greatest}: {text}", 0, len(text))
    return number * factor, unsigned


def _split(text: str) -> tuple[int, str]:
    """Value of the digits (and exponent) at the head of `text`, and what follows them."""
    base = _PREFIXES.get(text[:2], 10)
    start = 2 if base != 10 else 0
    if base == 10 and text[0] == "0" and text[1:].lstrip("_")[:1].isdecimal():
        base = 8
    rest = text[start:].lstrip(_DIGITS[base])
    digits = _strip(text, start, len(text) - len(rest))
    if base == 10 and rest[:1] in ("e", "E") and rest[1:2].isdecimal():
        after = rest[1:].lstrip(_DIGITS[10])
        exponent = _strip(text, len(text) - len(rest) + 1, len(text) - len(after))
        return _scaled(text, digits, exponent), after
    return int(digits[:70], base), rest


def _strip(text: str, start: int, end: int) -> str:
    """Characters `start` to `end` of `text` without underscores."""
    digits = text[start:end].replace("_", "")
    if not digits:
        raise LiteralError(f"expected digits after `{text[:start]}`", 0, len(text))
    if text[end - 1] == "_":
        raise LiteralError("trailing underscore in integer literal", end - 1, end)
    return digits


def _scaled(text: str, digits: str, exponent: str) -> int:
    if len(digits) > 1 or digits == "0":
        raise LiteralError(f"coefficient part of scientific literal must be 1-9: {text}", 0, len(text))
    return int(digits) * int(10 ** min(int(exponent[:9]), 20))


def _bad_suffix(text: str, at: int) -> LiteralError:
    suffix = text[at:]
    hint = "suffixes are u, ul, ull, l, ll and the times ns, us, ms, s, m, h, d"
    if suffix[0] in "eE":
        hint = "an exponent is a plain number, as in 1e6"
    elif text[0] == "0" and suffix[0] in "89":
        hint = "a number that starts with 0 is octal"
    return LiteralError(f"unknown suffix `{suffix}` of a number", at, len(text), hint)


def parse_string(text: str) -> bytes:
    """Bytes of a string literal, given with its quotes. Text is UTF-8. Raises `LiteralError`."""
    try:
        if "\\" not in text:
            return text[1:-1].encode("utf-8", "surrogateescape")
        parts = []
        at, last = 1, len(text) - 1
        while (backslash := text.find("\\", at, last)) >= 0:
            parts.append(text[at:backslash].encode("utf-8", "surrogateescape"))
            value, at = _escape(text, backslash)
            parts.append(value)
        parts.append(text[at:last].encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        raise LiteralError("the string holds half of a surrogate pair", 0, len(text)) from None
    return b"".join(parts)


def _escape(text: str, start: int) -> tuple[bytes, int]:
    """Value of the escape at offset `start` of a string, and the offset after it."""
    letter = text[start + 1]
    if letter in _ESCAPED:
        return _ESCAPED[letter], start + 2
    base, at, most = (16, start + 2, 2) if letter in "xX" else (8, start + 1, 3)
    digits = text[at : at + most]
    digits = digits[: len(digits) - len(digits.lstrip(_DIGITS[base][:-1]))]
    end = at + len(digits)
    if not digits:
        if base == 16:
            raise LiteralError(f"expected hex digits after `{text[start:at]}`", start, at)
        hint = r"escapes are \n \t \r \" \\ \NNN (octal) and \xHH; a backslash itself is \\"
        raise LiteralError(f"unknown escape `{text[start : start + 2]}`", start, start + 2, hint)
    if int(digits, base) > 255:
        message = f"{'hex' if base == 16 else 'octal'} escape sequence out of range '{text[start:end]}'"
        raise LiteralError(message, start, end, "the greatest is `\\377`")
    return bytes((int(digits, base),)), end
