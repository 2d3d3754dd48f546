"""Every probe kind from the command line, on commands of the test's own."""

from __future__ import annotations

import json
import re
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from programs import wait_until

if TYPE_CHECKING:
    from programs import Probee

pytestmark = pytest.mark.kernel

SPIN = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass"


def maps(text: str) -> dict[str, int]:
    return {name: int(value) for name, value in (line.split(": ") for line in text.splitlines() if line)}


def test_profile_samples_the_command_and_nothing_else(probee: Probee) -> None:
    script = "profile:hz:100 { @[pid, probe] = count(); @mine = count(); }"
    done = probee("-e", script, "-c", f"{sys.executable} -c '{SPIN}'")
    assert (done.returncode, done.stderr) == (0, "Attached 1 probe\n")
    found = maps(done.stdout)
    assert 40 <= found.pop("@mine") <= 90
    assert len(found) == 1
    assert next(iter(found)).endswith(", profile:hz:100]")


def test_software_events(probee: Probee) -> None:
    script = "software:page-faults:1 { @faults = count(); } s:cpu:10000000 { @clock = count(); }"
    done = probee("-q", "-e", script, "-c", f"{sys.executable} -c '{SPIN}'")
    assert (done.returncode, done.stderr) == (0, "")
    found = maps(done.stdout)
    assert found["@faults"] > 100
    assert found["@clock"] >= 40


def test_begin_and_end_run_in_the_order_of_the_script(probee: Probee) -> None:
    script = """end { printf("4 "); } begin { printf("1 "); } BEGIN { printf("2 "); } begin { printf("3 "); }
    END { printf("5\\n"); }"""
    done = probee("-q", "-e", script)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["1", "2", "3", "4", "5"]


def test_a_signal_runs_its_probe_each_time(probee: Probee) -> None:
    script = """self:signal:SIGUSR1 { printf("signal %d\\n", ++@n); if (@n == 3) { exit(); } }
    self:signal:SIGUSR1 { @others++; }"""
    run = probee.start("-e", script)
    run.wait_attached()
    for number in (1, 2, 3):
        run.signal(signal.SIGUSR1)
        wait_until(lambda: f"signal {number}" in run.stdout)  # noqa: B023
    done = run.wait()
    assert (done.returncode, done.stderr) == (0, "Attached 2 probes\n")
    assert done.lines[:3] == ["signal 1", "signal 2", "signal 3"]
    assert done.lines[-2:] == ["@n: 3", "@others: 3"]


TRIALS = """
begin { printf("begin\\n"); }
test:good { @x = 1; printf("silent\\n"); }
test:bad { printf("because\\n"); return 3; }
test:gone { exit(2); }
bench:count { @ = count(); printf("dropped\\n"); }
bench:skipped { return 1; }
interval:ms:1 { printf("not in trials\\n"); }
end { printf("end\\n"); }
"""


def test_tests_say_what_failed_and_why(probee: Probee) -> None:
    done = probee("--test", "-e", TRIALS)
    assert (done.returncode, done.stderr) == (1, "")
    plain = [re.sub(r"\033\[\d+m|\(\d+ (ns|us|ms)\)", "", line).strip() for line in done.lines if line]
    assert plain == [
        "begin",
        "[==========] Running 3 tests.",
        "[ RUN      ] good",
        "[       OK ] good",
        "[ RUN      ] bad",
        "because",
        "[  FAILED  ] bad",
        "[ RUN      ] gone",
        "[  FAILED  ] gone",
        "[==========] 3 tests ran.",
        "[  PASSED  ] 1 test.",
        "[  FAILED  ] 2 tests, listed below:",
        "[  FAILED  ] bad",
        "[  FAILED  ] gone",
        "end",
    ]


def test_benchmarks_are_run_for_long_enough(probee: Probee) -> None:
    done = probee("--mode", "bench", "-q", "-f", "json", "-e", TRIALS)
    assert (done.returncode, done.stderr) == (0, "")
    first, result, last = [json.loads(line) for line in done.lines]
    assert (first["data"], last["data"]) == ("begin\n", "end\n")
    assert result["type"] == "benchmark_result"
    assert list(result["data"]) == ["count"]
    measured = result["data"]["count"]
    assert measured["average"] * measured["iters"] >= 1_000_000


def test_benchmarks_are_a_table(probee: Probee) -> None:
    done = probee("--bench", "-e", "bench:one { @++; } bench:two { @++; }")
    head, rule, *rows = [line for line in done.lines if line]
    assert re.fullmatch(r"Benchmark {32}Time\(ns\) {7}Iterations", head)
    assert rule == "-" * len(head)
    assert [re.fullmatch(r"(\w+) +\d+ +\d+0", row) is not None for row in rows] == [True, True]


def test_trials_that_nobody_asked_for(probee: Probee) -> None:
    done = probee("-e", "test:a { }")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "ERROR: No probes attached; use --test to run test probes.\n"
    done = probee("--bench", "-e", "test:a { }")
    assert (done.returncode, done.stderr) == (1, "ERROR: the program has no bench: probes\n")
