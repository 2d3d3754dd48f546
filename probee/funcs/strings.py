"""str: text of the traced process."""

from __future__ import annotations

from ..base.bits import align_up
from ..ctype.types import Array, CType, Int, Ptr
from ..ir.types import U64, int_type
from ..spec.values import Str
from .counted import find_counted
from .emit import ROOM, Place
from .func import CallSite, Func, Param, func
from .memory import at_most, reader_of
from .text import copy_text, store_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Value
    from .counted import Counted
    from .emit import Emitter
    from .func import Checking

_PADDED = 1024
"""From this length of max_strlen on a text is read with its NUL in it, below it with the NUL after it."""


@func
class StrFunc(Func):
    """the text at an address, up to its NUL; or at most so many bytes of it, NUL included; a string of Go or
    Rust"""

    name = "str"
    params = (Param("address", "address"), Param("length", "int", optional=True))

    def check(self, call: CallSite, to: Checking) -> CType:
        source = call.args[0]
        if source.text is not None:
            return Str(len(_constant(call)) + 1)
        if isinstance(source.type, Str):
            return source.type
        if _is_bytes(source.type):
            return Str(min(source.type.size, self._room(call, to)))
        if not isinstance(source.type, (Int, Ptr)) and find_counted(source.type) is None:
            message = "str() expects a string, integer or a pointer type as first argument"
            to.error(f"{message} ({source.type} provided)", call.span)
        return Str(self._room(call, to))

    def _room(self, call: CallSite, to: Checking) -> int:
        if len(call.args) < 2 or call.args[1].number is None:
            return to.max_strlen
        length = call.args[1].number
        if length < 0:
            to.error(f"str() cannot use negative length ({length})", call.args[1].span)
            return 1
        if length + 1 > to.max_strlen:
            message = f"length param ({length}) is too long and will be shortened to {to.max_strlen} bytes"
            to.warn(message, call.args[1].span, "set max_strlen in config to have more")
            return to.max_strlen
        return length + 1

    def known(self, call: CallSite, to: Checking) -> bytes | None:
        return self.constant(call)

    def constant(self, call: CallSite) -> bytes | None:
        return None if call.args[0].text is None else _constant(call)

    def lower_into(self, call: CallSite, to: Emitter, place: Place) -> None:
        source = call.args[0]
        if source.text is not None:
            store_text(to.b, place, _constant(call))
            return
        if isinstance(source.type, Str):
            to.fill(source, place)
            return
        if _is_bytes(source.type):
            memory = to.b.slot(align_up(source.type.size + ROOM, 8))
            to.fill(source, Place(memory, 0, source.type))
            copy_text(to.b, place, memory, 0, min(_type_of(call, to).size, source.type.size))
            return
        counted = find_counted(source.type)
        if counted is not None:
            self._read_counted(call, to, place, counted)
            return
        own = _type_of(call, to)
        if own.size <= place.type.size:
            self._read(call, to, place, own.size)
            return
        # A place that is smaller than what is read (a variable that was first set to a shorter text)
        # can't be: merged types are the larger. Keys of fixed type can.
        memory = to.b.slot(align_up(own.size + ROOM, 8))
        self._read(call, to, Place(memory, 0, own), own.size)
        copy_text(to.b, place, memory, 0, own.size)

    def _read(self, call: CallSite, to: Emitter, place: Place, size: int) -> None:
        b = to.b
        if place.clean:
            b.zero(place.pointer, place.type.size, place.offset)
        longest = _longest_read(to.unit.options.max_strlen)
        address = to.value(call.args[0])
        length = self._length(call, to, longest)
        target = b.offset(place.pointer, place.offset)
        if not isinstance(length, int) or not length:
            b.store(target, 0, 1)  # the kernel writes nothing where nothing is asked for
        b.call(f"{reader_of(call.args[0].type, to.provider.space)}_str", target, length, b.ext(address, U64))

    def _read_counted(self, call: CallSite, to: Emitter, place: Place, counted: Counted) -> None:
        """Text of Go or Rust: as much as the record says, no NUL being in it."""
        b, type = to.b, call.args[0].type
        record = b.slot(align_up(type.size, 8))
        to.fill(call.args[0], Place(record, 0, type))
        if place.clean:
            b.zero(place.pointer, place.type.size, place.offset)
        most = min(_type_of(call, to).size, place.type.size)
        size = b.ext(b.load(b.offset(record, counted.length), int_type(counted.type.size, False)), U64)
        length = at_most(to, b.op("add", size, 1), most)
        address = b.load(b.offset(record, counted.address), U64)
        target = b.offset(place.pointer, place.offset)
        b.store(target, 0, 1)
        helper = f"probe_read_{to.provider.space}_str"
        to.check_result(helper, b.call(helper, target, length, address))

    def _length(self, call: CallSite, to: Emitter, longest: int) -> Value | int:
        if len(call.args) < 2:
            return longest
        limit = call.args[1]
        if limit.number is not None:
            return min(limit.number, longest)
        return at_most(to, to.value(limit), longest)


def _is_bytes(type: CType) -> bool:
    """True of an array whose elements are bytes: text that is part of a struct."""
    return isinstance(type, Array) and isinstance(type.of, Int) and type.of.bytes == 1


def _constant(call: CallSite) -> bytes:
    """The text that str() of a constant is."""
    text = call.args[0].text or b""
    limit = call.args[1].number if len(call.args) > 1 else None
    return text if limit is None else text[: max(limit - 1, 0)]


def _longest_read(max_strlen: int) -> int:
    return max_strlen + ROOM if max_strlen < _PADDED else max_strlen


def _type_of(call: CallSite, to: Emitter) -> Str:
    limit = call.args[1].number if len(call.args) > 1 else None
    most = to.unit.options.max_strlen
    return Str(most if limit is None else min(limit + 1, most))
