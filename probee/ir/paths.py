"""The checker's rules about paths: dominance, null and ring (see check.py)."""

from __future__ import annotations

from .nodes import Block, Value
from .ops import COMPARISONS
from .spaces import RELEASES, find_needed, find_space
from .text import names
from .types import IntType, PtrType, Space

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .check import Checker


def check_paths(checker: Checker) -> None:
    """Needs a function whose shape and types are legal."""
    _Dominance(checker).check()
    _Nulls(checker).check()
    _Rings(checker).check()


class _Dominance:
    """Which values are made on every path; sets are integers, a bit a value."""

    def __init__(self, checker: Checker) -> None:
        self.checker = checker
        self.bit: dict[Value, int] = {}
        for block in checker.function.blocks:
            for value in block.values:
                self.bit[value] = 1 << len(self.bit)

    def check(self) -> None:
        blocks = self.checker.function.blocks
        everything = (1 << len(self.bit)) - 1
        own = {b: sum(self.bit[v] for v in b.values) for b in blocks}
        start = dict.fromkeys(blocks, everything)
        start[blocks[0]] = 0
        changed = True
        while changed:
            changed = False
            for block in blocks[1:]:
                made = everything
                for pred in block.preds:
                    made &= start[pred] | own[pred]
                changed |= made != start[block]
                start[block] = made
        made = 0
        for value in self.checker.walk():
            here = self.checker.block
            assert here is not None
            if value is here.values[0]:
                made = start[here]
            for i, arg in enumerate(value.args):
                there = start[here.preds[i]] | own[here.preds[i]] if value.op == "phi" else made
                self.checker.expect(
                    bool(self.bit.get(arg, 0) & there), "dominance", f"argument {i} is not made on every path"
                )
            made |= self.bit[value]


def _find_base(value: Value) -> Value:
    """The value whose being 0 decides whether the pointer `value` is."""
    while value.op == "cast" and isinstance(value.args[0].type, PtrType):
        value = value.args[0]
    return value


def _null_test(condition: Value) -> tuple[Value, bool] | None:
    """The pointer that a condition tells from 0, and whether the condition holds when it is not 0."""
    holds = True
    while condition.op in ("eq", "ne"):
        zeros = [i for i, a in enumerate(condition.args) if a.op == "const" and a.imm == 0]
        if not zeros:
            return None
        holds = holds == (condition.op == "ne")
        condition = condition.args[1 - zeros[0]]
        if isinstance(condition.type, PtrType):
            return _find_base(condition), holds
        while condition.op in ("cast", "ext") and isinstance(condition.args[0].type, IntType):
            condition = condition.args[0]
    return None


def _find_tests(block: Block) -> list[tuple[Value, bool] | None]:
    """For each way out of `block`: the pointer known there, and whether it is not 0."""
    end = block.values[-1]
    test = _null_test(end.args[0]) if end.op == "br" and end.targets[0] is not end.targets[1] else None
    if test is None:
        return [None] * len(end.targets)
    return [test, (test[0], not test[1])]


class _Nulls:
    """Which nullable pointers are known not to be 0: a set for each edge, met where paths join."""

    def __init__(self, checker: Checker) -> None:
        self.checker = checker
        self.edges: dict[tuple[Block, Block], frozenset[Value]] = {}

    def check(self) -> None:
        blocks = self.checker.function.blocks
        changed = True
        while changed:
            changed = False
            for block in blocks:
                known = self.at_start(block)
                for value in block.values:
                    if value.op != "phi":
                        known -= {value}
                for succ, test in zip(block.succs, _find_tests(block), strict=True):
                    facts = known | {test[0]} if test is not None and test[1] else known
                    changed |= self.edges.get((block, succ)) != facts
                    self.edges[block, succ] = facts
        known = frozenset()
        for value in self.checker.walk():
            here = self.checker.block
            assert here is not None
            if value is here.values[0]:
                known = self.at_start(here)
            for arg in find_needed(value):
                self.checker.expect(
                    not _is_nullable(arg) or _find_base(arg) in known, "null", "the pointer may be 0 here"
                )

    def at_start(self, block: Block) -> frozenset[Value]:
        """Known on every edge that has been walked; a phi is known where all it joins is."""
        ways = [self.edges[p, block] for p in block.preds if (p, block) in self.edges]
        known = frozenset.intersection(*ways) if ways else frozenset()
        for phi in block.values:
            if phi.op != "phi":
                break
            walked = [
                not _is_nullable(arg) or _find_base(arg) in self.edges[pred, block]
                for pred, arg in zip(block.preds, phi.args, strict=True)
                if (pred, block) in self.edges
            ]
            known = known | {phi} if walked and all(walked) else known - {phi}
        return known


