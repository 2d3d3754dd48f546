"""Values and their registers become instructions, relocations and line information.

Needs: what `select` and `registers` leave. A block falls through to the next where it can; jumps are
patched at the end, once every block has its slot.
"""

from __future__ import annotations

from ..base.bits import signed
from ..base.errors import FeatureError, InternalError
from ..base.record import record
from ..ir.helpers import HELPERS
from ..ir.ops import COMMUTATIVE
from ..ir.types import IntType
from ..isa import ebpf
from ..isa.ebpf import Alu, Atomic, Insn, Jump
from ..spec.bundle import LineInfo, Relocation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..base.source import Span
    from ..ir.nodes import Block, Function, Value
    from ..spec.target import Target

FP = 10

_ALU = {
    "add": Alu.ADD,
    "sub": Alu.SUB,
    "mul": Alu.MUL,
    "udiv": Alu.DIV,
    "umod": Alu.MOD,
    "sdiv": Alu.SDIV,
    "smod": Alu.SMOD,
    "and": Alu.AND,
    "or": Alu.OR,
    "xor": Alu.XOR,
    "shl": Alu.LSH,
    "lshr": Alu.RSH,
    "ashr": Alu.ARSH,
    "padd": Alu.ADD,
}
_SHIFTS = frozenset({"shl", "lshr", "ashr"})
_JUMPS = {
    "eq": Jump.EQ,
    "ne": Jump.NE,
    "ult": Jump.LT,
    "ule": Jump.LE,
    "ugt": Jump.GT,
    "uge": Jump.GE,
    "slt": Jump.SLT,
    "sle": Jump.SLE,
    "sgt": Jump.SGT,
    "sge": Jump.SGE,
}
_INVERSE = {
    "eq": "ne",
    "ne": "eq",
    "ult": "uge",
    "uge": "ult",
    "ule": "ugt",
    "ugt": "ule",
    "slt": "sge",
    "sge": "slt",
    "sle": "sgt",
    "sgt": "sle",
}


@record
class Code:
    """One function's code: 8 bytes a slot, what to relocate, and which slots are whose line.

    `addresses`: slots of wide loads of a callback's address, and its name.
    """

    name: str
    code: bytes
    relocations: tuple[Relocation, ...]
    lines: tuple[LineInfo, ...]
    addresses: tuple[tuple[int, str], ...] = ()


def emit(function: Function, registers: dict[Value, int], frame_size: int, target: Target) -> Code:
    """The code of `function`. Raises FeatureError when it is too long for the target's jumps."""
    _skip_empty_blocks(function, registers)
    try:
        return _emit(function, registers, frame_size, target.isa, far=False)
    except _TooFarError as error:
        if target.isa < 4:
            raise FeatureError(
                f"{function.name}: a jump over {error.distance} instructions takes instruction level 4, "
                "which Linux has since 6.6"
            ) from None
        return _emit(function, registers, frame_size, target.isa, far=True)


def _emit(function: Function, registers: dict[Value, int], frame_size: int, isa: int, *, far: bool) -> Code:
    emitter = _Emitter(function.name, registers, frame_size, isa, far)
    for i, block in enumerate(function.blocks):
        follower = function.blocks[i + 1] if i + 1 < len(function.blocks) else None
        emitter.place(block, follower)
    return emitter.finish()


class _TooFarError(Exception):
    """A jump over more instructions than its 16 bits can say."""

    def __init__(self, distance: int) -> None:
        super().__init__(distance)
        self.distance = distance


def _skip_empty_blocks(function: Function, registers: dict[Value, int]) -> None:
    """Jump past blocks whose moves all turned out to move nothing."""
    passed = {block: block.succs[0] for block in function.blocks[1:] if _does_nothing(block, registers)}
    for block in function.blocks:
        targets = block.values[-1].targets
        for i, target in enumerate(targets):
            seen = {block}
            while target in passed and target not in seen:
                seen.add(target)
                target = passed[target]
            targets[i] = target
    function.blocks = [block for block in function.blocks if block not in passed]


def _does_nothing(block: Block, registers: dict[Value, int]) -> bool:
    if block.values[-1].op != "jump" or block.succs[0] is block:
        return False
    return all(
        value.op == "phi"
        or (
            value.op == "moves"
            and all(
                arg in registers and registers[arg] == registers.get(to)
                for arg, to in zip(value.args, value.attr, strict=True)
            )
        )
        for value in block.values[:-1]
    )


