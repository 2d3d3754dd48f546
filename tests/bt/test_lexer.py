"""Tokens and literals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probee.base.source import Source
from probee.bt.lexer import CLOSE, Tokens
from probee.bt.literals import LiteralError, parse_integer, parse_string


def kinds(text: str) -> list[str]:
    p = Tokens(Source("test", text))
    found = []
    while p.kind != "end":
        found.append(p.kind)
        p.advance()
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \t\r\n\f // to the end", []),
        ("/* a * b ** / */ // c\n/**/", []),
        ("a _b1 if iffy", ["name", "name", "if", "name"]),
        ("$a $1 $# @ @a @_", ["variable", "parameter", "parameter", "map", "map", "map"]),
        ("1 0x1f 1_000ms 1e6", ["integer"] * 4),
        ("0..10", ["integer", "..", "integer"]),
        ("$x.0.1", ["variable", ".", "integer", ".", "integer"]),
        ('"a" "\\"" "\\\\"', ["string"] * 3),
        (
            "a<<=b>>=c<<d>>e<=f>=g",
            ["name", "<<=", "name", ">>=", "name", "<<", "name", ">>"] + ["name", "<=", "name", ">=", "name"],
        ),
        ("$a+++$b---$c", ["variable", "++", "+", "variable", "--", "-", "variable"]),
        ("a->b-->c", ["name", "->", "name", "--", ">", "name"]),
        ("a&&b||!c!=d", ["name", "&&", "name", "||", "!", "name", "!=", "name"]),
        ("a?:b", ["name", "?", ":", "name"]),
        ("@=5", ["map", "=", "integer"]),
        ("6 / 3 / {", ["integer", "/", "integer", CLOSE, "{"]),
        ("x / // c\n /* d */ {", ["name", CLOSE, "{"]),
        ("x /= 2", ["name", "/=", "integer"]),
        ("'", ["bad"]),
        ("é", ["bad"]),
        ('"a', ["bad", "name"]),
        ("/* a", ["bad", "*", "name"]),
        ("$ a", ["bad", "name"]),
    ],
)
def test_kinds(text: str, expected: list[str]) -> None:
    assert kinds(text) == expected


def test_places() -> None:
    p = Tokens(Source("test", " ab /* c */ 12 "))
    assert (p.start, p.end, p.word) == (1, 3, "ab")
    p.advance()
    assert (p.start, p.end, p.word, p.last) == (12, 14, "12", 3)
    p.seek(2)
    assert (p.start, p.word) == (2, "b")


@given(st.text(alphabet="ab_$@#01\"\\/*-+<>=&|!.,;(){}[] \n'é\0", max_size=40))
def test_every_text_ends(text: str) -> None:
    assert len(kinds(text)) <= len(text)


@pytest.mark.parametrize(
    ("text", "value", "unsigned"),
    [
        ("0", 0, False),
        ("18446744073709551615", (1 << 64) - 1, False),
        ("1_000_000", 1_000_000, False),
        ("0777", 0o777, False),
        ("00", 0, False),
        ("0_17", 0o17, False),
        ("0x1F", 31, False),
        ("0Xff_ff", 0xFFFF, False),
        ("0xe5", 0xE5, False),
        ("0b101", 5, False),
        ("1e6", 1_000_000, False),
        ("5E3", 5000, False),
        ("1e1_0", 10**10, False),
        ("1e3ms", 10**9, False),
        ("7u", 7, True),
        ("4294967295u", (1 << 32) - 1, True),
        ("7ul", 7, True),
        ("7ULL", 7, True),
        ("0xffffffffffffffffULL", (1 << 64) - 1, True),
        ("9223372036854775807l", (1 << 63) - 1, False),
        ("7ll", 7, False),
        ("3ns", 3, False),
        ("3us", 3_000, False),
        ("3ms", 3_000_000, False),
        ("3s", 3_000_000_000, False),
        ("3m", 180_000_000_000, False),
        ("3h", 3 * 3600 * 10**9, False),
        ("3d", 3 * 86400 * 10**9, False),
    ],
)
def test_integers(text: str, value: int, unsigned: bool) -> None:
    assert parse_integer(text) == (value, unsigned)


@pytest.mark.parametrize(
    ("text", "message", "part"),
    [
        (
            "18446744073709551616",
            "overflow error, maximum value is 18446744073709551615: 18446744073709551616",
            "18446744073709551616",
        ),
        ("1" * 200, f"overflow error, maximum value is 18446744073709551615: {'1' * 200}", "1" * 200),
        ("1e20", "overflow error, maximum value is 18446744073709551615: 1e20", "1e20"),
        (
            "1e99999999999",
            "overflow error, maximum value is 18446744073709551615: 1e99999999999",
            "1e99999999999",
        ),
        ("300000d", "overflow error, maximum value is 18446744073709551615: 300000d", "300000d"),
        (
            "4294967296u",
            "overflow error, maximum value is 4294967295: 4294967296u",
            "4294967296u",
        ),
        ("12e4", "coefficient part of scientific literal must be 1-9: 12e4", "12e4"),
        ("0e4", "coefficient part of scientific literal must be 1-9: 0e4", "0e4"),
        ("1_", "trailing underscore in integer literal", "_"),
        ("1_e5", "trailing underscore in integer literal", "_"),
        ("1e5_", "trailing underscore in integer literal", "_"),
        ("0x", "expected digits after `0x`", "0x"),
        ("5e", "unknown suffix `e` of a number", "e"),
        ("1ulll", "unknown suffix `ulll` of a number", "ulll"),
        ("1Ms", "unknown suffix `Ms` of a number", "Ms"),
        ("08", "unknown suffix `8` of a number", "8"),
    ],
)
def test_wrong_integers(text: str, message: str, part: str) -> None:
    with pytest.raises(LiteralError) as caught:
        parse_integer(text)
    assert caught.value.message == message
    assert text[caught.value.start : caught.value.end] == part


@given(
    st.integers(0, (1 << 64) - 1),
    st.sampled_from(["{}", "{:#x}", "{:#X}", "{:#b}", "{:_}", "0{:o}", "{}ull"]),
)
def test_spellings_of_a_number_agree(value: int, spelling: str) -> None:
    assert parse_integer(spelling.format(value))[0] == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('""', b""),
        ('"a\\n\\t\\r\\"\\\\"', b'a\n\t\r"\\'),
        (r'"\0\60\0607"', b"\x00007"),
        (r'"\377\x4\x411"', b"\xff\x04A1"),
        (r'"\X4f"', b"O"),
        ('"é"', "é".encode()),
        ('"\udcff"', b"\xff"),
    ],
)
def test_strings(text: str, value: bytes) -> None:
    assert parse_string(text) == value


@pytest.mark.parametrize(
    ("text", "message", "part"),
    [
        (r'"a\q"', r"unknown escape `\q`", r"\q"),
        (r'"a\x"', r"expected hex digits after `\x`", r"\x"),
        (r'"a\777b"', r"octal escape sequence out of range '\777'", r"\777"),
        ('"\ud800"', "the string holds half of a surrogate pair", '"\ud800"'),
    ],
)
def test_wrong_strings(text: str, message: str, part: str) -> None:
    with pytest.raises(LiteralError) as caught:
        parse_string(text)
    assert caught.value.message == message
    assert text[caught.value.start : caught.value.end] == part


@given(st.binary(max_size=20))
def test_every_byte_can_be_written(value: bytes) -> None:
    assert parse_string('"' + "".join(f"\\x{byte:02x}" for byte in value) + '"') == value
    assert parse_string('"' + "".join(f"\\{byte:03o}" for byte in value) + '"') == value
