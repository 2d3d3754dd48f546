"""Results of tests and benchmarks, in bpftrace's words."""

from __future__ import annotations

from ..base.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_UNITS = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us"), (1, "ns"))
_NAME_WIDTH, _TIME_WIDTH = 40, 15


@record
class Trial:
    """A test that was run: `duration` in nanoseconds, `output` is what it printed."""

    name: str
    duration: int
    passed: bool
    output: str


@record
class Benchmark:
    """A benchmark that was run: `average` nanoseconds of a run, taken from `times` runs."""

    name: str
    average: int
    times: int


def render_trial(done: Sequence[Trial], total: int, *, json: bool) -> str:
    """The lines about the last of the tests `done`: with the headline at the first of `total`, and with
    the summary at the last."""
    trial = done[-1]
    if json:
        duration, passed, output = trial.duration, trial.passed, trial.output
        return _result("test_result", trial.name, duration=duration, passed=passed, output=output)
    lines = [] if len(done) > 1 else [f"{_mark('==========')} Running {total} tests."]
    lines.append(f"{_mark(' RUN      ')} {trial.name}")
    if not trial.passed:
        lines += [line for line in trial.output.splitlines() if line]
    lines.append(f"{_verdict(trial.passed)} {trial.name} ({render_duration(trial.duration)})")
    if len(done) == total:
        lines += _summary(done)
    return "\n".join(lines) + "\n"


def _summary(done: Sequence[Trial]) -> list[str]:
    failed = [trial.name for trial in done if not trial.passed]
    lines = [
        f"{_mark('==========')} {_tests(len(done))} ran.",
        f"{_mark('  PASSED  ')} {_tests(len(done) - len(failed))}.",
    ]
    if failed:
        lines.append(f"{_verdict(False)} {_tests(len(failed))}, listed below:")
    return lines + [f"{_verdict(False)} {name}" for name in failed]


def render_benchmark(result: Benchmark, names: Sequence[str], *, first: bool, json: bool) -> str:
    """The line about a benchmark of all that are called `names`, with the table's head before the first."""
    if json:
        return _result("benchmark_result", result.name, average=result.average, iters=result.times)
    width = max([_NAME_WIDTH, *map(len, names)]) + 1
    head = f"{'Benchmark':<{width}}{'Time(ns)':<{_TIME_WIDTH}}Iterations"
    line = f"{result.name:<{width}}{result.average:<{_TIME_WIDTH}}{result.times}"
    return "\n".join([*([head, "-" * len(head)] if first else []), line]) + "\n"


def render_duration(nanoseconds: int) -> str:
    """A duration in whole units of the largest that fits: `12 us`."""
    scale, unit = next((u for u in _UNITS if nanoseconds >= u[0]), _UNITS[-1])
    return f"{nanoseconds // scale} {unit}"


def _mark(text: str, colour: int = 32) -> str:
    return f"\033[{colour}m[{text}]\033[0m"


def _verdict(passed: bool) -> str:
    return _mark("       OK ") if passed else _mark("  FAILED  ", 31)


def _tests(count: int) -> str:
    return f"{count} test" if count == 1 else f"{count} tests"


def _result(kind: str, name: str, **values: object) -> str:
    from json import dumps

    return dumps({"type": kind, "data": {name: values}}) + "\n"