class _Emitter:
    """Instructions so far. `at` is the slot of the next one. `far`: every jump can reach everything."""

    def __init__(self, name: str, registers: dict[Value, int], frame_size: int, isa: int, far: bool) -> None:
        self.name = name
        self.registers = registers
        self.isa = isa
        self.far = far
        self.spare = -(frame_size + 8)  # 8 bytes of frame for circles of moves
        self.insns: list[Insn] = []
        self.at = 0
        self.blocks: dict[Block, int] = {}
        self.jumps: list[tuple[int, int, Block]] = []  # (index, slot, to)
        self.relocations: list[Relocation] = []
        self.addresses: list[tuple[int, str]] = []
        self.lines: list[LineInfo] = []
        self.span: Span | None = None

    # ---- pieces

    def put(self, insn: Insn) -> None:
        self.insns.append(insn)
        self.at += insn.slots

    def mark(self, span: Span | None) -> None:
        """What follows is for `span`."""
        if span is not None and span is not self.span:
            self.span = span
            if self.lines and self.lines[-1].slot == self.at:
                self.lines.pop()
            self.lines.append(LineInfo(self.at, span))

    def jump(self, insn: Insn, to: Block) -> None:
        if self.far and insn.code != ebpf.JA:
            # Only a plain jump has 32 bits: a condition jumps to one.
            self.put(Insn(insn.code, insn.dst, insn.src, 1, insn.imm))
            self.put(ebpf.ja(1))
            insn = ebpf.ja(0)
        self.jumps.append((len(self.insns), self.at, to))
        self.put(insn)

    def mov(self, to: int, source: int) -> None:
        if to != source:
            self.put(ebpf.mov_reg(to, source))

    def make(self, to: int, value: Value) -> None:
        """Bring a folded value (or one in a register) into register `to`."""
        op = value.op
        if value in self.registers:
            self.mov(to, self.registers[value])
        elif op == "const":
            self.constant(to, value.imm)
        elif op == "frame":
            self.put(ebpf.mov_reg(to, FP))
            if value.imm:
                self.put(ebpf.alu_imm(Alu.ADD, to, value.imm))
        elif op == "reload":
            self.put(ebpf.load(ebpf.Size.DW, to, FP, value.imm))
        elif op == "map":
            self.relocations.append(Relocation(self.at, value.attr))
            self.put(ebpf.ld_map_fd(to, 0))
        elif op == "global":
            self.relocations.append(Relocation(self.at, value.attr, value.imm))
            self.put(ebpf.ld_map_value(to, 0, 0))
        elif op == "func":
            self.addresses.append((self.at, value.attr))
            self.put(ebpf.ld_func(to, 0))
        else:
            raise InternalError(f"no register for {op}")

    def constant(self, to: int, number: int) -> None:
        number = signed(number, 64)
        if -(1 << 31) <= number < 1 << 31:
            self.put(ebpf.mov_imm(to, number))
        elif 0 <= number < 1 << 32:
            self.put(ebpf.mov_imm(to, signed(number, 32), wide=False))
        else:
            self.put(ebpf.lddw(to, number))

    def address(self, base: Value, offset: int) -> tuple[int, int]:
        """Register and offset of a memory operand."""
        if base.op == "frame" and base not in self.registers:
            return FP, base.imm + offset
        return self.registers[base], offset

    # ---- blocks

    def place(self, block: Block, follower: Block | None) -> None:
        self.blocks[block] = self.at
        for value in block.values:
            self.mark(value.span)
            if value.op == "jump":
                if value.targets[0] is not follower:
                    self.jump(ebpf.ja(0), value.targets[0])
            elif value.op == "br":
                self.branch(value, follower)
            elif value.op == "may_goto":
                again, spent = value.targets
                self.jump(ebpf.may_goto(0), spent)
                if again is not follower:
                    self.jump(ebpf.ja(0), again)
            else:
                _EMIT[value.op](self, value)

    def branch(self, value: Value, follower: Block | None) -> None:
        then, otherwise = value.targets
        name = value.attr
        if then is follower:
            then, otherwise, name = otherwise, then, _INVERSE[name]
        self.jump(self.compare(name, value.args[0], value.args[1]), then)
        if otherwise is not follower:
            self.jump(ebpf.ja(0), otherwise)

    def compare(self, name: str, left: Value, right: Value) -> Insn:
        a = self.registers[left]
        if right in self.registers:
            return ebpf.jump_reg(_JUMPS[name], a, self.registers[right], 0)
        return ebpf.jump_imm(_JUMPS[name], a, signed(right.imm, 64), 0)

    def finish(self) -> Code:
        for index, slot, to in self.jumps:
            insn = self.insns[index]
            distance = self.blocks[to] - slot - 1
            if self.far:
                self.insns[index] = ebpf.ja32(distance)
            elif not -(1 << 15) <= distance < 1 << 15:
                raise _TooFarError(distance)
            else:
                self.insns[index] = Insn(insn.code, insn.dst, insn.src, distance, insn.imm)
        return Code(
            self.name,
            ebpf.encode(self.insns),
            tuple(self.relocations),
            tuple(self.lines),
            tuple(self.addresses),
        )

    # ---- many moves at once

    def move_all(self, moves: list[tuple[int, Value]], spare: int | None) -> None:
        """Do all `moves` as if at once. A target is a register (0 and up) or a frame offset (below 0).

        `spare` is a register that no move reads or writes; without one r0 serves, which is then
        never a target and is free as soon as no move reads it.
        """
        pending = [(to, self.location(source), source) for to, source in moves]
        pending = [m for m in pending if m[0] != m[1]]
        while pending:
            read = {place for _, place, _ in pending}
            ready = [m for m in pending if m[0] not in read]
            if ready:
                for move in ready:
                    self.move(*move)
                pending = [m for m in pending if m[0] in read]
                continue
            # Circles only: the first target's old content goes aside, its readers read it from there.
            place = pending[0][0]
            aside = 0 if spare is None else self.spare
            self.move(aside, place, None)
            pending = [(to, aside if at == place else at, v) for to, at, v in pending]

    def location(self, value: Value) -> int | None:
        """Register, or frame offset of a reload; None for what comes from nowhere."""
        if value in self.registers:
            return self.registers[value]
        return value.imm if value.op == "reload" else None

    def move(self, to: int, place: int | None, value: Value | None) -> None:
        if to >= 0:
            if place is None:
                assert value is not None
                self.make(to, value)
            elif place >= 0:
                self.mov(to, place)
            else:
                self.put(ebpf.load(ebpf.Size.DW, to, FP, place))
            return
        if place is not None and place >= 0:
            self.put(ebpf.store_reg(ebpf.Size.DW, FP, to, place))
            return
        self.move(0, place, value)
        self.put(ebpf.store_reg(ebpf.Size.DW, FP, to, 0))


