"""Entries of maps: delete has_key find len."""

from __future__ import annotations

from ..ctype.types import BOOL, INT64, CType
from ..ir.types import U64, VALUE
from ..spec.values import Aggregate, Stack
from .emit import in_memory, in_register
from .func import Arg, CallSite, Func, Param, func
from .merged import merge_cpus
from .stack import stack_length
from .stored import Home, Stored

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Value
    from .emit import Emitter
    from .func import Checking


class _Entry(Func):
    """Something about one entry: `f(@x[key])` or `f(@x, key)`."""

    params = (Param("map", "entry"), Param("key", "key", optional=True))

    def check(self, call: CallSite, to: Checking) -> CType:
        return BOOL


@func
class Delete(_Entry):
    """remove an entry of a map, or a variable's value; true if there was one"""

    name = "delete"
    effect = True

    def check(self, call: CallSite, to: Checking) -> CType:
        if len(call.args) > 1:
            _check_keyed("delete() with two arguments", call.args[0], to)
        return BOOL

    def lower(self, call: CallSite, to: Emitter) -> Value:
        stored = to.unit.variables[call.args[0].variable]
        if stored.home is Home.HASH:
            result = to.b.call("map_delete_elem", to.b.map(stored.map), to.key(call.args[-1]))
            return to.b.compare("eq", result, 0)
        if stored.home is Home.CELL:
            return _empty(to, to.cell(stored), stored)
        b = to.b
        b.write("had", b.const(0, U64))
        to.each_slot(stored, lambda slot: _note(to, _empty(to, slot, stored)))
        return b.compare("ne", b.read("had", U64), 0)


def _note(to: Emitter, had: Value) -> None:
    to.b.write("had", to.b.op("or", to.b.read("had", U64), to.b.ext(had, U64)))


def _empty(to: Emitter, slot: Value, stored: Stored) -> Value:
    """Set a variable's memory to zeros; 1 if it had a value."""
    b = to.b
    had = b.load(slot, U64, max(stored.written, 0))
    size = stored.value.size if stored.written < 0 else stored.written + 8
    b.zero(slot, size)
    return b.compare("ne", had, 0)


def _check_keyed(what: str, arg: Arg, to: Checking) -> bool:
    if not to.is_keyed(arg.variable):
        to.error(f"call to {what} expects a map with explicit keys (non-scalar map)", arg.span)
        return False
    return True


@func
class HasKey(_Entry):
    """true if a map has an entry for a key"""

    name = "has_key"

    def check(self, call: CallSite, to: Checking) -> CType:
        _check_keyed("has_key()", call.args[0], to)
        return BOOL

    def lower(self, call: CallSite, to: Emitter) -> Value:
        stored = to.unit.variables[call.args[0].variable]
        return to.b.compare("ne", to.find_entry(stored, to.key(call.args[-1])), 0)


@func
class Find(Func):
    """set a variable to what a map has for a key; false, and the variable as it was, if it has nothing"""

    name = "find"
    params = (Param("map", "entry"), Param("key", "key"), Param("result", "local"))
    effect = True

    def check(self, call: CallSite, to: Checking) -> CType:
        if not _check_keyed("find", call.args[0], to):
            return BOOL
        value = to.value_type(call.args[0].variable)
        if value is not None:
            to.assign(call.args[2], value)
        return BOOL

    def lower(self, call: CallSite, to: Emitter) -> Value:
        b = to.b
        stored = to.unit.variables[call.args[0].variable]
        key = to.key(call.args[1])
        entry = to.find_entry(stored, key)
        there, done = b.new_block(), b.new_block()
        b.branch(b.compare("ne", entry, 0), there, done)
        b.place(there)
        pointer = b.cast(entry, VALUE)
        if isinstance(stored.value, Aggregate):
            to.assign(call.args[2], merge_cpus(to, stored, key))
        elif in_memory(stored.value):
            to.assign_from(call.args[2], pointer, stored.value)
        else:
            to.assign(call.args[2], b.load(pointer, in_register(stored.value)))
        b.jump(done)
        b.place(done)
        return b.compare("ne", entry, 0)


@func
class Len(Func):
    """how many entries a map has, or how many frames a stack"""

    name = "len"
    early = True
    params = (Param("of", "print"),)

    def check(self, call: CallSite, to: Checking) -> CType:
        (arg,) = call.args
        if not arg.variable and not isinstance(arg.type, Stack):
            to.error("call to len() expects a map, ustack, or kstack", arg.span)
        elif arg.variable and to.value_type(arg.variable) is not None and not to.is_keyed(arg.variable):
            to.error("call to len() expects a map with explicit keys (non-scalar map)", arg.span)
        return INT64

    def lower(self, call: CallSite, to: Emitter) -> Value:
        (arg,), b = call.args, to.b
        if not arg.variable:
            return stack_length(arg, to)
        to.need("for_each_map_elem", "len() of a map")
        visit = b.callback()
        visit.ret(0)
        return b.each(b.map(to.unit.variables[arg.variable].map), visit.finish().name)
