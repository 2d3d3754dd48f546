"""An aggregate as one number, over all CPUs, inside a program: `if (@calls > 1000)`."""

from __future__ import annotations

from ..ir.types import S64, U64
from ..spec.values import Avg, Max, Min
from .stored import Home

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Value
    from .emit import Emitter
    from .stored import Stored

_SIGN = 1 << 63
_ALL = (1 << 64) - 1


def merge_cpus(to: Emitter, stored: Stored, key: Value | None) -> Value:
    """The number that `stored` is over all CPUs: count, total, extreme or average; 0 where nothing was."""
    b = to.b
    b.write("first", b.const(0, U64))
    b.write("second", b.const(0, U64))
    if stored.home is Home.SLOT:
        to.each_slot(stored, lambda slot: _gather(to, stored, slot))
    else:
        assert key is not None
        to.each_entry(stored, key, lambda slot: _gather(to, stored, slot))
    return _result(to, stored)


def _gather(to: Emitter, stored: Stored, slot: Value) -> None:
    b, type = to.b, stored.value
    first = b.load(slot, U64)
    if isinstance(type, (Min, Max)):
        larger, on = b.new_block(), b.new_block()
        b.branch(b.compare("ult", b.read("first", U64), first), larger, on)
        b.place(larger)
        b.write("first", first)
        b.jump(on)
        b.place(on)
    else:
        b.write("first", b.op("add", b.read("first", U64), first))
    if type.size > 8:
        b.write("second", b.op("add", b.read("second", U64), b.load(slot, U64, 8)))


def _result(to: Emitter, stored: Stored) -> Value:
    b, type = to.b, stored.value
    first, wide = b.read("first", U64), S64 if getattr(type, "signed", False) else U64
    if not isinstance(type, (Min, Max, Avg)):
        return b.cast(first, wide)
    had, done = b.new_block(), b.new_block()
    b.write("merged", b.const(0, wide))
    second = b.read("second", U64)
    b.branch(b.compare("ne", second, 0), had, done)
    b.place(had)
    if isinstance(type, Avg):
        number = b.op("sdiv" if type.signed else "udiv", b.cast(first, wide), second, wide)
    else:
        flip = _SIGN if type.signed else 0
        number = b.op("xor", first, flip if isinstance(type, Max) else flip ^ _ALL, wide)
    b.write("merged", number)
    b.jump(done)
    b.place(done)
    return b.read("merged", wide)
