"""Checked scripts to IR: one function a program, events built in place, variables reached where they live.

lower.py         a program and its statements
lower_expr.py    numbers: into values
lower_arith.py   operators on them
lower_memory.py  text, tuples, arrays and keys: into memory
lower_access.py  fields and elements, of memory and behind pointers
lower_copy.py    copying and comparing what lies in memory
lower_maps.py    reading and changing variables
lower_loops.py   loops
lower_callbacks.py  loops whose body is a function of its own
lower_functions.py  calls of functions of one's own
"""

from __future__ import annotations

from ..base.bits import align_up
from ..funcs.emit import ROOM, Emitter, Place, in_memory, in_register
from ..funcs.merged import merge_cpus
from ..funcs.process import current_ids
from ..funcs.stored import Home
from ..funcs.unit import GLOBALS
from ..ir.builder import Builder
from ..ir.types import U64
from ..spec.bundle import Special
from . import tree
from .lower_access import memory_of
from .lower_callbacks import lower_map_loop, place_shared
from .lower_copy import copy_value
from .lower_expr import has_effect, lower_binary, lower_value
from .lower_functions import lower_return
from .lower_loops import count_loops, lower_jump, lower_range, lower_unroll, lower_while
from .lower_maps import assign_map, compound_map, increment_map
from .lower_memory import key_of, lower_into
from .walk import next_if, walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..ctype.types import CType
    from ..funcs.func import Arg
    from ..funcs.stored import Stored
    from ..funcs.unit import Unit
    from ..ir.nodes import Function, Value
    from ..probes.provider import Provider, Site
    from .lower_callbacks import Apart, Loop
    from .lower_functions import Return
    from .names import Checked, Local