def _arithmetic(e: _Emitter, v: Value) -> None:
    to, op = e.registers[v], _ALU[v.op]
    a, right = e.registers[v.args[0]], v.args[1]
    if right not in e.registers:
        e.mov(to, a)
        number = signed(right.imm, 64)
        e.put(ebpf.alu_imm(op, to, number & 63 if v.op in _SHIFTS else number))
        return
    b = e.registers[right]
    if to == b and to != a and (v.op in COMMUTATIVE or v.op == "padd"):
        a, b = b, a
    e.mov(to, a)
    e.put(ebpf.alu_reg(op, to, b))


def _negate(e: _Emitter, v: Value) -> None:
    e.mov(e.registers[v], e.registers[v.args[0]])
    e.put(ebpf.neg(e.registers[v]))


def _compare(e: _Emitter, v: Value) -> None:
    to = e.registers[v]
    e.put(ebpf.mov_imm(to, 1))
    jump = e.compare(v.op, v.args[0], v.args[1])
    e.put(Insn(jump.code, jump.dst, jump.src, 1, jump.imm))
    e.put(ebpf.mov_imm(to, 0))


def _extend(e: _Emitter, v: Value) -> None:
    to, a = e.registers[v], e.registers[v.args[0]]
    assert isinstance(v.type, IntType)
    bits = v.type.bits
    if bits == 64:
        e.mov(to, a)
    elif v.type.signed:
        if e.isa >= 4:
            e.put(ebpf.alu_reg({8: Alu.MOVSX8, 16: Alu.MOVSX16, 32: Alu.MOVSX32}[bits], to, a))
        else:
            e.mov(to, a)
            _sign_extend(e, to, bits)
    elif bits == 32:
        e.put(ebpf.mov_reg(to, a, wide=False))
    else:
        e.mov(to, a)
        e.put(ebpf.alu_imm(Alu.AND, to, (1 << bits) - 1))


