"""Stacks of real programs: whom they name, also when those who were seen are gone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from features import FEATURES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from programs import Probee

pytestmark = [pytest.mark.kernel, pytest.mark.needs("uprobe", "cc")]

SOURCE = """
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
volatile long sink;
int number = 0x1234;
short half = 0x56;
#define QUIET __attribute__((noinline))
#define DONE __asm__ volatile("" ::: "memory")
QUIET int deepest(int x) { sink += x; DONE; return (int)sink; }
static inline __attribute__((always_inline)) int within(int x) { int r = deepest(x); DONE; return r + 1; }
QUIET int middle(int x) { int r = within(x); DONE; return r + (int)sink; }
QUIET int aligned(int x)
{
    volatile long room[4] __attribute__((aligned(64)));
    room[0] = x;
    int r = middle(x);
    DONE;
    return r + (int)room[0];
}
static void handler(int s) { sink += deepest(s); }
static int once;
static int compare(const void *a, const void *b) { if (!once++) sink += aligned(1); return 0; }
int main(int argc, char **argv)
{
    int numbers[2] = {2, 1};
    if (argc > 1) usleep(200000);
    qsort(numbers, 2, sizeof(int), compare);
    signal(SIGUSR1, handler);
    raise(SIGUSR1);
    return 0;
}
"""

KEEPS = ("-g",)
SAVES = ("-O2", "-g", "-fomit-frame-pointer", "-fno-optimize-sibling-calls")
FRAME = re.compile(r"^        (?:\[inlined\] )?([\w.]+)", re.M)


def names(output: str) -> list[str]:
    return FRAME.findall(output)


@pytest.mark.needs("entry_caller")
def test_lines_and_inlined_functions(probee: Probee, cc: Callable[..., Path]) -> None:
    path = cc(SOURCE, *KEEPS)
    script = f'uprobe:{path}:deepest {{ print(ustack); print(usym(reg("ip"))); exit(); }}'
    lines = probee("-e", script, "-c", path).stdout.splitlines()
    inlined = next(at for at, line in enumerate(lines) if "[inlined] within@" in line)
    assert re.fullmatch(rf" {{8}}deepest\+\d+@{path}\.c:12", lines[inlined - 1])
    assert re.fullmatch(rf" {{8}}middle\+\d+@{path}\.c:14", lines[inlined + 1])
    assert "deepest" in lines


def test_keys_of_processes_that_are_gone(probee: Probee, cc: Callable[..., Path]) -> None:
    path = cc(SOURCE, *KEEPS)
    script = f"config = {{ show_debug_info = 0 }} uprobe:{path}:deepest {{ @[ustack] = count(); }}"
    found = names(probee("-e", script, "-c", path).stdout)
    callers = found[1:4]
    if FEATURES["entry_caller"].present:
        assert callers[0] == "handler" or callers == ["middle", "aligned", "compare"]
    assert found[0] == "deepest"
    assert found.count("deepest") == 2
    assert any(
        name.startswith(("qsort", "msort")) for name in found
    )  # of the C library, mapped after the start


def test_code_without_frame_pointers(probee: Probee, cc: Callable[..., Path]) -> None:
    path = cc(SOURCE, *SAVES)
    script = f"config = {{ show_debug_info = 0 }} uprobe:{path}:deepest {{ print(dw_ustack); }}"
    result = probee("-e", script, "-c", f"{path} later")
    stacks = [names(stack) for stack in result.stdout.split("\n\n") if "deepest" in stack]
    sorting, signalled = stacks
    assert sorting[:4] == ["deepest", "middle", "aligned", "compare"]
    assert signalled[:2] == ["deepest", "handler"]
    for stack in stacks:
        assert "main" in stack
        assert stack[-1] == "_start"
    assert "unwind failure" not in result.stdout


def test_a_file_that_was_deleted(
    probee: Probee, cc: Callable[..., Path], target: Callable[..., object]
) -> None:
    path = cc(SOURCE, *KEEPS)
    script = f"uprobe:{path}:deepest {{ @[ustack(perf, 1)] = count(); }}"
    running = probee.start("-e", script)
    running.wait_attached()
    started = target(path, "later")
    path.unlink()
    started.wait()  # type: ignore[attr-defined]
    import signal

    running.signal(signal.SIGINT)
    assert f"deepest+0 ({path}" in running.wait().stdout


@pytest.mark.parametrize("flag", ["-pie", "-no-pie"])
def test_addresses_of_names(probee: Probee, cc: Callable[..., Path], flag: str) -> None:
    path = cc(SOURCE, *KEEPS, flag, "-fPIE" if flag == "-pie" else "-fno-pie")
    script = f'uprobe:{path}:deepest {{ printf("%x %x\\n", *uaddr("number"), *uaddr("half")); exit(); }}'
    assert probee("-q", "-e", script, "-c", path).lines[0] == "1234 56"
