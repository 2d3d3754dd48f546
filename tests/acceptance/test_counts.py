"""Every call is seen exactly once, or is counted as lost: in order, from threads, and in a flood."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from programs import Probee, Target

pytestmark = [pytest.mark.kernel, pytest.mark.needs("uprobe", "cc")]

DISTINCT_STRINGS = r"""
#include <stdio.h>
__attribute__((noinline)) void say(const char *text) { __asm__ volatile("" :: "r"(text) : "memory"); }
int main(void) {
    for (int i = 0; i < 23; i++) {
        char text[40];
        snprintf(text, sizeof text, "call %d of 23: %0*d", i, i % 11 + 1, i * i);
        say(text);
    }
}
"""

THREADS = r"""
#include <pthread.h>
__attribute__((noinline)) void hit(void) { __asm__ volatile("" ::: "memory"); }
static void *many(void *_) { for (int i = 0; i < 250000; i++) hit(); return _; }
int main(void) {
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], 0, many, 0);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], 0);
}
"""

FLOOD = r"""
__attribute__((noinline)) void flood(long n) { __asm__ volatile("" :: "r"(n) : "memory"); }
int main(void) { for (long n = 0; n < 2000000; n++) flood(n); }
"""


def expected_strings() -> list[str]:
    return [f"call {i} of 23: {i * i:0{i % 11 + 1}d}" for i in range(23)]


def test_each_call_once_in_order(probee: Probee, cc: Callable[..., Path]) -> None:
    binary = cc(DISTINCT_STRINGS)
    script = f'uprobe:{binary}:say {{ printf("%s\\n", str(arg0)); }}'
    result = probee("-q", "-e", script, "-c", binary)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split("\n\n")[0].splitlines() == expected_strings()
    assert result.stdout.strip("\n") == "\n".join(expected_strings())
    assert result.stderr == ""


def test_pid_sees_the_same(probee: Probee, cc: Callable[..., Path], target: Callable[..., Target]) -> None:
    binary = cc(DISTINCT_STRINGS.replace("int main(void) {", "int main(void) { getchar();"))
    process = target(binary)
    run = probee.start("-e", f'uprobe:{binary}:say {{ printf("%s\\n", str(arg0)); }}', "-p", process.pid)
    run.wait_attached()
    process.go()
    assert process.wait() == 0
    result = run.wait()
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip("\n").splitlines() == expected_strings()
    assert result.stderr.splitlines() == ["Attached 1 probe"]


@pytest.mark.real_time("a million hits")
def test_no_increment_is_lost_between_threads(probee: Probee, cc: Callable[..., Path]) -> None:
    binary = cc(THREADS)
    script = f"uprobe:{binary}:hit {{ @calls = count(); @x++; @total = sum(2); @by[pid]++; }}"
    result = probee("-q", "-e", script, "-c", binary)
    assert result.returncode == 0, result.stderr
    maps = dict(line.split(": ") for line in result.lines if line)
    by_pid = [value for name, value in maps.items() if name.startswith("@by[")]
    assert (maps["@calls"], maps["@x"], maps["@total"]) == ("1000000", "1000000", "2000000")
    assert by_pid == ["1000000"]


@pytest.mark.real_time("two million records")
def test_flood_to_a_text_file(probee: Probee, cc: Callable[..., Path], tmp_path: Path) -> None:
    binary, output = cc(FLOOD), tmp_path / "output"
    script = f'uprobe:{binary}:flood {{ printf("%ld\\n", arg0); }}'
    result = probee("-e", script, "-c", binary, "-o", output, timeout=120)
    assert result.returncode == 0, result.stderr
    numbers = [int(line) for line in output.read_text().split()]
    lost = sum(int(n) for n in re.findall(r"^Lost (\d+) events?$", result.stderr, re.MULTILINE))
    assert len(numbers) + lost == 2_000_000
    assert sorted(set(numbers)) == sorted(numbers)


@pytest.mark.real_time("two million records")
def test_flood_to_a_json_file(probee: Probee, cc: Callable[..., Path], tmp_path: Path) -> None:
    binary, output = cc(FLOOD), tmp_path / "output"
    script = f'uprobe:{binary}:flood {{ printf("%ld\\n", arg0); }}'
    result = probee("-f", "json", "-e", script, "-c", binary, "-o", output, timeout=120)
    assert result.returncode == 0, result.stderr
    seen = lost = 0
    with output.open() as lines:
        for line in lines:
            if line.startswith('{"type": "printf"'):
                seen += 1
            elif (event := json.loads(line))["type"] == "lost_events":
                lost += event["data"]["events"]
    assert seen + lost == 2_000_000
