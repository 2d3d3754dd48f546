"""Marks of C and Python programs from the command line: counts, arguments, semaphores, what is wrong."""

from __future__ import annotations

import re
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from programs import ROOT, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from programs import Probee, Target

pytestmark = [pytest.mark.kernel, pytest.mark.needs("uprobe")]

# The arguments of `sizes` are of all sizes, from registers, memory and constants, as the compiler likes.
HITS = r"""
#include <sys/sdt.h>
#include <stdio.h>
#include <string.h>
struct {
    signed char a; unsigned char b; short c; unsigned short d; int e; unsigned f; long g; unsigned long h;
} all = {-1, 0xff, -2, 0xfffe, -3, 0xfffffffd, -4, 0xfffffffffffffffc};
static long table[] = {10, -20, 30};
__attribute__((noinline)) void hit(int i, const char *text) {
    STAP_PROBE3(app, hit, i, text, table[i % 3]);
    STAP_PROBE1(app, twice, i);
    STAP_PROBE1(app, twice, (char)-7);
}
__attribute__((noinline)) void sizes(void) {
    STAP_PROBE8(app, sizes, all.a, all.b, all.c, all.d, all.e, all.f, all.g, all.h);
}
void run(void) {
    for (int i = 0; i < 23; i++) {
        char text[40];
        snprintf(text, sizeof text, "call %d", i);
        hit(i, text);
    }
    sizes();
}
"""
MAIN = "void run(void); int main(void) { run(); return 0; }"
WAITS = """
int main(void) { while (getchar() != EOF) { run(); puts("done"); fflush(stdout); } }
"""
SIZES = "-1 255 -2 65534 -3 4294967293 -4 18446744073709551612"
BUILDS = {
    "O0": ("-O0",),
    "O2": ("-O2",),
    "position-dependent": ("-O2", "-no-pie", "-fno-pie"),
    "static": ("-O1", "-static"),
}


def script_for(binary: object) -> str:
    return f"""
    usdt:{binary}:app:hit {{ printf("%d %s %d\\n", arg0, str(arg1), arg2); @hits = count(); }}
    usdt:{binary}:app:sizes {{
        printf("sizes %ld %ld %ld %ld %ld %ld %ld %lu\\n", arg0, arg1, arg2, arg3, arg4, arg5, arg6, arg7); }}
    usdt:{binary}:twice {{ @[arg0] = count(); @all[probe] = count(); }}
    """


def check_hits(stdout: str, binary: object) -> None:
    lines = stdout.splitlines()
    assert [line for line in lines if " call " in line] == [
        f"{i} call {i} {(10, -20, 30)[i % 3]}" for i in range(23)
    ]
    assert f"sizes {SIZES}" in lines
    assert "@hits: 23" in lines
    assert {f"@[{i}]: 1" for i in range(23)} | {"@[-7]: 23"} <= set(lines)
    assert f"@all[usdt:{binary}:app:twice]: 46" in lines


@pytest.mark.needs("sdt")
@pytest.mark.parametrize("flags", BUILDS.values(), ids=BUILDS)
def test_arguments(probee: Probee, cc: Callable[..., Path], flags: tuple[str, ...]) -> None:
    binary = cc(HITS + MAIN, *flags)
    done = probee("-q", "-e", script_for(binary), "-c", binary)
    assert (done.returncode, done.stderr) == (0, "")
    check_hits(done.stdout, binary)


@pytest.mark.needs("sdt")
def test_library(probee: Probee, cc: Callable[..., Path]) -> None:
    library = cc(HITS, "-O2", "-shared", "-fPIC", name="libhits.so")
    binary = cc(MAIN, str(library), f"-Wl,-rpath,{library.parent}", name="main")
    done = probee("-q", "-e", script_for(library), "-c", binary)
    assert (done.returncode, done.stderr) == (0, "")
    check_hits(done.stdout, library)


@pytest.mark.needs("sdt")
def test_running_process(probee: Probee, cc: Callable[..., Path], target: Callable[..., Target]) -> None:
    binary = cc(HITS + WAITS, "-O2")
    traced, other = target(binary), target(binary)
    running = probee.start("-p", traced.pid, "-e", script_for(binary))
    running.wait_attached()
    for program in (other, traced):
        program.go()
        assert program.read_line() == "done"
    running.signal(signal.SIGINT)
    done = running.wait()
    assert done.returncode == 0, done.stderr
    check_hits(done.stdout, binary)


PYTHON = """
import sys
sys.path.insert(0, sys.argv[1])
from probee.usdt import Provider
done = Provider("app").probe("request_done", int, str)
print(done.path, flush=True)
for line in sys.stdin:
    enabled = done.is_enabled()
    for n in range(23):
        done(-n, f"request {n}")
    print(enabled, flush=True)
"""


@pytest.mark.parametrize("by_pid", [False, True])
def test_python_program(probee: Probee, target: Callable[..., Target], by_pid: bool) -> None:
    program = target(sys.executable, "-c", PYTHON, ROOT)
    path = program.read_line()
    program.go()
    assert program.read_line() == "False"
    script = f'usdt:{path}:app:request_done {{ printf("%d %s\\n", arg0, str(arg1)); @ = count(); }}'
    running = probee.start(*(["-p", program.pid] if by_pid else []), "-e", script)
    running.wait_attached()
    program.go()
    assert program.read_line() == "True"
    wait_until(lambda: "-22 request 22" in running.stdout)
    running.signal(signal.SIGINT)
    done = running.wait()
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^-?\d+ request \d+$", done.stdout, re.M) == [f"{-n} request {n}" for n in range(23)]
    assert "@: 23" in done.stdout
    program.go()
    assert program.read_line() == "False"


@pytest.mark.needs("sdt")
def test_floating_point(probee: Probee, cc: Callable[..., Path]) -> None:
    source = "#include <sys/sdt.h>\ndouble x;\nint main(void) { STAP_PROBE1(app, real, x * x); }"
    binary = cc(source, "-O2")
    done = probee("-e", f"usdt:{binary}:real {{ print(arg0); }}")
    assert done.returncode == 1
    assert re.search(r"can't be read: it is a floating point value, 8f@\S+", done.stderr)
    done = probee("-q", "-e", f"usdt:{binary}:real {{ @ = count(); }}", "-c", binary)
    assert (done.returncode, done.stdout.strip()) == (0, "@: 1")


@pytest.mark.needs("sdt")
def test_what_is_wrong(probee: Probee, cc: Callable[..., Path]) -> None:
    binary = cc(HITS + MAIN, "-O2")
    for point, message in {
        f"usdt:{binary}:hti": f"{binary} has no probe hti",
        f"usdt:{binary}:app:hti": "did you mean app:hit?",
        "usdt:/bin/true:hit": "/bin/true has no USDT probes",
        f"usdt:{binary}.c:hit": "expected an ELF file",
    }.items():
        done = probee("-e", f"{point} {{ }}")
        assert done.returncode == 1
        assert message in done.stderr
        assert "Traceback" not in done.stderr
