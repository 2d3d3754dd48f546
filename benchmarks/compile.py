"""How long the compiler takes, alone and warm: of one-liners, and of a folder of scripts.

    .venv/bin/python benchmarks/compile.py [FOLDER of .bt files]

Milliseconds of a compilation in a process that has done it before: the median of seven. Scripts that this
kernel has no probes for are named and left out.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from probee.base.errors import ProbeeError
from probee.base.source import Source
from probee.bt.compile import compile_script
from probee.session import survey_system

if TYPE_CHECKING:
    from probee.spec.target import Target

ONE_LINERS = (
    'tracepoint:raw_syscalls:sys_enter { @[comm] = count(); }',
    'tracepoint:syscalls:sys_enter_openat { printf("%s %s\\n", comm, str(args.filename)); }',
    "tracepoint:syscalls:sys_exit_read /args.ret > 0/ { @bytes = hist(args.ret); }",
    "profile:hz:99 { @[tid, comm] = count(); }",
    'software:faults:1 { @[comm, pid] = count(); }',
    'interval:s:1 { print(@); clear(@); @ = 1; }',
    'begin { printf("%-8d %s %lx\\n", pid, comm, nsecs); exit(); }',
)  # fmt: skip
LIMITS = {"one-liner": 20.0, "script": 150.0}
RUNS = 7


def measure(text: str, name: str, target: Target) -> float:
    """Milliseconds of one compilation. Raises ProbeeError."""
    times = []
    for _ in range(RUNS + 1):
        start = time.perf_counter_ns()
        compile_script(Source(name, text), target, unsafe=True)
        times.append((time.perf_counter_ns() - start) / 1e6)
    return statistics.median(times[1:])


def main(arguments: list[str]) -> int:
    target = survey_system()
    scripts = [("one-liner", text[:60], text) for text in ONE_LINERS]
    for folder in arguments:
        scripts += [("script", path.name, path.read_text()) for path in sorted(Path(folder).glob("*.bt"))]
    slow = 0
    for kind, name, text in scripts:
        try:
            took = measure(text, name, target)
        except ProbeeError as error:
            print(f"{'-':>9}  {name}: {str(error).splitlines()[0]}")
            continue
        over = took > LIMITS[kind]
        slow += over
        print(f"{took:6.1f} ms  {name}{f'  OVER {LIMITS[kind]:.0f} ms' if over else ''}")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
