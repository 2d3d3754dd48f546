"""The command line, as getopt_long would read it."""

from __future__ import annotations

import pytest

from probee.base.errors import UsageError
from probee.cli.options import OptionError, Options, parse_options


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["a.bt"], Options(words=("a.bt",))),
        (["-e", "BEGIN { }", "-p", "12"], Options(program="BEGIN { }", pid=12)),
        (["-e", "BEGIN { }", "-p12"], Options(program="BEGIN { }", pid=12)),
        (["--pid=12", "a.bt"], Options(pid=12, words=("a.bt",))),
        (["--pid", "12", "a.bt"], Options(pid=12, words=("a.bt",))),
        (["a.bt", "-q", "one", "-f", "json"], Options(quiet=True, format="json", words=("a.bt", "one"))),
        (["a.bt", "--", "-q", "--x"], Options(words=("a.bt", "-q"), named=(("x", None),))),
        (
            ["a", "1", "--", "--n=2", "3", "--m="],
            Options(words=("a", "1", "3"), named=(("n", "2"), ("m", ""))),
        ),
        (["-qv", "-"], Options(quiet=True, verbose=True, words=("-",))),
        (["-qo", "out", "a"], Options(quiet=True, output="out", words=("a",))),
        (["--dry", "--out=x=y", "a"], Options(dry_run=True, output="x=y", words=("a",))),
        (["-c", "sleep 1", "a"], Options(command="sleep 1", words=("a",))),
        (["-d", "asm", "a"], Options(stages=("asm",), words=("a",))),
        (["-d", "ast,dis", "--debug=verifier"], Options(stages=("ast", "asm", "verifier"))),
        (["-I", "a", "-Ib", "--include", "x.h"], Options(include_folders=("a", "b"), include_files=("x.h",))),
        (["--debuginfo", "a:b", "--debuginfo=c"], Options(debug_roots=("a", "b", "c"))),
        (["--no-feature", "kprobe_multi,uprobe_multi"], Options(without=("kprobe_multi", "uprobe_multi"))),
        (["-B", "full", "-k"], Options(buffering="full", lookups=True)),
        (["--fmt", "-"], Options(mode="format", words=("-",))),
        (["-b", "--verify-llvm-ir", "--usdt-file-activation", "--dwarf-pid", "1"], Options()),
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
        (["--de"], "--de: stands for --debug and --debuginfo"),
        (["-d", "llvm"], "invalid option for -d: llvm"),
        (["-B", "some"], "-B must be either 'line', 'full', or 'none'."),
        (["-k", "--no-warnings"], "-k, --warnings conflicts with --no-warnings"),
        (
            ["--no-feature", "x"],
            "--no-feature can only have values 'kprobe_multi,kprobe_session,uprobe_multi'.",
        ),
        (["--emit-llvm", "x"], "--emit-llvm: programs are made without LLVM; -d asm shows the instructions"),
        (["-p", "x"], "Failed to parse pid: invalid integer: x"),
        (["-p", "12x"], "Failed to parse pid: invalid trailing bytes: 12x"),
        (["-p", "0"], "Pid out of range: 0"),
        (["--test", "--mode", "bench"], "--test conflicts with existing --mode"),
        (
            ["--mode", "run"],
            "--mode can only be 'codegen', 'compiler-bench', 'bench', 'test' or 'format'.",
        ),
        (["-p", "1", "-c", "true"], "Cannot use both -c and -p."),
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


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--aa=20"], "unrecognized option '--aa=20'"),
        (["-idonotexist"], "invalid option -- 'i'"),
        (["-e"], "option requires an argument -- 'e'"),
        (["--pid"], "option '--pid' requires an argument"),
        (["--quiet=1"], "option '--quiet' doesn't allow an argument"),
        (["--tra"], "option '--traceable-functions' requires an argument"),
        (["--no-w", "--t"], "option '--t' is ambiguous; possibilities: '--traceable-functions' '--test'"),
    ],
)
def test_what_getopt_would_say(arguments: list[str], text: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_options(arguments)
    assert caught.value.getopt == text


def test_an_unknown_format_and_a_wrong_filter() -> None:
    with pytest.raises(UsageError, match='Invalid output format "jsonx"'):
        parse_options(["-f", "jsonx"])
    with pytest.raises(UsageError, match=r"Invalid --probe-filter regex '\[x'"):
        parse_options(["--probe-filter", "[x"])
