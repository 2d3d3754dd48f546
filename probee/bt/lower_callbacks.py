"""Loops whose body is a function of its own, which the kernel calls: over maps, and by bpf_loop.

Variables from outside of such a loop that its body names live, all through the program, in the memory that a
program and its callbacks share. `break` and `continue` are what the callback gives; what leaves more than the
loop (`return`, exit()) leaves a note in shared memory, gives what `break` gives, and is done after the loop.
"""

from __future__ import annotations

from ..base.bits import align_up
from ..base.record import record, replace
from ..funcs.emit import ROOM, Place, in_memory, in_register
from ..funcs.merged import merge_cpus
from ..ir.types import KEY, U64, VALUE
from ..spec.values import Aggregate, Tuple
from . import tree
from .walk import walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ctype.types import CType
    from ..ir.nodes import Block, Value
    from .lower import Lowerer
    from .names import Local

    ByKernel = tree.ForMap | tree.ForRange | tree.While

MOST_CALLS = 1 << 23
"""How often bpf_loop calls at most (BPF_MAX_LOOPS)."""

_FEW = 16
"""Rounds of a loop that are walked one by one by every verifier."""

_RETURN, _END = 1, 2
"""What a note says."""


@record
class Loop:
    """Where `continue` and `break` go."""

    again: Block
    done: Block


def is_called(s: Lowerer, node: object) -> bool:
    """True for a loop whose body becomes a callback."""
    if isinstance(node, tree.ForMap):
        return True
    if s.unit.target.have("may_goto") or not s.unit.target.have("bpf_loop"):
        return False
    if isinstance(node, tree.While):
        return True
    return isinstance(node, tree.ForRange) and not _is_short(s, node)


def _is_short(s: Lowerer, node: tree.ForRange) -> bool:
    start, end = _known(s, node.start), _known(s, node.end)
    return start is not None and end is not None and end - start <= _FEW


def _known(s: Lowerer, bound: tree.Expr) -> int | None:
    if isinstance(bound, tree.Unary) and bound.op == "-":
        number = _known(s, bound.operand)
        return None if number is None else -number
    return bound.value if isinstance(bound, tree.Integer) else s.constant(bound)


def find_shared(s: Lowerer, body: tuple[tree.Stmt, ...]) -> list[Local]:
    """The variables of a program that callbacks use and did not make, and those that pointers lead to."""
    found: dict[Local, None] = {}
    for node in walk(body):
        local = s.checked.locals.get(node)
        if local is not None and local.addressed and local.type is not None:
            found[local] = None
        if not is_called(s, node):
            continue
        outside = s.checked.outside.get(node, ())
        for part in walk(node):
            used = s.checked.locals.get(part)
            if used is not None and used in outside and used.type is not None:
                found[used] = None
    return list(found)


class _Note:
    """What is left in shared memory by who leaves more than a loop; -1 where nobody does."""

    def __init__(self) -> None:
        self.offset = -1
        self.value = -1
        self.kinds: set[int] = set()


class Apart:
    """The body of one loop in the making. From its start to its `close` the lowerer makes the callback."""

    def __init__(self, s: Lowerer) -> None:
        self.s = s
        self.around = s.b
        self.outer_loops, self.outer_cost = s.loops, s.cost
        self.returns = len(s.returns)
        same = bool(s.apart) and s.apart[-1].returns == self.returns
        self.note: _Note = s.apart[-1].note if same else _Note()
        self.outermost = not same
        s.b = s.b.callback()
        self.name = s.b.function.name
        self.again, self.done = s.b.new_block(), s.b.new_block()
        s.loops = [Loop(self.again, self.done)]
        s.cost = 0
        s.apart.append(self)

    def body(self, statements: tuple[tree.Stmt, ...]) -> None:
        """The statements of the loop, up to the end of the callback."""
        b = self.s.b
        self.s.body(statements)
        b.jump(self.again)
        b.place(self.again)
        b.ret(0)
        b.place(self.done)
        b.ret(1)

    def close(self) -> None:
        """Go back to where the loop is."""
        s = self.s
        made = s.b.finish()
        s.cost += self.outer_cost + sum(len(block.values) for block in made.blocks)
        s.b, s.loops = self.around, self.outer_loops
        s.apart.pop()
        if self.outermost and self.note.offset >= 0:
            s.b.store(s.b.shared(self.note.offset), 0, 8)

    def go_on(self) -> None:
        """After the loop: do what the body could not."""
        s, b = self.s, self.s.b
        for kind in sorted(self.note.kinds):
            leaving, staying = b.new_block(), b.new_block()
            note = b.load(b.shared(self.note.offset), U64)
            b.branch(b.compare("eq", note, kind), leaving, staying)
            b.place(leaving)
            if kind == _END:
                s.leave()
            else:
                self._return()
            b.place(staying)

    # ---- in the callback

    def leave(self, kind: int) -> None:
        """Leave a note, and the loop."""
        b = self.s.b
        if self.note.offset < 0:
            self.note.offset = b.take_shared(8)
        self.note.kinds.add(kind)
        b.store(b.shared(self.note.offset), kind, 8)
        b.jump(self.done)

    def end(self) -> None:
        """End the program."""
        self.leave(_END)

    def lower_return(self, value: tree.Expr | None) -> None:
        """`return` of the probe or the function that the loop is in."""
        s, b, note = self.s, self.s.b, self.note
        type = self._type()
        if value is not None:
            if note.value < 0:
                note.value = b.take_shared(type.size + ROOM if type is not None and in_memory(type) else 8)
            if type is not None and in_memory(type):
                s.into(value, Place(b.shared(note.value), 0, type, clean=True))
            else:
                b.store(b.shared(note.value), b.ext(s.number(value), U64), 8)
        self.leave(_RETURN)

    def _type(self) -> CType | None:
        """What the function that the loop is in returns; None of a probe."""
        return self.s.returns[self.returns - 1].type if self.returns else None

    # ---- after the loop

    def _return(self) -> None:
        s, b = self.s, self.s.b
        if s.apart and s.apart[-1].note is self.note:
            b.jump(s.apart[-1].done)
            return
        value = b.shared(self.note.value) if self.note.value >= 0 else None
        if not s.returns:
            b.ret(b.load(value, U64) if value is not None else 0)
            return
        back = s.returns[-1]
        if back.place is not None:
            assert value is not None
            b.copy(back.place.pointer, value, back.type.size, back.place.offset)
        elif value is not None:
            b.write(back.name, b.load(value, in_register(back.type)))
        b.jump(back.done)


