"""Scripts on made-up events: what they print, send and keep."""

from __future__ import annotations

import struct

import pytest

import probee
from probee import testing
from probee.base.errors import FeatureError, SourceError, UsageError

MASK = (1 << 64) - 1
MACHINES = ["x86_64", "aarch64"]


def test_it_is_an_attribute_of_the_library() -> None:
    assert probee.testing is testing
    assert {name for name in testing.__all__ if getattr(testing, name) is None} == set()
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        testing.nope  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("machine", MACHINES)
def test_a_program_that_is_not_here(machine: str) -> None:
    script = """
    uprobe:/usr/bin/redis-server:createStringObject { @bytes[str(arg0)] = sum(arg1); }
    uretprobe:/usr/bin/redis-server:createStringObject { printf("%d\\n", retval); }
    """
    name = "createStringObject"
    events = [
        testing.uprobe(name, args=[testing.text("hello"), 16]),
        testing.uprobe(name, args=["hello", 7]),
        testing.uprobe(name, args=["other", 1], times=23),
        testing.uretprobe(name, returns=-1),
    ]
    result = testing.run(script, events, machine=machine)
    assert result.maps["@bytes"] == {"hello": 23, "other": 23}
    assert result.output == "-1\n\n\n@bytes[hello]: 23\n@bytes[other]: 23\n"
    (event,) = result.events
    assert event == testing.Event(f"uretprobe:/usr/bin/redis-server:{name}", "printf", (MASK,), "-1\n")
    assert (result.lost, result.exit_code, result.messages) == (0, None, "")


@pytest.mark.parametrize("machine", MACHINES)
def test_arguments_of_every_kind(machine: str) -> None:
    script = 'uprobe:p:f { printf("%d %d %s %d %s", arg0, arg5, str(arg8), arg9, str(arg1, 3)); }'
    args = [-5, b"abc", 2, 3, 4, 1 << 63, 6, 7, "on the stack", 9]
    result = testing.run(script, [testing.uprobe("f", args)], machine=machine)
    assert result.events[0].args == (MASK - 4, 1 << 63, "on the stack", 9, "ab")


def test_bytes_end_where_they_end() -> None:
    script = 'uprobe:p:f { printf("<%s>", str(arg0)); }'
    assert testing.run(script, [testing.uprobe("f", [b"no end"])]).output.startswith("<>")


def test_memory_at_addresses_and_registers() -> None:
    script = 'uprobe:p:f { printf("%s %x", str(arg0), reg("bx")); }'
    events = [testing.uprobe("f", [0x1000], memory={0x1000: "there"}, registers={"bx": 0xABC})]
    assert testing.run(script, events).events[0].args == ("there", 0xABC)


def test_who_runs_where_and_when() -> None:
    script = 'uprobe:p:f { printf("%d %d %s %d %d %d %d", pid, tid, comm, uid, gid, cpu, nsecs); }'
    events = [
        testing.uprobe("f"),
        testing.uprobe("f", pid=5, tid=6, comm="redis", uid=7, gid=8, cpu=1, after=1_000_000),
        testing.uprobe("f", pid=5, times=2),
    ]
    result = testing.run(script, events, clock=10, step=5)
    assert [event.args for event in result.events] == [
        (1000, 1000, "program", 0, 0, 0, 15),
        (5, 6, "redis", 7, 8, 1, 1_000_015),
        (5, 5, "program", 0, 0, 0, 1_000_020),
        (5, 5, "program", 0, 0, 0, 1_000_025),
    ]


def test_times_and_names() -> None:
    script = 'uprobe:p:f { printf("%s %s %d", strftime("%Y", nsecs), username, elapsed); time("%Y\\n"); }'
    result = testing.run(
        script, [testing.uprobe("f", uid=7)], users={7: "ada"}, epoch=86_400 * 200 * 1_000_000_000
    )
    assert result.output.startswith("1970 ada 1000")
    assert result.events[1].text == "1970\n"


def test_sleep_lets_timers_fire() -> None:
    script = """
    interval:s:1 { printf("%d %s %d\\n", nsecs, comm, pid); }
    profile:hz:2 { @[cpu] = count(); }
    """
    result = testing.run(script, [testing.sleep(1.5), testing.sleep(0.5)], clock=0, cpus=3)
    assert [event.args for event in result.events] == [
        (1_000_000_000, "swapper/0", 0),
        (2_000_000_000, "swapper/0", 0),
    ]
    assert result.maps["@"] == {0: 4, 1: 4, 2: 4}


def test_timers_and_counters_by_hand() -> None:
    script = """
    interval:s:1 { @t = count(); } profile:hz:99 { @p[cpu] = count(); }
    software:page-faults:1 { @s = count(); } hardware:cache-misses:1000 { @h = count(); }
    """
    events = [
        testing.interval("s:1", times=2),
        testing.profile("hz:99", cpu=1),
        testing.software("page-faults:1", times=3),
        testing.hardware("cache-misses:1000", times=4),
    ]
    assert testing.run(script, events).maps == {"@t": 2, "@p": {1: 1}, "@s": 3, "@h": 4}


def test_every_probe_of_a_place_fires_in_the_scripts_order() -> None:
    script = 'uprobe:p:f { printf("1"); } uprobe:p:f* { printf("2"); } uprobe:q:f { printf("3"); }'
    assert testing.run(script, [testing.uprobe("f")]).output.rstrip() == "123"
    assert testing.run(script, [testing.uprobe("q:f")]).output.rstrip() == "3"
    assert testing.run(script, [testing.uprobe("p:f")]).output.rstrip() == "12"


