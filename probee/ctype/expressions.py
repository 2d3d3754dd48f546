"""Constant expressions of C (ISO C 6.6) with the types C gives them: widths, signs and conversions count.

Each function is named for its rule of the grammar. A value that C leaves undefined, such as 1/0, is no error
where it isn't used: `1 || 1/0`.
"""

from __future__ import annotations

import re

from ..base.bits import signed, unsigned
from .tokens import Cursor, Token, source_error
from .types import INT32, INT64, UINT32, UINT64, CType, Int

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    Value: TypeAlias = tuple[int | None, Int]

_LEVELS = (
    ("||",),
    ("&&",),
    ("|",),
    ("^",),
    ("&",),
    ("==", "!="),
    ("<", ">", "<=", ">="),
    ("<<", ">>"),
    ("+", "-"),
    ("*", "/", "%"),
)
_LEVEL = {operator: level for level, operators in enumerate(_LEVELS) for operator in operators}

_integer = re.compile(r"(0[xX][0-9a-fA-F]+|0[bB][01]+|[0-9]+)([uUlL]*)\Z").match
_SUFFIXES = {
    "": (False, False),
    "u": (True, False),
    "l": (False, True),
    "ul": (True, True),
    "lu": (True, True),
}
_escape = re.compile(r"\\(?:([0-7]{1,3})|x([0-9a-fA-F]+)|([\s\S]))").sub
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "e": "\x1b"}


class Constants:
    """Evaluates constant expressions at a cursor.

    `named(token)` is the value of a name, None if it has none; `typed(cursor)` parses a type's
    name between parentheses, None if there is none. Where `wide` is set, all is 64 bits, as in `#if`.
    """

    def __init__(
        self,
        cursor: Cursor,
        named: Callable[[Token], Value | None],
        typed: Callable[[], CType | None] = lambda: None,
        called: Callable[[Token], Value | None] = lambda token: None,
        *,
        wide: bool = False,
    ) -> None:
        self._cursor, self._named, self._typed, self._called = cursor, named, typed, called
        self._wide = wide

    def constant(self) -> int:
        """constant = conditional. Raises SourceError where it is none, or has no value."""
        start = self._cursor.token
        number, _ = self.conditional()
        if number is None:
            raise source_error(start.span, "this has no value: it divides by zero, or shifts too far")
        return number

    def conditional(self) -> Value:
        """conditional = binary ["?" [conditional] ":" conditional]"""
        cursor = self._cursor
        test = self.binary(0)
        if not cursor.accept("?"):
            return test
        cursor.nest()
        then = test if cursor.at(":") else self.conditional()
        cursor.expect(":", "between the two results of '?'")
        other = self.conditional()
        cursor.depth -= 1
        type = _common(then[1], other[1])
        chosen = then if test[0] else other
        return (None if test[0] is None or chosen[0] is None else _wrap(chosen[0], type)), type

    def binary(self, level: int) -> Value:
        """binary = unary {operator unary}, operators of at least `level`"""
        cursor = self._cursor
        left = self.unary()
        while cursor.token.kind == "punctuator":
            operator = cursor.token.text
            here = _LEVEL.get(operator, -1)
            if here < level:
                break
            cursor.advance()
            left = _apply(operator, left, self.binary(here + 1))
        return left

    def unary(self) -> Value:
        """unary = ("-" | "+" | "~" | "!") unary | "(" type ")" unary | sizeof | primary"""
        cursor = self._cursor
        cursor.nest()
        token = cursor.token
        if token.kind == "punctuator" and token.text in ("-", "+", "~", "!"):
            cursor.advance()
            value = _negated(token.text, self.unary())
        elif token.kind == "punctuator" and token.text == "(":
            cursor.advance()
            type = self._typed()
            if type is None:
                value = self.conditional()
                cursor.expect(")", "to close the parenthesis")
            else:
                cursor.expect(")", "to close the cast")
                value = _cast(self.unary(), type, token)
        else:
            value = self.primary()
        cursor.depth -= 1
        return value

    def primary(self) -> Value:
        """primary = integer | character | name"""
        token = self._cursor.token
        value: Value | None = None
        if token.kind == "number":
            value = parse_integer(token)
        elif token.kind == "char":
            value = _character(token), INT32
        elif token.kind == "name":
            value = self._called(token)
            if value is not None:
                return value
            value = self._named(token)
            if value is None:
                raise source_error(token.span, f"expected a constant, got '{token.text}'")
        if value is None:
            raise self._cursor.unexpected("a constant expression")
        self._cursor.advance()
        if self._wide:
            number, type = value
            wide = INT64 if type.signed else UINT64
            return number, wide
        return value