def lower_map_loop(s: Lowerer, statement: tree.ForMap) -> None:
    """`for $kv : @map { }`"""
    at = statement.span
    s.b.span = replace(at, end=at.start + len("for"))
    s.need("for_each_map_elem", "a loop over a map")
    s.b.span = at
    stored = s.unit.variables[statement.map.name]
    apart = Apart(s)
    key, value = s.b.param(1, KEY), s.b.param(2, VALUE)
    local = s.checked.locals[statement.target]
    assert isinstance(local.type, Tuple)
    memory = s.memory_of(local)
    if sum(item.size for item in local.type.items) != local.type.size:
        s.b.zero(memory, local.type.size)
    (key_at, value_at), (key_type, value_type) = local.type.offsets, local.type.items
    _put(s, Place(memory, key_at, key_type), key)
    if isinstance(stored.value, Aggregate):
        s.b.store(memory, merge_cpus(s, stored, key), value_type.size, value_at)
    else:
        _put(s, Place(memory, value_at, value_type), value)
    apart.body(statement.body)
    apart.close()
    s.b.each(s.b.map(stored.map), apart.name)
    apart.go_on()


def _put(s: Lowerer, place: Place, source: Value) -> None:
    s.b.copy(place.pointer, source, place.type.size, place.offset)


def lower_while_called(s: Lowerer, statement: tree.While) -> None:
    """`while (condition) { }` by bpf_loop"""
    apart = Apart(s)
    inside = s.b.new_block()
    s.b.branch(s.number(statement.condition), inside, apart.done)
    s.b.place(inside)
    apart.body(statement.body)
    apart.close()
    rounds = s.b.loop(MOST_CALLS, apart.name)
    _count_early_end(s, s.b.compare("eq", rounds, MOST_CALLS))
    apart.go_on()


def lower_range_called(
    s: Lowerer, local: Local, start: Value, end: Value, body: tuple[tree.Stmt, ...]
) -> None:
    """`for $i : start..end { }` by bpf_loop; the bounds are of one type."""
    b = s.b
    first = b.take_shared(8)
    b.store(b.shared(first), start, 8)
    signed = getattr(start.type, "signed", False)
    some, done = b.new_block(), b.new_block()
    b.branch(b.compare("slt" if signed else "ult", start, end), some, done)
    b.place(some)
    wanted = b.op("sub", b.cast(end, U64), b.cast(start, U64))
    apart = Apart(s)
    index = s.b.op("add", s.b.param(0, U64), s.b.load(s.b.shared(first), U64))
    s.write_local(local, index)
    apart.body(body)
    apart.close()
    limited, call = b.new_block(), b.new_block()
    b.write("calls", wanted)
    b.branch(b.compare("ugt", wanted, MOST_CALLS), limited, call)
    b.place(limited)
    b.write("calls", b.const(MOST_CALLS, U64))
    b.jump(call)
    b.place(call)
    rounds = b.cast(b.loop(b.read("calls", U64), apart.name), U64)
    all_done = b.compare("eq", rounds, MOST_CALLS)
    _count_early_end(s, b.op("and", b.ext(all_done, U64), b.ext(b.compare("ugt", wanted, MOST_CALLS), U64)))
    apart.go_on()
    b.jump(done)
    b.place(done)


def _count_early_end(s: Lowerer, early: Value) -> None:
    b = s.b
    ended, on = b.new_block(), b.new_block()
    b.branch(early, ended, on)
    b.place(ended)
    s.count("loop_limit")
    b.jump(on)
    b.place(on)


def place_shared(s: Lowerer, body: tuple[tree.Stmt, ...]) -> None:
    """Give the variables that callbacks use their place in shared memory."""
    for local in find_shared(s, body):
        assert local.type is not None
        size = align_up(local.type.size + ROOM, 8) if in_memory(local.type) else 8
        s.shared[local] = s.b.take_shared(size)
