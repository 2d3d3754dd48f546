"""buf: bytes of the traced system, or of text and arrays."""

from __future__ import annotations

from ..base.bits import align_up
from ..ctype.types import Array, CType, Int, Ptr
from ..ir.types import U64
from ..spec.values import Buffer, Str
from .emit import ROOM, Place
from .func import CallSite, Func, Param, func
from .memory import at_most, reader_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Value
    from .emit import Emitter
    from .func import Checking

_COUNT = 4
"""Bytes before those of the buffer: how many they are."""


@func
class Buf(Func):
    """bytes at an address, or of text or an array, shown by %r %rx %rh; of an array, all of them"""

    name = "buf"
    params = (Param("data", "any"), Param("length", "int", optional=True))

    def check(self, call: CallSite, to: Checking) -> CType:
        source = call.args[0]
        if not isinstance(source.type, (Int, Ptr, Array, Str)):
            message = f"buf() expects an integer, pointer, array or string ({source.type} provided)"
            to.error(message, source.span)
            return Buffer(1)
        room = source.type.size if isinstance(source.type, (Array, Str)) else to.max_strlen
        if len(call.args) < 2:
            if not isinstance(source.type, Array):
                message = f"buf() expects a length argument for non-array type {source.type}"
                to.error(message, call.span)
            return Buffer(min(room, to.max_strlen))
        length = call.args[1].number
        if length is not None and length < 0:
            to.error(f"buf() expects a positive length ({length} provided)", call.args[1].span)
        if length is not None and length > to.max_strlen:
            message = f"length param ({length}) is too long and will be shortened to {to.max_strlen} bytes"
            to.warn(message, call.args[1].span, "set max_strlen in config to have more")
        return Buffer(min(room, to.max_strlen, room if length is None else max(length, 1)))

    def lower_into(self, call: CallSite, to: Emitter, place: Place) -> None:
        b, source = to.b, call.args[0]
        assert isinstance(place.type, Buffer)
        most = place.type.bytes
        if place.clean:
            b.zero(place.pointer, place.type.size, place.offset)
        length = self._length(call, to, most)
        if isinstance(source.type, (Array, Str)):
            memory = b.slot(align_up(source.type.size + ROOM, 8))
            b.zero(memory, align_up(source.type.size + ROOM, 8))
            to.fill(source, Place(memory, 0, source.type, clean=True))
            b.store(place.pointer, length, _COUNT, place.offset)
            b.copy(place.pointer, memory, min(most, source.type.size), place.offset + _COUNT)
            return
        address = b.ext(to.value(source), U64)
        b.store(place.pointer, length, _COUNT, place.offset)
        target = b.offset(place.pointer, place.offset + _COUNT)
        b.call(reader_of(source.type, to.provider.space), target, length, address)

    def _length(self, call: CallSite, to: Emitter, most: int) -> Value | int:
        if len(call.args) < 2:
            return most
        limit = call.args[1]
        return min(limit.number, most) if limit.number is not None else at_most(to, to.value(limit), most)
