"""Loops: by may_goto where the kernel has it, else by bpf_loop, else bounded as its verifier can follow.

With may_goto the verifier walks a loop until nothing new comes up, so what a loop counts must be unknown
to it from the start: a number it knows it would follow all the way. Without may_goto it walks every
round, so it must know the numbers, and how often a loop may go round follows from how much is in it.
A loop that ends for going round too often is counted.
"""

from __future__ import annotations

from ..funcs.emit import in_memory
from ..funcs.unit import GLOBALS
from ..ir.types import S64, U64
from . import tree
from .lower_callbacks import Loop, is_called, lower_range_called, lower_while_called
from .types import common
from .walk import walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Block, Value
    from .lower import Lowerer
    from .names import Local

_BUDGETS = (400_000, 8_000, 800)
"""Instructions that a verifier without may_goto is made to walk for a loop, by the loops around it."""

_BRANCH = 50
"""What a branch costs of them: 8192 ways may be waiting to be walked (BPF_COMPLEXITY_LIMIT_JMP_SEQ)."""

_WALKABLE = 900_000
"""Instructions that the verifier may walk at all, less some for what is not a loop."""

_FEWEST = 16
"""Rounds that every loop may make."""


class Rounds:
    """The way round one loop, from before its head to its last jump."""

    def __init__(self, s: Lowerer, node: tree.While | tree.ForRange, most: int | None = None) -> None:
        self.s = s
        self.span = node.span
        self.most = most  # how often the loop goes round, where that is known
        self.by_kernel = s.unit.target.have("may_goto")
        self.name = f"rounds {id(self)}"
        self.outer_cost, s.cost = s.cost, 0
        if self.by_kernel:
            _hide(s, node)
        else:
            s.b.write(self.name, s.b.const(0, U64))
        self.head, self.again, self.done = s.b.new_block(), s.b.new_block(), s.b.new_block()
        self.start = len(s.b.function.blocks)
        s.b.jump(self.head)
        s.b.place(self.head, sealed=False)

    def body(self, statements: tuple[tree.Stmt, ...]) -> None:
        """The statements of the loop; after them every way that goes on has come together."""
        self.s.loops.append(Loop(self.again, self.done))
        self.s.body(statements)
        self.s.loops.pop()
        self.s.b.jump(self.again)
        self.s.b.place(self.again)

    def close(self) -> None:
        """Go round, and on after the loop."""
        b = self.s.b
        b.span = self.span
        own = self.s.cost + self._count()
        # Ways out of one loop still wait while the next one is walked: they share what may wait.
        budget = _BUDGETS[min(len(self.s.loops), len(_BUDGETS) - 1)] // self.s.loop_count
        limit = max(budget // own, _FEWEST)
        if self.by_kernel:
            spent = b.new_block()
            b.go_round(self.head, spent)
            self._end_early(spent)
        elif self.most is not None and self.most * own < _WALKABLE:
            limit = self.most
            b.jump(self.head)
        else:
            count = b.op("add", b.read(self.name, U64), 1)
            b.write(self.name, count)
            spent = b.new_block()
            b.branch(b.compare("ult", count, limit), self.head, spent)
            self._end_early(spent)
        self.s.cost = self.outer_cost + own * limit
        b.seal(self.head)
        b.place(self.done)

    def _count(self) -> int:
        values = [value for block in self.s.b.function.blocks[self.start :] for value in block.values]
        decided = self.most is not None  # the verifier knows where the head's own branch goes
        return len(values) + _BRANCH * (sum(value.op == "br" for value in values) - decided) + 1

    def _end_early(self, spent: Block) -> None:
        b = self.s.b
        b.place(spent)
        self.s.count("loop_limit")
        b.jump(self.done)


def count_loops(body: tuple[tree.Stmt, ...]) -> int:
    """The loops of a program, at least 1."""
    return max(sum(isinstance(node, (tree.While, tree.ForRange)) for node in walk(body)), 1)


def _hide(s: Lowerer, node: tree.While | tree.ForRange) -> None:
    """Make what the loop changes unknown to the verifier."""
    for local in _changed(s, node):
        if local.type is not None and not in_memory(local.type):
            s.write_local(local, hide(s, s.read_local(local)))


def hide(s: Lowerer, value: Value) -> Value:
    """`value`, which the verifier does not know."""
    nothing = s.b.load(s.b.global_(GLOBALS, s.unit.zeros(8)), U64)
    return s.b.op("add", s.b.ext(value, U64), nothing)


def _changed(s: Lowerer, node: tree.While | tree.ForRange) -> list[Local]:
    """Variables from outside of a loop that it changes."""
    found: dict[Local, None] = {}
    for part in walk(node):
        if isinstance(part, (tree.Assign, tree.Increment)) and part.target in s.checked.locals:
            local = s.checked.locals[part.target]
            if not (local.span.source is node.span.source and _within(local, node)):
                found[local] = None
    return list(found)


def _within(local: Local, node: tree.Node) -> bool:
    return node.span.start <= local.span.start < node.span.end


def lower_while(s: Lowerer, statement: tree.While) -> None:
    """`while (condition) { }`"""
    if is_called(s, statement):
        lower_while_called(s, statement)
        return
    b = s.b
    rounds = Rounds(s, statement)
    inside = b.new_block()
    b.branch(s.number(statement.condition), inside, rounds.done)
    b.place(inside)
    rounds.body(statement.body)
    rounds.close()


def lower_range(s: Lowerer, statement: tree.ForRange) -> None:
    """`for $i : start..end { }`. What the body does to `$i` does not change how the loop goes on."""
    b = s.b
    local = s.checked.locals[statement.target]
    shared = common(s.expect(statement.start), s.expect(statement.end))
    wide = S64 if shared.signed else U64
    start, end = b.ext(s.number(statement.start), wide), b.ext(s.number(statement.end), wide)
    if is_called(s, statement):
        lower_range_called(s, local, start, end, statement.body)
        return
    most = None
    if start.op == "const" and end.op == "const":
        most = max(end.imm - start.imm, 0)
    name = f"index {id(statement)}"
    if s.unit.target.have("may_goto"):
        start = b.cast(hide(s, start), wide)
    b.write(name, start)
    rounds = Rounds(s, statement, most)
    index = b.read(name, wide)
    inside = b.new_block()
    b.branch(b.compare("slt" if wide.signed else "ult", index, end), inside, rounds.done)
    b.place(inside)
    s.write_local(local, index)
    rounds.body(statement.body)
    b.write(name, b.op("add", b.read(name, wide), 1))
    rounds.close()


def lower_unroll(s: Lowerer, statement: tree.Unroll) -> None:
    """`unroll(n) { }`: the statements n times over."""
    for _ in range(s.checked.numbers[statement]):
        s.body(statement.body)


def lower_jump(s: Lowerer, statement: tree.Jump) -> None:
    """`break`, `continue`"""
    loop = s.loops[-1]
    s.b.jump(loop.done if statement.kind == "break" else loop.again)
