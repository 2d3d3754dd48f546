"""The interpreter: what it does is what a function means.

Every access is checked: memory is made of regions, and an address is a region's number in the upper
32 bits and an offset in the lower, so that a wrong one is an error that names region, offset, bytes and
value, never a number that happens to be there. Memory nobody has written is 0xAA. Time, process
and user memory are attributes of the machine. Bytes are in little-endian order.
"""

from __future__ import annotations

from ..base.bits import U64 as MASK
from ..base.errors import InternalError
from ..spec.abi import MAX_STACK, MapType
from .fold import canonical, compute, fold_comparison
from .interp_helpers import CALLS, call_each, call_times
from .interp_machine import InterpMachine
from .interp_maps import UNDEFINED
from .ops import ARITHMETIC, COMPARISONS
from .text import names, print_value
from .types import IntType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

    from .interp_maps import InterpMap
    from .interp_memory import Region
    from .nodes import Block, Function, Value


__all__ = ["InterpMachine", "run"]


def run(
    function: Function,
    machine: InterpMachine,
    context: bytes = b"",
    *,
    budget: int = 1_000_000,
    rounds: int = 1 << 23,
) -> int:
    """Run `function` once; what it returns, as an unsigned 64-bit number.

    `rounds` is how often `may_goto` lets loops go round (the kernel's BPF_MAX_LOOPS).

    InternalError where the function does what it must not: a bad access, a record not given back, more
    than `budget` values computed.
    """
    whole = _Whole(function, machine, context, budget, rounds)
    before, machine.call_back = machine.call_back, whole.call_back
    try:
        return _Run(function, whole, ()).run()
    finally:
        machine.call_back = before
        whole.close()


class _Whole:
    """What a program and its callbacks share in one run. `budget`: values that may still be computed."""

    def __init__(
        self, program: Function, machine: InterpMachine, context: bytes, budget: int, rounds: int
    ) -> None:
        self.program = program
        self.machine = machine
        self.budget = budget
        self.rounds = rounds
        memory = machine.memory
        self.context = memory.add("ctx", bytearray(context), writable=False)
        self.shared = memory.add("shared memory", bytearray([UNDEFINED]) * program.shared)
        self.callbacks = {
            c.name: (c, memory.add(f"callback {c.name}", bytearray())) for c in program.callbacks
        }

    def call_back(self, address: int, args: Sequence[int]) -> int:
        """Call the callback at `address`."""
        for function, region in self.callbacks.values():
            if region.address == address:
                return _Run(function, self, args).run()
        raise InternalError(f"no callback at {address:#x}")

    def close(self) -> None:
        for region in (self.context, self.shared, *(region for _, region in self.callbacks.values())):
            self.machine.memory.drop(region)