def parse_integer(token: Token) -> Value:
    """An integer constant and the type its value, base and suffix give it (ISO C 6.4.4.1)."""
    found = _integer(token.text)
    suffix = _SUFFIXES.get(found[2].lower().replace("ll", "l")) if found else None
    if found is None or suffix is None:
        raise source_error(token.span, f"expected an integer constant, got '{token.text}'")
    digits = found[1]
    octal = len(digits) > 1 and digits.isdigit() and digits[0] == "0"
    if octal and not set(digits) <= set("01234567"):
        raise source_error(token.span, f"expected octal digits after 0, got '{token.text}'")
    number = int(digits, 8 if octal else 0) if len(digits) <= 80 else 1 << 64
    if number >> 64:
        raise source_error(token.span, f"'{token.text}' has more than 64 bits")
    is_unsigned, is_long = suffix
    decimal = digits.isdigit() and not octal
    choices = [INT32, UINT32, INT64, UINT64]
    for type in choices:
        if (is_long and type.bytes < 8) or (is_unsigned and type.signed):
            continue
        if decimal and not is_unsigned and not type.signed and type.bytes < 8:
            continue
        if not number >> (type.bits - type.signed):
            return number, type
    return number, UINT64


def parse_string(token: Token) -> str:
    """What a string or character constant holds."""

    def value(found: re.Match[str]) -> str:
        if found[1] or found[2]:
            return chr(int(found[1], 8) & 0xFF if found[1] else int(found[2][-2:], 16))
        return "" if found[3] == "\n" else _ESCAPES.get(found[3], found[3])

    text = token.text
    return _escape(value, text[text.index(text[-1]) + 1 : -1])


def _character(token: Token) -> int:
    number = 0
    text = parse_string(token)
    # A wide or Unicode character, too, is one number; several make one, the first the highest.
    if len(text) == 1 and ord(text) > 0xFF:
        return ord(text)
    for byte in text.encode("latin-1", "replace"):
        number = number << 8 | byte
    return signed(number, 8) if len(text) == 1 else signed(number, 32)


def _promoted(type: Int) -> Int:
    return INT32 if type.bytes < 4 else type


def _common(a: Int, b: Int) -> Int:
    """The type that both operands are converted to (ISO C 6.3.1.8)."""
    a, b = _promoted(a), _promoted(b)
    size = max(a.bytes, b.bytes)
    is_signed = all(type.signed for type in (a, b) if type.bytes == size)
    return Int(size, is_signed)


def _wrap(number: int, type: Int) -> int:
    return signed(number, type.bits) if type.signed else unsigned(number, type.bits)


def _negated(operator: str, value: Value) -> Value:
    number, type = value[0], _promoted(value[1])
    if number is None:
        return None, type
    if operator == "!":
        return int(not number), INT32
    return _wrap({"-": -number, "+": number, "~": ~number}[operator], type), type


def _cast(value: Value, type: CType, at: Token) -> Value:
    from .types import Bool, Enum, Ptr, strip_typedefs

    bare = strip_typedefs(type)
    if isinstance(bare, Bool):
        return (None if value[0] is None else int(value[0] != 0)), INT32
    if isinstance(bare, Enum | Ptr):
        bare = Int(bare.bytes, isinstance(bare, Enum) and bare.signed)
    if not isinstance(bare, Int):
        raise source_error(at.span, f"expected a cast to an integer in a constant, got {type}")
    return (None if value[0] is None else _wrap(value[0], bare)), bare


def _divided(a: int, b: int) -> int:
    """C rounds to zero."""
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


_ARITHMETIC: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": _divided,
    "%": lambda a, b: a - b * _divided(a, b),
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
}
_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}


def _apply(operator: str, left: Value, right: Value) -> Value:
    a, b = left[0], right[0]
    if operator in ("||", "&&"):
        if a is not None and bool(a) == (operator == "||"):
            return int(bool(a)), INT32
        return (None if a is None or b is None else int(bool(b))), INT32
    if operator in ("<<", ">>"):
        type = _promoted(left[1])
        if a is None or b is None or not 0 <= b < type.bits:
            return None, type
        return _wrap(a << b if operator == "<<" else a >> b, type), type
    type = _common(left[1], right[1])
    if operator in _COMPARISONS:
        known = a is not None and b is not None
        return (int(_COMPARISONS[operator](_wrap(a, type), _wrap(b, type))) if known else None), INT32  # type: ignore[arg-type]
    if a is None or b is None or (operator in "/%" and _wrap(b, type) == 0):
        return None, type
    return _wrap(_ARITHMETIC[operator](_wrap(a, type), _wrap(b, type)), type), type
