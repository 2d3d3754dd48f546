"""Stacks of processes whose code keeps no frame pointers: dw_ustack.

The program walks the stack itself, by tables made of the files' own `.eh_frame` (`spec.unwind` has their
form): so a stack can be a key, and nothing but addresses leaves the kernel. Of a process that nothing is
known of yet the stack is taken by frame pointers, and its id is put down for those who fill the tables.
"""

from __future__ import annotations

from ..arch import find as find_arch
from ..ctype.types import CType
from ..elf.unwind import FRAME_AT, OFFSET_AT, OFFSET_BITS, RETURN_AT, SAVED_BITS, WORD, Kind
from ..ir.types import S64, U32, U64, VALUE
from ..spec.unwind import (
    BLOCK_SHIFT,
    BLOCKS,
    KEY_BITS,
    MAPS,
    MOST_BLOCKS,
    MOST_ROWS,
    ROWS,
    RULES,
    SPACES,
    WANTED,
)
from ..spec.values import Stack
from .emit import Place
from .func import CallSite, func
from .pointers import swap
from .process import current_ids
from .stack import HEAD, Ustack, store_head

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..ir.builder import Builder
    from ..ir.nodes import Block, Value
    from .emit import Emitter
    from .func import Checking

MOST_WALKED = 127
"""Frames that are walked: each is one more round for the verifier to follow."""

_USER_STACK = 1 << 8  # BPF_F_USER_STACK
_BLOCK = 1 << BLOCK_SHIFT
"""Bytes, and the most rows that begin in them."""

_NOWHERE = (1 << 64) - 1
"""What stands after the last frame when its caller could not be found."""

_VIRTUAL = (1 << 48) - 1
_SIGNAL = (160, 120, 168)
"""Where stack pointer, frame pointer and program counter are in the kernel's frame for a signal, x86-64."""


@func
class DwarfStack(Ustack):
    """the process's own stack, of code without frame pointers too"""

    name = "dw_ustack"
    most = MOST_WALKED
    is_unstable = True

    def check(self, call: CallSite, to: Checking) -> CType:
        if self.is_unstable:
            _check_stable(call, to)
        type = super().check(call, to)
        assert isinstance(type, Stack)
        mode = type.mode
        if mode == "build_id":
            to.error(f"'build_id' stack mode can not be used for {self.name}", call.span)
            mode = "raw"
        return Stack(False, mode, type.limit)

    def lower_into(self, call: CallSite, to: Emitter, place: Place) -> None:
        if not any(spec.name == SPACES for spec in to.unit.maps):
            to.unit.maps += MAPS
        _Walk(to, place).make()


def _check_stable(call: CallSite, to: Checking) -> None:
    mode = to.settings.get("unstable_dw_ustack", "enable")
    feature = "dw_ustack (DWARF stack unwinding)"
    if mode == "error":
        message = (
            f"{feature} feature is not enabled by default. To enable this unstable feature, set the config"
        )
        to.error(f"{message} flag to enable. unstable_dw_ustack=enable", call.span)
    elif mode == "warn":
        to.warn_once(
            f"Script is using an unstable feature: {feature}. To prevent this warning you must explicitly "
            "enable it in the config e.g. unstable_dw_ustack=enable"
        )


_STATE = ("pid", "ip", "sp", "fp", "link", "lead", "count")
_ROOM = 8 * (MOST_WALKED + 1)


