"""A program as Python source, made and compiled once.

Every function of the program becomes one Python function with the registers as its locals. Memory
is accessed through `struct` on the region's bytes, so a wrong access raises one of Python's own
errors at no cost to right ones; the line it was raised on tells the instruction, and the access is
made again by `Memory.check` to find out what was wrong. Blocks with one predecessor are written
where they are jumped to; the others are chosen by a binary tree of comparisons, loops that stay in
one such group being a loop of Python's.

Does what `probee.vm.interpret` does, faults and the count of instructions included.
"""

from __future__ import annotations

import struct

from ..base.bits import U64
from ..base.errors import InternalError
from ..isa.disasm import render_insn
from ..isa.ebpf import ATOMIC, BYTES, CALL, CALLX, EXIT, LDDW, MAY_GOTO, Atomic, Insn, Size
from ..isa.effects import CLOBBERED, clobbers
from ..isa.fields import Call, Class, Mode
from .alu import divide_signed, modulo_signed, swap_bytes
from .blocks import Block, Function, find_entries, find_function, find_unwritten_reads
from .fault import Fault
from .helpers import find_tail_target, is_tail_call
from .source import (
    arithmetic_source,
    atomic_source,
    condition_source,
    load_source,
    store_source,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

    from .machine import Vm
    from .program import VmProgram

ALL_BUT_R10 = 0x3FF
ALL_BUT_R10 = 0x3FF
ALL_BUT_R10 = 0x3FF
MAX_NESTING = 24
"""Levels of blocks written inside one another before a block is left to the tree."""

MEMORY_ERRORS = (KeyError, IndexError, TypeError, struct.error)
"""What Python raises for an access that is wrong."""


class Translated:
    """The functions of one program, by slot, translated when first called."""

    def __init__(self, vm: Vm, program: VmProgram) -> None:
        self.vm = vm
        self.program = program
        self.file = f"<bpf {program.name}>"
        self.lines: dict[str, list[int]] = {}
        self.functions: dict[int, Callable[..., int]] = {}
        self.entries = find_entries(program.insns)
        self.scope: dict[str, Any] = {
            "m": vm.memory.buffers,
            "vm": vm,
            "enter": vm.memory.enter,
            "leave": vm.memory.leave,
            "find_tail": find_tail_target,
            "sdiv": divide_signed,
            "smod": modulo_signed,
            "swap": swap_bytes,
            "callee": program.find_callee,
            "unwritten": _unwritten,
            **{f"u{8 * n}": struct.Struct(f"<{c}").unpack_from for n, c in ((2, "H"), (4, "I"), (8, "Q"))},
            **{f"s{8 * n}": struct.Struct(f"<{c}").unpack_from for n, c in ((1, "b"), (2, "h"), (4, "i"))},
            **{f"p{8 * n}": struct.Struct(f"<{c}").pack_into for n, c in ((2, "H"), (4, "I"), (8, "Q"))},
        }

    def call(self, slot: int, arguments: tuple[int | None, ...]) -> int:
        """Call the function at `slot`."""
        function = self.functions.get(slot) or self.translate(slot)
        try:
            return function(*arguments)
        except (Fault, *MEMORY_ERRORS) as error:
            self.explain(error, error.__traceback__)
            raise

    def translate(self, slot: int) -> Callable[..., int]:
        """Make the function at `slot`, and those that it calls."""
        function = find_function(self.program.insns, slot)
        writer = _Writer(self.program, function, self.scope)
        source = writer.write()
        file = f"{self.file[:-1]}:{slot}>"
        self.lines[file] = writer.slots
        exec(compile(source, file, "exec"), self.scope)
        made: Callable[..., int] = self.scope[f"f{slot}"]
        self.functions[slot] = made
        for target in writer.called:
            if target not in self.functions:
                self.translate(target)
        return made

    def source(self, slot: int = 0) -> str:
        """The Python source of the function at `slot`."""
        return _Writer(self.program, find_function(self.program.insns, slot), {}).write()

    def explain(self, error: Exception, trace: TracebackType | None) -> None:
        """Raise the Fault that `error` stands for, with its instruction."""
        frame = None
        last = trace
        while trace is not None:
            if trace.tb_frame.f_code.co_filename in self.lines:
                frame, last = trace, trace
            trace = trace.tb_next
        if frame is None or last is None:
            return
        if not isinstance(error, Fault) and frame.tb_next is not None:
            return  # raised inside a helper: a mistake of ours
        slot = self.lines[frame.tb_frame.f_code.co_filename][frame.tb_lineno - 1]
        insn = self.program.insns[slot]
        text = render_insn(insn, slot)
        if isinstance(error, Fault):
            raise error.at(self.program.name, slot, text) from None
        registers = frame.tb_frame.f_locals
        acquires = insn.code & 0xE7 == ATOMIC and insn.imm == Atomic.LOAD_ACQUIRE
        write = insn.code & 7 in (Class.ST, Class.STX) and not acquires
        base = insn.dst if write else insn.src
        try:
            address = registers[f"r{base}"] + insn.off
            self.vm.memory.check(address, BYTES[Size(insn.code & 0x18)], write=write)
        except Fault as fault:
            raise fault.at(self.program.name, slot, text) from None
        raise InternalError(f"{self.program.name}: insn {slot}: {text}: {error!r}") from error


def _unwritten(register: int) -> Fault:
    return Fault(f"reads r{register}, to which nothing was written")


class _Writer:
    """Writes the Python source of one function; `slots` has the slot of every line."""

    def __init__(self, program: VmProgram, function: Function, scope: dict[str, object]) -> None:
        self.program = program
        self.function = function
        self.scope = scope
        self.out: list[str] = []
        self.slots: list[int] = []
        self.called: list[int] = []
        main = function.entry == 0
        self.unwritten = find_unwritten_reads(
            function, 0b011_1111_1101 if main else 0b011_1111_1111, self.reads
        )
        self.guarded = {r for registers in self.unwritten.values() for r in registers}
        self.passed = self.find_passed()
        self.heads = self.find_heads()
        self.numbers = {start: number for number, start in enumerate(self.heads)}
        self.head = function.entry
        self.looped = False

    # -- what calls read --------------------------------------------------------------------------

    def reads(self, insn: Insn) -> int:
        if insn.code == CALLX:
            return 0
        if insn.code != CALL or insn.src == Call.LOCAL:
            return 0
        if is_tail_call(insn):
            return 3
        return self.program.find_callee(insn, 0).arguments

    def find_passed(self) -> set[int]:
        """Argument registers that a call passes on as they are, written or not."""
        passed: set[int] = set()
        for block in self.function.blocks.values():
            for _, insn in block.insns:
                if insn.code == CALLX or (insn.code == CALL and insn.src == Call.LOCAL):
                    passed.update(CLOBBERED)
                elif insn.code == CALL and not is_tail_call(insn):
                    callee = self.program.find_callee(insn, 0)
                    passed.update(CLOBBERED[callee.arguments : callee.arguments + callee.optional])
        return passed

    # -- which blocks stand where -----------------------------------------------------------------

    def find_heads(self) -> list[int]:
        """Blocks the tree chooses from: the entry, those with several ways in, those nested too deep."""
        blocks = self.function.blocks
        ways: dict[int, int] = dict.fromkeys(blocks, 0)
        for block in blocks.values():
            for target in block.next:
                ways[target] += 1
        heads = {start for start, count in ways.items() if count != 1} | {self.function.entry}
        pending, seen = sorted(heads, reverse=True), set(heads)
        while pending:
            stack = [(pending.pop(), 0)]
            while stack:
                start, depth = stack.pop()
                block = blocks[start]
                for position, target in enumerate(block.next):
                    if target in heads:
                        continue
                    deeper = depth + (len(block.next) == 2 and position == 0)
                    if target in seen or deeper > MAX_NESTING:
                        heads.add(target)
                        pending.append(target)
                    else:
                        stack.append((target, deeper))
                    seen.add(target)
        return [self.function.entry, *sorted(heads - {self.function.entry})]

    def loops(self, head: int) -> bool:
        """True when the group of blocks under `head` jumps back to it."""
        heads = set(self.heads)
        pending, seen = [head], {head}
        while pending:
            for target in self.function.blocks[pending.pop()].next:
                if target == head:
                    return True
                if target not in heads and target not in seen:
                    seen.add(target)
                    pending.append(target)
        return False

    # -- writing ----------------------------------------------------------------------------------

    def line(self, indent: int, text: str, slot: int) -> None:
        self.out.append(" " * indent + text)
        self.slots.append(slot)

    def write(self) -> str:
        entry = self.function.entry
        self.line(0, f"def f{entry}(r1=None, r2=None, r3=None, r4=None, r5=None):", entry)
        self.line(1, "b = vm.left", entry)
        self.line(1, "if b < 0: raise vm.exhausted()", entry)
        self.line(1, "r10, fp = enter()", entry)
        insns = [insn for block in self.function.blocks.values() for _, insn in block.insns]
        if any(insn.code == MAY_GOTO for insn in insns):
            self.line(1, "g = vm.loop_limit", entry)
        empty = [f"r{n}" for n in sorted(self.guarded) if n == 0 or 6 <= n <= 9]
        if empty:
            self.line(1, f"{' = '.join(empty)} = None", entry)
        if len(self.heads) == 1:
            self.write_group(entry, 1)
        else:
            self.line(1, "pc = 0", entry)
            self.line(1, "while True:", entry)
            self.write_tree(0, len(self.heads), 2)
        return "\n".join(self.out) + "\n"

    def write_tree(self, low: int, high: int, indent: int) -> None:
        if high - low == 1:
            self.write_group(self.heads[low], indent)
            return
        middle = (low + high) // 2
        self.line(indent, f"if pc < {middle}:", self.heads[low])
        self.write_tree(low, middle, indent + 1)
        self.line(indent, "else:", self.heads[middle])
        self.write_tree(middle, high, indent + 1)

    def write_group(self, head: int, indent: int) -> None:
        self.head, self.looped = head, self.loops(head)
        if self.looped:
            self.line(indent, "while True:", head)
            indent += 1
        self.write_blocks(head, indent)

    def write_blocks(self, start: int, indent: int) -> None:
        """The block at `start` and, as long as they follow it here, those after it."""
        following: int | None = start
        while following is not None:
            following = self.write_block(self.function.blocks[following], indent)

    def write_block(self, block: Block, indent: int) -> int | None:
        """One block; the one that has to be written next, at the same indent, or None."""
        pending = 0
        for slot, insn in block.insns:
            pending += 1
            for register in self.unwritten.get(slot, ()):
                self.line(indent, f"if r{register} is None: raise unwritten({register})", slot)
            if insn.code == EXIT:
                self.line(indent, f"vm.left = b - {pending}; leave(); return r0", slot)
                return None
            if insn.code in (CALL, CALLX):
                pending = self.write_call(insn, slot, indent, pending)
            elif insn.code & 7 not in (Class.JMP, Class.JMP32):
                self.write_plain(insn, slot, indent, pending)
            if clobbers(insn):
                lost = [f"r{n}" for n in CLOBBERED if n in self.guarded or n in self.passed]
                if lost:
                    self.line(indent, f"{' = '.join(lost)} = None", slot)
        slot, insn = block.insns[-1]
        if pending:
            self.line(indent, f"b -= {pending}", slot)
        if len(block.next) == 2:
            self.write_condition(insn, slot, indent)
            self.line(indent + 1, *self.jump(slot, block.next[0], indent + 1))
            if self.follows(block.next[0]):
                self.write_blocks(block.next[0], indent + 1)
        target = block.next[-1]
        if self.follows(target):
            return target
        self.line(indent, *self.jump(slot, target, indent))
        return None

    def follows(self, target: int) -> bool:
        """True when the block at `target` is written where it is jumped to."""
        return target not in self.numbers

    def jump(self, slot: int, target: int, indent: int) -> tuple[str, int]:
        """The statement that goes on at `target`."""
        check = "if b < 0: raise vm.exhausted()" if target <= slot else ""
        if check:
            self.line(indent, check, slot)
        if self.follows(target):
            return "pass", slot
        if target == self.head and self.looped:
            return "continue", slot
        return f"pc = {self.numbers[target]}; {'break' if self.looped else 'continue'}", slot

    def write_condition(self, insn: Insn, slot: int, indent: int) -> None:
        if insn.code == MAY_GOTO:
            self.line(indent, "g -= 1", slot)
            self.line(indent, "if g < 0:", slot)
        else:
            self.line(indent, f"if {condition_source(insn)}:", slot)

    # -- instructions -----------------------------------------------------------------------------

    def write_plain(self, insn: Insn, slot: int, indent: int, pending: int) -> None:
        kind = insn.code & 7
        if kind in (Class.ALU, Class.ALU64):
            self.line(indent, arithmetic_source(insn), slot)
        elif insn.code == LDDW:
            self.line(indent, f"r{insn.dst} = {insn.imm}", slot)
        elif kind == Class.LDX:
            self.line(indent, load_source(insn), slot)
        elif kind == Class.LD:
            offset = str(insn.imm)
            if insn.code & 0xE0 == Mode.IND:
                offset = f"(({insn.imm} + r{insn.src} & 4294967295) ^ 2147483648) - 2147483648"
            self.line(indent, f"r0 = vm.load_packet({offset}, {BYTES[Size(insn.code & 0x18)]})", slot)
            self.line(indent, f"if r0 is None: vm.left = b - {pending}; leave(); return 0", slot)
        elif insn.code & 0xE0 == Mode.ATOMIC:
            self.line(indent, atomic_source(insn), slot)
        else:
            self.line(indent, store_source(insn), slot)

    def write_call(self, insn: Insn, slot: int, indent: int, pending: int) -> int:
        """A call; the number of instructions that are still to be counted after it."""
        if is_tail_call(insn):
            self.line(indent, "t = find_tail(vm, r2, r3)", slot)
            enter = f"vm.left = b - {pending}; r0 = vm.enter_tail(t, r1); leave(); return r0"
            self.line(indent, f"if t is not None: {enter}", slot)
            self.line(indent, f"r0 = {-2 & U64}", slot)
            return pending
        if insn.code == CALL and insn.src == Call.LOCAL:
            target = slot + 1 + insn.imm
            self.called.append(target)
            self.line(indent, f"vm.left = b - {pending}", slot)
            self.line(indent, f"r0 = f{target}(r1, r2, r3, r4, r5)", slot)
            self.line(indent, "b = vm.left", slot)
            return 0
        if insn.code == CALLX:
            self.write_callx(insn, slot, indent)
            return pending
        callee = self.program.find_callee(insn, 0)
        name = f"h{insn.src}_{insn.imm}"
        self.scope[name] = callee.run
        passed = "".join(f", r{n}" for n in CLOBBERED[: callee.arguments + callee.optional])
        if callee.calls:
            self.line(indent, f"vm.left = b - {pending}", slot)
        self.line(indent, f"r0 = {name}(vm{passed}) & {U64}", slot)
        if callee.calls:
            self.line(indent, "b = vm.left", slot)
            return 0
        return pending

    def write_callx(self, insn: Insn, slot: int, indent: int) -> None:
        code = f"insns[{slot}]"
        self.scope["insns"] = self.program.insns
        self.line(indent, f"h = callee({code}, r{insn.dst})", slot)
        self.line(indent, "a = (r1, r2, r3, r4, r5)", slot)
        missing = "next(i for i, v in enumerate(a) if v is None) + 1"
        self.line(indent, f"if None in a[:h.arguments]: raise unwritten({missing})", slot)
        self.line(indent, f"r0 = h.run(vm, *a[:h.arguments + h.optional]) & {U64}", slot)
