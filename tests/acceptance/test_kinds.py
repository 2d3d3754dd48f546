"""Every probe kind from the command line, on commands of the test's own."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from programs import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from programs import Probee, Target

pytestmark = pytest.mark.kernel

SPIN = """from time import process_time as ran
end = ran() + 0.5
while ran() < end: pass
print(ran())"""


def maps(text: str) -> dict[str, int]:
    return {name: int(value) for name, value in (line.split(": ") for line in text.splitlines() if line)}


def test_profile_samples_the_command_and_nothing_else(probee: Probee) -> None:
    script = "profile:hz:100 { @[pid, probe] = count(); @mine = count(); }"
    done = probee("-e", script, "-c", f"{sys.executable} -c '{SPIN}'")
    assert (done.returncode, done.stderr) == (0, "Attached 1 probe\n")
    ran, *rest = done.lines
    found = maps("\n".join(rest))
    # A hundred times for each second that the command ran; a slow machine may lose some of them.
    assert 60 * float(ran) <= found.pop("@mine") <= 110 * float(ran) + 10
    assert len(found) == 1
    assert next(iter(found)).endswith(", profile:hz:100]")


def test_software_events(probee: Probee) -> None:
    script = "software:page-faults:1 { @faults = count(); } s:cpu:10000000 { @clock = count(); }"
    done = probee("-q", "-e", script, "-c", f"{sys.executable} -c '{SPIN}'")
    assert (done.returncode, done.stderr) == (0, "")
    found = maps("\n".join(done.lines[1:]))
    assert found["@faults"] > 100
    assert found["@clock"] >= 30


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
    assert [re.fullmatch(r"(\w+) +\d+ +\d+", row) is not None for row in rows] == [True, True]


def test_trials_that_nobody_asked_for(probee: Probee) -> None:
    done = probee("-e", "test:a { }")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "ERROR: No probes attached; use --test to run test probes.\n"
    done = probee("--bench", "-e", "test:a { }")
    assert (done.returncode, done.stderr) == (1, "ERROR: the program has no bench: probes\n")


# A tracepoint fires for every process, but the program ends at once in all but the one that -c starts, before
# it has looked at anything but the process's id.


@pytest.mark.needs("tracefs")
def test_a_tracepoint_s_fields(probee: Probee, tmp_path: Path) -> None:
    file = tmp_path / "read-me"
    file.write_text("text\n")
    script = (
        f'tracepoint:syscalls:sys_enter_openat /str(args.filename) == "{file}"/ '
        '{ printf("%d %d %s\\n", args.flags & 3, args->mode, probe); }'
    )
    done = probee("-q", "-e", script, "-c", f"cat {file}")
    assert (done.returncode, done.stderr) == (0, "")
    assert set(done.lines) == {"", "text", "0 0 tracepoint:syscalls:sys_enter_openat"}


@pytest.mark.needs("tracefs")
def test_fields_of_changing_length_and_text_of_a_record(probee: Probee) -> None:
    script = """t:sched:sched_process_exec { printf("exec %s %d\\n", str(args.filename), args.pid == pid); }
    t:sched:sched_process_ex* { printf("%s\\n", probe); }"""
    done = probee("-q", "-e", script, "-c", "sh -c 'exec /bin/true'")
    assert (done.returncode, done.stderr) == (0, "")
    assert "exec /bin/true 1" in done.lines
    assert "tracepoint:sched:sched_process_exit" in done.lines


def test_a_raw_tracepoint_s_arguments(probee: Probee) -> None:
    number = {"x86_64": 262, "aarch64": 79}[os.uname().machine]  # newfstatat
    script = (
        f"rawtracepoint:sys_enter /arg1 == {number}/ {{ @ = count(); }} rt:sys_exit {{ @exits = count(); }}"
    )
    program = "import os\nfor _ in range(23): os.lstat('/')"
    done = probee("-q", "-e", script, "-c", f'{sys.executable} -S -c "{program}"')
    assert (done.returncode, done.stderr) == (0, "")
    found = maps(done.stdout)
    assert found["@"] >= 23
    assert found["@exits"] > found["@"]


@pytest.mark.needs("kprobe")
def test_a_function_of_the_kernel(probee: Probee, tmp_path: Path) -> None:
    file = tmp_path / "sized"
    file.write_bytes(bytes(1234))
    script = """kprobe:vfs_read { @size = max(arg2); @entries = count(); @name[func, probe] = count(); }
    kretprobe:vfs_read /retval == 1234/ { @found = count(); @exits = count(); }"""
    done = probee("-q", "-e", script, "-c", f"cat {file}")
    assert (done.returncode, done.stderr) == (0, "")
    assert "@found: 1" in done.lines
    assert any(line.startswith("@name[vfs_read, kprobe:vfs_read]: ") for line in done.lines)


@pytest.mark.needs("kprobe", "tracefs")
def test_many_functions_of_the_kernel(probee: Probee) -> None:
    done = probee(
        "-e", "kprobe:vfs_* { @ = count(); } kr:vfs_r* { @r = count(); }", "-c", "cat /etc/hostname"
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"Attached \d\d+ probes\n", done.stderr)
    found = maps("\n".join(done.lines[1:]))
    assert found["@"] > found["@r"] >= 2


@pytest.mark.needs("kprobe")
def test_a_program_that_the_kernel_attaches_nowhere(probee: Probee) -> None:
    done = probee("-e", "kprobe:vfs_read+1 { }", "-c", "true")
    assert done.returncode == 1
    assert done.stderr.startswith("ERROR: attach kprobe:vfs_read+1: ")


def test_a_kernel_without_kprobes_says_so(probee: Probee) -> None:
    done = probee("-e", "kprobe:vfs_read { }", "-c", "true")
    if os.path.exists("/sys/bus/event_source/devices/kprobe"):
        assert done.returncode == 0
    else:
        assert done.returncode == 1
        assert done.stderr.startswith("ERROR: kprobe:vfs_read: this kernel has no kprobes")


WATCHED = """
#include <stdio.h>
volatile long watched;
int main(void) {
    printf("%p\\n", (void *)&watched);
    fflush(stdout);
    getchar();
    for (int i = 0; i < 23; i++) watched = i;
    puts("done");
    fflush(stdout);
    getchar();
    return 0;
}
"""


@pytest.mark.needs("cc", "watchpoint")
def test_memory_that_is_written(
    probee: Probee, cc: Callable[..., Path], target: Callable[..., Target]
) -> None:
    process = target(cc(WATCHED))
    address = process.read_line()
    run = probee.start("-e", f"watchpoint:{address}:8:w {{ @ = count(); }}", "-p", process.pid)
    run.wait_attached()
    process.go()
    assert process.read_line() == "done"
    process.go()
    done = run.wait()
    assert (done.returncode, done.lines[-1]) == (0, "@: 23")
