"""Attach points: spellings, places, links, and what is wrong with those that are none."""

from __future__ import annotations

from typing import Any

import pytest

from builders.scripts import PROGRAM, FakeFiles, Script, complaints, errors, make_target
from probee.base.errors import SourceError, TargetError
from probee.base.source import Source
from probee.bt.compile import compile_script
from probee.ir.text import print_function
from probee.probes import find, find_near, is_later, names
from probee.probes.perf import ALIASES, HARDWARE, SOFTWARE
from probee.probes.provider import Point
from probee.spec.abi import PerfHardware, PerfSoftware, PerfType, ProgType
from probee.spec.bundle import IntervalLink, Link, PerfLink, Special, UprobeLink

# The code of FakeFiles' program begins one page into the file.
CODE = 0x1000


def _links(text: str, **options: Any) -> tuple[Link, ...]:
    return compile_script(Source("stdin", text), make_target(), **options).bundle.links


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("begin", "begin"),
        ("BEGIN", "begin"),
        ("End", "end"),
        ("i", "interval"),
        ("Interval", "interval"),
        ("u", "uprobe"),
        ("UPROBE", "uprobe"),
        ("p", "profile"),
        ("Profile", "profile"),
        ("s", "software"),
        ("h", "hardware"),
        ("ur", "uretprobe"),
        ("uretprobe", "uretprobe"),
    ],
)
def test_spellings(spelling: str, name: str) -> None:
    found = find(spelling)
    assert found is not None
    assert found.name == name


def test_names_that_are_none() -> None:
    assert find("kprobe") is None
    assert is_later("kprobe")
    assert is_later("KPROBE")
    assert is_later("U")
    assert find("U") is None
    assert not is_later("kprobr")
    assert find_near("uporbe") == ["uprobe"]


def test_begin_and_end() -> None:
    assert _links("BEGIN { } end { } begin { }") == (
        Special("begin_1", "begin", "begin"),
        Special("end_2", "end", "end"),
        Special("begin_3", "begin", "begin"),
    )
    assert [p.type for p in Script("BEGIN { }").bundle.programs] == [ProgType.RAW_TRACEPOINT]


def test_programs_that_are_run_on_demand() -> None:
    assert _links("self:signal:SIGUSR1 { } test:a { } bench:b { }") == (
        Special("self_1", "SIGUSR1", "self:signal:SIGUSR1"),
        Special("test_2", "test", "test:a"),
        Special("bench_3", "bench", "bench:b"),
    )
    kinds = [p.type for p in Script("self:signal:SIGUSR1 { } test:a { } bench:b { }").bundle.programs]
    assert kinds == [ProgType.RAW_TRACEPOINT, ProgType.XDP, ProgType.XDP]


