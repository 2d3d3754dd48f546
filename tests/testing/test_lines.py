"""Events as lines of JSON, and `probee --vm`."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probee import testing
from probee.base.errors import UsageError
from probee.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

LINES = """
{"probe": "uprobe:p:f", "args": [16, "text", {"hex": "00ff"}], "pid": 5, "comm": "redis", "times": 2}

{"sleep": 1.5}
{"probe": "uretprobe:f", "returns": -1, "memory": {"0x10": "a", "32": {"hex": "01"}}, "registers": {"bx": 1}}
"""


def test_lines_are_what_the_functions_make() -> None:
    assert testing.parse_events(LINES) == [
        testing.uprobe("p:f", [16, "text", b"\x00\xff"], pid=5, comm="redis", times=2),
        testing.sleep(1.5),
        testing.uretprobe("f", -1, memory={16: "a", 32: b"\x01"}, registers={"bx": 1}),
    ]
    assert testing.parse_events("") == []


BAD = {
    "{": "expected JSON: Expecting property name enclosed in double quotes at column 2",
    "[]": "expected an object, got []",
    "[" * 100_000: "expected JSON: maximum recursion depth exceeded",
    '{"a": ' + "9" * 5000 + "}": "expected JSON: Exceeds the limit",
    "{}": "expected a probe or sleep, got neither",
    '{"prob": "uprobe:f"}': "unknown name 'prob'",
    '{"probe": 5}': "expected a name as probe, got 5",
    '{"probe": "f"}': "expected a probe such as 'uprobe:malloc', got 'f'",
    '{"probe": "u:f", "args": 5}': "expected a list as args, got 5",
    '{"probe": "u:f", "args": [1.5]}': 'expected a number, text or {"hex": …}, got 1.5',
    '{"probe": "u:f", "args": [true]}': 'expected a number, text or {"hex": …}, got True',
    '{"probe": "u:f", "args": [{"hex": "0"}]}': "expected bytes in hexadecimal, got '0'",
    '{"probe": "u:f", "args": [{}]}': "expected bytes in hexadecimal, got None",
    '{"probe": "u:f", "pid": "5"}': "u:f: pid: expected a number, got '5'",
    '{"probe": "u:f", "comm": 5}': "expected text as comm, got 5",
    '{"probe": "u:f", "memory": {"x": "a"}}': "expected an address, got 'x'",
    '{"probe": "u:f", "memory": {"5": 7}}': "expected bytes in hexadecimal, got 0",
    '{"probe": "u:f", "registers": {"x0": "1"}}': "u:f: x0: expected a number, got '1'",
    '{"sleep": "1"}': 'expected {"sleep": SECONDS} and no more',
    '{"sleep": 1, "pid": 1}': 'expected {"sleep": SECONDS} and no more',
    '{"sleep": NaN}': "sleep: expected 0 to 1000000000 seconds, got nan",
}


@pytest.mark.parametrize(("line", "message"), BAD.items(), ids=lambda text: text[:30])
def test_bad_lines(line: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        testing.parse_events('{"sleep": 1}\n\n' + line, "events.jsonl")
    assert caught.value.message.startswith(f"events.jsonl:3: {message}")


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
_NAMES = ("probe", "args", "returns", "pid", "comm", "memory", "registers", "context", "times", "sleep")


@given(st.dictionaries(st.sampled_from(_NAMES), _JSON, max_size=4))
def test_any_json_is_events_or_a_usage_error(given: dict[str, object]) -> None:
    line = json.dumps(given)
    try:
        found = testing.parse_events(line)
    except UsageError:
        with pytest.raises(UsageError, match=r"^events:2: "):
            testing.parse_events(f"\n{line}")
    else:
        assert len(found) == 1


# -- the command ----------------------------------------------------------------------------------

SCRIPT = 'uprobe:p:f { printf("%d %s\\n", arg0, comm); @ = count(); } uretprobe:p:f { exit($1); }'
SENT = '{"probe": "uprobe:f", "args": [7], "comm": "redis"}\n{"probe": "uretprobe:f"}\n'
PRINTED = "7 redis\n\n\n@: 1\n"


def _run(capfd: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    status = main(["--vm", *map(str, words)])
    out, err = capfd.readouterr()
    return status, out, err


def _give(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def test_events_from_a_file_and_from_standard_input(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script, events, out = tmp_path / "a.bt", tmp_path / "events.jsonl", tmp_path / "out"
    script.write_text(SCRIPT)
    events.write_text(SENT)
    assert _run(capfd, script, "--events", events, 3) == (3, PRINTED, "")
    assert _run(capfd, "-e", SCRIPT, "--events", events, 0) == (0, PRINTED, "")
    _give(monkeypatch, SENT)
    assert _run(capfd, script, 3) == (3, PRINTED, "")
    _give(monkeypatch, SCRIPT)
    assert _run(capfd, "--events", events, "-o", out, "-", 3) == (3, "", "")
    assert out.read_text() == PRINTED
    shown = _run(capfd, "-f", "json", "-e", SCRIPT, "--events", events, 3)[1]
    assert '{"type": "map", "data": {"@": 1}}' in shown


def test_clock_step_cpus_and_machine(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _give(monkeypatch, '{"probe": "uprobe:f", "cpu": 3, "args": [5]}')
    options = ("--clock", 100, "--step", 20, "--cpus", 4, "--machine", "aarch64")
    program = 'uprobe:p:f { printf("%d %d %d\\n", nsecs, cpu, reg("x0")); }'
    assert _run(capfd, *options, "-e", program)[1].startswith("120 3 5\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "ERROR: expected a FILE or -e PROGRAM, got nothing"),
        (("-e", "BEGIN { }", "--cpus", "0"), "ERROR: --cpus: expected a number from 1 to 4096, got '0'"),
        (("-e", "BEGIN { }", "--step", "x"), "ERROR: --step: expected a number from 0"),
        (("-e", "BEGIN { }", "-f", "xml"), "ERROR: unknown form 'xml'\nHINT: one of text, json"),
        (("-e", "BEGIN { }", "-o", "/nonexistent/x"), "ERROR: /nonexistent/x: No such file or directory"),
        (("-e", "BEGIN { }", "--events", "/nonexistent"), "ERROR: /nonexistent: No such file or directory"),
        (("-", "--events", "-"), "the program and the events can't both come from standard input"),
        (("-e", "BEGIN {"), "stdin:1:8-9: ERROR:"),
        (("-z",), "ERROR: option -z not recognized\nHINT: probee --vm [options] FILE [ARG ...]"),
    ],
)
def test_wrong_words(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    message: str,
) -> None:
    _give(monkeypatch, "")
    status, out, err = _run(capfd, *words)
    assert (status, out) == (1, "")
    assert message in err


def test_wrong_lines_run_nothing(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    _give(monkeypatch, SENT + '{"probe": 5}\n')
    assert _run(capfd, "-e", SCRIPT, 0) == (1, "", "ERROR: stdin:3: expected a name as probe, got 5\n")
