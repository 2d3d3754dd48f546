"""What the tracing path imports and what that costs; fails on a module outside the allow list.

    sudo .venv/bin/python benchmarks/imports.py

Runs `python -X importtime -m probee` on a target of its own, and takes away what a bare Python imports. The
same script again must not import the compiler: what it made is kept.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile

from tools import HERE, clock_ns, compile_target, running_target

# Of the standard library, by top-level name; `python -X importtime -c pass` comes on top of these.
ALLOWED = frozenset(
    {
        "__future__", "_bisect", "_collections", "_ctypes", "_functools", "_locale", "_operator",
        "_posixsubprocess", "_sre", "_struct", "binascii", "bisect", "collections", "contextlib",
        "copyreg", "ctypes",
        "encodings", "enum", "errno", "fcntl", "functools", "gc", "importlib", "itertools", "keyword", "mmap",
        "operator", "pkgutil", "re", "reprlib", "resource", "runpy", "select", "signal", "struct", "time",
        "types", "warnings", "zlib",
    }
)  # fmt: skip

LINE = re.compile(r"import time:\s*(\d+) \|\s*(\d+) \| *(\S+)")


COMPILER = ("probee.bt.", "probee.codegen.", "probee.funcs.", "probee.ir.", "probee.probes.")


def imported(arguments: list[str], cache: str = "") -> dict[str, int]:
    """Microseconds that each module itself took, by full name, in order of import."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**env, "PYTHONPATH": str(HERE.parent), "XDG_CACHE_HOME": cache},
        timeout=30,
    )
    if done.returncode != 0:
        raise SystemExit(f"ERROR: {arguments} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return {name: int(own) for own, _, name in LINE.findall(done.stderr)}


def trace_imports() -> list[dict[str, int]]:
    """The modules of two runs of a script that attaches a probe, sees an event and ends."""
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        binary = compile_target(folder)
        script = f'uprobe:{binary}:work {{ printf("%s %d\\n", comm, arg0); @[tid] = count(); exit(); }}'
        for _ in range(2):
            with running_target(binary, calls=1000) as target:
                runs.append(
                    imported(["-m", "probee", "-p", str(target.pid), "-e", script], f"{folder}/cache")
                )
    return runs


def main() -> int:
    start = clock_ns()
    bare = imported(["-c", "pass"])
    milliseconds = (clock_ns() - start) / 1e6
    first, second = trace_imports()
    modules = {name: own for name, own in first.items() if name not in bare}
    ours = {name: own for name, own in modules.items() if name.partition(".")[0] == "probee"}
    foreign = {name: own for name, own in modules.items() if name not in ours}
    for name, own in sorted(modules.items(), key=lambda item: -item[1])[:20]:
        print(f"{own / 1000:7.2f} ms  {name}")
    print(f"{sum(ours.values()) / 1000:7.2f} ms  {len(ours)} modules of probee")
    print(f"{sum(foreign.values()) / 1000:7.2f} ms  {len(foreign)} modules of the standard library")
    print(f"{milliseconds:7.2f} ms  a bare Python, from start to end")
    again = {name: own for name, own in second.items() if name.partition(".")[0] == "probee"}
    print(f"{sum(again.values()) / 1000:7.2f} ms  {len(again)} modules of probee when the same is run again")
    refused = sorted(name for name in foreign if name.partition(".")[0] not in ALLOWED)
    if refused:
        print(f"ERROR: imported on the tracing path, and not allowed there: {', '.join(refused)}")
    compiler = sorted(name for name in again if name.startswith(COMPILER))
    if compiler:
        print(f"ERROR: a script that was run before is compiled again: {', '.join(compiler)}")
    return 1 if refused or compiler else 0


if __name__ == "__main__":
    raise SystemExit(main())
