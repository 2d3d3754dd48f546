"""What a wrong program is told: region, offset, size and instruction."""

from __future__ import annotations

import pytest

from probee.base.errors import FeatureError, FormatError, KernelError
from probee.isa import ebpf
from probee.isa.asm import assemble
from probee.isa.ebpf import Insn
from probee.spec.abi import MapType
from probee.vm.fault import BudgetFault, Fault
from probee.vm.machine import Vm
from probee.vm.memory import Memory

from .machines import ENGINES, make_map, run

CONTEXT = "of context, which has 64 bytes"
FAULTS = {
    "r0 = *(u64 *)(r1 + 60)\nexit": f"0: r0 = *(u64 *)(r1 + 60): reads 8 bytes at offset 60 {CONTEXT}",
    "*(u8 *)(r1 - 1) = 5\nexit": f"0: *(u8 *)(r1 - 1) = 5: writes 1 byte at offset -1 {CONTEXT}",
    "r0 = 0\nr2 = *(u8 *)(r0 + 8)\nexit": "1: w2 = *(u8 *)(r0 + 8): reads 1 byte at 0x8, a null pointer",
    "r2 = 0xffff888000001000 ll\nr0 = *(u32 *)(r2 + 0)\nexit": (
        "2: w0 = *(u32 *)(r2 + 0): reads 4 bytes at 0xffff888000001000, which is no memory of the program"
    ),
    "r0 = *(u64 *)(r10 + 0)\nexit": "reads 8 bytes at offset 512 of stack frame 0, which has 512 bytes",
    "*(u64 *)(r10 - 520) = 1\nexit": "writes 8 bytes at offset -8 of stack frame 0, which has 512 bytes",
    "lock *(u64 *)(r1 + 64) += r1\nexit": f"writes 8 bytes at offset 64 {CONTEXT}",
    "r0 = load_acquire((u32 *)(r1 + 64))\nexit": f"reads 4 bytes at offset 64 {CONTEXT}",
    "r0 = r3\nexit": "0: r0 = r3: reads r3, to which nothing was written",
    "exit": "0: exit: reads r0, to which nothing was written",
    "call ktime_get_ns\nr0 = r1\nexit": "1: r0 = r1: reads r1, to which nothing was written",
    "r1 = 0\nagain: goto again": "1: goto -1: ran for more than 1000 instructions",
    "call 5\nagain: call again\nexit": "calls nest deeper than 8 frames",
    "r1 = 1\nr2 = 2\ncall map_lookup_elem\nexit": (
        "2: call 1: bpf_map_lookup_elem: expected the address of a map, got 0x1"
    ),
    "r1 = 1\nr2 = 0\nr3 = 0\nr4 = 0\ncall bpf_loop\nexit": "expected the address of a function, got 0x0",
}


@pytest.mark.parametrize("interpret", ENGINES)
@pytest.mark.parametrize(("text", "message"), FAULTS.items())
def test_faults_say_what_and_where(text: str, message: str, interpret: bool) -> None:
    program = Vm(interpret=interpret, budget=1000).load_insns(assemble(text), name="test")
    with pytest.raises(Fault) as caught:
        program.run_context(bytes(64))
    assert message in caught.value.message
    assert caught.value.message.startswith("test: insn ")


def test_a_budget_has_an_error_of_its_own() -> None:
    with pytest.raises(BudgetFault):
        run(Vm(budget=10), "again: goto again")


def test_the_machine_can_go_on_after_a_fault() -> None:
    vm = Vm()
    with pytest.raises(Fault):
        run(vm, "call +0\nr0 = *(u8 *)(r10 + 0)\nexit")
    assert run(vm, "r0 = 3\nexit") == 3
    assert vm.memory.depth == 0


def test_values_of_maps_are_regions_of_their_own() -> None:
    vm = Vm()
    table = make_map(vm, MapType.ARRAY, entries=4)
    text = """
        r1 = map[m]
        r2 = r10
        r2 += -4
        *(u32 *)(r10 - 4) = 2
        call bpf_map_lookup_elem
        r0 = *(u64 *)(r0 + 8)
        exit
    """
    with pytest.raises(Fault, match=r"reads 8 bytes at offset 8 of value 2 of map m, which has 8 bytes"):
        run(vm, text, m=table)


def test_a_map_has_no_bytes() -> None:
    vm = Vm()
    with pytest.raises(Fault, match=r"reads 8 bytes at map m, which has no bytes to access"):
        run(vm, "r1 = map[m]\nr0 = *(u64 *)(r1 + 0)\nexit", m=make_map(vm, MapType.HASH))


def test_read_only_memory() -> None:
    memory = Memory()
    address = memory.add("key", bytearray(8), writable=False)
    assert memory.load(address, 8) == 0
    with pytest.raises(Fault, match=r"writes 4 bytes at offset 4 of key, which is read-only"):
        memory.store(address + 4, 4, 1)


def test_memory_given_back() -> None:
    memory = Memory()
    address = memory.add("record", bytearray(8))
    memory.remove(address)
    with pytest.raises(Fault, match=r"reads 1 byte at offset 3 of record, which has been given back"):
        memory.load(address + 3, 1)


@pytest.mark.parametrize(
    ("insns", "message"),
    [
        ([ebpf.call(9999), ebpf.exit_()], "program: the VM has no helper 9999"),
        ([ebpf.call_kfunc(7), ebpf.exit_()], "program: the VM has no kernel function 7"),
        (
            [ebpf.mov_reg(0, 11), ebpf.exit_()],
            "program: insn 0: the VM has no arguments on the stack (r11)",
        ),
        ([ebpf.ja_reg(1)], "program: insn 0: the VM has no jumps through registers (gotox)"),
        (
            [ebpf.addr_space_cast(1, 1, 0, 1), ebpf.exit_()],
            "program: insn 0: the VM has no arenas (addr_space_cast)",
        ),
    ],
)
def test_what_the_machine_lacks_is_said_when_loading(insns: list[Insn], message: str) -> None:
    with pytest.raises(FeatureError) as caught:
        Vm().load_insns(insns)
    assert caught.value.message == message


def test_programs_are_checked_when_loaded() -> None:
    with pytest.raises(FormatError, match="jumps out of the program"):
        Vm().load_insns([ebpf.ja(5), ebpf.exit_()])
    with pytest.raises(KernelError, match=r"program: insn 0: map 3: Bad file descriptor"):
        Vm().load_insns([ebpf.ld_map_fd(1, 3), ebpf.exit_()])