def test_patterns_match_what_events_name() -> None:
    script = "uprobe:libc:*alloc { @[func] = count(); }"
    events = [testing.uprobe("malloc"), testing.uprobe("libc:calloc", times=2)]
    assert testing.run(script, events).maps["@"] == {"malloc": 1, "calloc": 2}


def test_places_by_offset() -> None:
    script = "uprobe:p:f+4 { @a = count(); } uprobe:p:0x10 { @b = count(); }"
    result = testing.run(script, [testing.uprobe("f+4"), testing.uprobe("p:0x10")])
    assert result.maps == {"@a": 1, "@b": 1}


def test_begin_end_parameters_and_exit() -> None:
    script = """
    BEGIN { printf("%s %d %s\\n", $2, $1, comm); }
    uprobe:p:f { @n++; if (@n == 2) { exit(3); } }
    END { printf("end\\n"); }
    """
    result = testing.run(script, [testing.uprobe("f", times=5)], params=(7, "seven"))
    assert result.output == "seven 7 probee\nend\n\n\n@n: 2\n"
    assert result.exit_code == 3


def test_maps_are_printed_cleared_and_zeroed_as_they_are() -> None:
    script = """
    uprobe:p:f { @s = "text"; @n++; @k[str(arg0)] = 5; print(@k); zero(@n); @h = hist(arg1); }
    uretprobe:p:f { print(@n); clear(@k); @never = 1; clear(@never); }
    """
    result = testing.run(script, [testing.uprobe("f", ["a", 9]), testing.uretprobe("f")])
    assert [event.args for event in result.events] == [({"a": 5},), (0,)]
    assert [event.text for event in result.events] == ["@k[a]: 5\n", "@n: 0\n"]
    assert result.maps["@s"] == "text"
    assert result.maps["@k"] == {}
    assert result.maps["@never"] is None


def test_what_is_lost_is_counted() -> None:
    text = "x" * 500
    script = f'uprobe:p:f {{ $i = 0; while ($i < 20000) {{ printf("%s", "{text}"); $i++; }} }}'
    result = testing.run(script, [testing.uprobe("f")])
    assert result.lost == 20_000 - len(result.events) > 0
    assert f"Lost {result.lost} events" in result.messages


def test_warnings_are_messages() -> None:
    result = testing.run("uprobe:p:f { @ = 5 / arg0; }", [testing.uprobe("f", [0])])
    assert "Divide or modulo by 0" in result.messages


@pytest.mark.parametrize(
    ("make", "message", "hint"),
    [
        (
            lambda: testing.uprobe("mallc"),
            "no probe of the script is uprobe:mallc",
            "it has uprobe:libc:malloc, interval:s:1",
        ),
        (lambda: testing.interval("s:2"), "no probe of the script is interval:s:2", None),
        (lambda: testing.uprobe("malloc", cpu=2), "uprobe:malloc: expected a CPU below 2, got 2", None),
        (
            lambda: testing.uprobe("malloc", registers={"x0": 1}),
            "uprobe:malloc: x86_64 has no register 'x0'",
            None,
        ),
        (
            lambda: testing.uprobe("malloc", args=[1.5]),  # type: ignore[list-item]
            "uprobe:malloc: arg0: expected a number, text or bytes, got 1.5",
            None,
        ),
        (lambda: testing.uprobe("malloc", pid=-1), "pid: expected a number from 0 to", None),
        (lambda: testing.uprobe("malloc", times=0), "times: expected a number from 1 to", None),
        (lambda: testing.uprobe("malloc", args=[1 << 64]), "arg0: expected a number, text or bytes", None),
        (lambda: testing.event("malloc"), "expected a probe such as 'uprobe:malloc', got 'malloc'", None),
        (lambda: testing.sleep(float("nan")), "sleep: expected 0 to 1000000000 seconds, got nan", None),
        (lambda: testing.sleep(-1), "sleep: expected 0 to 1000000000 seconds, got -1", None),
    ],
)  # fmt: skip
def test_wrong_events(make: object, message: str, hint: str | None) -> None:
    script = "BEGIN { @x = 1; } uprobe:libc:malloc { @x++; } interval:s:1 { @x++; }"
    with pytest.raises(UsageError) as caught:
        testing.run(script, [make()])  # type: ignore[operator]
    assert message in caught.value.message
    assert hint is None or caught.value.hint == hint


def test_scripts_that_only_begin() -> None:
    with pytest.raises(UsageError) as caught:
        testing.run("BEGIN { @x = 1; }", [testing.uprobe("f")])
    assert caught.value.hint == "it has none that events can fire"


def test_wrong_scripts_and_machines() -> None:
    with pytest.raises(SourceError):
        testing.run("uprobe:p:f { @x = }")
    with pytest.raises(FeatureError, match="no register tables for CPU 'pdp11'"):
        testing.run("BEGIN { }", machine="pdp11")


def test_a_context_as_bytes() -> None:
    context = struct.pack("<21Q", *range(21)).ljust(256, b"\0")
    result = testing.run('uprobe:p:f { printf("%d", arg0); }', [testing.event("uprobe:f", context=context)])
    assert result.events[0].args == (14,)


def test_runs_are_the_same_every_time() -> None:
    script = 'uprobe:p:f { printf("%d %d", rand, nsecs); }'
    first, again, other = (testing.run(script, [testing.uprobe("f")], seed=seed).output for seed in (1, 1, 2))
    assert first == again != other
