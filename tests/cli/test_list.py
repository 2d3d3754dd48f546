"""`probee list` and `probee -l`: patterns, kinds, functions with parameters, USDT probes, processes."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from probee.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from programs import Target

SOURCE = """
struct item { struct item *next; int id; };
__attribute__((noinline)) int item_count(const struct item *first, char *const *names)
{
    int count = names != 0;
    for (; first; first = first->next) { count += first->id; }
    return count;
}
static __attribute__((noinline)) void item_each(int (*visit)(struct item *), int many[4], ...) { visit(0); }
static int ignore(struct item *item) { return item != 0; }
int main(void) { int many[4] = {0}; item_each(ignore, many); return item_count(0, 0); }
"""

# C++ and Rust mangle names so that C can spell them.
MANGLED = """
int _ZN2ns5greetEi(int n) { return n; }
int _ZN2ns5greetEPKcd(const char *s, double d) { return s != 0; }
int _ZN2ns3maxIiEET_S1_S1_(int a, int b) { return a + b; }
int _ZN4rust5greet17h0123456789abcdefE(void) { return 0; }
int _RNvC5crate5greet(void) { return 0; }
int greet(void) { return 0; }
int main(void) { return 0; }
"""

PROBES = """
#include <stdio.h>
#include <sys/sdt.h>
int main(int argc, char **argv)
{
    DTRACE_PROBE2(app, request_start, argc, argv);
    DTRACE_PROBE(app, request_end);
    DTRACE_PROBE1(app, request_end, argc);
    DTRACE_PROBE(library, opened);
    puts("ready");
    fflush(stdout);
    return getchar() == 0;
}
"""

Run = tuple[int, list[str], str]


def run(capfd: pytest.CaptureFixture[str], *words: object) -> Run:
    status = main([str(word) for word in words])
    out, err = capfd.readouterr()
    return status, out.splitlines(), err


# -- kinds that need no file --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "lines"),
    [
        ("interval", ["interval:hz:", "interval:ms:", "interval:s:", "interval:us:"]),
        ("profile:*s", ["profile:ms:", "profile:s:", "profile:us:"]),
        ("i:ms:", ["interval:ms:"]),
        ("begin", ["begin"]),
        ("END", ["end"]),
        ("self:*", ["self:signal:SIGUSR1"]),
        ("software:c*", ["software:context-switches:", "software:cpu-clock:", "software:cpu-migrations:",
                         "software:cpu:", "software:cs:"]),
        ("*ware:*faults", ["software:alignment-faults:", "software:emulation-faults:", "software:faults:",
                           "software:major-faults:", "software:minor-faults:", "software:page-faults:"]),
        ("hardware:cache-misses,software:dummy", ["hardware:cache-misses:", "software:dummy:"]),
    ],
)  # fmt: skip
def test_fixed_kinds(capfd: pytest.CaptureFixture[str], pattern: str, lines: list[str]) -> None:
    for words in (["list", pattern], ["-l", pattern], ["--list", pattern]):
        assert run(capfd, *words) == (0, lines, "")


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (
            ["software:page-fault"],
            "no probe matches 'software:page-fault'",
            "did you mean software:page-faults",
        ),
        (["intervall:*"], "expected a kind of probe (begin, end, ", "did you mean interval?"),
        (["uprobe:*"], "uprobe:*: expected a file to look in", "-p PID"),
        (["usdt"], "usdt:*: expected a file to look in", "-p PID"),
        (["uprobe:/nonexistent:*"], "/nonexistent: no such file", ""),
        (["uprobe:nonexistent:*"], "nonexistent: no such file", "looked here, in PATH"),
        (["uprobe:/etc:*"], "/etc: expected a binary, got a directory", ""),
        (["uprobe:/etc/pass*:*"], "no ELF file matches '/etc/pass*'", ""),
        (["no_such_function_at_all"], "no probe matches", "uprobe:/path/of/file:NAME, or -p PID"),
        (["-p", "x", "usdt:*"], "Failed to parse pid: invalid integer: x", ""),
    ],
)
def test_wrong(capfd: pytest.CaptureFixture[str], words: list[str], message: str, hint: str) -> None:
    status, out, err = run(capfd, "list", *words)
    assert (status, out) == (1, [])
    assert err.startswith(f"ERROR: {message}")
    assert hint in err


def test_not_elf(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "script"
    path.write_text("#!/bin/sh\n")
    status, _, err = run(capfd, "list", f"uprobe:{path}:*")
    assert (status, err.count("\n")) == (1, 1)
    assert "expected an ELF file" in err


def test_what_was_listed_before_an_error_stays(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(capfd, "list", "begin", "software:x")[:2] == (1, ["begin"])


def test_script(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = "begin { } interval:ms:10, profile:hz:99 { } hardware:cache-misses:10 { exit(); }"
    lines = ["begin", "interval:ms:", "profile:hz:", "hardware:cache-misses:"]
    assert run(capfd, "-l", "-e", text) == (0, lines, "")
    (tmp_path / "script.bt").write_text(text)
    assert run(capfd, "-l", tmp_path / "script.bt") == (0, lines, "")
    status, out, err = run(capfd, "-l", "nonexistent.bt")
    assert (status, out) == (1, [])
    assert err.startswith("WARNING: It appears that 'nonexistent.bt' is a filename")


@pytest.mark.needs("root", "tracefs")
def test_tracepoints(capfd: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capfd, "-lv", "tracepoint:sched:sched_switch")
    assert (status, out[0], out[2]) == (0, "tracepoint:sched:sched_switch", "    pid_t prev_pid")
    assert run(capfd, "list", "t:sched:sched_swit*")[1] == ["tracepoint:sched:sched_switch"]
    assert "rawtracepoint:sched_switch" in run(capfd, "list", "rt:sched_*")[1]
    assert {"tracepoint:sched:sched_switch", "begin", "software:cpu:"} <= {*run(capfd, "-l")[1]}


def test_no_tracefs(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probee.kernel.names.TRACEFS", ("/nonexistent",))
    status, out, err = run(capfd, "list", "tracepoint:*")
    assert (status, out, err[:7]) == (1, [], "ERROR: ")
    # Other kinds may have what is looked for.
    status, out, err = run(capfd, "list", "*:cs")
    assert (status, out) == (0, ["software:cs:"])
    assert "WARNING: tracepoint is left out: " in err


# -- functions ----------------------------------------------------------------------------------


@pytest.mark.needs("cc")
def test_functions(capfd: pytest.CaptureFixture[str], cc: Callable[..., Path]) -> None:
    path = cc(SOURCE)
    listed = [f"uprobe:{path}:item_count", f"uprobe:{path}:item_each"]
    assert run(capfd, "list", f"uprobe:{path}:item*") == (0, listed, "")
    assert run(capfd, "list", f"u:{path}:item_count,u:{path}:item_each") == (0, listed, "")
    (path.parent / "link").symlink_to(path)
    assert run(capfd, "list", f"uprobe:{path.parent}/t*:item_*") == (0, listed, "")
    linked = [line.replace(str(path), f"{path.parent}/link") for line in listed]
    assert run(capfd, "list", f"uprobe:{path.parent}/*:item_*") == (0, linked, "")
    assert run(capfd, "list", f"*:{path}:item_*") == (0, listed, "")
    assert {*listed, f"uprobe:{path}:main"} <= {*run(capfd, "list", f"uprobe:{path}")[1]}
    assert run(capfd, "list", f"uretprobe:{path}:main") == (0, [f"uretprobe:{path}:main"], "")


@pytest.mark.needs("cc")
def test_parameters(capfd: pytest.CaptureFixture[str], cc: Callable[..., Path]) -> None:
    path = cc(SOURCE, "-g")
    _, out, err = run(capfd, "-lv", f"uprobe:{path}:item*")
    assert "\n".join(out).replace(str(path), "PATH") == (
        "uprobe:PATH:item_count\n"
        "    const struct item* first\n"
        "    char* const* names\n"
        "uprobe:PATH:item_each\n"
        "    int (*visit)(struct item *)\n"
        "    int* many\n"
        "    ..."
    )
    assert err == ""
    assert run(capfd, "-lv", f"uretprobe:{path}:item*")[1] == [
        f"uretprobe:{path}:item_count", "    int retval", f"uretprobe:{path}:item_each",
    ]  # fmt: skip


@pytest.mark.needs("cc")
def test_source_lines(capfd: pytest.CaptureFixture[str], cc: Callable[..., Path]) -> None:
    source = "int twice(int n) {\n    int more = n + n;\n    return more;\n}\n"
    source += "int main(void) { return twice(0); }\n"
    path = cc(source, "-g")
    place = f"uprobe:{path}@target.c:3"
    assert run(capfd, "-l", place) == (0, [place], "")
    assert run(capfd, "-lv", place)[1] == [place, "    int more", "    int n"]
    code, _, err = run(capfd, "-l", f"uprobe:{path}@target.c:three")
    assert code == 1
    assert "expected FILE:LINE" in err


@pytest.mark.needs("cc", "binutils")
def test_debug_files_in_folders_that_are_named(
    capfd: pytest.CaptureFixture[str], cc: Callable[..., Path]
) -> None:
    path = cc(SOURCE, "-g", "-rdynamic")
    folder = path.parent / "elsewhere"
    folder.mkdir()
    debug = folder / "target.debug"
    subprocess.run(["objcopy", "--only-keep-debug", path, debug], check=True)
    subprocess.run(["strip", path], check=True)
    listed = [f"uretprobe:{path}:item_count", "    int retval"]
    for named in (str(folder), "elsewhere"):
        found = run(capfd, "-lv", f"--debuginfo={named}", f"uretprobe:{path}:item_count")
        assert found == (0, listed, "")
    assert run(capfd, "-lv", f"uretprobe:{path}:item_count")[1] == listed[:1]


@pytest.mark.needs("cc", "binutils")
def test_separate_debug_file(capfd: pytest.CaptureFixture[str], cc: Callable[..., Path]) -> None:
    path = cc(SOURCE, "-g", "-rdynamic")
    debug = path.parent / ".debug" / "target.debug"
    debug.parent.mkdir()
    for command in (
        ["objcopy", "--only-keep-debug", path, debug],
        ["strip", "--strip-debug", path],
        ["objcopy", f"--add-gnu-debuglink={debug}", path],
    ):
        subprocess.run(command, check=True)
    lines = [f"uprobe:{path}:item_count", "    const struct item* first", "    char* const* names"]
    assert run(capfd, "list", "-v", f"uprobe:{path}:item_c*") == (0, lines, "")
    debug.unlink()
    status, out, err = run(capfd, "list", "-v", f"uprobe:{path}:item_c*", f"uprobe:{path}:main")
    assert (status, out) == (0, [lines[0], f"uprobe:{path}:main"])
    # Once for both patterns, with the place where the file was.
    assert err.count("\n") == err.count("has no debug information") == 1
    assert str(debug) in err


@pytest.mark.needs("cc")
def test_near_misses(capfd: pytest.CaptureFixture[str], cc: Callable[..., Path]) -> None:
    path = cc(SOURCE)
    status, out, err = run(capfd, "list", f"uprobe:{path}:item_cuont")
    assert (status, out) == (1, [])
    assert err == f"ERROR: no function item_cuont in {path}\nHINT: did you mean item_count?\n"
    assert run(capfd, "list", f"uprobe:{path}:xyz*")[2] == f"ERROR: no probe matches 'uprobe:{path}:xyz*'\n"


@pytest.mark.needs("cc", "libstdcxx")
@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("cpp:ns::*", ["ns::greet(char const*, double)", "ns::greet(int)", "int ns::max<int>(int, int)"]),
        ("cpp:ns::greet", ["ns::greet(char const*, double)", "ns::greet(int)"]),
        ('cpp:"ns::greet(int)"', ["ns::greet(int)"]),
        ('cpp:"ns::greet(char const*, double)"', ["ns::greet(char const*, double)"]),
        ("cpp:*greet", ["ns::greet(char const*, double)", "ns::greet(int)"]),
        ("rust:*greet", ["crate::greet", "rust::greet"]),
    ],
)
def test_demangled(
    capfd: pytest.CaptureFixture[str], cc: Callable[..., Path], pattern: str, names: list[str]
) -> None:
    path, language = cc(MANGLED), pattern.partition(":")[0]
    lines = sorted(f'uprobe:{path}:{language}:"{name}"' for name in names)
    assert run(capfd, "list", f"uprobe:{path}:{pattern}") == (0, lines, "")


@pytest.mark.needs("cc", "libstdcxx")
def test_plain_patterns_see_mangled_names(capfd: pytest.CaptureFixture[str], cc: Callable[..., Path]) -> None:
    path = cc(MANGLED)
    found = [line.rpartition(":")[2] for line in run(capfd, "list", f"uprobe:{path}:*greet*")[1]]
    assert found == [
        "_RNvC5crate5greet", "_ZN2ns5greetEPKcd", "_ZN2ns5greetEi", "_ZN4rust5greet17h0123456789abcdefE",
        "greet",
    ]  # fmt: skip


# -- USDT, processes ----------------------------------------------------------------------------


@pytest.mark.needs("sdt")
def test_usdt(capfd: pytest.CaptureFixture[str], cc: Callable[..., Path]) -> None:
    path = cc(PROBES)
    lines = [f"usdt:{path}:{name}" for name in ("app:request_end", "app:request_start", "library:opened")]
    for pattern in ("*", "*:*", "*e*"):
        assert run(capfd, "list", f"usdt:{path}:{pattern}") == (0, lines, "")
    assert run(capfd, "list", f"usdt:{path}:app:*") == (0, lines[:2], "")
    assert run(capfd, "list", f"U:{path}:opened") == (0, lines[2:], "")
    _, out, _ = run(capfd, "list", "-v", f"usdt:{path}:app:request_end")
    assert (out[0], len(out), out[1][:7]) == (lines[0], 2, "    -4@")


@pytest.mark.needs("sdt")
def test_process(
    capfd: pytest.CaptureFixture[str], cc: Callable[..., Path], target: Callable[..., Target]
) -> None:
    path = cc(PROBES)
    process = target(path)
    assert process.read_line() == "ready"
    _, out, _ = run(capfd, "list", "-p", process.pid, "usdt:*:app:*")
    assert out == [f"usdt:{path}:app:request_end", f"usdt:{path}:app:request_start"]
    assert f"usdt:{path}:library:opened" in run(capfd, "-l", "usdt:*", "-p", process.pid)[1]
    assert run(capfd, "-p", process.pid, "-l", "uprobe:target:main")[1] == [f"uprobe:{path}:main"]
    (line,) = run(capfd, "-p", process.pid, "-l", "uprobe:libc:getpid")[1]
    assert line.endswith(":getpid")
    assert run(capfd, "list", "-p", process.pid, "uprobe:libnot:x")[2] == (
        f"ERROR: process {process.pid} maps no file 'libnot'\n"
    )


def test_no_process(capfd: pytest.CaptureFixture[str]) -> None:
    with subprocess.Popen(["true"]) as process:
        pass
    assert not os.path.exists(f"/proc/{process.pid}")
    err = run(capfd, "list", "-p", process.pid, "usdt:*")[2]
    assert err == f"ERROR: no process has the id {process.pid}\n"


@pytest.mark.kernel
@pytest.mark.needs("btf")
def test_types_and_typed_functions_of_the_kernel(capfd: pytest.CaptureFixture[str]) -> None:
    code, lines, _ = run(capfd, "-lv", "struct list_head,enum pid_type")
    assert code == 0
    assert lines[0] == "vmlinux: enum pid_type {" or lines[0] == "vmlinux: struct list_head {"
    assert "vmlinux: struct list_head {" in lines
    assert run(capfd, "-l", "struct list_head")[1] == ["struct list_head"]
    code, lines, _ = run(capfd, "-lv", "fexit:vfs_rea*")
    assert "fexit:vmlinux:vfs_read" in lines
    assert "    struct file * file" in lines
    assert "    ssize_t retval" in lines
    assert "iter:task" in run(capfd, "-l", "iter:*")[1]