def _sign_extend(e: _Emitter, register: int, bits: int) -> None:
    e.put(ebpf.alu_imm(Alu.LSH, register, 64 - bits))
    e.put(ebpf.alu_imm(Alu.ARSH, register, 64 - bits))


def _load(e: _Emitter, v: Value) -> None:
    to = e.registers[v]
    base, offset = e.address(v.args[0], v.imm)
    if not isinstance(v.type, IntType) or v.type.bits == 64:
        e.put(ebpf.load(ebpf.Size.DW, to, base, offset))
        return
    size = ebpf.SIZES[v.type.bits // 8]
    if v.type.signed and e.isa >= 4:
        e.put(ebpf.load_signed(size, to, base, offset))
        return
    e.put(ebpf.load(size, to, base, offset))
    if v.type.signed:
        _sign_extend(e, to, v.type.bits)


def _store(e: _Emitter, v: Value) -> None:
    base, offset = e.address(v.args[0], v.imm)
    size = ebpf.SIZES[v.attr]
    value = v.args[1]
    if value in e.registers:
        e.put(ebpf.store_reg(size, base, offset, e.registers[value]))
    else:
        number = signed(value.imm, 64 if v.attr == 8 else min(8 * v.attr, 32))
        e.put(ebpf.store_imm(size, base, offset, number))


def _atomic_add(e: _Emitter, v: Value) -> None:
    base, offset = e.address(v.args[0], v.imm)
    e.put(ebpf.atomic(Atomic.ADD, ebpf.SIZES[v.attr], base, offset, e.registers[v.args[1]]))


def _fetch(e: _Emitter, v: Value) -> None:
    base, offset = e.address(v.args[0], v.imm)
    to = e.registers[v]
    e.mov(to, e.registers[v.args[1]])
    op = Atomic.ADD if v.op == "fetch_add" else Atomic.XCHG
    e.put(ebpf.atomic(op, ebpf.SIZES[v.attr], base, offset, to, fetch=True))


def _cmpxchg(e: _Emitter, v: Value) -> None:
    base, offset = e.address(v.args[0], v.imm)
    e.make(0, v.args[1])
    size = ebpf.SIZES[v.attr]
    e.put(ebpf.atomic(Atomic.CMPXCHG, size, base, offset, e.registers[v.args[2]]))
    e.mov(e.registers[v], 0)


def _call(e: _Emitter, v: Value) -> None:
    e.move_all([(i + 1, arg) for i, arg in enumerate(v.args)], None)
    e.put(ebpf.call(HELPERS[v.attr].number))
    if v.type is not None:
        e.mov(e.registers[v], 0)


def _moves(e: _Emitter, v: Value) -> None:
    targets = [to if isinstance(to, int) else e.registers[to] for to in v.attr]
    e.move_all(list(zip(targets, v.args, strict=True)), 0)


def _ret(e: _Emitter, v: Value) -> None:
    e.make(0, v.args[0])
    e.put(ebpf.exit_())


def _parameter(e: _Emitter, v: Value) -> None:
    e.mov(e.registers[v], v.imm + 1)


def _spill(e: _Emitter, v: Value) -> None:
    e.put(ebpf.store_reg(ebpf.Size.DW, FP, v.imm, e.registers[v.args[0]]))


def _remake(e: _Emitter, v: Value) -> None:
    register = e.registers.pop(v)
    e.make(register, v)
    e.registers[v] = register


def _nothing(e: _Emitter, v: Value) -> None:
    pass


_EMIT: dict[str, Callable[[_Emitter, Value], None]] = {
    **dict.fromkeys(_ALU, _arithmetic),
    **dict.fromkeys(("eq", "ne", "ult", "ule", "slt", "sle"), _compare),
    **dict.fromkeys(("const", "map", "global", "frame", "reload", "func"), _remake),
    "neg": _negate,
    "ext": _extend,
    "load": _load,
    "store": _store,
    "atomic_add": _atomic_add,
    "fetch_add": _fetch,
    "xchg": _fetch,
    "cmpxchg": _cmpxchg,
    "call": _call,
    "moves": _moves,
    "ret": _ret,
    "ctx": _parameter,
    "param": _parameter,
    "spill": _spill,
    "phi": _nothing,
}