class Lowerer(Emitter):
    """One program of a checked script."""

    def __init__(self, checked: Checked, unit: Unit, b: Builder, provider: Provider, site: Site) -> None:
        super().__init__(unit, b, provider, site)
        self.checked = checked
        self.types = checked.types
        self.loops: list[Loop] = []  # those around the statement at hand
        self.returns: list[Return] = []  # functions of one's own around it
        self.apart: list[Apart] = []  # callbacks around it
        self.shared: dict[Local, int] = {}  # variables that callbacks use, and where they are
        self.loop_count = 1  # in the whole program
        self.cost = 0  # instructions that loops of the block at hand come to (see lower_loops)
        self._memory: dict[tuple[Function, Local], Value] = {}

    # ---- what functions ask (see Emitter)

    def value(self, arg: Arg) -> Value:
        assert isinstance(arg.node, tree.Expr)
        return lower_value(self, arg.node)

    def fill(self, arg: Arg, place: Place) -> None:
        assert isinstance(arg.node, tree.Expr)
        lower_into(self, arg.node, place)

    def where(self, arg: Arg) -> tuple[Value, int]:
        assert isinstance(arg.node, tree.Expr)
        pointer, offset, _ = memory_of(self, arg.node)
        return pointer, offset

    def assign(self, arg: Arg, value: Value) -> None:
        assert isinstance(arg.node, tree.Variable)
        self.write_local(self.checked.locals[arg.node], value)

    def assign_from(self, arg: Arg, pointer: Value, type: CType) -> None:
        assert isinstance(arg.node, tree.Variable)
        local = self.checked.locals[arg.node]
        assert local.type is not None
        copy_value(self, Place(self.memory_of(local), 0, local.type, clean=True), pointer, 0, type)

    def has_effect(self, arg: Arg) -> bool:
        return has_effect(self, arg.node)

    def key(self, arg: Arg) -> Value:
        assert isinstance(arg.node, tree.MapAccess)
        return key_of(self, self.unit.variables[arg.node.name], arg.node)

    def merged(self, stored: Stored, access: tree.MapAccess) -> Value:
        """The number that an aggregate is over all CPUs."""
        key = key_of(self, stored, access) if stored.home is Home.HASH else None
        return merge_cpus(self, stored, key)

    # ---- for the modules that lowering is divided into

    def number(self, expr: tree.Expr) -> Value:
        """The number that an expression is."""
        return lower_value(self, expr)

    def into(self, expr: tree.Expr, place: Place) -> None:
        """Put the value of `expr`, which is no number, at `place`."""
        lower_into(self, expr, place)

    def constant(self, expr: tree.Expr) -> int | None:
        """The number that `expr` is known to be."""
        return self.checked.numbers.get(expr)

    def body(self, statements: tuple[tree.Stmt, ...]) -> None:
        """The statements of a block."""
        lower_body(self, statements)

    def expect(self, node: tree.Node) -> Any:
        """The type of a node, which checking has found."""
        return self.types[node]

    # ---- local variables

    def memory_of(self, local: Local) -> Value:
        """The memory of a variable that is text or a tuple."""
        if local in self.shared:
            return self.b.shared(self.shared[local])
        key = (self.b.function, local)
        if key not in self._memory:
            assert local.type is not None
            self._memory[key] = self.b.own_slot(align_up(local.type.size + ROOM, 8))
        return self._memory[key]

    def read_local(self, local: Local) -> Value:
        assert local.type is not None
        type = in_register(local.type)
        if local in self.shared:
            return self.b.load(self.b.shared(self.shared[local]), type)
        return self.b.read(f"{local.name} {local.number}", type)

    def write_local(self, local: Local, value: Value) -> None:
        assert local.type is not None
        value = self.b.ext(value, in_register(local.type))
        if local in self.shared:
            self.b.store(self.b.shared(self.shared[local]), value, in_register(local.type).bits // 8)
        else:
            self.b.write(f"{local.name} {local.number}", value)

    def leave(self) -> None:
        """End the program here."""
        if self.apart:
            self.apart[-1].end()
        else:
            self.b.ret(0)


def lower_program(
    checked: Checked,
    unit: Unit,
    probe: tree.Probe,
    provider: Provider,
    site: Site,
    name: str,
    *,
    filtered: bool = False,
) -> Function:
    """The function of one probe at one site. `filtered`: runs in other processes than the traced one end at
    once; which that is stands in the globals, so that the code is the same for every process."""
    b = Builder(name, probe.span)
    s = Lowerer(checked, unit, b, provider, site)
    s.loop_count = count_loops(probe.body)
    place_shared(s, probe.body)
    if not isinstance(site.link, Special) and any(names & _ENDING for names in checked.names.values()):
        _leave_unless(s, b.compare("eq", b.load(b.global_(GLOBALS, unit.stopped()), U64), 0))
    if filtered:
        own = b.op("lshr", current_ids(s), 32)
        _leave_unless(s, b.compare("eq", own, b.load(b.global_(GLOBALS, unit.traced_pid()), U64)))
    if probe.predicate is not None:
        b.span = probe.predicate.span
        _leave_unless(s, lower_value(s, probe.predicate))
    lower_body(s, probe.body)
    b.ret(0)
    return b.finish()


_ENDING = {"exit", "assert"}
"""Functions that end the script: what attached programs do after one, before they are gone, is not wanted."""


def _leave_unless(s: Lowerer, condition: Value) -> None:
    inside, outside = s.b.new_block(), s.b.new_block()
    s.b.branch(condition, inside, outside)
    s.b.place(outside)
    s.b.ret(0)
    s.b.place(inside)


def lower_body(s: Lowerer, body: tuple[tree.Stmt, ...]) -> None:
    """The statements of a block, up to one that ends the program."""
    for statement in body:
        if s.b.ended:
            return
        s.b.span = statement.span
        _STATEMENTS[statement.__class__](s, statement)


def _expression(s: Lowerer, statement: tree.ExprStmt) -> None:
    expr = statement.expr
    found = s.checked.calls.get(expr)
    if found is not None and found[0].effect:
        found[0].lower(found[1], s)
    elif isinstance(expr, tree.Increment):
        _increment(s, expr)
    elif has_effect(s, expr):
        _discard(s, expr)


def _increment(s: Lowerer, expr: tree.Increment) -> None:
    if isinstance(expr.target, tree.MapAccess):
        increment_map(s, expr, wanted=False)
    else:
        lower_value(s, expr)


def _discard(s: Lowerer, expr: tree.Expr) -> None:
    type = s.expect(expr)
    if in_memory(type):
        memory = s.b.slot(align_up(type.size + ROOM, 8))
        lower_into(s, expr, Place(memory, 0, type))
    else:
        lower_value(s, expr)


def _block(s: Lowerer, statement: tree.Block) -> None:
    lower_body(s, statement.body)


def _let(s: Lowerer, statement: tree.Let) -> None:
    local = s.checked.locals[statement.target]
    if local.type is None:
        return
    if statement.value is not None:
        _set_local(s, local, statement.value)
    elif in_memory(local.type):
        s.b.zero(s.memory_of(local), local.type.size)
    else:
        s.write_local(local, s.b.const(0, in_register(local.type)))


def _set_local(s: Lowerer, local: Local, value: tree.Expr) -> None:
    assert local.type is not None
    if not in_memory(local.type):
        s.write_local(local, lower_value(s, value))
    elif _mentions(s, value, local):
        memory = s.b.slot(align_up(local.type.size + ROOM, 8))
        lower_into(s, value, Place(memory, 0, local.type, clean=True))
        s.b.copy(s.memory_of(local), memory, local.type.size)
    else:
        lower_into(s, value, Place(s.memory_of(local), 0, local.type, clean=True))


def _mentions(s: Lowerer, expr: tree.Expr, local: Local) -> bool:
    """True if `expr` reads `local`, which must not change under it then."""
    return any(s.checked.locals.get(node) is local for node in walk(expr))


def _assign(s: Lowerer, statement: tree.Assign) -> None:
    target = statement.target
    if isinstance(target, tree.MapAccess):
        if statement.op == "=":
            assign_map(s, target, statement.value)
        else:
            compound_map(s, statement, target)
        return
    local = s.checked.locals[target]
    if statement.op == "=":
        _set_local(s, local, statement.value)
    else:
        s.write_local(local, lower_binary(s, statement.op[:-1], target, statement.value, local.type))


def _if(s: Lowerer, statement: tree.If) -> None:
    b = s.b
    done = b.new_block()
    following: tree.If | None = statement
    while following is not None:
        statement = following
        known = s.checked.known(statement.condition)
        if known is not None:
            _known_if(s, statement, known)
            break
        b.span = statement.span
        then, otherwise = b.new_block(), b.new_block()
        b.branch(lower_value(s, statement.condition), then, otherwise if statement.otherwise else done)
        b.place(then)
        lower_body(s, statement.then)
        b.jump(done)
        if statement.otherwise:
            b.place(otherwise)
        following = next_if(statement)
    else:
        if statement.otherwise:
            lower_body(s, statement.otherwise)
    b.jump(done)
    b.place(done)


def _known_if(s: Lowerer, statement: tree.If, known: bool) -> None:
    """`if comptime condition { }`"""
    lower_body(s, statement.then if known else statement.otherwise)


def _jump(s: Lowerer, statement: tree.Jump) -> None:
    if statement.kind != "return":
        lower_jump(s, statement)
        return
    if s.apart and s.apart[-1].returns == len(s.returns):
        s.apart[-1].lower_return(statement.value)
        return
    if s.returns:
        lower_return(s, statement)
        return
    value = lower_value(s, statement.value) if statement.value is not None else s.b.const(0, U64)
    s.b.ret(value)


def _import(s: Lowerer, statement: tree.Import) -> None:
    """All that can be imported is there anyway."""


_STATEMENTS: dict[type, Callable[[Lowerer, Any], None]] = {
    tree.ExprStmt: _expression,
    tree.Let: _let,
    tree.Assign: _assign,
    tree.If: _if,
    tree.Block: _block,
    tree.Jump: _jump,
    tree.While: lower_while,
    tree.ForMap: lower_map_loop,
    tree.ForRange: lower_range,
    tree.Unroll: lower_unroll,
    tree.Import: _import,
}
