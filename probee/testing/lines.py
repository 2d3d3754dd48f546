"""Triggers as lines of JSON, an object each; empty lines are passed over.

    {"probe": "uprobe:malloc", "args": [16, "text", {"hex": "00ff"}], "pid": 5, "comm": "redis"}
    {"sleep": 1.5}

The names are the fields of `Trigger`. An argument is a number, text (the probe gets a pointer to it, a NUL
behind it), or bytes in hexadecimal (a pointer to these). What is at the addresses of `memory` is text or
bytes likewise.
"""

from __future__ import annotations

from ..base.errors import UsageError
from .triggers import event, sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .triggers import Argument, Sleep, Trigger

_NUMBERS = ("pid", "tid", "uid", "gid", "cpu", "after", "times")
_NAMES = (
    "probe", "args", "returns", "comm", "memory", "registers", "context", "stack", "kernel_stack", *_NUMBERS,
)  # fmt: skip


def parse_events(lines: str, name: str = "events") -> list[Trigger | Sleep]:
    """The triggers of the text `lines`, called `name` in messages. UsageError has the line's number."""
    found = []
    for number, line in enumerate(lines.split("\n"), 1):
        if not line.strip():
            continue
        try:
            found.append(_parse_line(line))
        except UsageError as error:
            raise UsageError(f"{name}:{number}: {error.message}", hint=error.hint) from None
    return found


def _parse_line(line: str) -> Trigger | Sleep:
    import json

    try:
        given = json.loads(line)
    except json.JSONDecodeError as error:
        raise UsageError(f"expected JSON: {error.msg} at column {error.colno}") from None
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, brackets without end
        raise UsageError(f"expected JSON: {error}") from None
    _check(given, dict, "an object")
    if "sleep" in given:
        return _parse_sleep(given)
    for name in given:
        if name not in _NAMES:
            raise UsageError(f"unknown name {name!r}", hint=f"expected sleep, or {', '.join(_NAMES)}")
    if "probe" not in given:
        raise UsageError("expected a probe or sleep, got neither")
    around: Any = {name: given[name] for name in _NUMBERS if name in given}
    if "comm" in given:
        around["comm"] = _check(given["comm"], str, "text as comm")
    memory = _check(given.get("memory", {}), dict, "an object as memory")
    return event(
        _check(given["probe"], str, "a name as probe"),
        [_parse_argument(value) for value in _check(given.get("args", []), list, "a list as args")],
        _parse_argument(given.get("returns", 0)),
        memory={_parse_address(at): _parse_bytes(data) for at, data in memory.items()},
        registers=_check(given.get("registers", {}), dict, "an object as registers"),
        context=_parse_hex(given["context"]) if "context" in given else b"",
        stack=_parse_stack(given, "stack"),
        kernel_stack=_parse_stack(given, "kernel_stack"),
        **around,
    )


def _parse_stack(given: dict[str, Any], name: str) -> list[str | int]:
    stack: list[Any] = _check(given.get(name, []), list, f"a list as {name}")
    for place in stack:
        if isinstance(place, bool) or not isinstance(place, (int, str)):
            raise UsageError(f"expected names and addresses in {name}, got {_name_of(place)}")
    return stack


def _parse_sleep(given: dict[str, Any]) -> Sleep:
    seconds = given["sleep"]
    if len(given) > 1 or isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise UsageError('expected {"sleep": SECONDS} and no more')
    return sleep(seconds)


def _check(value: Any, kind: type, expected: str) -> Any:
    if not isinstance(value, kind):
        raise UsageError(f"expected {expected}, got {_name_of(value)}")
    return value


def _name_of(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


def _parse_argument(value: Any) -> Argument:
    if isinstance(value, dict):
        return _parse_hex(value.get("hex"))
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise UsageError(f'expected a number, text or {{"hex": …}}, got {_name_of(value)}')
    return value


def _parse_bytes(value: Any) -> str | bytes:
    return value if isinstance(value, str) else _parse_hex(value.get("hex") if isinstance(value, dict) else 0)


def _parse_hex(value: Any) -> bytes:
    try:
        return bytes.fromhex(_check(value, str, "bytes in hexadecimal"))
    except ValueError:
        raise UsageError(f"expected bytes in hexadecimal, got {_name_of(value)}") from None


def _parse_address(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise UsageError(f"expected an address, got {_name_of(text)}") from None
