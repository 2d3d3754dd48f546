"""Attach points: spellings, places, links, and what is wrong with those that are none."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from builders.scripts import BASE, PROGRAM, FakeFiles, Script, complaints, errors, make_target, registers
from probee.base.errors import SourceError, TargetError
from probee.base.record import replace
from probee.base.source import Source
from probee.bt.compile import compile_script
from probee.ir.text import print_function
from probee.probes import find, find_near, is_later, names
from probee.probes.interval import parse_count
from probee.probes.perf import ALIASES, HARDWARE, SOFTWARE
from probee.probes.provider import Point
from probee.spec.abi import AttachType, PerfHardware, PerfSoftware, PerfType, ProgType
from probee.spec.bundle import (
    IntervalLink,
    KprobeLink,
    Link,
    PerfLink,
    RawTracepointLink,
    Special,
    TracepointLink,
    UprobeLink,
    WatchLink,
)

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
        ("k", "kprobe"),
        ("kr", "kretprobe"),
        ("t", "tracepoint"),
        ("rt", "rawtracepoint"),
        ("w", "watchpoint"),
        ("ur", "uretprobe"),
        ("uretprobe", "uretprobe"),
        ("U", "usdt"),
        ("USDT", "usdt"),
    ],
)
def test_spellings(spelling: str, name: str) -> None:
    found = find(spelling)
    assert found is not None
    assert found.name == name


def test_names_that_are_none() -> None:
    assert find("fentry") is None
    assert is_later("fentry")
    assert is_later("FENTRY")
    assert find("FENTRY") is None
    assert not is_later("fentri")
    assert find_near("uporbe")[0] == "uprobe"


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
        ("test", "test probe type requires 1 arguments, found 0"),
        ("bench:a:b", "bench probe type requires 1 arguments, found 2"),
        ("begin:x", "begin probe type requires 0 arguments, found 1"),
        ("interval", "interval probe type requires 1 or 2 arguments, found 0"),
        ("interval:s", "expected a time with its unit, got 's'"),
        ("interval:s:x", "expected a positive integer as time, got 'x'"),
        ("interval:s:0", "expected a positive integer as time, got '0'"),
        ("interval:h:1", "'h' is not an accepted unit: expected s, ms, us or hz"),
        ("interval:s:1:2", "interval probe type requires 1 or 2 arguments, found 3"),
        ("interval:999", "Invalid rate of interval probe. Minimum is 1000 or 1us. Found: 999 nanoseconds"),
        (
            "profile:hz:2000000",
            "Invalid rate of profile probe. Minimum is 1000 or 1us. Found: 500 nanoseconds",
        ),
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
        ("uprobe:main", "uprobe probe type requires 2 or 3 arguments, found 1"),
        ("uprobe:program:main+x", "expected FUNCTION+OFFSET, got 'main+x'"),
        (
            "uretprobe:program:main+4",
            "a return probe takes no offset: it fires when the function returns",
        ),
        ("fentry:f", "fentry probes are not supported yet"),
        ("kprobe", "kprobe probe type requires 1 or 2 arguments, found 0"),
        ("kprobe:a:b:c", "kprobe probe type requires 1 or 2 arguments, found 3"),
        ("kprobe:vfs_read+x", "expected FUNCTION+OFFSET, got 'vfs_read+x'"),
        ("kprobe:vfs_read+1+2", "expected FUNCTION+OFFSET, got 'vfs_read+1+2'"),
        ("kprobe:0xffff0000", "expected a function's name, got an address"),
        ("kretprobe:vfs_read+4", "a return probe takes no offset: it fires when the function returns"),
        ("tracepoint:sched", "tracepoint probe type requires 2 arguments, found 1"),
        ("rawtracepoint", "rawtracepoint probe type requires 2 or 1 arguments, found 0"),
        ("watchpoint:8", "expected watchpoint:ADDRESS:LENGTH:MODE, got 'watchpoint:8'"),
        ("watchpoint:0:8:w", "watchpoint must be attached to a non-zero address"),
        ("watchpoint:8:3:w", "watchpoint length must be one of (1,2,4,8)"),
        ("watchpoint:8:8:a", "watchpoint mode must be combination of (r,w,x)"),
        ("watchpoint:8:8:ww", "watchpoint modes may not be duplicated"),
        ("watchpoint:8:8:r", "invalid watchpoint mode: r"),
        ("nothing:f", "Invalid probe type: nothing"),
    ],
)
def test_malformed_attach_points(point: str, message: str) -> None:
    assert complaints(f"{point} {{ }}") == [(point, message)]


def test_a_malformed_attach_point_says_how_it_is_done() -> None:
    assert [d.hint for d in errors("uprobe:main { }")] == [
        "usage: uprobe:PATH:FUNCTION, uprobe:PATH:FUNCTION+OFFSET, uprobe:PATH@FILE:LINE"
    ]
    assert [d.hint for d in errors("uporbe:program:main { }")] == ["did you mean uprobe or kprobe?"]
    assert [d.hint for d in errors("hardware:cycels { }")] == ["did you mean cycles?"]


@pytest.mark.parametrize(
    ("point", "probe", "offset", "ret"),
    [
        ("uprobe:/bin/program:main", "uprobe:/bin/program:main", 0, False),
        ("u:program:read_line", "uprobe:/bin/program:read_line", 0x40, False),
        ("u:program:read_line+4", "uprobe:/bin/program:read_line+4", 0x44, False),
        ("u:program:read_line+0x10", "uprobe:/bin/program:read_line+0x10", 0x50, False),
        (f"u:program:{BASE + 0x80:#x}", "uprobe:/bin/program:0x401080", 0x80, False),
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
        (
            "u:program:mian",
            "No matches for uprobe program:mian.",
            "no function mian in /bin/program; did you mean main?",
        ),
        (
            "u:program:write_*",
            "No matches for uprobe program:write_*.",
            "no function matches 'write_*' in /bin/program",
        ),
        (
            "u:program:0x10",
            "Could not resolve address: /bin/program:0x10",
            "address 0x10 is not in the code of /bin/program",
        ),
        (
            "u:program:0x1080",
            "Could not resolve address: /bin/program:0x1080",
            "offset 0x1080 in the file is address 0x401080",
        ),
        (
            "u:program:main+0x40",
            "Offset outside the function bounds ('main' size is 64)",
            "offset 64 is past the end of main (size 64) in /bin/program",
        ),
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
        ("u:program:mian", "No matches for uprobe program:mian."),
        ("foo", "Unknown function: 'foo'"),
        ("u:x:y", "uprobe target file 'x' does not exist or is not executable"),
    ]
    with pytest.raises(SourceError) as caught:
        Script("u:program:mian { } u:x:y { }")
    assert len(caught.value.diagnostics) == 2


@pytest.mark.parametrize(
    ("point", "message", "hint"),
    [
        ("k:vfs_raed", "No matches for kprobe vfs_raed.", "did you mean vfs_read?"),
        ("kr:vfs_z*", "No matches for kretprobe vfs_z*.", None),
        ("k:nft:nft_new", "specified module nft in probe k:nft:nft_new is not loaded.", None),
        ("k:nf_tables:vfs_read", "No matches for kprobe nf_tables:vfs_read.", "did you mean vfs_read?"),
        (
            "t:sched:sched_process_exek",
            "No matches for tracepoint sched:sched_process_exek.",
            "did you mean sched_process_exec?",
        ),
        ("t:sched:z*", "No matches for tracepoint sched:z*.", None),
        ("rt:z*", "No matches for rawtracepoint z*.", None),
    ],
)
def test_names_that_the_kernel_does_not_have(point: str, message: str, hint: str | None) -> None:
    with pytest.raises(TargetError) as caught:
        Script(f"{point} {{ }}")
    assert caught.value.message == message
    assert hint is None or hint in (caught.value.hint or "")
    assert caught.value.span is not None
    assert caught.value.span.text == point


def test_a_kernel_that_nobody_knows_the_names_of() -> None:
    """A function may be there, as in a machine that is made up; lists and descriptions nobody has."""
    unknown = replace(make_target(), names=None)
    assert len(Script("k:any_function { } rt:any_event { }", target=unknown).bundle.links) == 2
    for point in ("k:vfs_*", "t:sched:sched_process_exec", "rt:sched_*"):
        with pytest.raises(TargetError, match="it is not known what this target's kernel has to trace"):
            Script(f"{point} {{ }}", target=unknown)


@pytest.mark.parametrize(
    ("point", "probe", "place"),
    [
        ("k:vfs_read", "kprobe:vfs_read", ("vfs_read", 0, False, "")),
        ("k:vfs_read+0x10", "kprobe:vfs_read+0x10", ("vfs_read", 16, False, "")),
        ("kprobe:vmlinux:vfs_read", "kprobe:vmlinux:vfs_read", ("vfs_read", 0, False, "")),
        ("k:nf_tables:nft_new", "kprobe:nf_tables:nft_new", ("nft_new", 0, False, "nf_tables")),
        ("k:nf_*:nft_*", "kprobe:nft_new", ("nft_new", 0, False, "nf_tables")),
        ("kretprobe:vfs_w*", "kretprobe:vfs_write", ("vfs_write", 0, True, "")),
    ],
)
def test_functions_of_the_kernel(point: str, probe: str, place: tuple[object, ...]) -> None:
    (link,) = _links(f"{point} {{ @[func] = count(); }}")
    assert isinstance(link, KprobeLink)
    assert (link.probe, (link.function, link.offset, link.ret, link.module)) == (probe, place)


def test_many_functions_share_a_program_and_a_link_where_there_are_such_links() -> None:
    def types(text: str, *features: str) -> list[tuple[str, AttachType]]:
        target = make_target(features=("atomics_fetch", "large_keys", *features))
        return [(p.probe, p.expected_attach) for p in Script(text, target=target).bundle.programs]

    multi = AttachType.TRACE_KPROBE_MULTI
    assert types("k:vfs_* { @++; }", "kprobe_multi") == [("k:vfs_*", multi)]
    assert types("k:vfs_* { @++; }") == [("k:vfs_*", AttachType.NONE)]
    assert types("k:vfs_read { @++; }", "kprobe_multi") == [("kprobe:vfs_read", AttachType.NONE)]
    assert [t for _, t in types("k:vfs_* { @[func] = count(); }", "kprobe_multi")] == [multi]
    text = "kr:vfs_* { @[func] = count(); }"
    assert [t for _, t in types(text, "kprobe_multi", "get_func_ip")] == [multi]
    # Without the helper only the compiler knows where a function is.
    assert [t for _, t in types(text, "kprobe_multi")] == [AttachType.NONE] * 2


def test_one_program_serves_many_uprobes_and_knows_where_it_is() -> None:
    """By the cookies of the links; kernels without them get a program for each place."""
    text = "uprobe:program:* { print((func, probe)); }"
    alone = Script(text, target=make_target(features=("atomics_fetch",)))
    assert len(alone.bundle.programs) == len(alone.bundle.links) > 1
    assert all(isinstance(link, UprobeLink) and not link.cookie for link in alone.bundle.links)
    script = Script(text, target=make_target(features=("atomics_fetch", "attach_cookie")))
    assert len(script.bundle.programs) == 1
    for link, plain in zip(script.bundle.links, alone.bundle.links, strict=True):
        assert isinstance(link, UprobeLink)
        script.machine.cookie = link.cookie
        function = link.probe.rpartition(":")[2]
        assert script.run().values() == [(function, link.probe)]
        assert link.probe == plain.probe
    assert [link.cookie for link in script.bundle.links] == list(range(1, len(script.bundle.links) + 1))
    script.machine.cookie = 1 << 40  # of nobody, and nothing past the table is read
    assert script.run().values()[0][0] in {link.probe.rpartition(":")[2] for link in script.bundle.links}


def _bare(text: str, **options: Any) -> tuple[Link, ...]:
    """Links without their spans."""
    return tuple([replace(link, span=None) for link in _links(text, **options)])


def test_tracepoints() -> None:
    assert _bare("t:sched:sched_process_exec { } t:*:sys_*_open* { }") == (
        TracepointLink("tracepoint_1", "sched", "sched_process_exec", "tracepoint:sched:sched_process_exec"),
        TracepointLink(
            "tracepoint_2", "syscalls", "sys_enter_openat", "tracepoint:syscalls:sys_enter_openat"
        ),
    )
    assert _bare("rt:mod:any_name { } rt:sched_* { }") == (
        RawTracepointLink("rawtracepoint_1", "any_name", "rawtracepoint:any_name"),
        RawTracepointLink("rawtracepoint_2", "sched_process_exec", "rawtracepoint:sched_process_exec"),
    )


def test_watchpoints() -> None:
    assert _bare("w:0x1000:4:wr { }", pid=9) == (
        WatchLink("watchpoint_1", 0x1000, 4, "rw", 9, "watchpoint:0x1000:4:wr"),
    )


def record(*parts: bytes) -> bytes:
    return b"".join(parts).ljust(64, b"\0")


def test_fields_of_a_tracepoint() -> None:
    script = Script(
        "t:sched:sched_process_exec { print((args.pid, args.comm, args->pid + 1)); }",
    )
    context = record(bytes(12), struct.pack("=i", -7), b"cat".ljust(16, b"\0"))
    ((kind, (value,)),) = script.run(context=context).events()
    assert kind == "print_value"
    assert value == (-7, "cat", -6)


def test_a_field_of_changing_length_is_where_the_record_says() -> None:
    """The low half of the word is the place, from the record's start, or from the field's end."""
    ir = _calls("t:sched:sched_process_exec { @a = str(args.filename); @b = args.more; }")
    assert "probe_read_kernel_str" in ir
    assert "65535" in ir


def test_arguments_of_system_calls_are_the_program_s_addresses() -> None:
    assert "probe_read_user_str" in _calls("t:syscalls:sys_enter_openat { @ = str(args.filename); }")
    assert "probe_read_kernel_str" in _calls("k:vfs_read { @ = str(arg0); }")
    assert "probe_read_user_str" in _calls("u:program:main { @ = str(arg0); }")


def test_what_fields_are_asked_of() -> None:
    assert complaints("t:sched:sched_process_exec { print(args.pdi); }")[0][1].endswith("named 'pdi'")
    assert complaints("begin { print(args.pid); }") == [
        ("args", "The args builtin can not be used with 'begin' probes")
    ]
    # A program is typed once, for all of its places: what they do not share nobody can ask for.
    both = "t:sched:sched_process_exec, t:syscalls:sys_enter_openat"
    assert complaints(f"{both} {{ print(args.pid); }}")[0][1].endswith("named 'pid'")


def test_arguments_by_each_convention() -> None:
    raw = Script("rt:sched_* { print((arg0, arg2)); }")
    assert raw.run(context=struct.pack("=12Q", *range(10, 22))).values() == [(10, 12)]
    kernel = Script("k:vfs_read { print((arg0, arg5)); } kr:vfs_read { print(retval); }")
    assert kernel.run(context=registers(1, 2, 3, 4, 5, 6)).values() == [(1, 6)]
    assert kernel.run(1, registers(returned=77)).values() == [77]
    assert "probe_read_kernel" in _calls("k:vfs_read { print(arg6); }")
    assert "probe_read_user" in _calls("u:program:main { print(arg6); }")


def test_more_places_than_allowed() -> None:
    assert complaints("config = { max_probes = 1; } u:program:read_* { }") == [
        ("u:program:read_*", "Can't attach to 2 probes because it exceeds the current limit of 1 probes.")
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


@pytest.mark.parametrize(
    ("written", "count"),
    [("1000", 1000), ("1e6", 1_000_000), ("1_000", 1000), ("0x10", 16), ("5e0", 5)],
)
def test_counts_are_written_as_numbers_of_the_language(written: str, count: int) -> None:
    assert parse_count(written) == count


@pytest.mark.parametrize("written", ["", "0", "x", "-1", "1e", "e6", "0x", "_1", "1.5", "٣", "1 "])
def test_what_is_no_count(written: str) -> None:
    assert parse_count(written) == 0
