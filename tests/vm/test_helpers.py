"""Helpers and the world they tell of."""

from __future__ import annotations

import errno

import pytest

from probee.isa.asm import assemble
from probee.spec.abi import MapType
from probee.vm.helpers import Helper
from probee.vm.machine import Vm
from probee.vm.maps import StackTraceMap
from probee.vm.printf import render_format
from probee.vm.program import socket_context
from probee.vm.world import World

from .machines import ENGINES, make_map, run

MASK = (1 << 64) - 1
USER = 0x7FFF_1234_5000


def _world() -> World:
    world = World(cpus=4)
    world.pid, world.tid, world.uid, world.gid, world.cpu = 10, 11, 1000, 100, 3
    world.comm = b"a-very-long-command"
    world.put(USER, b"hello\0world\0" + bytes(range(8)))
    return world


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("get_current_pid_tgid", 10 << 32 | 11),
        ("get_current_uid_gid", 100 << 32 | 1000),
        ("get_smp_processor_id", 3),
        ("ktime_get_ns", 1_000_000_000),
        ("get_current_cgroup_id", 1),
    ],
)
def test_who_and_when(name: str, result: int) -> None:
    assert run(Vm(_world()), f"call bpf_{name}\nexit") == result


def test_the_clock_goes_where_it_is_put() -> None:
    vm = Vm(World())
    vm.world.clock, vm.world.call_ns, vm.world.boot = 500, 10, 1000
    text = "call ktime_get_ns\nr6 = r0\ncall ktime_get_boot_ns\nr0 -= r6\nexit"
    assert run(vm, text) == 1010
    assert vm.world.clock == 520


def test_chance_has_a_seed() -> None:
    text = "call get_prandom_u32\nexit"
    numbers = [run(Vm(World(seed=seed)), text) for seed in (1, 1, 2)]
    assert numbers[0] == numbers[1] != numbers[2]


def test_comm_is_cut_and_padded() -> None:
    text = "r1 = r10\nr1 += -16\nr2 = 16\ncall get_current_comm\nr0 = *(u64 *)(r10 - 8)\nexit"
    assert run(Vm(_world()), text).to_bytes(8, "little") == b"ong-com\0"


def _read(helper: str, size: int, address: int, result: str = "r0") -> str:
    return f"""
        r1 = r10
        r1 += -64
        r2 = {size}
        r3 = {address:#x} ll
        call {helper}
        r1 = *(u64 *)(r10 - 64)
        r0 = {result}
        exit
    """


@pytest.mark.parametrize("interpret", ENGINES)
def test_reading_the_process(interpret: bool) -> None:
    vm = Vm(_world(), interpret=interpret)
    assert run(vm, _read("probe_read_user", 5, USER, "r1")) == int.from_bytes(b"hello", "little")
    assert run(vm, _read("probe_read_user_str", 16, USER)) == 6
    assert run(vm, _read("probe_read_user_str", 3, USER)) == 3
    assert run(vm, _read("probe_read_user_str", 3, USER, "r1")) == int.from_bytes(b"he", "little")
    assert run(vm, _read("probe_read_user", 8, 0)) == -errno.EFAULT & MASK
    assert run(vm, _read("probe_read_user", 8, USER + 16)) == -errno.EFAULT & MASK


def test_the_kernels_reads_may_read_the_program() -> None:
    text = """
        r1 = r10
        r1 += -8
        r2 = 8
        r3 = r10
        r3 += -16
        *(u64 *)(r3 + 0) = 9
        call probe_read_kernel
        r0 = *(u64 *)(r10 - 8)
        exit
    """
    assert run(Vm(), text) == 9
    assert run(Vm(), text.replace("kernel", "user")) == 0


def test_printk() -> None:
    vm = Vm(_world())
    text = f"""
        r1 = {int.from_bytes(b"%d %s" + bytes(3), "little"):#x} ll
        *(u64 *)(r10 - 8) = r1
        r1 = r10
        r1 += -8
        r2 = 6
        r3 = -5
        r4 = {USER:#x} ll
        call trace_printk
        exit
    """
    assert run(vm, text) == len("-5 hello")
    assert vm.world.printed == ["-5 hello"]


@pytest.mark.parametrize(
    ("template", "values", "text"),
    [
        (b"%d %u %x %X", (MASK, MASK, 255, 255), b"-1 4294967295 ff FF"),
        (b"%lld|%5d|%-5d|%05d", (MASK, 7, 7, 7), b"-1|    7|7    |00007"),
        (b"%c%c%%", (65, 66), b"AB%"),
        (b"%p", (0xFFFF8880,), b"00000000ffff8880"),
        (b"100%", (), -errno.EINVAL),
        (b"%d %d", (1,), -errno.EINVAL),
        (b"%s", (1,), -errno.EFAULT),
        (b"[%6s]", (2,), b"[    it]"),
    ],
)
def test_formats(template: bytes, values: tuple[int, ...], text: bytes | int) -> None:
    assert render_format(template, values, lambda address: b"it" if address == 2 else None) == text


def test_packets() -> None:
    vm = Vm()
    packet = bytes(range(32))
    program = vm.load_insns(assemble("r6 = r1\nr0 = *(u16 *)skb[12]\nexit"))
    assert program.run_context(socket_context(packet), packet) == 0x0C0D
    program = vm.load_insns(assemble("r6 = r1\nr0 = 1\nr7 = 30\nr0 = *(u32 *)skb[r7 + 0]\nr0 = 1\nexit"))
    assert program.run_context(socket_context(packet), packet) == 0  # out of bounds ends the program with 0
    vm.network = 14
    program = vm.load_insns(assemble(f"r6 = r1\nr0 = *(u8 *)skb[{-0x100000 + 2}]\nexit"))
    assert program.run_context(socket_context(packet), packet) == 16


def test_stacks() -> None:
    vm = Vm(_world())
    vm.world.user_stack = (0x1000, 0x2000)
    table = make_map(vm, MapType.STACK_TRACE, 4, 16, 64, "stacks")
    assert isinstance(table, StackTraceMap)
    text = "r2 = map[stacks]\nr3 = {}\ncall get_stackid\nexit"
    number = run(vm, text.format(256), 0, stacks=table)
    assert table.find(number.to_bytes(4, "little")) == (0x1000).to_bytes(8, "little") + (0x2000).to_bytes(
        8, "little"
    )
    assert run(vm, text.format(0), 0, stacks=table) == -errno.EFAULT & MASK


def test_helpers_can_be_replaced_and_kernel_functions_added() -> None:
    vm = Vm(
        helpers={5: Helper("now", 1, lambda vm, a: a + 1)},
        kfuncs={4711: Helper("twice", 1, lambda vm, a: 2 * a)},
    )
    assert run(vm, "r1 = 4\ncall 5\nr1 = r0\ncall kfunc 4711\nexit") == 10


def test_strncmp_and_signals() -> None:
    vm = Vm(_world())
    text = """
        *(u64 *)(r10 - 8) = 0x6261
        *(u64 *)(r10 - 16) = 0x6361
        r1 = r10
        r1 += -8
        r2 = 8
        r3 = r10
        r3 += -16
        call strncmp
        exit
    """
    assert run(vm, text) == -1 & MASK
    assert run(vm, "r1 = 9\ncall send_signal\nexit") == 0
    assert vm.world.signals == [(11, 9)]
