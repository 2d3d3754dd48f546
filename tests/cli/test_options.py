"""The command line, as getopt_long would read it."""

from __future__ import annotations

import pytest

from probee.base.errors import UsageError
from probee.cli.options import Options, parse_options


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["a.bt"], Options(words=("a.bt",))),
        (["-e", "BEGIN { }", "-p", "12"], Options(program="BEGIN { }", pid=12)),
        (["-e", "BEGIN { }", "-p12"], Options(program="BEGIN { }", pid=12)),
        (["--pid=12", "a.bt"], Options(pid=12, words=("a.bt",))),
        (["--pid", "12", "a.bt"], Options(pid=12, words=("a.bt",))),
        (["a.bt", "-q", "one", "-f", "json"], Options(quiet=True, format="json", words=("a.bt", "one"))),
        (["a.bt", "--", "-q", "--x"], Options(words=("a.bt", "-q", "--x"))),
        (["-qv", "-"], Options(quiet=True, verbose=True, words=("-",))),
        (["-qo", "out", "a"], Options(quiet=True, output="out", words=("a",))),
        (["--dry", "--out=x=y", "a"], Options(dry_run=True, output="x=y", words=("a",))),
        (["-c", "sleep 1", "a"], Options(command="sleep 1", words=("a",))),
        (["-d", "asm", "a"], Options(stage="asm", words=("a",))),
        (["-e", "", "--no-warnings"], Options(program="", warnings=False)),
        (["--unsafe", "a.bt"], Options(unsafe=True, words=("a.bt",))),
        (["--help"], Options(help=True)),
        (["-V"], Options(version=True)),
    ],
)
def test_options(arguments: list[str], expected: Options) -> None:
    assert parse_options(arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-e"], "-e: expected a value, got nothing"),
        (["--pid"], "--pid: expected a value, got nothing"),
        (["-x"], "-x: no such option"),
        (["-qx"], "-x: no such option"),
        (["--nonsense=1"], "--nonsense: no such option"),
        (["--quiet=1"], "--quiet: takes no value"),
        (["--d"], "--d: stands for --debug and --dry-run"),
        (["-f", "yaml"], "-f: expected text or json, got 'yaml'"),
        (["-d", "llvm"], "-d: expected ast, ir, asm or all, got 'llvm'"),
        (["-p", "x"], "Failed to parse pid: invalid integer: x"),
        (["-p", "12x"], "Failed to parse pid: invalid trailing bytes: 12x"),
        (["-p", "0"], "Failed to parse pid: Pid out of range: 0"),
        (["--test", "--mode", "bench"], "--test and --bench can't be used together"),
        (["--mode", "codegen"], "--mode: expected test or bench, got 'codegen'"),
        (["-p", "1", "-c", "true"], "-p and -c can't be used together"),
    ],
)
def test_wrong_options(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_options(arguments)
    assert caught.value.message == message


def test_ways_to_ask_for_trials() -> None:
    for arguments in (["--test"], ["--mode=test"], ["--mode", "test", "--test"]):
        assert parse_options(arguments).mode == "test"
    assert parse_options(["--bench"]).mode == "bench"
    assert parse_options([]).mode == ""
