"""func: an address of the kernel's, text elsewhere. And is_scalar, which asks of maps."""

from __future__ import annotations

import struct

import pytest

from builders.scripts import ARCH, FakeNames, Script, evaluate, make_target, registers, warnings
from probee.base.record import replace
from probee.spec.values import Ksym, Str


def at(address: int) -> bytes:
    """A context whose instruction pointer is `address`."""
    context = bytearray(registers())
    struct.pack_into("=Q", context, ARCH.register(ARCH.instruction_pointer).offset, address)
    return bytes(context)


def test_a_function_of_the_kernel_is_where_the_program_is() -> None:
    script = Script("k:vfs_* { @[func] = count(); @last = ksym(1); @last = func; }")
    assert script.variable("@").key == Ksym()
    script.run(0, at(0x1234))
    assert (
        struct.unpack("=Q", bytes(next(iter(script.machine.maps[script.variable("@").map].items()))))[0]
        == 0x1234
    )


def test_where_a_function_returns_its_address_is_asked_for() -> None:
    text = "kr:vfs_* { @[func] = count(); }"
    script = Script(text, target=make_target(features=("atomics_fetch", "get_func_ip")))
    assert len(script.bundle.programs) == 1
    script.machine.func_ip = 0x4321
    script.run(0, at(0x1234))
    keys = script.machine.maps[script.variable("@").map].items()
    assert [struct.unpack("=Q", bytes(key))[0] for key in keys] == [0x4321]


def test_kernels_that_can_not_tell_get_it_as_a_constant() -> None:
    class Names(FakeNames):
        symbols = {"vfs_read": 0x100, "vfs_write": 0x200}

    target = replace(make_target(features=("atomics_fetch",)), names=Names())
    script = Script("kr:vfs_* { @[func] = count(); }", target=target)
    script.run(0).run(1)
    keys = script.machine.maps[script.variable("@").map].items()
    assert sorted(struct.unpack("=Q", bytes(key))[0] for key in keys) == [0x100, 0x200]


def test_a_function_of_a_program_is_text() -> None:
    script = Script("uprobe:program:main { @ = func; }")
    assert script.variable("@").value == Str(len("main") + 1)
    assert script.run()["@"] == "main"


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("@x = 1; print(is_scalar(@x));", [True]),
        ("@x[1] = 1; print(is_scalar(@x));", [False]),
        ("@x[1] = 1; if comptime (is_scalar(@x)) { @x = 1; print(1); } else { print(2); }", [2]),
        ("@x = 1; if comptime (!is_scalar(@x)) { @x[1] = 1; } print(3);", [3]),
    ],
)
def test_maps_without_keys(text: str, printed: list[object]) -> None:
    assert Script(f"begin {{ {text} }}").run().values() == printed


def test_the_cpu_is_a_number_of_64_bits() -> None:
    assert evaluate("sizeof(cpu)") == 8


def test_top_and_div_of_stats_are_ignored() -> None:
    ((marked, said),) = warnings("begin { @x[1] = stats(5); print(@x, 2); }")
    assert marked == "print(@x, 2)"
    assert said == "print()'s top and div arguments are ignored when used on stats() maps."
