"""Single entries of maps: delete has_key."""

from __future__ import annotations

from ..ctype.types import BOOL, CType
from ..ir.types import U64
from .func import Arg, CallSite, Func, Param, func
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


@func
class HasKey(_Entry):
    """true if a map has an entry for a key"""

    name = "has_key"

    def check(self, call: CallSite, to: Checking) -> CType:
        arg: Arg = call.args[0]
        if not to.is_keyed(arg.variable):
            to.error(f"{self.name}() expects a map with explicit keys (non-scalar map)", arg.span)
        return BOOL

    def lower(self, call: CallSite, to: Emitter) -> Value:
        stored = to.unit.variables[call.args[0].variable]
        return to.b.compare("ne", to.find_entry(stored, to.key(call.args[-1])), 0)