class _Walk:
    """One walk in the making. The program's variables are "pid", "ip", "sp", "fp", "link", "lead" (1 where
    the address is one that a call returns to, whose own instruction is before it), "count".

    A round is a callback where the kernel has bpf_loop: the verifier then follows it once, not for every
    frame.
    """

    def __init__(self, to: Emitter, place: Place) -> None:
        self.to, self.place = to, place
        assert isinstance(place.type, Stack)
        self.limit = place.type.limit
        self.arch = find_arch(to.unit.target.machine)
        self._take_memory()

    @property
    def b(self) -> Builder:
        return self.to.b

    def _take_memory(self) -> None:
        """What each function of its own has."""
        self.key, self.word = self.b.own_slot(16), self.b.own_slot(8)
        self.failed, self.ended = self.b.new_block(), self.b.new_block()

    def make(self) -> None:
        b, place = self.b, self.place
        assert isinstance(place.type, Stack)
        store_head(self.to, place, place.type)
        self._start()
        b.write("count", b.const(0, U64))
        b.write("lead", b.const(0, U64))
        b.write("pid", b.op("lshr", current_ids(self.to), 32))
        self._name_process()
        known, unknown, done = b.new_block(), b.new_block(), b.new_block()
        space = self._find_space(b.read("ip", U64))
        b.branch(b.compare("ne", space, 0), known, unknown)
        b.place(unknown)
        self._by_frame_pointers()
        b.jump(done)
        b.place(known)
        if self.to.unit.target.have("bpf_loop"):
            self._call_rounds()
        else:
            self._rounds()
        b.jump(done)
        b.place(done)

    def _name_process(self) -> None:
        b = self.b
        b.store(self.key, KEY_BITS, 4)
        b.store(self.key, b.read("pid", U64), 4, 4)

    # ---- rounds that are callbacks

    def _call_rounds(self) -> None:
        b, place = self.b, self.place
        base = b.take_shared(8 * len(_STATE) + _ROOM)
        frames = base + 8 * len(_STATE)
        self._keep(base)
        b.zero(b.shared(frames), self.limit * WORD)
        name = f"{b.program.name}_walk_{len(b.program.callbacks) + 1}"
        outside = self.failed, self.ended, self.key, self.word
        self.to.b = b.callback(name)
        self._make_round(base, frames)
        self.to.b.finish()
        self.to.b = b
        self.failed, self.ended, self.key, self.word = outside
        b.loop(self.limit, name)
        b.copy(place.pointer, b.shared(frames), self.limit * WORD, place.offset + HEAD)
        count = b.load(b.shared(base + 8 * _STATE.index("count")), U64)
        within, done = b.new_block(), b.new_block()
        b.write("frames", b.const(self.limit, U64))
        b.branch(b.compare("ult", count, self.limit), within, done)
        b.place(within)
        b.write("frames", count)
        b.jump(done)
        b.place(done)
        b.store(place.pointer, b.read("frames", U64), 2, place.offset)

    def _make_round(self, base: int, frames: int) -> None:
        """Put down a frame, and find the next."""
        b = self.b
        b.param(0, U64)
        self._take_memory()
        for number, name in enumerate(_STATE):
            b.write(name, b.load(b.shared(base + 8 * number), U64))
        self._name_process()
        self._put(frames, b.read("ip", U64))
        b.write("count", b.op("add", b.read("count", U64), 1))
        self._step()
        self._keep(base)
        b.ret(0)
        b.place(self.failed)
        # There is room for one more than are shown.
        self._put(frames, b.const(_NOWHERE, U64))
        b.write("count", b.op("add", b.read("count", U64), 1))
        b.jump(self.ended)
        b.place(self.ended)
        b.store(b.shared(base + 8 * _STATE.index("count")), b.read("count", U64), WORD)
        b.ret(1)

    def _put(self, frames: int, address: Value) -> None:
        b = self.b
        at = b.op("shl", b.op("and", b.read("count", U64), MOST_WALKED), 3)
        b.store(b.offset(b.shared(frames), at), address, WORD)

    def _keep(self, base: int) -> None:
        b = self.b
        for number, name in enumerate(_STATE):
            b.store(b.shared(base + 8 * number), b.read(name, U64), WORD)

    # ---- where it starts

    def _start(self) -> None:
        """Read the registers that the process has: those of the probe, or of its way into the kernel."""
        b, arch, to = self.b, self.arch, self.to
        names = {"ip": arch.instruction_pointer, "sp": arch.stack_pointer, "fp": arch.frame_pointer}
        if to.provider.arguments == "user":
            for name, register in names.items():
                b.write(name, b.load(b.context(), U64, arch.register(register).offset))
            if arch.link is not None:
                b.write("link", b.load(b.context(), U64, arch.register(arch.link).offset))
            return
        to.need("task_pt_regs", f"dw_ustack in a {to.provider.name} probe")
        regs = b.call("task_pt_regs", b.call("get_current_task_btf"))
        if arch.link is not None:
            names["link"] = arch.link
        for name, register in names.items():
            address = b.op("add", b.cast(regs, U64), arch.register(register).offset)
            b.call("probe_read_kernel", self.word, WORD, address)
            b.write(name, b.load(self.word, U64))

    def _by_frame_pointers(self) -> None:
        b, place = self.b, self.place
        self._ask()
        self.to.count("no_unwind_table")
        frames = b.offset(place.pointer, place.offset + HEAD)
        taken = b.call("get_stack", b.context(), frames, self.limit * WORD, _USER_STACK)
        got, done = b.new_block(), b.new_block()
        b.branch(b.compare("sgt", taken, 0), got, done)
        b.place(got)
        b.store(place.pointer, b.op("lshr", taken, 3), 2, place.offset)
        b.jump(done)
        b.place(done)

    def _ask(self) -> None:
        """Put down the process: something of it is not known."""
        b = self.b
        b.call("map_update_elem", b.map(WANTED), b.offset(self.key, 4), self.key, 0)

    # ---- rounds of a loop

    def _rounds(self) -> None:
        b, place = self.b, self.place
        b.zero(place.pointer, self.limit * WORD, place.offset + HEAD)
        head, again, full = b.new_block(), b.new_block(), b.new_block()
        b.jump(head)
        b.place(head, sealed=False)
        count = b.read("count", U64)
        b.branch(b.compare("ult", count, self.limit), again, full)
        b.place(again)
        frames = b.offset(place.pointer, b.op("shl", count, 3))
        b.store(frames, b.read("ip", U64), WORD, place.offset + HEAD)
        b.write("count", b.op("add", count, 1))
        self._step()
        b.jump(head)
        b.seal(head)
        b.place(self.failed)
        self._mark_failure(full)
        b.place(self.ended)
        b.jump(full)
        b.place(full)
        b.store(place.pointer, b.read("count", U64), 2, place.offset)

    def _mark_failure(self, full: Block) -> None:
        """Say after the last frame that there are more, which could not be found."""
        b, place = self.b, self.place
        count = b.read("count", U64)
        room = b.new_block()
        b.branch(b.compare("ult", count, self.limit), room, full)
        b.place(room)
        frames = b.offset(place.pointer, b.op("shl", count, 3))
        b.store(frames, _NOWHERE, WORD, place.offset + HEAD)
        b.write("count", b.op("add", count, 1))
        b.jump(full)

    # ---- one frame after another

    def _step(self) -> None:
        """From the registers of one frame to those of its caller."""
        b = self.b
        address = b.op("sub", b.read("ip", U64), b.read("lead", U64))
        space = self._find_space(address)
        there, unknown = b.new_block(), b.new_block()
        b.branch(b.compare("ne", space, 0), there, unknown)
        b.place(unknown)
        self._ask()
        b.jump(self.failed)
        b.place(there)
        rule = self._find_rule(b.cast(space, VALUE), address)
        kind = b.op("and", rule, 7)
        offset = b.op("ashr", b.ext(b.op("shl", rule, 64 - OFFSET_AT - OFFSET_BITS), S64), 64 - OFFSET_BITS)
        self._find_cfa(kind, b.ext(offset, U64))
        self._restore(rule)

    def _find_space(self, address: Value) -> Value:
        b = self.b
        b.store(self.key, swap(self.to, address, 8), 8, 8)
        return b.call("map_lookup_elem", b.map(SPACES), self.key)

    def _find_rule(self, space: Value, address: Value) -> Value:
        """The rule at `address`; none there leads to the end."""
        b = self.b
        distance = b.op("sub", address, b.load(space, U64))
        block = b.op("lshr", distance, BLOCK_SHIFT)
        inside = b.new_block()
        b.branch(b.compare("ult", block, b.load(space, U32, 12)), inside, self.failed)
        b.place(inside)
        block = b.op("add", block, b.ext(b.load(space, U32, 8), U64))
        low = self._number(BLOCKS, block, MOST_BLOCKS)
        high = self._number(BLOCKS, b.op("add", block, 1), MOST_BLOCKS)
        b.write("row", low)
        step = _BLOCK // 2
        while step:
            self._halve(step, high, distance)
            step >>= 1
        return self._number(RULES, b.read("row", U64), MOST_ROWS)

    def _halve(self, step: int, high: Value, distance: Value) -> None:
        """Go `step` rows on if that one is still of the block and begins before `distance`."""
        b = self.b
        row = b.read("row", U64)
        # Masked as numbers are that come from the map: the verifier sees the same bounds after each step.
        further = b.op("and", b.op("add", row, step), MOST_ROWS - 1)
        look, take, on = b.new_block(), b.new_block(), b.new_block()
        b.branch(b.compare("ule", further, high), look, on)
        b.place(look)
        b.branch(b.compare("ule", self._number(ROWS, further, MOST_ROWS), distance), take, on)
        b.place(take)
        b.write("row", further)
        b.jump(on)
        b.place(on)

    def _number(self, table: str, index: Value, most: int) -> Value:
        b = self.b
        at = b.op("shl", b.op("and", index, most - 1), 2)
        return b.ext(b.load(b.offset(b.global_(table, 0), at), U32), U64)

    # ---- what a rule says

    def _find_cfa(self, kind: Value, offset: Value) -> None:
        """Set "cfa", or leave for the end; a signal's frame gives all registers at once and goes round."""
        b = self.b
        bytes_ = b.op("shl", offset, 3)
        done = b.new_block()
        makers: list[tuple[Kind, Callable[[], Value]]] = [
            (Kind.SP, lambda: b.op("add", b.read("sp", U64), bytes_)),
            (Kind.FP, lambda: b.op("add", b.read("fp", U64), bytes_)),
            (Kind.FP_VALUE, lambda: self._aligned(bytes_)),
        ]
        if self.arch.link is None:
            makers.append((Kind.PLT, lambda: self._plt(offset)))
        for number, make in makers:
            this, other = b.new_block(), b.new_block()
            b.branch(b.compare("eq", kind, int(number)), this, other)
            b.place(this)
            b.write("cfa", make())
            b.jump(done)
            b.place(other)
        if self.arch.link is None:
            self._signal(kind)
        b.branch(b.compare("eq", kind, int(Kind.END)), self.ended, self.failed)
        b.place(done)

    def _aligned(self, offset: Value) -> Value:
        b = self.b
        fp = b.read("fp", U64)
        cfa = self._read(b.op("add", fp, offset))
        b.write("fp", self._read(fp))
        return cfa

    def _plt(self, start: Value) -> Value:
        b = self.b
        within = b.op("and", b.read("ip", U64), 15)
        pushed = b.op("shl", b.ext(b.compare("uge", within, start), U64), 3)
        return b.op("add", b.op("add", b.read("sp", U64), WORD), pushed)

    def _signal(self, kind: Value) -> None:
        b = self.b
        this, other = b.new_block(), b.new_block()
        b.branch(b.compare("eq", kind, int(Kind.SIGNAL)), this, other)
        b.place(this)
        sp = b.read("sp", U64)
        found = [self._read(b.op("add", sp, at)) for at in _SIGNAL]
        for name, value in zip(("sp", "fp", "ip"), found, strict=True):
            b.write(f"new {name}", value)
        self.signalled = b.new_block()
        b.jump(self.signalled)
        b.place(other)

    def _restore(self, rule: Value) -> None:
        """The caller's registers, of the CFA."""
        b = self.b
        cfa = b.read("cfa", U64)
        saved = b.op("and", b.op("lshr", rule, FRAME_AT), (1 << SAVED_BITS) - 1)
        b.write("new fp", b.read("fp", U64))
        stored, kept = b.new_block(), b.new_block()
        b.branch(b.compare("ne", saved, 0), stored, kept)
        b.place(stored)
        b.write("new fp", self._read(b.op("sub", cfa, b.op("shl", saved, 3))))
        b.jump(kept)
        b.place(kept)
        self._return_address(cfa, b.op("lshr", rule, RETURN_AT))
        b.write("new sp", cfa)
        b.write("lead", b.const(1, U64))
        grown, joined = b.new_block(), b.new_block()
        # A stack that does not get shorter is none; but a function that saves nothing takes nothing of it.
        shorter = "ugt" if self.arch.link is None else "uge"
        b.branch(b.compare(shorter, cfa, b.read("sp", U64)), grown, self.failed)
        b.place(grown)
        b.jump(joined)
        if self.arch.link is None:
            b.place(self.signalled)
            b.write("lead", b.const(0, U64))
            b.jump(joined)
        b.place(joined)
        ip = b.read("new ip", U64)
        for name in ("sp", "fp", "ip"):
            b.write(name, b.read(f"new {name}", U64))
        on = b.new_block()
        b.branch(b.compare("ne", ip, 0), on, self.ended)
        b.place(on)

    def _return_address(self, cfa: Value, saved: Value) -> None:
        b = self.b
        stored, kept, done = b.new_block(), b.new_block(), b.new_block()
        b.branch(b.compare("ne", saved, 0), stored, kept)
        b.place(kept)
        if self.arch.link is None:
            b.jump(self.failed)
        else:
            # Only the innermost function may still have its return address in the register.
            first = b.new_block()
            b.branch(b.compare("eq", b.read("lead", U64), 0), first, self.failed)
            b.place(first)
            b.write("new ip", b.op("and", b.read("link", U64), _VIRTUAL))
            b.jump(done)
        b.place(stored)
        address = self._read(b.op("sub", cfa, b.op("shl", saved, 3)))
        b.write("new ip", address if self.arch.link is None else b.op("and", address, _VIRTUAL))
        b.jump(done)
        b.place(done)

    def _read(self, address: Value) -> Value:
        """A word of the process's stack; where there is none, the walk has failed."""
        b = self.b
        result = b.call("probe_read_user", self.word, WORD, address)
        on = b.new_block()
        b.branch(b.compare("eq", result, 0), on, self.failed)
        b.place(on)
        return b.load(self.word, U64)
