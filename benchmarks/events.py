"""Nanoseconds per event, measured by the kernel, of five scripts under probee and bpftrace, in turn.

    sudo .venv/bin/python benchmarks/events.py [--rounds 5] [--calls 50000]

The kernel's own `bpf_stats` count the time inside the programs, not that of the breakpoint. Calls come
in bursts with pauses, so that neither tool's ring fills; what is lost all the same is printed.
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
from typing import TYPE_CHECKING

from tools import (
    Tool,
    bpf_stats,
    compile_target,
    describe_ratio,
    find_tools,
    read_run_time,
    running_target,
    running_tool,
)

if TYPE_CHECKING:
    from pathlib import Path

# Body of the probe, and the ratio to bpftrace's time that is the goal. The empty one shows what the
# measuring itself takes, the same for both: no script can be quicker.
SCRIPTS: dict[str, float | None] = {
    "": None,
    "@ = count();": 0.7,
    "@[tid] = count();": 0.7,
    "@ = hist(arg0);": 0.7,
    "@[comm, arg0 & 15] = count();": 0.7,
    r'printf("%d %d %s %s\n", pid, arg0, comm, str(arg1));': 0.25,
}

BURST = 250
PAUSE_US = 3000


def measure(tool: Tool, binary: Path, body: str, calls: int) -> tuple[float, int]:
    """(ns per event, events lost) of one run."""
    with (
        running_target(binary, calls, BURST, PAUSE_US) as target,
        running_tool(tool, f"uprobe:{binary}:work {{ {body} }}", target.pid) as run,
    ):
        target.read_line("attached")
        target.read_line("done")
        nanoseconds, runs = read_run_time(run.pid)
        if runs < calls:
            raise SystemExit(f"ERROR: {tool.name} ran {runs} times for {calls} calls of {body}")
    return nanoseconds / runs, sum(int(n) for n in re.findall(r"Lost (\d+) event", run.output))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="runs of each tool and script (default 5)")
    parser.add_argument("--calls", type=int, default=50_000, help="events of a run (default 50000)")
    options = parser.parse_args()
    tools = find_tools()
    print(f"{' against '.join(tool.version() for tool in tools)}; medians of {options.rounds} rounds")
    with tempfile.TemporaryDirectory() as folder, bpf_stats():
        binary = compile_target(folder)
        floors: dict[str, float] = {}
        for body, goal in SCRIPTS.items():
            times: dict[str, list[float]] = {tool.name: [] for tool in tools}
            lost = dict.fromkeys(times, 0)
            for _ in range(options.rounds):
                for tool in tools:
                    nanoseconds, missing = measure(tool, binary, body, options.calls)
                    times[tool.name].append(nanoseconds)
                    lost[tool.name] += missing
            middle = {name: statistics.median(t) for name, t in times.items()}
            medians = ", ".join(f"{name} {ns:,.0f} ns" for name, ns in middle.items())
            ratio = describe_ratio(times["probee"], times["bpftrace"], goal)
            print(f"{body or '(empty)'}\n  {medians}; {ratio}")
            if not body:
                floors = middle
            elif all(middle[name] > floors[name] for name in floors):
                ours, theirs = [middle[name] - floors[name] for name in ("probee", "bpftrace")]
                print(f"  above the empty one: {ours:,.0f} ns, {theirs:,.0f} ns; ratio {ours / theirs:.3f}")
            if any(lost.values()):
                print(f"  events lost: {lost}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
