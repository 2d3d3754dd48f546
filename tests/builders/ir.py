"""Random IR functions, and what they must compute.

A `Recipe` is a small program as plain data. `build` makes a function of it through the Builder;
`evaluate` says in plain Python what that must return, and shares no line with the compiler. Functions read
eight u64 from the context, at offsets 0, 8 … 56, and return a u64 (or store it at `out`).

    recipes()                                   arithmetic and branches, every value alive to the end
    recipes(calls=True, slots=True, loops=True) helper calls in between, memory of several sizes, loops
    functions(…)                                the same, built
    contexts()                                  eight input words; `pack` makes the bytes of a context

Everything that a recipe can hold is fit for the verifier: loops are short and end, accesses are aligned and
within their slot, what a helper answers has no influence.

    @given(recipes(calls=True, slots=True), contexts())
    def test_same(recipe, words):
        assert run(build(recipe), machine, pack(words)) == evaluate(recipe, words)
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from hypothesis import strategies as st

from probee.ir.builder import Builder
from probee.ir.types import U64, int_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probee.ir.nodes import Block, Function, Value

WORDS = 8
MASK = (1 << 64) - 1
ARITHMETIC = ("add", "sub", "mul", "udiv", "umod", "sdiv", "smod", "and", "or", "xor", "shl", "lshr", "ashr")
COMPARISONS = ("eq", "ne", "ult", "ule", "ugt", "uge", "slt", "sle", "sgt", "sge")
CALLS = {
    "get_smp_processor_id": 1 << 16,
    "ktime_get_ns": 1 << 63,
    "get_current_pid_tgid": 1 << 63,
    "get_prandom_u32": 1 << 32,
}
"""Helpers a recipe may call, and what their answer is less than: only that is used of it."""


# ---- statements; an operand is a constant, or a value counted from the newest


class Const(NamedTuple):
    number: int


class Recent(NamedTuple):
    back: int


Operand = Const | Recent


class Arith(NamedTuple):
    op: str
    signed: bool
    left: Operand
    right: Operand


class Neg(NamedTuple):
    value: Operand


class Ext(NamedTuple):
    size: int
    signed: bool
    value: Operand


class Compare(NamedTuple):
    op: str
    left: Operand
    right: Operand


class Set(NamedTuple):
    variable: str
    value: Operand


class Get(NamedTuple):
    variable: str


class If(NamedTuple):
    condition: Operand
    then: list[Statement]
    otherwise: list[Statement]


class Loop(NamedTuple):
    times: int
    body: list[Statement]


class Break(NamedTuple):
    """Leaves the innermost loop; what follows in its list is dead."""


class Return(NamedTuple):
    value: Operand


class Call(NamedTuple):
    helper: str


class Store(NamedTuple):
    """Element `place` (taken modulo the number of elements) of `size` bytes in a slot."""

    slot: int
    size: int
    place: Operand
    value: Operand


class Load(NamedTuple):
    slot: int
    size: int
    signed: bool
    place: Operand


class Zero(NamedTuple):
    slot: int
    start: int
    size: int


class Copy(NamedTuple):
    to: int
    source: int
    to_start: int
    start: int
    size: int


Statement = (
    Arith | Neg | Ext | Compare | Set | Get | If | Loop | Break | Return | Call | Store | Load | Zero | Copy
)


class Recipe(NamedTuple):
    """`slots` are their sizes in bytes. All that is computed at the outermost level goes into the result."""

    slots: list[int]
    statements: list[Statement]


# ---- plain Python


class _Returned(Exception):
    def __init__(self, value: int) -> None:
        self.value = value


class _Broken(Exception):
    pass


def _s(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _arith(op: str, a: int, b: int) -> int:
    x, y = _s(a), _s(b)
    match op:
        case "add":
            return a + b
        case "sub":
            return a - b
        case "mul":
            return a * b
        case "udiv":
            return a // b if b else 0
        case "umod":
            return a % b if b else a
        case "sdiv":
            return (abs(x) // abs(y)) * (1 if (x < 0) == (y < 0) else -1) if y else 0
        case "smod":
            return (abs(x) % abs(y)) * (-1 if x < 0 else 1) if y else x
        case "and":
            return a & b
        case "or":
            return a | b
        case "xor":
            return a ^ b
        case "shl":
            return a << b % 64
        case "lshr":
            return a >> b % 64
        case "ashr":
            return x >> b % 64
    raise AssertionError(op)


def _compare(op: str, a: int, b: int) -> bool:
    if op[0] == "s":
        a, b = _s(a), _s(b)
    match op.lstrip("us"):
        case "eq":
            return a == b
        case "ne":
            return a != b
        case "lt":
            return a < b
        case "le":
            return a <= b
        case "gt":
            return a > b
        case "ge":
            return a >= b
    raise AssertionError(op)


class _Evaluation:
    def __init__(self, recipe: Recipe, words: Sequence[int]) -> None:
        self.slots = [bytearray(size) for size in recipe.slots]
        self.values = [w & MASK for w in words]
        self.variables: dict[str, int] = {}

    def get(self, operand: Operand) -> int:
        if isinstance(operand, Const):
            return operand.number & MASK
        return self.values[-1 - operand.back % len(self.values)]

    def element(self, slot: int, size: int, index: Operand) -> tuple[bytearray, int]:
        memory = self.slots[slot % len(self.slots)]
        return memory, size * (self.get(index) & _index_mask(len(memory), size))

    def run(self, statements: list[Statement]) -> None:
        for statement in statements:
            result = self.step(statement)
            if result is not None:
                self.values.append(result & MASK)

    def scope(self, statements: list[Statement]) -> None:
        count = len(self.values)
        try:
            self.run(statements)
        finally:
            del self.values[count:]

    def step(self, statement: Statement) -> int | None:
        match statement:
            case Arith(op, _, left, right):
                return _arith(op, self.get(left), self.get(right))
            case Neg(value):
                return -self.get(value)
            case Ext(size, signed, value):
                cut = (self.get(value) & ((1 << 8 * size) - 1)).to_bytes(size, "little")
                return int.from_bytes(cut, "little", signed=signed)
            case Compare(op, left, right):
                return int(_compare(op, self.get(left), self.get(right)))
            case Set(variable, value):
                self.variables[variable] = self.get(value)
            case Get(variable):
                return self.variables.get(variable, 0)
            case If(condition, then, otherwise):
                self.scope(then if self.get(condition) else otherwise)
            case Loop(count, body):
                try:
                    for _ in range(count):
                        self.scope(body)
                except _Broken:
                    pass
            case Break():
                raise _Broken
            case Return(value):
                raise _Returned(self.get(value))
            case Call():
                return 1
            case Store(slot, size, index, value):
                memory, at = self.element(slot, size, index)
                low = self.get(value) & ((1 << 8 * size) - 1)
                memory[at : at + size] = low.to_bytes(size, "little")
            case Load(slot, size, signed, index):
                memory, at = self.element(slot, size, index)
                return int.from_bytes(memory[at : at + size], "little", signed=signed)
            case Zero(slot, start, size):
                memory = self.slots[slot % len(self.slots)]
                start, size = _range(len(memory), start, size)
                memory[start : start + size] = bytes(size)
            case Copy(to, source, to_start, start, size):
                a, b = self.slots[to % len(self.slots)], self.slots[source % len(self.slots)]
                if a is not b:
                    to_start, _ = _range(len(a), to_start, 1)
                    start, size = _range(len(b), start, min(size, len(a) - to_start))
                    a[to_start : to_start + size] = b[start : start + size]
        return None


def evaluate(recipe: Recipe, words: Sequence[int]) -> int:
    """What the function built of `recipe` must return."""
    evaluation = _Evaluation(recipe, words)
    try:
        evaluation.run(recipe.statements)
    except _Returned as returned:
        return returned.value
    result = 0
    for value in evaluation.values:
        result = (result * 31 + value) & MASK
    for memory in evaluation.slots:
        for at in range(0, len(memory) // 8 * 8, 8):
            result ^= int.from_bytes(memory[at : at + 8], "little")
    return result


def _index_mask(length: int, size: int) -> int:
    return (1 << (length // size).bit_length() - 1) - 1


def _range(length: int, start: int, size: int) -> tuple[int, int]:
    start %= length
    return start, max(1, min(size, length - start))


# ---- through the Builder


class _Construction:
    def __init__(self, recipe: Recipe, name: str) -> None:
        self.b = Builder(name)
        self.out: tuple[str, int] | None = None
        self.values: list[Value] = []
        self.loops: list[Block] = []
        self.counters = 0
        self.sizes = recipe.slots
        self.slots = [self.b.slot(size) for size in recipe.slots]
        for slot, size in zip(self.slots, recipe.slots, strict=True):
            self.b.zero(slot, size)

    def get(self, operand: Operand) -> Value:
        if isinstance(operand, Const):
            return self.b.const(operand.number)
        return self.values[-1 - operand.back % len(self.values)]

    def element(self, slot: int, size: int, index: Operand) -> Value:
        slot %= len(self.slots)
        masked = self.b.op("and", self.get(index), _index_mask(self.sizes[slot], size), U64)
        return self.b.offset(self.slots[slot], self.b.op("mul", masked, size))

    def run(self, statements: list[Statement]) -> None:
        for statement in statements:
            result = self.step(statement)
            if result is not None:
                self.values.append(result)

    def scope(self, statements: list[Statement]) -> None:
        count = len(self.values)
        self.run(statements)
        del self.values[count:]

    def step(self, statement: Statement) -> Value | None:
        b = self.b
        match statement:
            case Arith(op, signed, left, right):
                return b.op(op, self.get(left), self.get(right), int_type(8, signed))
            case Neg(value):
                return b.neg(self.get(value))
            case Ext(size, signed, value):
                return b.ext(b.ext(self.get(value), int_type(size, signed)), int_type(8, signed))
            case Compare(op, left, right):
                return b.ext(b.compare(op, self.get(left), self.get(right)), U64)
            case Set(variable, value):
                b.write(variable, b.cast(self.get(value), U64))
            case Get(variable):
                return b.read(variable, U64)
            case If(condition, then, otherwise):
                self.branch(condition, then, otherwise)
            case Loop(count, body):
                self.loop(count, body)
            case Break():
                b.jump(self.loops[-1])
            case Return(value):
                self.finish(self.get(value))
            case Call(helper):
                answer = b.ext(b.call(helper), U64)
                return b.ext(b.compare("ult", answer, b.const(CALLS[helper])), U64)
            case Store(slot, size, index, value):
                b.store(self.element(slot, size, index), self.get(value), size)
            case Load(slot, size, signed, index):
                return b.ext(b.load(self.element(slot, size, index), int_type(size, signed)), U64)
            case Zero(slot, start, size):
                start, size = _range(self.sizes[slot % len(self.slots)], start, size)
                b.zero(self.slots[slot % len(self.slots)], size, start)
            case Copy(to, source, to_start, start, size):
                to, source = to % len(self.slots), source % len(self.slots)
                if to != source:
                    to_start, _ = _range(self.sizes[to], to_start, 1)
                    start, size = _range(self.sizes[source], start, min(size, self.sizes[to] - to_start))
                    b.copy(self.slots[to], self.slots[source], size, to_start, start)
        return None

    def branch(self, condition: Operand, then: list[Statement], otherwise: list[Statement]) -> None:
        b = self.b
        yes, no, after = b.new_block(), b.new_block(), b.new_block()
        b.branch(b.compare("ne", self.get(condition), 0), yes, no)
        for block, statements in ((yes, then), (no, otherwise)):
            b.place(block)
            self.scope(statements)
            b.jump(after)
        b.place(after)

    def loop(self, count: int, body: list[Statement]) -> None:
        b = self.b
        self.counters += 1
        counter = f"counter {self.counters}"
        b.write(counter, b.const(0))
        head, inside, after = b.new_block(), b.new_block(), b.new_block()
        b.jump(head)
        b.place(head, sealed=False)
        b.branch(b.compare("ult", b.read(counter, U64), count), inside, after)
        b.place(inside)
        self.loops.append(after)
        self.scope(body)
        self.loops.pop()
        b.write(counter, b.op("add", b.read(counter, U64), 1))
        b.jump(head)
        b.seal(head)
        b.place(after)

    def finish(self, value: Value) -> None:
        if self.out is not None:
            self.b.store(self.b.global_(*self.out), value, 8)
            value = self.b.const(0)
        self.b.ret(value)


def build(
    recipe: Recipe,
    *,
    constants: Sequence[int] | None = None,
    out: tuple[str, int] | None = None,
    name: str = "random",
) -> Function:
    """The function of `recipe`.

    `constants` stand in the place of the context's words, so that all can fold. `out`: the result is stored
    at this offset of this array map's value, and the function returns 0.
    """
    made = _Construction(recipe, name)
    made.out = out
    b = made.b
    for i in range(WORDS):
        word = b.load(b.context(), U64, 8 * i) if constants is None else b.const(constants[i])
        made.values.append(word)
    made.run(recipe.statements)
    result = b.const(0)
    for value in made.values:
        result = b.op("add", b.op("mul", result, 31), value)
    for slot, size in zip(made.slots, recipe.slots, strict=True):
        for at in range(0, size // 8 * 8, 8):
            result = b.op("xor", result, b.load(slot, U64, at))
    made.finish(result)
    return b.finish()


# ---- strategies

_NUMBERS = st.one_of(
    st.integers(-16, 70),
    st.sampled_from([1 << 31, (1 << 31) - 1, -(1 << 31), 1 << 32, (1 << 32) - 1, 1 << 63, (1 << 63) - 1]),
    st.integers(0, MASK),
)
_OPERANDS = st.one_of(st.integers(0, 40).map(Recent), _NUMBERS.map(Const))
_SIZES = st.sampled_from([1, 2, 4, 8])
_VARIABLES = st.sampled_from(["x", "y", "z"])
_SLOT_SIZES = st.sampled_from([8, 16, 20, 24, 40, 64, 96])


def _leaves(*, calls: bool, slots: bool, inside: bool, loop: bool) -> list[st.SearchStrategy[Statement]]:
    found: list[st.SearchStrategy[Statement]] = [
        st.builds(Arith, st.sampled_from(ARITHMETIC), st.booleans(), _OPERANDS, _OPERANDS),
        st.builds(Neg, _OPERANDS),
        st.builds(Ext, _SIZES, st.booleans(), _OPERANDS),
        st.builds(Compare, st.sampled_from(COMPARISONS), _OPERANDS, _OPERANDS),
        st.builds(Set, _VARIABLES, _OPERANDS),
        st.builds(Get, _VARIABLES),
    ]
    number = st.integers(0, 100)
    if calls:
        found.append(st.builds(Call, st.sampled_from(sorted(CALLS))))
    if slots:
        found += [
            st.builds(Store, number, _SIZES, _OPERANDS, _OPERANDS),
            st.builds(Load, number, _SIZES, st.booleans(), _OPERANDS),
            st.builds(Zero, number, number, number),
            st.builds(Copy, number, number, number, number, number),
        ]
    if inside:
        found.append(st.builds(Return, _OPERANDS))
    if loop:
        found.append(st.just(Break()))
    return found


def _lists(
    depth: int, *, calls: bool, slots: bool, loops: bool, inside: bool = False, loop: bool = False
) -> st.SearchStrategy[list[Statement]]:
    kinds = _leaves(calls=calls, slots=slots, inside=inside, loop=loop)
    if depth:
        block = _lists(depth - 1, calls=calls, slots=slots, loops=loops, inside=True, loop=loop)
        kinds.append(st.builds(If, _OPERANDS, block, block))
        if loops:
            body = _lists(depth - 1, calls=calls, slots=slots, loops=False, inside=True, loop=True)
            kinds.append(st.builds(Loop, st.integers(1, 3), body))
    return st.lists(st.one_of(kinds), max_size=24 if not inside else 6)


def recipes(*, calls: bool = False, slots: bool = False, loops: bool = False) -> st.SearchStrategy[Recipe]:
    """Programs of up to 24 outermost statements, branches two deep.

    `calls`: helper calls, which clobber r1–r5, stand in between. `slots`: one to three pieces of stack of 8
    to 96 bytes are read and written at constant and computed places, cleared and copied. `loops`: short
    loops, with breaks.
    """
    sizes = st.lists(_SLOT_SIZES, min_size=1, max_size=3) if slots else st.just([])
    return st.builds(Recipe, sizes, _lists(2, calls=calls, slots=slots, loops=loops))


def functions(
    *, calls: bool = False, slots: bool = False, loops: bool = False
) -> st.SearchStrategy[Function]:
    """What `build` makes of `recipes`."""
    return recipes(calls=calls, slots=slots, loops=loops).map(build)


def contexts() -> st.SearchStrategy[list[int]]:
    """Eight input words."""
    return st.lists(_NUMBERS.map(lambda n: n & MASK), min_size=WORDS, max_size=WORDS)


def pack(words: Sequence[int]) -> bytes:
    """The bytes of a context."""
    return struct.pack(f"<{WORDS}Q", *words)
