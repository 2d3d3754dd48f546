"""A program on the machine, ready to run."""

from __future__ import annotations

from ..base.errors import FeatureError
from ..base.record import record, replace
from ..isa.check import FRAME_POINTER, check_program, find_slots, find_target
from ..isa.ebpf import CALL, CALLX, JAX, LDDW, Insn
from ..isa.fields import Call, Pseudo
from ..spec.abi import ProgType
from .fault import Fault
from .helpers import is_tail_call
from .interpret import Interpreter
from .translate import Translated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..spec.bundle import Program
    from .helpers import Helper
    from .machine import Vm

PACKET_PROGRAMS = frozenset(
    {ProgType.SOCKET_FILTER, ProgType.SCHED_CLS, ProgType.SCHED_ACT, ProgType.CGROUP_SKB}
)
BEHIND_ETHERNET = frozenset({ProgType.SOCKET_FILTER, ProgType.CGROUP_SKB})
"""Programs whose packet begins behind the link layer's header, when test_run makes it of bytes."""

ETHERNET_SIZE = 14
CONTEXT_SIZE = 256
SK_BUFF_SIZE = 192


@record
class FunctionAddress:
    """What the address of a function stands for."""

    program: VmProgram
    slot: int


class VmProgram:
    """A program that is ready to run."""

    def __init__(
        self, vm: Vm, spec: Program, insns: list[Insn], resolved: dict[int, int], *, interpret: bool
    ) -> None:
        check_program(insns, strict=False)
        self.vm = vm
        self.spec = spec
        self.name = spec.name
        self.insns: dict[int, Insn] = {}
        for slot, insn in zip(find_slots(insns), insns, strict=False):
            self.check_runnable(insn, slot)
            address = resolved.get(slot)
            if insn.code == LDDW and insn.src == Pseudo.FUNC:
                target = find_target(insn, slot)
                if target is not None:
                    address = vm.memory.add_object(
                        f"function at {target} of {self.name}", FunctionAddress(self, target)
                    )
                self.insns[slot] = replace(insn, imm=address or 0)
            elif address is not None:
                self.insns[slot] = Insn(LDDW, insn.dst, Pseudo.NUMBER, 0, address)
            else:
                self.insns[slot] = insn
        self.engine = Interpreter(vm, self) if interpret else Translated(vm, self)

    def check_runnable(self, insn: Insn, slot: int) -> None:
        """Refuse what this machine doesn't do."""
        if insn.dst > FRAME_POINTER or insn.src > FRAME_POINTER:
            raise FeatureError(f"{self.name}: insn {slot}: the VM has no arguments on the stack (r11)")
        if insn.code == JAX:
            raise FeatureError(f"{self.name}: insn {slot}: the VM has no jumps through registers (gotox)")
        if insn.code == 0xBF and insn.off == 1:
            raise FeatureError(f"{self.name}: insn {slot}: the VM has no arenas (addr_space_cast)")
        if insn.code == CALL and insn.src != Call.LOCAL and not is_tail_call(insn):
            self.find_callee(insn, 0)

    def find_callee(self, insn: Insn, number: int) -> Helper:
        """The helper or kernel function a call means; `number` is the register's of callx."""
        wanted = insn.imm if insn.code == CALL else number
        table = self.vm.kfuncs if insn.code == CALL and insn.src == Call.KFUNC else self.vm.helpers
        found = table.get(wanted)
        if found is None and insn.code == CALLX:
            raise Fault(f"calls helper {wanted}, which the VM doesn't have")
        if found is None:
            kind = "kernel function" if insn.src == Call.KFUNC else "helper"
            raise FeatureError(f"{self.name}: the VM has no {kind} {wanted}")
        return found

    def call(self, slot: int, arguments: tuple[int | None, ...]) -> int:
        """Call the function at `slot` with up to five numbers, within a run."""
        return self.engine.call(slot, arguments)

    def run(self, *arguments: int) -> int:
        """Run the program once with numbers in r1, r2, …; what it returns (r0, 64 bits)."""
        return self.vm.run(self, arguments)

    def run_context(self, context: bytes | bytearray = b"", packet: bytes = b"") -> int:
        """Run once with r1 pointing to a writable copy of `context`, or to `context` itself (a bytearray)."""
        data = context if isinstance(context, bytearray) else bytearray(context)
        address = self.vm.memory.add("context", data)
        try:
            self.vm.packet = packet
            return self.run(address)
        finally:
            self.vm.memory.retire(address)
            self.vm.memory.settle()

    def test_run(self, data: bytes = b"", context: bytes = b"") -> int:
        """As BPF_PROG_TEST_RUN: the lower 32 bits of r0.

        `data` is an Ethernet packet for programs that get packets; filters of sockets and control groups see
        what is behind its header.
        """
        if self.spec.type in BEHIND_ETHERNET:
            data = data[ETHERNET_SIZE:]
        if self.spec.type in PACKET_PROGRAMS:
            return self.run_context(context or socket_context(data), data) & 0xFFFFFFFF
        return self.run_context(context or bytearray(CONTEXT_SIZE), data) & 0xFFFFFFFF

    def close(self) -> None:
        """Nothing to give back."""


def socket_context(packet: bytes, fields: Mapping[int, int] | None = None) -> bytearray:
    """A struct __sk_buff for `packet`: its length at 0, and u32 `fields` by offset."""
    data = bytearray(SK_BUFF_SIZE)
    for offset, value in {0: len(packet), **(fields or {})}.items():
        data[offset : offset + 4] = (value & 0xFFFFFFFF).to_bytes(4, "little")
    return data
