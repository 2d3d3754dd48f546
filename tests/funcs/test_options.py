"""getopt(): what options are, and what is said of those that a script was given."""

from __future__ import annotations

from typing import Any

import pytest

from builders.scripts import Script, complaints
from probee.base.errors import UsageError
from probee.spec.asked import Asked

OPTIONS = 'print((getopt("n", 20), getopt("s", -1), getopt("t", true), getopt("f"), getopt("x", "hi")));'


def _run(body: str, **named: str | None) -> list[Any]:
    return Script(f"begin {{ {body} }}", asked=Asked(named=tuple(named.items()))).run().values()


@pytest.mark.parametrize(
    ("named", "values"),
    [
        ({}, (20, -1, True, False, "hi")),
        (
            {"n": "0xffffffffffffffff", "s": "-10", "t": "False", "f": None},
            (2**64 - 1, -10, False, True, "hi"),
        ),
        ({"n": "1_000", "x": "", "f": "1"}, (1000, -1, True, True, "")),
        ({"n": "2ms", "x": "a=b"}, (2_000_000, -1, True, False, "a=b")),
    ],
)
def test_values(named: dict[str, str | None], values: tuple[object, ...]) -> None:
    assert _run(OPTIONS, **named) == [values]


def test_an_option_is_a_constant() -> None:
    body = 'if comptime (getopt("n", 1) > 2) { print("more"); } unroll(getopt("n", 1)) { print(1); }'
    assert _run(body, n="3") == ["more", 1, 1, 1]
    assert _run(body) == [1]


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"n": "False"}, "program command line option --n invalid integer (value: False)"),
        ({"n": "5x"}, "program command line option --n invalid trailing bytes (value: 5x)"),
        ({"n": "-5"}, "program command line option --n invalid integer (value: -5)"),
        ({"s": "9223372036854775808"}, "program command line option --s value is out of range"),
        ({"n": None}, "program command line option --n expects an integer (value: true)"),
        ({"x": None}, "program command line option --x expects a string (value: true)"),
        ({"f": "maybe"}, "program command line option --f expects a boolean (e.g. 'true') (value: maybe)"),
        ({"b": None, "c": "5"}, "unexpected program command line options: --b, --c"),
    ],
)
def test_what_was_given_is_checked(named: dict[str, str | None], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        _run(OPTIONS, **named)
    assert message in str(caught.value)


def test_help_lists_the_options() -> None:
    with pytest.raises(UsageError) as caught:
        _run('print(getopt("n", 1, "how many")); print(getopt("f")); print(getopt("n", 1));', help=None)
    assert caught.value.hint == "expected program options:\n--n: how many\n--f"
    with pytest.raises(UsageError) as caught:
        _run("print(1);", help=None)
    assert caught.value.hint == "no custom program options defined."


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            'getopt("n", pid)',
            "Second argument to 'getopt' must be a string literal, integer literal, or a boolean",
        ),
        (
            'getopt("n", 1) + getopt("n", 2)',
            "Command line option 'n' needs to have the same default value in all",
        ),
        (
            'getopt("n", 1, "a") + getopt("n", 1, "b")',
            "Command line option 'n' must have the same description",
        ),
        ("getopt(comm)", "getopt() expects a string literal as name"),
    ],
)
def test_calls_are_checked(body: str, message: str) -> None:
    ((_, found),) = complaints(f"begin {{ print({body}); }}")
    assert found.startswith(message)
