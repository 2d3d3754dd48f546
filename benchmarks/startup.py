"""Start-up to attached, a whole short run, and peak memory of probee and bpftrace, in turn on one script.

    sudo .venv/bin/python benchmarks/startup.py [--rounds 15]

Start-up runs from just before the tool's process is made to the moment when the traced process sees the
breakpoint in its own code; a whole run, from there to the end of a tool that stops at its first event.
Peak memory is read after 1,000 events. Both tools trace with `-p`.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools import (
    Tool,
    clock_ns,
    compile_target,
    describe,
    describe_goal,
    describe_ratio,
    find_tools,
    read_peak_kib,
    running_target,
    running_tool,
)

if TYPE_CHECKING:
    from pathlib import Path

MILLISECONDS_GOAL = 100


@dataclass(frozen=True)
class Measurement:
    """One tool, once."""

    attached_ms: float
    whole_ms: float
    peak_mib: float


def measure(tool: Tool, binary: Path) -> Measurement:
    probe = f"uprobe:{binary}:work"
    with running_target(binary, calls=1000) as target:
        start = clock_ns()
        with running_tool(tool, f"{probe} {{ @calls = count(); }}", target.pid) as run:
            attached = int(target.read_line("attached")[0])
            target.read_line("done")
            peak = read_peak_kib(run.pid)
    with running_target(binary, calls=1000) as target:
        began = clock_ns()
        with running_tool(tool, f'{probe} {{ printf("%d\\n", arg0); exit(); }}', target.pid) as run:
            run.wait()
            ended = clock_ns()
    return Measurement((attached - start) / 1e6, (ended - began) / 1e6, peak / 1024)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="runs of each tool (default 15)")
    rounds = parser.parse_args().rounds
    tools = find_tools()
    results: dict[str, list[Measurement]] = {tool.name: [] for tool in tools}
    with tempfile.TemporaryDirectory() as folder:
        binary = compile_target(folder)
        for tool in tools:
            measure(tool, binary)  # page cache and compiled modules, for both alike
        for _ in range(rounds):
            for tool in tools:
                results[tool.name].append(measure(tool, binary))
    print(f"{' against '.join(tool.version() for tool in tools)}, {rounds} rounds: median (range)")
    for what, unit, goal in (("attached", "ms", 0.4), ("whole", "ms", None), ("peak", "MiB", 0.4)):
        values = {
            name: [getattr(one, f"{what}_{unit.lower()}") for one in many] for name, many in results.items()
        }
        for name, numbers in values.items():
            print(f"{what:9} {name:9} {describe(numbers, unit, 1)}")
        print(f"{what:9} {describe_ratio(values['probee'], values['bpftrace'], goal)}")
    ours = statistics.median(one.attached_ms for one in results["probee"])
    print(f"attached  {ours:.0f} ms, {describe_goal(ours, MILLISECONDS_GOAL)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
