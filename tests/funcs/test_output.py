"""What scripts send: layouts, in place, with their position among the rest, and what is lost."""

from __future__ import annotations

import struct

import pytest

from builders.scripts import Script, registers
from probee.spec.abi import MapType
from probee.spec.bundle import Field
from probee.spec.values import Str, Timestamp

AT = "uprobe:program:main"


def test_printf_lays_values_out_at_their_alignment() -> None:
    script = Script('begin { printf("%d %s %d %d %s", pid, comm, (uint8)1, nsecs, "ab"); }')
    (event,) = script.bundle.events
    assert (event.kind, event.format, event.ring, event.probe) == (
        "printf",
        "%d %s %d %d %s",
        "data",
        "begin",
    )
    assert [(field.offset, str(field.type)) for field in event.fields] == [
        (4, "uint32"),
        (8, "string[16]"),
        (24, "uint8"),
        (32, "uint64"),
        (40, "string[3]"),
    ]
    assert event.size == 48
    assert event.span is not None
    assert event.span.text.startswith("printf(")


def test_printf_sends_its_values() -> None:
    script = Script('begin { printf("%d %s %d %d %s", pid, comm, (uint8)1, nsecs, "ab"); }')
    machine = script.machine
    machine.pid, machine.comm, machine.boot_time = 77, b"worker", 5_000
    assert script.run().events() == [("printf", (77, "worker", 1, 5_000, "ab"))]


def test_printf_without_values() -> None:
    script = Script('begin { printf("hello\\n"); }')
    assert script.run().events() == [("printf", ())]
    assert script.bundle.events[0].size == 8


def test_forty_values() -> None:
    values = ", ".join(f"arg0 + {n}" for n in range(40))
    script = Script(f'{AT} {{ printf("{"%d " * 40}", {values}); }}')
    assert script.run(0, registers(100)).values() == list(range(100, 140))


def test_a_full_ring_is_counted_per_probe() -> None:
    script = Script(f"begin {{ print(1); }} {AT} {{ print(2); }}", ring_bytes=64)
    for program in (0, 1, 1, 0, 1, 1):
        script.run(program)
    data = script._globals()
    lost = {c.probe: data[c.offset] for c in script.bundle.counters if c.kind == "lost"}
    assert len(script.events()) == 3
    assert lost == {"begin": 1, "uprobe:/bin/program:main": 2}


def test_print_of_any_value() -> None:
    script = Script(
        'begin { print(5); print("a"); print((1, "b")); print(comm); print(true); print(-1 < 2); }'
    )
    assert script.run().values() == [5, "a", (1, "b"), "interp", True, True]


def test_print_of_a_map_goes_through_the_control_ring() -> None:
    script = Script("begin { @x[1] = 1; print(@x); print(@x, 5); print(@x, 5, 10); print(@x[1]); }").run()
    layouts = [(e.kind, e.ring, e.variable, e.numbers) for e in script.bundle.events]
    assert layouts == [
        ("print", "control", "@x", ()),
        ("print", "control", "@x", (5,)),
        ("print", "control", "@x", (5, 10)),
        ("print_value", "data", "", ()),
    ]
    assert len(script.events("control")) == 3


def test_control_records_know_what_was_sent_before_them() -> None:
    script = Script("begin { print(1); clear(@x); print(2); zero(@x); @x = 1; exit(3); @y = 1; }").run()
    positions = [struct.unpack("=IIQ", data)[2] for data in script.machine.consume("control")]
    # A record of 8 bytes takes 16 with its header.
    assert positions == [16, 32, 32]
    assert [(e.kind, e.numbers) for e in script.bundle.events if e.ring == "control"] == [
        ("clear", ()),
        ("zero", ()),
        ("exit", (3,)),
    ]
    assert script["@y"] is None


def test_control_without_data_has_a_data_ring_all_the_same() -> None:
    script = Script("begin { exit(); }").run()
    assert script.bundle.rings == (("data", "data"), ("control", "control"))
    assert script.events("control") == [("exit", ())]


@pytest.mark.parametrize(
    ("body", "rings"),
    [("@x = 1;", ()), ("print(1);", (("data", "data"),)), ('time("%H");', (("data", "data"),))],
)
def test_rings_are_there_if_they_are_used(body: str, rings: tuple[tuple[str, str], ...]) -> None:
    bundle = Script(f"begin {{ {body} }}").bundle
    assert bundle.rings == rings
    assert sum(m.type == MapType.RINGBUF for m in bundle.maps) == len(rings)


def test_time_and_strftime() -> None:
    script = Script(
        'begin { time(); time("%d"); printf("%s", strftime("%H:%M", nsecs)); print(strftime("%S", 5)); }'
    )
    script.machine.boot_time = 123
    assert [e.format for e in script.bundle.events] == ["%H:%M:%S\n", "%d", "%s", ""]
    assert script.run().values() == [123, 5]
    assert script.bundle.events[2].fields == (Field(8, Timestamp("%H:%M", "boot")),)


def test_strftime_of_another_clock() -> None:
    script = Script('begin { print(strftime("%H", nsecs(tai))); }')
    script.machine.tai_time = 99
    assert script.run().values() == [99]
    assert script.bundle.events[0].fields[0].type == Timestamp("%H", "tai")


def test_the_probe_and_function_names_are_of_the_program() -> None:
    script = Script("uprobe:program:read_*, uretprobe:program:main { print(probe); print(func); }")
    for program in range(3):
        script.run(program)
    assert script.values() == [
        "uprobe:/bin/program:read_all",
        "read_all",
        "uprobe:/bin/program:read_line",
        "read_line",
        "uretprobe:/bin/program:main",
        "main",
    ]
    assert script.bundle.events[0].fields[0].type == Str(len("uprobe:/bin/program:read_line") + 1)
