"""Builtins and functions that give values: who, when, where, with what arguments, and text."""

from __future__ import annotations

import pytest

from builders.scripts import Script, registers

AT = "uprobe:program:main"


def test_who_runs() -> None:
    script = Script(
        "begin { print(pid); print(tid); print(uid); print(gid); print(cpu); print(comm); print(comm()); }"
    )
    machine = script.machine
    machine.pid, machine.tid, machine.uid, machine.gid, machine.comm = 10, 11, 1000, 100, b"exactly15bytes!"
    assert script.run(cpu=1).values() == [10, 11, 1000, 100, 1, "exactly15bytes!", "exactly15bytes!"]


def test_clocks() -> None:
    script = Script("begin { print(nsecs); print(nsecs(boot)); print(nsecs(monotonic)); print(nsecs(tai)); }")
    machine = script.machine
    machine.boot_time, machine.time, machine.tai_time = 30, 20, 10
    assert script.run().values() == [30, 30, 20, 10]


def test_tai_by_its_distance_from_the_monotonic_clock() -> None:
    script = Script('begin { print(nsecs(sw_tai)); print(strftime("%s", nsecs(sw_tai))); }')
    script.machine.time = 1_000
    script.set_globals(script.bundle.tai_offset, 500)
    assert script.run().values() == [1_500, 1_500]
    assert Script("begin { print(nsecs(tai)); }").bundle.tai_offset == -1


def test_elapsed_counts_from_the_start() -> None:
    script = Script("begin { print(elapsed); }")
    script.machine.boot_time = 1_000
    script.set_globals(script.bundle.start_time, 400)
    assert script.run().values() == [600]
    assert Script("begin { print(nsecs); }").bundle.start_time == -1


def test_arguments_in_registers_and_on_the_stack() -> None:
    script = Script(f"{AT} {{ print(arg0); print(arg5); print(arg6); print(arg8); }}")
    script.machine.user_memory[0x7000] = b"".join(n.to_bytes(8, "little") for n in (0xDEAD, 60, 70, 80))
    assert script.run(0, registers(1, 2, 3, 4, 5, 6, stack=0x7000)).values() == [1, 6, 60, 80]


def test_an_argument_that_can_not_be_read_is_0() -> None:
    script = Script(f"{AT} {{ print(arg6); }}")
    assert script.run(0, registers(stack=0x9999)).values() == [0]


def test_return_values() -> None:
    script = Script("uretprobe:program:main { print(retval); print((int32)retval); }")
    assert script.run(0, registers(returned=(1 << 64) - 5)).values() == [(1 << 64) - 5, -5]


# ---- text


@pytest.mark.parametrize(
    ("call", "value"),
    [
        ("str(arg0)", "some text"),
        ("str(arg0, 5)", "some"),
        ("str(arg0, 100)", "some text"),
        ("str(arg0, 1)", ""),
        ("str(arg0, arg1)", "so"),
        ("str(arg0, arg1 * 1000)", "some text"),
        ("str(arg2)", ""),
        ('str("abc")', "abc"),
        ("str(str(arg0))", "some text"),
        ('arg1 > 1 ? str(arg0) : "none"', "some text"),
    ],
)
def test_text_of_the_traced_process(call: str, value: str) -> None:
    script = Script(f'{AT} {{ print({call}); $s = {call}; print($s); @x = {call}; printf("%s", @x); }}')
    script.machine.user_memory[0x5000] = b"some text\0and more"
    script.run(0, registers(0x5000, 3, 0x1))
    assert script.values() == [value] * 3
    assert script["@x"] == value


@pytest.mark.parametrize(
    ("length", "max_strlen", "shown"),
    [(4, 5, "aaaa"), (5, 5, "aaaaa.."), (9, 5, "aaaaa.."), (2000, 1024, "a" * 1023)],
)
def test_text_that_is_cut_says_so(length: int, max_strlen: int, shown: str) -> None:
    script = Script(
        f'{AT} {{ printf("%s%d%s", str(arg0), 7, str(arg0)); '
        "@k[str(arg0), 7] = str(arg0); @t = (str(arg0), 7); }",
        max_strlen=max_strlen,
    )
    script.machine.user_memory[0x5000] = b"a" * length + b"\0" * 8
    assert script.run(0, registers(0x5000)).values() == [shown, 7, shown]
    assert script["@k"] == {(shown, 7): shown}
    assert script["@t"] == (shown, 7)


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 63, 64, 65, 200])
def test_comparing_texts(length: int) -> None:
    text = bytes((b"abcdefghij" * 25)[:length])
    script = Script(
        f'{AT} {{ $a = str(arg0); printf("%d %d %d %d", $a == str(arg1), str(arg1) == $a, $a != str(arg1), '
        f'str(arg0) == "{text.decode()}"); }}'
    )
    memory = script.machine.user_memory
    memory[0x5000] = text + b"\0" + b"X" * 300
    others = [text, text + b"!", text[:-1], b"!" + text[1:], text[:-1] + b"!"]
    for index, other in enumerate(others):
        memory[0x10000 * (index + 1)] = other + b"\0" + b"Y" * 300
        script.run(0, registers(0x5000, 0x10000 * (index + 1)))
        same = other == text
        assert script.values() == [same, same, not same, True]


def test_comparing_with_names_and_maps() -> None:
    script = Script(
        f'{AT} / comm == "worker" / {{ @n++; if (@last == comm) {{ @same++; }} @last = comm; '
        'if ("work" == comm) { @wrong++; } if (@last != "worker") { @wrong++; } }'
    )
    for name in (b"worker", b"other", b"worker", b"workers"):
        script.machine.comm = name
        script.run()
    assert (script["@n"], script["@same"], script["@wrong"]) == (2, 1, None)


def test_text_longer_than_a_constant_is_not_equal_to_it() -> None:
    script = Script('begin { print(comm == "a name that is longer than any"); }')
    assert script.run().values() == [False]


def test_str_of_a_constant_is_a_constant() -> None:
    script = Script(
        'begin { printf(str("x%d\\n"), 4); time(str($1)); $s = str("abc", 2); print(($s, sizeof($s))); }',
        "%Y",
    )
    assert [event.format for event in script.bundle.events][:2] == ["x%d\n", "%Y"]
    assert script.run().values() == [4, ("ab", 3)]