@pytest.mark.parametrize(
    ("point", "period"),
    [
        ("interval:s:1", 10**9),
        ("i:ms:100", 10**8),
        ("i:us:5", 5_000),
        ("i:hz:99", 10**9 // 99),
        ("i:1s", 10**9),
        ("i:250ms", 250_000_000),
        ("i:2m", 120 * 10**9),
        ("i:1000", 1_000),
    ],
)
def test_intervals(point: str, period: int) -> None:
    script = Script(f"{point} {{ }}")
    (link,) = script.bundle.links
    assert isinstance(link, IntervalLink)
    assert (link.period, link.program) == (period, "interval_1")
    assert link.probe == "interval:" + point.partition(":")[2]
    assert script.bundle.programs[0].type == ProgType.PERF_EVENT


@pytest.mark.parametrize(
    ("point", "probe", "type", "config", "period"),
    [
        ("p:hz:99", "profile:hz:99", PerfType.SOFTWARE, PerfSoftware.CPU_CLOCK, 10**9 // 99),
        ("profile:10ms", "profile:10ms", PerfType.SOFTWARE, PerfSoftware.CPU_CLOCK, 10**7),
        ("profile:us:50", "profile:us:50", PerfType.SOFTWARE, PerfSoftware.CPU_CLOCK, 50_000),
        ("s:faults", "software:faults", PerfType.SOFTWARE, PerfSoftware.PAGE_FAULTS, 100),
        ("s:page-faults:1", "software:page-faults:1", PerfType.SOFTWARE, PerfSoftware.PAGE_FAULTS, 1),
        ("s:cs", "software:cs", PerfType.SOFTWARE, PerfSoftware.CONTEXT_SWITCHES, 1000),
        ("s:cpu", "software:cpu", PerfType.SOFTWARE, PerfSoftware.CPU_CLOCK, 10**6),
        ("s:dummy", "software:dummy", PerfType.SOFTWARE, PerfSoftware.DUMMY, 1),
        ("h:cycles", "hardware:cycles", PerfType.HARDWARE, PerfHardware.CPU_CYCLES, 10**6),
        ("h:branches:7", "hardware:branches:7", PerfType.HARDWARE, PerfHardware.BRANCH_INSTRUCTIONS, 7),
    ],
)
def test_perf_events(point: str, probe: str, type: PerfType, config: int, period: int) -> None:
    (link,) = _links(f"{point} {{ }}", pid=42)
    assert isinstance(link, PerfLink)
    assert (link.probe, link.type, link.config, link.period, link.pid) == (probe, type, config, period, 42)
    assert Script(f"{point} {{ }}").bundle.programs[0].type == ProgType.PERF_EVENT


def test_every_event_has_a_count_of_its_own() -> None:
    """The counts are the language's: scripts depend on how often a probe fires that does not say."""
    assert {name for name, (_, count) in SOFTWARE.items() if count > 1} == {
        "context-switches",
        "cpu-clock",
        "minor-faults",
        "page-faults",
    }
    assert sum(count == 100_000 for _, count in HARDWARE.values()) == 3
    assert {n for n, _ in HARDWARE.values()} == set(PerfHardware)
    assert {n for n, _ in SOFTWARE.values()} == set(PerfSoftware)
    assert set(ALIASES.values()) <= {*HARDWARE, *SOFTWARE}


def test_probes_that_run_in_a_task_end_at_once_in_others() -> None:
    for point in ("profile:hz:99", "software:cs", "hardware:cycles"):
        assert "get_current_pid_tgid" in _calls(f"{point} {{ @++; }}", pid=7)
        assert "get_current_pid_tgid" not in _calls(f"{point} {{ @++; }}")
    assert "get_current_pid_tgid" not in _calls("interval:s:1 { @++; }", pid=7)


def _calls(text: str, **options: Any) -> str:
    printed: list[str] = []

    def dump(stage: str, made: Any) -> None:
        if stage == "built":
            printed.append(print_function(made))

    compile_script(Source("stdin", text), make_target(), dump=dump, **options)
    return "\n".join(printed)


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ("self", "expected self:signal:NAME, got 'self'"),
        ("self:signal", "expected self:signal:NAME, got 'self:signal'"),
        ("self:timer:SIGUSR1", "timer is not a supported trigger"),
        ("self:signal:SIGKILL", "SIGKILL is not a supported signal"),
        ("test", "test probes must have a name"),
        ("bench:a:b", "bench probes must have a name"),
        ("begin:x", "begin takes no arguments, got 'x'"),
        ("interval", "expected interval:UNIT:N, got 0 parts after the name"),
        ("interval:s", "expected a time with its unit, got 's'"),
        ("interval:s:x", "expected a positive integer as time, got 'x'"),
        ("interval:s:0", "expected a positive integer as time, got '0'"),
        ("interval:h:1", "'h' is not an accepted unit: expected s, ms, us or hz"),
        ("interval:s:1:2", "expected interval:UNIT:N, got 3 parts after the name"),
        ("interval:0", "interval of 0 ns: expected a time of at least 1 ns, below 292 years"),
        ("interval:hz:2000000000", "interval of 0 ns: expected a time of at least 1 ns, below 292 years"),
        ("profile:h:1", "'h' is not an accepted unit: expected s, ms, us or hz"),
        ("profile:0", "profile of 0 ns: expected a time of at least 1 ns, below 292 years"),
        ("software", "expected software:EVENT or software:EVENT:COUNT"),
        ("software:faults:1:2", "expected software:EVENT or software:EVENT:COUNT"),
        ("software:faults:0", "expected a positive integer as count, got '0'"),
        ("software:faults:x", "expected a positive integer as count, got 'x'"),
        ("software:nonsense", "nonsense is not a software probe"),
        ("software:cycles", "cycles is not a software probe"),
        ("hardware:cs", "cs is not a hardware probe"),
        ("hardware:c*", "wildcards are not allowed for hardware probe type"),
        ("uprobe:main", "expected uprobe:PATH:FUNCTION, got 'uprobe:main'"),
        ("uprobe:program:main+x", "expected FUNCTION+OFFSET, got 'main+x'"),
        (
            "uretprobe:program:main+4",
            "a return probe takes no offset: it fires when the function returns",
        ),
        ("kprobe:f", "kprobe probes are not supported yet"),
        ("nothing:f", "Invalid probe type: nothing"),
    ],
)
def test_malformed_attach_points(point: str, message: str) -> None:
    assert complaints(f"{point} {{ }}") == [(point, message)]