class _Run:
    """One run of one function: the values so far."""

    def __init__(self, function: Function, whole: _Whole, args: Sequence[int]) -> None:
        self.function = function
        self.whole = whole
        self.args = args
        self.machine = whole.machine
        self.memory = self.machine.memory
        self.frame = self.memory.add("frame", bytearray([UNDEFINED]) * MAX_STACK)
        self.slots: dict[Value, Region] = {}
        self.values: dict[Value, int] = {}
        self.rounds = whole.rounds

    def fail(self, what: str, block: Block, value: Value) -> NoReturn:
        where = f"{self.function.name}: {names(self.function)[block]}"
        raise InternalError(f"{where}: {print_value(value, block, self.function)!r}: {what}")

    def run(self) -> int:
        block: Block | None = self.function.blocks[0]
        edge = 0
        try:
            while True:
                assert block is not None
                self.join(block, edge)
                result, block, edge = self.walk(block)
                if block is None:
                    return result & MASK
        finally:
            for region in (self.frame, *self.slots.values()):
                self.memory.drop(region)

    def join(self, block: Block, edge: int) -> None:
        """All phis at once: each is what its argument was before any of them changed."""
        phis = [v for v in block.values if v.op == "phi" and v.args]
        self.values.update({phi: self.values[phi.args[edge]] for phi in phis})

    def walk(self, block: Block) -> tuple[int, Block | None, int]:
        """To the end of `block`: what it returns, or the next block and by which edge it is entered."""
        for value in block.values:
            self.whole.budget -= 1
            try:
                if self.whole.budget < 0:
                    raise InternalError("the budget of steps is used up")
                if value.op == "ret":
                    if self.function is self.whole.program:
                        self.check_records()
                    return self.operand(value.args[0]), None, 0
                if value.targets:
                    index = 0 if self.goes_first(value) else 1
                    return 0, value.targets[index], _find_edge(block, value, index)
                if value.op != "phi":
                    result = _EVALUATE[value.op](self, value)
                    if value.type is not None:
                        self.values[value] = canonical(result, value.type)
            except InternalError as error:
                self.fail(error.message.removeprefix("this is a bug in probee: "), block, value)
        raise InternalError(f"{self.function.name}: {names(self.function)[block]} has no end")

    def operand(self, value: Value) -> int:
        """What an argument is; those that instruction selection left out of the blocks are made here."""
        if value in self.values or value.op not in _INLINE:
            return self.values[value]
        assert value.type is not None
        return canonical(_EVALUATE[value.op](self, value), value.type)

    def operands(self, value: Value) -> list[int]:
        return [self.operand(a) for a in value.args]

    def goes_first(self, end: Value) -> bool:
        """Whether a block's end goes to the first of its targets."""
        if end.op == "may_goto":
            self.rounds -= 1
            return self.rounds >= 0
        return end.op == "jump" or self.test(end)

    def test(self, branch: Value) -> bool:
        """Whether a branch is taken; selection may have put a comparison into it."""
        args = self.operands(branch)
        return bool(fold_comparison(branch.attr, *args) if branch.attr else args[0] & MASK)

    def address(self, value: Value) -> int:
        return self.operand(value.args[0]) + value.imm

    def check_records(self) -> None:
        for name, map in self.machine.maps.items():
            if any(r.state == "reserved" for r in map.records):
                raise InternalError(f"a record of {name} is neither submitted nor discarded")


def _find_edge(block: Block, end: Value, index: int) -> int:
    """The number of an edge among its target's predecessors, of which `block` may be more than one."""
    target = end.targets[index]
    nth = end.targets[:index].count(target)
    return [i for i, pred in enumerate(target.preds) if pred is block][nth]


# ---- the ops


def _const(run: _Run, value: Value) -> int:
    return value.imm


def _ctx(run: _Run, value: Value) -> int:
    return run.whole.context.address


def _param(run: _Run, value: Value) -> int:
    if value.imm >= len(run.args):
        raise InternalError(f"called with {len(run.args)} values")
    return run.args[value.imm]


def _shared(run: _Run, value: Value) -> int:
    return run.whole.shared.address + value.imm


def _func(run: _Run, value: Value) -> int:
    if value.attr not in run.whole.callbacks:
        raise InternalError(f"the program has no callback {value.attr}")
    return run.whole.callbacks[value.attr][1].address


def _each(run: _Run, value: Value) -> int:
    return call_each(run.machine, run.operand(value.args[0]), _func(run, value))


def _loop(run: _Run, value: Value) -> int:
    return call_times(run.machine, run.operand(value.args[0]), _func(run, value))


def _slot(run: _Run, value: Value) -> int:
    size = value.attr[0]
    region = run.slots.get(value)
    if region is None:
        region = run.slots[value] = run.memory.add("slot", bytearray(size))
    region.data[:] = bytes([UNDEFINED]) * size
    return region.address


def _map(run: _Run, value: Value) -> int:
    return _named_map(run, value.attr).region.address


def _global(run: _Run, value: Value) -> int:
    map = _named_map(run, value.attr)
    if map.spec.type != MapType.ARRAY:
        raise InternalError(f"{value.attr} is no array")
    region = map.find(bytes(4))
    assert region is not None
    return region.address + value.imm


def _named_map(run: _Run, name: str) -> InterpMap:
    if name not in run.machine.maps:
        raise InternalError(f"the machine has no map {name}")
    return run.machine.maps[name]


