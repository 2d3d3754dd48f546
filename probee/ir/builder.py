"""Building functions: constants fold as they are made, variables become SSA by themselves.

Variables follow Braun et al., "Simple and Efficient Construction of Static Single Assignment Form"
(CC 2013): reading one in a block that is not sealed yet makes a phi that is completed when it is.
"""

from __future__ import annotations

from ..base.bits import align_up
from . import fold
from .nodes import Block, Function, Value
from .ops import COMMUTATIVE
from .types import BOOL, CTX, MAP, S64, STACK, U64, VALUE, IntType, PtrType, Type, int_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..base.source import Span


class Builder:
    """Appends to `block`, the current one. `span` is given to every value made."""

    def __init__(self, name: str, span: Span | None = None, program: Function | None = None) -> None:
        self.function = Function(name, span)
        self.program = program or self.function  # the function itself, or the one it is a callback of
        self.span = span
        self._sealed: set[Block] = set()
        self._variables: dict[tuple[Block, str], Value] = {}
        self._waiting: dict[Block, list[tuple[str, Value]]] = {}
        self._merged: dict[Value, Value] = {}
        self.block = self.new_block()
        self.function.blocks.append(self.block)
        self._sealed.add(self.block)
        self._ctx: Value | None = None

    # ---- blocks

    def new_block(self) -> Block:
        """A block that is not placed yet; `place` puts it next and makes it current."""
        return Block("b")

    def place(self, block: Block, *, sealed: bool = True) -> None:
        """Go on in `block`. `sealed`: all its predecessors have been made."""
        self.function.blocks.append(block)
        self.block = block
        if sealed:
            self.seal(block)

    @property
    def ended(self) -> bool:
        """True when the current block has its terminator: what follows can't be reached."""
        return self.block.terminator is not None

    def jump(self, target: Block) -> None:
        if not self.ended:
            self._end(Value("jump", None, targets=[target], span=self.span))

    def branch(self, condition: Value, then: Block, otherwise: Block) -> None:
        """To `then` when `condition` is not 0."""
        if self.ended:
            return
        if condition.op == "const":
            self.jump(then if condition.imm else otherwise)
        elif then is otherwise:
            self.jump(then)
        else:
            self._end(Value("br", None, [condition], targets=[then, otherwise], span=self.span))

    def go_round(self, head: Block, spent: Block) -> None:
        """Back to `head` of a loop; to `spent` when this run has gone round as often as it may."""
        if not self.ended:
            self._end(Value("may_goto", None, targets=[head, spent], span=self.span))

    def ret(self, value: Value | int = 0) -> None:
        if not self.ended:
            self._end(Value("ret", None, [self._value(value)], span=self.span))

    def _end(self, value: Value) -> None:
        self.block.values.append(value)
        for target in value.targets:
            target.preds.append(self.block)

    # ---- values

    def emit(self, op: str, type: Type | None, args: list[Value], *, imm: int = 0, attr: Any = None) -> Value:
        """Append an op as it is (into nowhere when the block has ended)."""
        value = Value(op, type, args, imm=imm, attr=attr, span=self.span)
        if not self.ended:
            self.block.values.append(value)
        return value

    def const(self, value: int, type: Type = U64) -> Value:
        return self.emit("const", type, [], imm=fold.canonical(value, type))

    def _value(self, value: Value | int, type: Type = U64) -> Value:
        return self.const(value, type) if isinstance(value, int) else value

    def op(self, name: str, left: Value, right: Value | int, type: Type | None = None) -> Value:
        """A two-operand arithmetic op, of the left operand's type unless `type` says."""
        result = type or left.type
        assert isinstance(result, IntType)
        other = self._value(right, result)
        if left.op == "const" and other.op != "const" and name in COMMUTATIVE:
            left, other = other, left
        folded = fold.fold_binary(name, left, other, result)
        if isinstance(folded, int):
            return self.const(folded, result)
        if folded is not None:
            return folded
        if other.op == "const":
            name, number = fold.reduce_strength(name, other.imm)
            other = other if number is None else self.const(number, result)
        return self.emit(name, result, [left, other])

    def compare(self, name: str, left: Value, right: Value | int) -> Value:
        """A comparison, giving 0 or 1. Names as in the op table, and ugt uge sgt sge beside."""
        wide = int_type(8, left.type.signed) if isinstance(left.type, IntType) else left.type
        other = self._value(right, wide or U64)
        if name in ("ugt", "uge", "sgt", "sge"):
            name = name[0] + {"gt": "lt", "ge": "le"}[name[1:]]
            left, other = other, left
        if left.op == "const" and other.op == "const":
            return self.const(fold.fold_comparison(name, left.imm, other.imm), BOOL)
        if left.op == "const" and name in COMMUTATIVE:
            left, other = other, left
        truth = fold.find_truth(left) if name in COMMUTATIVE and other.op == "const" else None
        if truth is not None and other.imm == 0:
            return truth if name == "ne" else self._negate(truth)
        return self.emit(name, BOOL, [left, other])

    def _negate(self, comparison: Value) -> Value:
        """The comparison that holds where `comparison` does not."""
        name, swap = fold.OPPOSITE[comparison.op]
        return self.emit(name, BOOL, comparison.args[::-1] if swap else list(comparison.args))

    def neg(self, value: Value) -> Value:
        assert value.type is not None
        if value.op == "const":
            return self.const(-value.imm, value.type)
        return self.emit("neg", value.type, [value])

    def ext(self, value: Value, type: IntType) -> Value:
        """`value` cut to the bits of `type` and extended as it says; no op where that changes nothing."""
        if value.op == "const":
            return self.const(value.imm, type)
        if value.type == type:
            return value
        if isinstance(value.type, IntType) and fold.fits(value.type, type):
            return self.emit("cast", type, [value])
        if type.bits == 64:
            return self.emit("cast", type, [value])
        return self.emit("ext", type, [value])

    def cast(self, value: Value, type: Type) -> Value:
        """The same 64 bits under another type."""
        if value.op == "const":
            return self.const(value.imm, type)
        return value if value.type == type else self.emit("cast", type, [value])

    def offset(self, pointer: Value, by: Value | int) -> Value:
        """`pointer` plus a number of bytes, in the same space."""
        if isinstance(by, int):
            if by == 0:
                return pointer
            if pointer.op == "global":
                return self.global_(pointer.attr, pointer.imm + by)
            if pointer.op == "shared":
                return self.shared(pointer.imm + by)
        return self.emit("padd", pointer.type, [pointer, self._value(by)])

    # ---- memory

    def context(self) -> Value:
        """The program's context; one value a function, at the head of its entry block."""
        if self._ctx is None:
            self._ctx = Value("ctx", CTX, span=self.span)
            entry = self.function.blocks[0].values
            entry.insert(_count_params(entry), self._ctx)
        return self._ctx

    def slot(self, size: int, align: int = 8) -> Value:
        """Private memory of `size` bytes, content undefined."""
        return self.emit("slot", STACK, [], attr=(size, align))

    def own_slot(self, size: int, align: int = 8) -> Value:
        """Private memory that is there all through the function, wherever it is asked for."""
        slot = Value("slot", STACK, attr=(size, align), span=self.span)
        entry = self.function.blocks[0].values
        at = _count_params(entry)
        entry.insert(at + 1 if entry[at : at + 1] == [self._ctx] else at, slot)
        return slot

    def take_shared(self, size: int) -> int:
        """Room for `size` bytes, aligned to 8, in the memory that the program and its callbacks share."""
        offset = self.program.shared
        self.program.shared += align_up(size, 8)
        return offset

    def shared(self, offset: int) -> Value:
        """Address of byte `offset` of that memory."""
        return self.emit("shared", VALUE, [], imm=offset)

    def map(self, name: str) -> Value:
        return self.emit("map", MAP, [], attr=name)

    def global_(self, map_name: str, offset: int) -> Value:
        """Address of byte `offset` of the only value of an array map."""
        return self.emit("global", VALUE, [], imm=offset, attr=map_name)

    def load(self, pointer: Value, type: Type, offset: int = 0) -> Value:
        """Read a value of `type` (its width) at `offset` bytes past `pointer`."""
        return self.emit("load", type, [pointer], imm=offset)

    def store(self, pointer: Value, value: Value | int, size: int, offset: int = 0) -> None:
        """Write the low `size` bytes of `value`."""
        self.emit("store", None, [pointer, self._value(value)], imm=offset, attr=size)

    def zero(self, pointer: Value, size: int, offset: int = 0) -> None:
        self.emit("zero", None, [pointer], imm=offset, attr=size)

    def copy(self, to: Value, source: Value, size: int, to_offset: int = 0, offset: int = 0) -> None:
        """Copy `size` bytes between memories that do not overlap."""
        self.emit("copy", None, [to, source], attr=(to_offset, offset, size))

    def atomic_add(self, pointer: Value, value: Value | int, offset: int = 0, size: int = 8) -> None:
        self.emit("atomic_add", None, [pointer, self._value(value)], imm=offset, attr=size)

    def fetch_add(self, pointer: Value, value: Value | int, offset: int = 0, size: int = 8) -> Value:
        """Add atomically; gives the value before."""
        return self.emit("fetch_add", U64, [pointer, self._value(value)], imm=offset, attr=size)

    def xchg(self, pointer: Value, value: Value | int, offset: int = 0, size: int = 8) -> Value:
        return self.emit("xchg", U64, [pointer, self._value(value)], imm=offset, attr=size)

    def cmpxchg(
        self, pointer: Value, expected: Value, new: Value | int, offset: int = 0, size: int = 8
    ) -> Value:
        """Set to `new` if it is `expected`; gives the value before."""
        return self.emit("cmpxchg", U64, [pointer, expected, self._value(new)], imm=offset, attr=size)

    def call(self, name: str, *args: Value | int) -> Value:
        """Call a kernel helper by name."""
        from .helpers import HELPERS

        helper = HELPERS[name]
        return self.emit("call", helper.gives, [self._value(a) for a in args], attr=name)

    # ---- callbacks

    def callback(self, name: str = "") -> Builder:
        """A builder of a callback of this program."""
        name = name or f"{self.program.name}_callback_{len(self.program.callbacks) + 1}"
        made = Builder(name, self.span, self.program)
        self.program.callbacks.append(made.function)
        return made

    def param(self, number: int, type: Type) -> Value:
        """What the callback at hand is called with. Ask for them in order, before anything else."""
        return self.emit("param", type, [], imm=number)

    def each(self, map: Value, callback: str) -> Value:
        """Call a callback with every entry of a map until it gives 1; the number of calls."""
        return self.emit("each", S64, [map], attr=callback)

    def loop(self, count: Value | int, callback: str) -> Value:
        """Call a callback `count` times (at most 2^23), or until it gives 1; the number of calls."""
        return self.emit("loop", S64, [self._value(count)], attr=callback)

    # ---- variables

    def write(self, name: str, value: Value) -> None:
        """Set variable `name` in the current block (nowhere when it has ended: successors read its end)."""
        if not self.ended:
            self._variables[self.block, name] = value

    def read(self, name: str, type: Type) -> Value:
        """The value variable `name` has here; a variable never written on some way is 0 there."""
        return self._read(self.block, name, type)

    def seal(self, block: Block) -> None:
        """Say that `block` gets no further predecessor."""
        self._sealed.add(block)
        for name, phi in self._waiting.pop(block, []):
            assert phi.type is not None
            phi.args = [self._read(pred, name, phi.type) for pred in block.preds]
            self._merge(phi)

    def _read(self, block: Block, name: str, type: Type) -> Value:
        """Phis first, their arguments later: not by recursion, which long scripts would exhaust."""
        waiting: list[tuple[Block, Value]] = []
        value = self._find(block, name, type, waiting)
        filled = []
        while waiting:
            join, phi = waiting.pop()
            phi.args = [self._find(pred, name, type, waiting) for pred in join.preds]
            filled.append(phi)
        for phi in reversed(filled):
            self._merge(phi)
        return self._resolve(value)

    def _find(self, block: Block, name: str, type: Type, waiting: list[tuple[Block, Value]]) -> Value:
        """Up to where the variable is known, or to a join, whose new phi is left in `waiting`."""
        way: dict[Block, None] = {}
        while (block, name) not in self._variables:
            # A way that comes back to itself is a loop that nothing enters.
            closed = block in way or not block.preds
            way[block] = None
            if block not in self._sealed:
                value = self._phi(block, type)
                self._waiting.setdefault(block, []).append((name, value))
            elif closed:
                value = Value("const", type, span=self.span)
                # What a function is called with stays first: all else may call, which takes its registers.
                block.values.insert(sum(v.op in ("ctx", "param") for v in block.values), value)
            elif len(block.preds) == 1:
                block = block.preds[0]
                continue
            else:
                value = self._phi(block, type)
                waiting.append((block, value))
            self._variables[block, name] = value
        value = self._resolve(self._variables[block, name])
        for passed in way:
            self._variables[passed, name] = value
        return value

    def _phi(self, block: Block, type: Type) -> Value:
        phi = Value("phi", type, span=self.span)
        block.values.insert(0, phi)
        return phi

    def _merge(self, phi: Value) -> None:
        """Take `phi` for what it joins, if that is one value."""
        others = {self._resolve(a) for a in phi.args} - {phi}
        if phi not in self._merged and len(others) == 1:
            self._merged[phi] = others.pop()

    def _resolve(self, value: Value) -> Value:
        while value in self._merged:
            value = self._merged[value]
        return value

    def finish(self) -> Function:
        """The function, with the phis that turned out to join one value only taken out."""
        if self._waiting:
            raise AssertionError("a block was never sealed")
        self._drop_unreachable()
        phis = [v for b in self.function.blocks for v in b.values if v.op == "phi"]
        count = -1
        while count != len(self._merged):
            count = len(self._merged)
            for phi in phis:
                self._merge(phi)
        for block in self.function.blocks:
            block.values = [v for v in block.values if v not in self._merged]
            for value in block.values:
                if value.args:
                    value.args = [self._resolve(a) for a in value.args]
        self.function.number()
        return self.function

    def _drop_unreachable(self) -> None:
        reached = {self.function.blocks[0]}
        work = [self.function.blocks[0]]
        while work:
            for succ in work.pop().succs:
                if succ not in reached:
                    reached.add(succ)
                    work.append(succ)
        for block in self.function.blocks:
            if block in reached and any(p not in reached for p in block.preds):
                keep = [i for i, p in enumerate(block.preds) if p in reached]
                for value in block.values:
                    if value.op == "phi":
                        value.args = [value.args[i] for i in keep]
                block.preds = [block.preds[i] for i in keep]
        self.function.blocks = [b for b in self.function.blocks if b in reached]


def _count_params(entry: list[Value]) -> int:
    return sum(value.op == "param" for value in entry)


def is_pointer(value: Value) -> bool:
    return isinstance(value.type, PtrType)
