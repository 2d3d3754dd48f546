"""The machine, the user, what is known before a script runs, and what older kernels can't do."""

from __future__ import annotations

import struct

import pytest

from builders.scripts import ARCH, Script, complaints, make_target, registers
from builders.shown import printed
from probee.base.errors import FeatureError, SourceError
from probee.funcs.emit import NEEDS

AT = "uprobe:program:main"


def test_the_machine() -> None:
    script = Script("begin { print(ncpus); print(numaid); print(jiffies); print(curtask); print(cgroup); }")
    machine = script.machine
    machine.node, machine.jiffies, machine.task, machine.cgroup = 3, 1 << 40, 0xFFFF_8881_0000_0000, 77
    assert printed(script.run()) == f"2\n3\n{1 << 40}\n0xffff888100000000\n77\n"


def test_random_numbers_differ() -> None:
    script = Script("begin { print(rand); print(rand()); }")
    one, other = script.run().values()
    assert one != other
    assert max(one, other) < 1 << 32


@pytest.mark.parametrize(("cs", "mode"), [(0x33, 1), (0x23, 1), (0x10, 0)])
@pytest.mark.parametrize("probe", [AT, "interval:s:1"])
def test_usermode(probe: str, cs: int, mode: int) -> None:
    context = bytearray(registers())
    struct.pack_into("=Q", context, ARCH.register("cs").offset, cs)
    assert Script(f"{probe} {{ print(usermode); }}").run(0, bytes(context)).values() == [mode]


def test_usermode_of_begin_and_of_other_machines() -> None:
    assert Script("begin { print(usermode); }").run().values() == [1]
    from probee.base.record import replace

    with pytest.raises(SourceError, match="only supported on x86_64"):
        Script("interval:s:1 { print(usermode); }", target=replace(make_target(), machine="aarch64"))


def test_users_are_shown_by_name() -> None:
    script = Script("begin { print(username); @u[username] = username; $u = username; print((1, $u)); }")
    script.machine.uid = 1000
    script.run()
    assert script["@u"] == {1000: 1000}
    assert printed(script, username={1000: "someone"}.get) == "someone\n(1, someone)\n"
    script.run()
    assert printed(script) == "1000\n(1, 1000)\n"
    script.run()
    assert printed(script, json=True, username={1000: "someone"}.get).splitlines() == [
        '{"type": "value", "data": "someone"}',
        '{"type": "value", "data": [1,"someone"]}',
    ]


def test_kinds_of_probes() -> None:
    script = Script("begin, uprobe:program:read_* { print(probetype); } interval:s:1 { print(probetype); }")
    for program in range(len(script.bundle.programs)):
        script.run(program)
    assert script.values() == ["special", "uprobe", "interval"]


@pytest.mark.parametrize(
    ("predicate", "true", "false"),
    [
        ("is_str", "comm", "5"),
        ("is_ptr", "curtask", "5"),
        ("is_array", None, "comm"),
        ("is_integer", "pid", "comm"),
        ("is_unsigned_integer", "pid", "-1"),
        ("is_literal", '"a"', "comm"),
        ("is_literal", "-5", "pid"),
    ],
)
def test_predicates(predicate: str, true: str | None, false: str) -> None:
    assert Script(f"begin {{ print({predicate}({false})); }}").run().values() == [False]
    if true is not None:
        assert Script(f"begin {{ print({predicate}({true})); }}").run().values() == [True]


@pytest.mark.parametrize(
    ("address", "verdict"), [(-1, True), (-4095, True), (-4096, False), (0, False), (5, False)]
)
def test_addresses_that_are_errors(address: int, verdict: bool) -> None:
    assert Script(f"{AT} {{ print(is_err(arg0)); }}").run(0, registers(address)).values() == [verdict]


# ---- promises


def test_assert() -> None:
    script = Script(f'{AT} {{ assert(arg0 > 5, "too small"); print(1); }}')
    assert script.run(0, registers(6)).values() == [1]
    script.run(0, registers(5))
    assert script.events() == [("errorf", ("too small",))]
    assert script.events("control") == [("exit", ())]
    assert [(e.kind, e.format, e.numbers) for e in script.bundle.events[:2]] == [
        ("errorf", "assert failed: %s", ()),
        ("exit", "", (1,)),
    ]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('static_assert(is_str(comm), "no");', None),
        ('static_assert(1 > 2, "no");', ('static_assert(1 > 2, "no")', "no")),
        ('if (is_str(1)) { static_assert(0, "no"); }', None),
        ('fail("no: %d %s %x", 5, "a", 255);', ('fail("no: %d %s %x", 5, "a", 255)', "no: 5 a ff")),
        ('if ($1 < 2) { if (pid) { fail("small: %d", $1); } }', None),
        ('if ($1 < 4) { if (pid) { fail("small: %d", $1); } }', ('fail("small: %d", $1)', "small: 3")),
        ('exit(); fail("never");', None),
        ('fail("%d", pid);', ("pid", "fail() expects constant values")),
        (
            'static_assert(pid, "no");',
            ("pid", "static_assert() expects a condition that is known before the script runs"),
        ),
    ],
)
def test_promises_of_the_script(body: str, fault: tuple[str, str] | None) -> None:
    text = f"begin {{ {body} print(7); }}"
    if fault is None:
        assert Script(text, "3").run().events("data") is not None
    else:
        assert complaints(text, "3") == [fault]


# ---- kernels


def test_versions_are_those_that_the_kernel_is_asked_by() -> None:
    from probee.kernel.features import FEATURES
    from probee.kernel.survey import NEEDED

    for name, since in NEEDS.items():
        feature = FEATURES.find(name)
        assert feature is not None
        assert ".".join(map(str, feature.since)) == since
        assert name in NEEDED


@pytest.mark.parametrize(
    ("body", "message", "marked"),
    [
        (
            "print(nsecs(tai));",
            "nsecs(tai) needs ktime_get_tai_ns, which Linux has since 6.1",
            "nsecs(tai)",
        ),
        (
            "@k[1] = count(); if (@k[1] > 5) { exit(); }",
            "reading @k inside the script needs map_lookup_percpu_elem, which Linux has since 5.19",
            "@k[1]",
        ),
    ],
)
def test_what_an_older_kernel_can_not_do(body: str, message: str, marked: str) -> None:
    with pytest.raises(FeatureError) as raised:
        Script(f"begin {{ {body} }}", target=make_target(features=("atomics_fetch",)))
    assert raised.value.message == message
    assert raised.value.span is not None
    assert raised.value.span.text == marked
    assert raised.value.render().startswith(f"stdin:1:{9 + body.rindex(marked)}-")