def test_a_malformed_attach_point_says_how_it_is_done() -> None:
    assert [d.hint for d in errors("uprobe:main { }")] == [
        "usage: uprobe:PATH:FUNCTION, uprobe:PATH:FUNCTION+OFFSET"
    ]
    assert [d.hint for d in errors("uporbe:program:main { }")] == ["did you mean uprobe?"]
    assert [d.hint for d in errors("hardware:cycels { }")] == ["did you mean cycles?"]


@pytest.mark.parametrize(
    ("point", "probe", "offset", "ret"),
    [
        ("uprobe:/bin/program:main", "uprobe:/bin/program:main", 0, False),
        ("u:program:read_line", "uprobe:/bin/program:read_line", 0x40, False),
        ("u:program:read_line+4", "uprobe:/bin/program:read_line+4", 0x44, False),
        ("u:program:read_line+0x10", "uprobe:/bin/program:read_line+0x10", 0x50, False),
        (f"u:program:{CODE + 0x80:#x}", "uprobe:/bin/program:0x1080", 0x80, False),
        ("uretprobe:program:close_file", "uretprobe:/bin/program:close_file", 0xC0, True),
    ],
)
def test_places_of_functions(point: str, probe: str, offset: int, ret: bool) -> None:
    (link,) = _links(f"{point} {{ }}", pid=42)
    assert isinstance(link, UprobeLink)
    assert (link.probe, link.path, link.offset, link.ret, link.pid) == (
        probe,
        PROGRAM,
        CODE + offset,
        ret,
        42,
    )
    assert link.span is not None
    assert link.span.text == point


def test_one_program_serves_all_matches_that_need_not_tell_which() -> None:
    bundle = Script("uprobe:program:read_* { @x++; print(1); }").bundle
    assert [p.name for p in bundle.programs] == ["uprobe_1"]
    assert [(link.program, link.probe) for link in bundle.links] == [
        ("uprobe_1", "uprobe:/bin/program:read_all"),
        ("uprobe_1", "uprobe:/bin/program:read_line"),
    ]
    assert bundle.events[0].probe == "uprobe:program:read_*"


@pytest.mark.parametrize(
    ("point", "message", "hint"),
    [
        (
            "u:/bin/nothing:main",
            "uprobe target file '/bin/nothing' does not exist or is not executable",
            None,
        ),
        (
            "u:nothing:main",
            "uprobe target file 'nothing' does not exist or is not executable",
            "give the path, or a library's short name such as libc",
        ),
        ("u:program:mian", "no function mian in /bin/program", "did you mean main?"),
        ("u:program:write_*", "no function matches 'write_*' in /bin/program", None),
        ("u:program:0x10", "offset 0x10 is not in the code of /bin/program", None),
        ("u:program:main+0x40", "offset 64 is past the end of main (size 64) in /bin/program", None),
    ],
)
def test_things_that_are_not_there(point: str, message: str, hint: str | None) -> None:
    with pytest.raises(TargetError) as caught:
        Script(f"{point} {{ }}")
    error = caught.value
    assert (error.message, error.hint) == (message, hint)
    assert error.span is not None
    assert error.span.text == point


def test_what_is_not_there_is_told_together_with_what_is_wrong() -> None:
    assert complaints("u:program:mian { foo(); } u:x:y { }") == [
        ("u:program:mian", "no function mian in /bin/program"),
        ("foo", "Unknown function: 'foo'"),
        ("u:x:y", "uprobe target file 'x' does not exist or is not executable"),
    ]
    with pytest.raises(SourceError) as caught:
        Script("u:program:mian { } u:x:y { }")
    assert len(caught.value.diagnostics) == 2


def test_more_places_than_allowed() -> None:
    assert complaints("config = { max_probes = 1; } u:program:read_* { }") == [
        ("u:program:read_*", "Can't attach to 2 probes because it exceeds the current limit of 1 probes")
    ]


def test_every_kind_says_how_it_is_written() -> None:
    for name in names():
        found = find(name)
        assert found is not None
        assert found.usage.startswith(name)
        with pytest.raises((SourceError, TargetError)):
            found.expand(Point(name, ("", "", ""), name), make_target())


def test_the_made_up_machine_has_one_program() -> None:
    assert FakeFiles().find_program("program") == PROGRAM
