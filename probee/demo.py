"""`probee demo`: a small workload of its own, traced live by three one-liners that a person could type.

Each is shown before it runs, and runs as the command itself. Ends by itself in about eight seconds.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

from .base.errors import ProbeeError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# Opens files and allocates memory through the C library, about 200 times a second. A program in its
# own right: it ends when its standard input does, so it can't outlive the demo.
_WORKLOAD = """
import ctypes, select, sys
libc = ctypes.CDLL(None)
libc.fopen.restype = libc.malloc.restype = ctypes.c_void_p
libc.fclose.argtypes = libc.free.argtypes = [ctypes.c_void_p]
libc.malloc.argtypes = [ctypes.c_size_t]
names = [b"/etc/passwd", b"/etc/group", b"/etc/passwd", b"/etc/hosts", b"/etc/no-such-file"]
turn = 0
while not select.select([sys.stdin], [], [], 0.005)[0]:
    stream = libc.fopen(names[turn % len(names)], b"r")
    if stream:
        libc.fclose(stream)
    libc.free(libc.malloc(turn * 37 % 5000))
    turn += 1
"""

_LESSONS = (
    (
        "Each call of the C library's fopen() as it happens, with its first argument:",
        'uprobe:libc:fopen { printf("fopen: %s\\n", str(arg0)); } interval:ms:100 { exit(); }',
    ),
    (
        "How large the pieces of memory are that it asks for, as a histogram:",
        "uprobe:libc:malloc { @bytes = hist(arg0); } interval:s:2 { exit(); }",
    ),
    (
        "How often it opens each file, and how many of all those calls fail:",
        "uprobe:libc:fopen { @opened[str(arg0)] = count(); } "
        "uretprobe:libc:fopen /retval == 0/ { @failed = count(); } interval:s:2 { exit(); }",
    ),
)


def main(arguments: Sequence[str]) -> int:
    """Run the demo; the exit status is 0 when every one-liner's was. `arguments` may ask for help.

    Raises UsageError for arguments, and ProbeeError where this user may not trace.
    """
    if arguments and arguments[0] in ("-h", "--help"):
        print("USAGE:\n    probee demo\n\nTraces a small workload of its own, live. Needs root.")
        return 0
    if arguments:
        raise UsageError(f"demo takes no arguments, got {arguments[0]!r}")
    if os.geteuid() != 0:
        raise ProbeeError(
            "the demo traces a live process, which only root may do",
            hint=f"run it as root: sudo {shlex.quote(sys.argv[0])} demo",
        )
    workload = subprocess.Popen([sys.executable, "-c", _WORKLOAD], stdin=subprocess.PIPE)
    try:
        print(f"A small program was started to be looked at: it opens files, as process {workload.pid}.")
        return max(_show(title, script, workload.pid) for title, script in _LESSONS)
    finally:
        workload.communicate()


def _show(title: str, script: str, pid: int) -> int:
    """Print and run one one-liner; its exit status."""
    print(f"\n{title}\n\n  probee -p {pid} -e {shlex.quote(script)}\n", flush=True)
    return subprocess.run([sys.executable, "-m", "probee", "-p", str(pid), "-e", script]).returncode
