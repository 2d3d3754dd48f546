"""The plain decode loop: what a program does, said as directly as can be.

The definition against which the translator is tested; nothing here is written to be fast.
"""

from __future__ import annotations

from ..base.bits import U64, signed, unsigned
from ..isa.disasm import render_insn
from ..isa.ebpf import BYTES, CALL, CALLX, EXIT, JA, JA32, LDDW, MAY_GOTO, Alu, Atomic, Insn, Size
from ..isa.effects import CLOBBERED
from ..isa.fields import Call, Class, End, Mode
from .alu import ALU, JUMPS, swap_bytes
from .fault import Fault
from .helpers import find_tail_target, is_tail_call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .machine import Vm
    from .program import VmProgram

ENOENT = 2


class Interpreter:
    """Runs functions of one program instruction by instruction."""

    def __init__(self, vm: Vm, program: VmProgram) -> None:
        self.vm = vm
        self.program = program

    def call(self, slot: int, arguments: tuple[int | None, ...]) -> int:
        """Run the function at `slot` in a frame of its own; what it leaves in r0."""
        if self.vm.left < 0:
            raise self.vm.exhausted()
        frame = _Frame(self.vm, self.program, arguments)
        result = frame.run(slot)
        self.vm.memory.leave()
        return result


class _Frame:
    """One activation of a function: registers (None: nothing was written to it) and where it is."""

    def __init__(self, vm: Vm, program: VmProgram, arguments: tuple[int | None, ...]) -> None:
        self.vm = vm
        self.memory = vm.memory
        self.program = program
        self.regs: list[int | None] = [None] * 11
        self.regs[1 : 1 + len(arguments)] = arguments
        self.regs[10] = self.memory.enter()[0]
        self.loops = vm.loop_limit
        self.result: int | None = None

    def run(self, slot: int) -> int:
        insns = self.program.insns
        while self.result is None:
            insn = insns[slot]
            try:
                target = self.step(insn, slot)
            except Fault as fault:
                raise fault.at(self.program.name, slot, render_insn(insn, slot)) from None
            slot = slot + insn.slots if target is None else target
        return self.result

    def step(self, insn: Insn, slot: int) -> int | None:
        """Carry out one instruction; the slot it jumps to, or None."""
        self.vm.left -= 1
        kind = insn.code & 7
        if kind in (Class.ALU, Class.ALU64):
            self.write(insn.dst, self.arithmetic(insn, 64 if kind == Class.ALU64 else 32))
        elif kind in (Class.JMP, Class.JMP32):
            target = self.jump(insn, slot)
            if target is not None and target <= slot and self.vm.left < 0:
                raise self.vm.exhausted()
            return target
        elif kind == Class.LD:
            self.load_special(insn)
        elif kind == Class.LDX:
            value = self.memory.load(self.read(insn.src) + insn.off, BYTES[Size(insn.code & 0x18)])
            if insn.code & 0xE0 == Mode.MEMSX:
                value = unsigned(signed(value, 8 * BYTES[Size(insn.code & 0x18)]), 64)
            self.write(insn.dst, value)
        elif insn.code & 0xE0 == Mode.ATOMIC:
            self.atomic(insn)
        else:
            address = self.read(insn.dst) + insn.off
            value = insn.imm if kind == Class.ST else self.read(insn.src)
            self.memory.store(address, BYTES[Size(insn.code & 0x18)], value)
        return None

    def read(self, register: int) -> int:
        value = self.regs[register]
        if value is None:
            raise Fault(f"reads r{register}, to which nothing was written")
        return value

    def write(self, register: int, value: int) -> None:
        self.regs[register] = value

    # -- arithmetic and jumps ---------------------------------------------------------------------

    def operand(self, insn: Insn, bits: int) -> int:
        return unsigned(self.read(insn.src) if insn.code & 8 else insn.imm, bits)

    def arithmetic(self, insn: Insn, bits: int) -> int:
        if insn.code in (End.LE, End.BE, End.SWAP):
            return swap_bytes(self.read(insn.dst), insn.imm, insn.code)
        op = insn.code & 0xF0 | insn.off << 8
        if op == Alu.NEG:
            return ALU[op](unsigned(self.read(insn.dst), bits), 0, bits)
        left = 0 if op & 0xF0 == Alu.MOV else unsigned(self.read(insn.dst), bits)
        return ALU[op](left, self.operand(insn, bits), bits)

    def jump(self, insn: Insn, slot: int) -> int | None:
        code = insn.code
        if code == JA:
            return slot + 1 + insn.off
        if code == JA32:
            return slot + 1 + insn.imm
        if code == EXIT:
            self.result = self.read(0)
            return None
        if code in (CALL, CALLX):
            self.call(insn, slot)
            return None
        if code == MAY_GOTO:
            if self.loops == 0:
                return slot + 1 + insn.off
            self.loops -= 1
            return None
        bits = 64 if code & 7 == Class.JMP else 32
        left = unsigned(self.read(insn.dst), bits)
        taken = JUMPS[code & 0xF0](left, self.operand(insn, bits), bits)
        return slot + 1 + insn.off if taken else None

    # -- calls ------------------------------------------------------------------------------------

    def call(self, insn: Insn, slot: int) -> None:
        if insn.code == CALL and insn.src == Call.LOCAL:
            result = self.program.call(slot + 1 + insn.imm, tuple(self.regs[1:6]))
        elif is_tail_call(insn):
            target = find_tail_target(self.vm, self.read(2), self.read(3))
            if target is not None:
                self.result = self.vm.enter_tail(target, self.read(1))
                return
            result = -ENOENT
        else:
            called = self.program.find_callee(insn, self.read(insn.dst) if insn.code == CALLX else 0)
            first = [self.read(n) for n in CLOBBERED[: called.arguments]]
            rest = self.regs[1 + called.arguments : 1 + called.arguments + called.optional]
            result = called.run(self.vm, *first, *rest)
        for register in CLOBBERED:
            self.regs[register] = None
        self.write(0, result & U64)

    # -- memory -----------------------------------------------------------------------------------

    def load_special(self, insn: Insn) -> None:
        if insn.code == LDDW:
            self.write(insn.dst, insn.imm)
            return
        self.read(6)  # the packet's context, by convention
        offset = insn.imm
        if insn.code & 0xE0 == Mode.IND:
            offset = signed(offset + self.read(insn.src), 32)
        value = self.vm.load_packet(offset, BYTES[Size(insn.code & 0x18)])
        for register in CLOBBERED:
            self.regs[register] = None
        if value is None:
            self.result = 0
        else:
            self.write(0, value)

    def atomic(self, insn: Insn) -> None:
        size = BYTES[Size(insn.code & 0x18)]
        if insn.imm == Atomic.LOAD_ACQUIRE:
            self.write(insn.dst, self.memory.load(self.read(insn.src) + insn.off, size))
            return
        address = self.read(insn.dst) + insn.off
        value = unsigned(self.read(insn.src), 8 * size)
        if insn.imm == Atomic.STORE_RELEASE:
            self.memory.store(address, size, value)
            return
        expected = unsigned(self.read(0), 8 * size) if insn.imm == Atomic.CMPXCHG else 0
        self.memory.check(address, size, write=True)
        if insn.imm == Atomic.CMPXCHG:
            old = self.memory.load(address, size)
            self.memory.store(address, size, value if old == expected else old)
            self.write(0, old)
            return
        old = self.memory.load(address, size)
        op = Alu.MOV if insn.imm == Atomic.XCHG else insn.imm & 0xF0
        self.memory.store(address, size, ALU[op](old, value, 8 * size))
        if insn.imm & Atomic.FETCH:
            self.write(insn.src, old)