def _arithmetic(run: _Run, value: Value) -> int:
    assert isinstance(value.type, IntType)
    left, right = run.operands(value)
    return compute(value.op, left, right, value.type)


def _compare(run: _Run, value: Value) -> int:
    left, right = run.operands(value)
    return fold_comparison(value.op, left, right)


def _neg(run: _Run, value: Value) -> int:
    return -run.operand(value.args[0])


def _same(run: _Run, value: Value) -> int:
    return run.operand(value.args[0])


def _padd(run: _Run, value: Value) -> int:
    return sum(run.operands(value))


def _load(run: _Run, value: Value) -> int:
    size = value.type.bits // 8 if isinstance(value.type, IntType) else 8
    return int.from_bytes(run.memory.read(run.address(value), size), "little")


def _store(run: _Run, value: Value) -> int:
    _put(run, value, run.operand(value.args[1]))
    return 0


def _put(run: _Run, value: Value, number: int) -> None:
    size = value.attr
    run.memory.write(run.address(value), (number & ((1 << 8 * size) - 1)).to_bytes(size, "little"))


def _zero(run: _Run, value: Value) -> int:
    run.memory.write(run.address(value), bytes(value.attr))
    return 0


def _copy(run: _Run, value: Value) -> int:
    to, source = run.operands(value)
    to_offset, offset, size = value.attr
    run.memory.write(to + to_offset, run.memory.read(source + offset, size))
    return 0


def _old(run: _Run, value: Value) -> int:
    if run.address(value) % value.attr:
        raise InternalError(f"an atomic access that is not aligned to {value.attr} bytes")
    return int.from_bytes(run.memory.read(run.address(value), value.attr), "little")


def _fetch_add(run: _Run, value: Value) -> int:
    old = _old(run, value)
    _put(run, value, old + run.operand(value.args[1]))
    return old


def _xchg(run: _Run, value: Value) -> int:
    old = _old(run, value)
    _put(run, value, run.operand(value.args[1]))
    return old


def _cmpxchg(run: _Run, value: Value) -> int:
    old = _old(run, value)
    expected, new = run.operands(value)[1:]
    if old == expected & ((1 << 8 * value.attr) - 1):
        _put(run, value, new)
    return old


def _call(run: _Run, value: Value) -> int:
    return CALLS[value.attr](run.machine, [a & MASK for a in run.operands(value)])


def _moves(run: _Run, value: Value) -> int:
    for place, number in zip(value.attr, run.operands(value), strict=True):
        if isinstance(place, int):
            _write_frame(run, place, number)
        else:
            run.values[place] = number
    return 0


def _write_frame(run: _Run, offset: int, number: int) -> None:
    run.memory.write(run.frame.address + MAX_STACK + offset, (number & MASK).to_bytes(8, "little"))


def _spill(run: _Run, value: Value) -> int:
    _write_frame(run, value.imm, run.operand(value.args[0]))
    return 0


def _reload(run: _Run, value: Value) -> int:
    return int.from_bytes(run.memory.read(_frame(run, value), 8), "little")


def _frame(run: _Run, value: Value) -> int:
    return run.frame.address + MAX_STACK + value.imm


_INLINE = frozenset({"const", "map", "global", "frame", "reload", "func"})

_EVALUATE: dict[str, Callable[[_Run, Value], int]] = {
    **dict.fromkeys(ARITHMETIC, _arithmetic),
    **dict.fromkeys(COMPARISONS, _compare),
    "const": _const,
    "ctx": _ctx,
    "param": _param,
    "shared": _shared,
    "area": _shared,
    "func": _func,
    "each": _each,
    "loop": _loop,
    "slot": _slot,
    "map": _map,
    "global": _global,
    "neg": _neg,
    "ext": _same,
    "cast": _same,
    "padd": _padd,
    "load": _load,
    "store": _store,
    "zero": _zero,
    "copy": _copy,
    "atomic_add": _fetch_add,
    "fetch_add": _fetch_add,
    "xchg": _xchg,
    "cmpxchg": _cmpxchg,
    "call": _call,
    "moves": _moves,
    "spill": _spill,
    "reload": _reload,
    "frame": _frame,
}