def _is_nullable(value: Value) -> bool:
    # A moved pointer was checked when it was moved.
    return isinstance(value.type, PtrType) and value.type.nullable and value.op != "padd"


_NONE, _UNKNOWN, _HELD, _NULL, _DONE = 1, 2, 4, 8, 16
"""What may have become of a record: not reserved, not yet told from 0, ours, 0, given back."""


class _Rings:
    """For each reserved record, what may have become of it on the ways to a place."""

    def __init__(self, checker: Checker) -> None:
        self.checker = checker
        self.records = [v for b in checker.function.blocks for v in b.values if _reserves(v)]

    def check(self) -> None:
        if not self.records:
            return
        entry = self.checker.function.blocks[0]
        states = {entry: dict.fromkeys(self.records, _NONE)}
        work = [entry]
        while work:
            block = work.pop()
            state = dict(states[block])
            self.checker.block = block
            for self.checker.value in block.values:
                self.step(self.checker.value, state)
            for succ, test in zip(block.succs, _find_tests(block), strict=True):
                after = _refine(state, test)
                if after is None:
                    continue
                before = states.get(succ, {})
                merged = {r: after[r] | before.get(r, 0) for r in self.records}
                if merged != before:
                    states[succ] = merged
                    work.append(succ)
        self.checker.block = self.checker.value = None

    def step(self, value: Value, state: dict[Value, int]) -> None:
        expect = self.checker.expect
        if _reserves(value):
            expect(not state[value] & (_UNKNOWN | _HELD), "ring", "the record before it is not given back")
            state[value] = _UNKNOWN
        elif value.op == "call" and value.attr in RELEASES:
            origin = _find_record(value.args[0], moved=False)
            expect(origin in state, "ring", "expected the start of a reserved record")
            assert origin is not None
            expect(not state[origin] & _DONE, "ring", "the record may have been given back already")
            expect(state[origin] == _HELD, "ring", "the record may not be ours")
            state[origin] = _DONE
        elif value.op == "ret":
            for record_, held in state.items():
                name = names(self.checker.function)[record_]
                expect(not held & (_UNKNOWN | _HELD), "ring", f"{name} may not be given back")
        elif value.op != "phi":
            for arg in value.args:
                origin = _find_record(arg, moved=True)
                if origin is not None and value.op not in COMPARISONS:
                    expect(not state[origin] & _DONE, "ring", "the record may have been given back")


def _reserves(value: Value) -> bool:
    return value.op == "call" and value.attr == "ringbuf_reserve"


def _refine(state: dict[Value, int], test: tuple[Value, bool] | None) -> dict[Value, int] | None:
    """The state on an edge where `test` holds, None where it can't."""
    origin = _find_record(test[0], moved=False) if test is not None else None
    if test is None or origin is None:
        return state
    now = state[origin]
    if test[1]:
        now = (now & ~(_NULL | _UNKNOWN)) | (_HELD if now & _UNKNOWN else 0)
    else:
        now = (now & ~(_HELD | _DONE | _UNKNOWN)) | (_NULL if now & _UNKNOWN else 0)
    return state | {origin: now} if now else None


def _find_record(value: Value, *, moved: bool) -> Value | None:
    """The reservation that a pointer is from, where there is one; `moved`: it may point past the start."""
    seen: set[Value] = set()
    found: set[Value] = set()
    work = [value]
    while work:
        value = work.pop()
        if value in seen or find_space(value) != Space.RING:
            continue
        seen.add(value)
        if _reserves(value):
            found.add(value)
        elif value.op in ("cast", "phi") or (value.op == "padd" and moved):
            work += value.args
        else:
            return None
    return found.pop() if len(found) == 1 else None
