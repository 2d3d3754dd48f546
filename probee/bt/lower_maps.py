"""Reading and changing `@variables`: atomically wherever several CPUs may do it at once."""

from __future__ import annotations

from ..base.bits import align_up
from ..funcs.emit import ROOM, Place, in_memory, in_register
from ..funcs.func import Aggregation
from ..funcs.stored import Home
from ..ir.types import S64, U64, VALUE
from ..spec.values import Aggregate
from . import tree
from .lower_access import step_of
from .lower_arith import combine
from .lower_memory import key_of, lower_into

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..funcs.stored import Stored
    from ..ir.nodes import Value
    from .lower import Lowerer

_ADDING = {"+": 1, "-": -1}
"""Compound assignments that an atomic addition does."""


def read_map(s: Lowerer, access: tree.MapAccess) -> Value:
    """The number at an access, 0 where there is none."""
    b = s.b
    stored = s.unit.variables[access.name]
    if isinstance(stored.value, Aggregate):
        return s.merged(stored, access)
    type = in_register(stored.value)
    if stored.home is Home.CELL:
        return b.load(s.cell(stored), type)
    entry = s.find_entry(stored, key_of(s, stored, access))
    there, absent, done = b.new_block(), b.new_block(), b.new_block()
    b.branch(b.compare("ne", entry, 0), there, absent)
    b.place(absent)
    s.note_failure("map_lookup_elem", 0)
    b.write("read", b.const(0, type))
    b.jump(done)
    b.place(there)
    b.write("read", b.load(b.cast(entry, VALUE), type))
    b.jump(done)
    b.place(done)
    return b.read("read", type)


def assign_map(s: Lowerer, target: tree.MapAccess, value: tree.Expr) -> None:
    """`@x = value`, `@x[key] = value`, `@x = count()`."""
    stored = s.unit.variables[target.name]
    while isinstance(value, tree.BlockExpr) and value.value is not None and _adds(s, value.value):
        s.body(value.body)
        value = value.value
    if _adds(s, value):
        _aggregate(s, stored, target, value)
    elif stored.home is Home.CELL:
        number = s.b.ext(s.number(value), in_register(stored.value))
        s.b.store(s.cell(stored), number, stored.value.size)
        _mark_written(s, stored)
    else:
        _set_entry(s, stored, target, value)


def _mark_written(s: Lowerer, stored: Stored) -> None:
    s.b.store(s.cell(stored), 1, 8, stored.written)


def _adds(s: Lowerer, value: tree.Expr) -> bool:
    """True for the call of an aggregation, and for a block whose value that is."""
    while isinstance(value, tree.BlockExpr) and value.value is not None:
        value = value.value
    found = s.checked.calls.get(value)
    return found is not None and isinstance(found[0], Aggregation)


def _set_entry(s: Lowerer, stored: Stored, target: tree.MapAccess, value: tree.Expr) -> None:
    b = s.b
    room = align_up(stored.value.size + (ROOM if in_memory(stored.value) else 0), 8)
    memory = b.slot(room)
    if not in_memory(stored.value) and stored.value.size < 8:
        # Cut to the type, then the whole word is written: no byte of it is left undefined.
        b.store(memory, b.ext(s.number(value), in_register(stored.value)), 8)
    else:
        if align_up(stored.value.size, 8) != stored.value.size:
            b.zero(memory, 8, align_up(stored.value.size, 8) - 8)
        lower_into(s, value, Place(memory, 0, stored.value, clean=True))
    s.set_entry(stored, key_of(s, stored, target), memory)


def _aggregate(s: Lowerer, stored: Stored, target: tree.MapAccess, value: tree.Expr) -> None:
    b = s.b
    function, site = s.checked.calls[value]
    assert isinstance(function, Aggregation)
    assert isinstance(stored.value, Aggregate)
    values = [
        s.value(arg)
        for arg, param in zip(site.args, function.params, strict=False)
        if param.kind not in ("number", "text")
    ]
    if stored.home is Home.SLOT:
        slot = s.cpu_slot(stored)
        function.add(site, s, values, stored.value, slot)
        if stored.written >= 0:
            b.store(slot, 1, 8, stored.written)
        return
    slot, done = s.with_entry(stored, key_of(s, stored, target))
    function.add(site, s, values, stored.value, slot)
    b.jump(done)
    b.place(done)


def increment_map(s: Lowerer, expr: tree.Increment, *, wanted: bool) -> Value | None:
    """`@x++` and the like; its value if it is `wanted`."""
    assert isinstance(expr.target, tree.MapAccess)
    stored = s.unit.variables[expr.target.name]
    step = step_of(stored.value) if expr.op == "++" else -step_of(stored.value)
    type = in_register(stored.value)
    old = _add(s, stored, expr.target, s.b.const(step, S64), wanted)
    if not wanted or old is None:
        return None
    old = s.b.cast(old, type)
    return s.b.op("add", old, step) if expr.prefix else old


def _add(s: Lowerer, stored: Stored, target: tree.MapAccess, by: Value, wanted: bool) -> Value | None:
    """Add to a number, atomically; the value before if it is `wanted`."""
    b = s.b
    if stored.home is Home.CELL:
        old = _atomic(s, s.cell(stored), by, wanted)
        _mark_written(s, stored)
        return old
    if wanted:
        b.write("old", b.const(0, U64))
    entry, done = s.with_entry(stored, key_of(s, stored, target))
    old = _atomic(s, entry, by, wanted)
    if old is not None:
        b.write("old", old)
    b.jump(done)
    b.place(done)
    return b.read("old", U64) if wanted else None


def _atomic(s: Lowerer, pointer: Value, by: Value, wanted: bool) -> Value | None:
    b = s.b
    if not wanted:
        b.atomic_add(pointer, by)
        return None
    if s.unit.target.have("atomics_fetch"):
        return b.fetch_add(pointer, by)
    # Before v5.12 there is no way to add and to know what was there in one step.
    old = b.load(pointer, U64)
    b.atomic_add(pointer, by)
    return old


def compound_map(s: Lowerer, statement: tree.Assign, target: tree.MapAccess) -> None:
    """`@x += value` and the like. Sums are atomic; the others read, compute and write."""
    b = s.b
    op = statement.op[:-1]
    stored = s.unit.variables[target.name]
    by = s.number(statement.value)
    if op in _ADDING:
        wide = b.ext(by, U64)
        if step_of(stored.value) != 1:
            wide = b.op("mul", wide, step_of(stored.value))
        _add(s, stored, target, wide if op == "+" else b.neg(wide), False)
        return
    one, other = stored.value, s.expect(statement.value)
    if stored.home is Home.CELL:
        new = combine(s, op, b.load(s.cell(stored), in_register(one)), by, one, other)
        b.store(s.cell(stored), new, one.size)
        _mark_written(s, stored)
        return
    entry, done = s.with_entry(stored, key_of(s, stored, target))
    new = combine(s, op, b.load(entry, in_register(one)), by, one, other)
    b.store(entry, new, one.size)
    b.jump(done)
    b.place(done)
