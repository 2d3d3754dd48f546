"""What changes the traced system: signals, writes, overridden functions; watchpoints; the trace buffer."""

from __future__ import annotations

import pytest

from bt.in_kernel import live_target, run_in_kernel
from builders.scripts import Script, complaints, registers, warnings
from builders.shown import Shown
from probee.base.errors import SourceError

AT = "uprobe:program:main"


def _complain(text: str) -> list[str]:
    with pytest.raises(SourceError) as caught:
        Script(text, unsafe=True)
    return [diagnostic.message for diagnostic in caught.value.diagnostics]


@pytest.mark.parametrize(
    ("signal", "numbers"),
    [("5", [5]), ('"SIGUSR1"', [10]), ('"KILL"', [9]), ("arg0", [12]), ("arg0 + 60", [])],
)
@pytest.mark.parametrize("name", ["signal", "signal_thread"])
def test_signals(name: str, signal: str, numbers: list[int]) -> None:
    script = Script(f"{AT} {{ {name}({signal}); }}", unsafe=True).run(0, registers(12))
    assert script.machine.signals == numbers
    shown = Shown().show(script)
    expected = f"{name}() expects an integer between 1 and 64 (inclusive). Got 72"
    assert shown.err.partition("ERROR: ")[2] == ("" if numbers else f"{expected}\n")
    shown.close()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ('signal("SIGNOT")', "Invalid string for signal: SIGNOT"),
        ("signal(0)", "signal() accepts a string literal or an integer between 1 and 64 (inclusive)"),
        (
            "signal_thread(65)",
            "signal_thread() accepts a string literal or an integer between 1 and 64 (inclusive)",
        ),
        ("signal(comm)", "signal() accepts a string literal or an integer"),
        ("override(1)", "override() can only be used inside kprobes"),
        ('write_user(1, "ab", 5)', "write_user() expects at most 3 bytes of this value, got 5"),
        ("write_user(1, 5, 5)", None),
        ("unwatch(comm)", "unwatch() only supports integer arguments (string[16] provided)"),
    ],
)
def test_calls_are_checked(call: str, message: str | None) -> None:
    (found,) = _complain(f"{AT} {{ {call}; }}")
    assert message is None or found == message


@pytest.mark.parametrize("call", ["signal(5)", "signal_thread(5)", 'write_user(1, "a", 1)'])
def test_without_leave_nothing_is_changed(call: str) -> None:
    name = call.partition("(")[0]
    message = f"{name}() is unsafe. To use you need the --unsafe flag"
    assert complaints(f"{AT} {{ {call}; }}") == [(call, message)]


def test_signals_need_a_process() -> None:
    assert _complain("begin { signal(5); }") == ["signal() can not be used for this probetype special"]


def test_a_function_is_overridden() -> None:
    script = Script("kprobe:vfs_read { override(5); }", unsafe=True).run()
    assert script.machine.overridden == 5


@pytest.mark.parametrize(
    ("value", "length", "memory"),
    [
        ('"ab"', "3", b"ab\x00456789"),
        ('"ab"', "2", b"ab3456789"),
        ('"abcdef"', "arg1", b"abcd56789"),
        ("comm", "4", b"inte56789"),
    ],
)
def test_memory_is_written(value: str, length: str, memory: bytes) -> None:
    script = Script(f"{AT} {{ print(write_user(arg0, {value}, {length})); }}", unsafe=True)
    script.machine.user_memory[0x5000] = b"123456789"
    assert script.run(0, registers(0x5000, 4)).values() == [True]
    assert script.machine.user_memory[0x5000] == memory
    assert script.run(0, registers(0x6000, 4)).values() == [False]


def test_the_trace_buffer() -> None:
    script = Script('begin { debugf("%s is %d", comm, 5); debugf("%%"); }').run()
    formats = [format for format, _ in script.machine.traced]
    assert formats == [b"%s is %d", b"%%"]
    assert script.machine.traced[0][1] == (b"interp", 5, 0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ('debugf("%d %d %d %d", 1, 2, 3, 4)', "cannot use more than 3 conversion specifiers"),
        ('debugf("%c", 1)', "Invalid format specifier for `debugf`: c"),
        ('debugf("%s", 1)', "Type does not match format specifier: s"),
        ('debugf("%d")', "debugf: not enough arguments for format string (0 supplied, 1 expected)"),
    ],
)
def test_what_the_trace_buffer_takes(call: str, message: str) -> None:
    assert [text for _, text in complaints(f"begin {{ {call}; }}")] == [message]
    assert warnings('begin { debugf("x"); }')[0][1].startswith("The debugf() builtin is not recommended")


def test_a_watchpoint_is_named_by_its_address() -> None:
    assert Script(f"{AT} {{ unwatch(arg0); }}").run(0, registers(77)).events("control") == [
        ("unwatch", (77,))
    ]


def test_nothing_runs_after_exit() -> None:
    script = Script("interval:s:1 { @x++; if (@x == 2) { exit(); } } end { @e = 1; }")
    for _ in range(4):
        script.run(0)
    script.run(1)
    assert (script["@x"], script["@e"]) == (2, 1)


@pytest.mark.kernel
def test_in_the_kernel() -> None:
    text = 'begin { debugf("probee %s %d %x", comm, 1, 2); print(memcmp(comm, "x", 2) != 0); }'
    values, _ = run_in_kernel(Script(text, target=live_target()).bundle)
    assert values == [True]


def test_exit_takes_any_number() -> None:
    script = Script(f"{AT} {{ if (arg0 == 0) {{ exit(arg1); }} exit(3); }}")
    layouts = [(event.numbers, len(event.fields)) for event in script.bundle.events]
    assert layouts == [((), 1), ((3,), 0)]
    assert script.run(0, registers(0, 42)).events("control") == [("exit", (42,))]
    # From then on nothing runs.
    assert script.run(0, registers(1, 42)).events("control") == []


def test_printing_a_map_in_a_loop_is_warned_of() -> None:
    ((marked, message),) = warnings("begin { @[1] = 1; for $i : 1..3 { print(@); print($i); } }")
    assert marked == "print(@)"
    assert message.startswith("Due to it's asynchronous nature")
