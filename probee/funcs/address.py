"""Addresses of networks: ntop pton macaddr."""

from __future__ import annotations

from ..base.bits import align_up
from ..ctype.types import UINT8, Array, CType, Int, Ptr
from ..ir.types import U64
from ..spec.values import Inet, MacAddress, Str
from .emit import ROOM, Place
from .func import Arg, CallSite, Func, Param, func
from .memory import reader_of
from .text import decode, store_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .emit import Emitter
    from .func import Checking

AF_INET, AF_INET6 = 2, 10
"""Linux's numbers, on every CPU."""

_BYTES = {AF_INET: 4, AF_INET6: 16}
_FAMILY = 4
"""Bytes before the address itself."""

_MAC = 6


@func
class Ntop(Func):
    """an address of the Internet as text; its family is known by its length, or said first"""

    name = "ntop"
    params = (Param("family or address", "any"), Param("address", "any", optional=True))

    def check(self, call: CallSite, to: Checking) -> CType:
        address = call.args[-1]
        if isinstance(address.type, Array):
            if address.type.size not in _BYTES.values():
                message = f"ntop() expects 4 or 16 bytes ({address.type} provided)"
                to.error(message, address.span)
        elif not isinstance(address.type, Int):
            to.error(f"ntop() expects an integer or array argument, got {address.type}", address.span)
        if len(call.args) > 1 and not isinstance(call.args[0].type, Int):
            family = call.args[0]
            to.error(f"ntop() expects an integer as family, got {family.type}", family.span)
        return Inet()

    def lower_into(self, call: CallSite, to: Emitter, place: Place) -> None:
        b, address = to.b, call.args[-1]
        size = address.type.size if isinstance(address.type, Array) else 4
        family = AF_INET6 if size == _BYTES[AF_INET6] else AF_INET
        value = b.const(family, U64) if len(call.args) < 2 else to.value(call.args[0])
        b.store(place.pointer, value, _FAMILY, place.offset)
        at = place.offset + _FAMILY
        if isinstance(address.type, Array):
            to.fill(address, Place(place.pointer, at, address.type, clean=True))
        else:
            b.store(place.pointer, b.ext(to.value(address), U64), size, at)
        if place.type.size > _FAMILY + size:
            b.zero(place.pointer, place.type.size - _FAMILY - size, at + size)


@func
class Pton(Func):
    """the bytes of an address of the Internet that is written out, in the network's order"""

    name = "pton"
    params = (Param("address", "text"),)

    def check(self, call: CallSite, to: Checking) -> CType:
        data = parse_inet(decode(call.args[0].text))
        if data is None:
            text = decode(call.args[0].text)
            message = f"pton() expects a valid IPv4 or IPv6 address, got '{text}'"
            to.error(message, call.args[0].span)
        return Array(UINT8, len(data or b"") or 4)

    def lower_into(self, call: CallSite, to: Emitter, place: Place) -> None:
        data = parse_inet(decode(call.args[0].text))
        assert data is not None
        store_bytes(to.b, place.pointer, place.offset, data)


def parse_inet(text: str) -> bytes | None:
    """The 4 or 16 bytes of an address; None for what is none."""
    from socket import inet_pton

    try:
        return inet_pton(AF_INET6 if ":" in text else AF_INET, text)
    except (OSError, ValueError):
        return None


@func
class Macaddr(Func):
    """an Ethernet address: the 6 bytes of an array, or at an address"""

    name = "macaddr"
    params = (Param("mac", "any"),)

    def check(self, call: CallSite, to: Checking) -> CType:
        source, type = call.args[0], call.args[0].type
        if source.text is not None:
            to.error("macaddr() does not support literal string arguments", source.span)
        elif isinstance(type, (Array, Str)):
            if type.size < _MAC:
                to.error(f"macaddr() argument must be at least {_MAC} bytes in size", source.span)
        elif not isinstance(type, (Int, Ptr)):
            message = f"macaddr() only supports array or pointer arguments ({type} provided)"
            to.error(message, source.span)
        return MacAddress()

    def lower_into(self, call: CallSite, to: Emitter, place: Place) -> None:
        source: Arg = call.args[0]
        b = to.b
        if isinstance(source.type, (Array, Str)):
            memory = b.slot(align_up(source.type.size + ROOM, 8))
            to.fill(source, Place(memory, 0, source.type))
            b.copy(place.pointer, memory, _MAC, place.offset)
            return
        address = b.ext(to.value(source), U64)
        read = reader_of(source.type, to.provider.space)
        b.call(read, b.offset(place.pointer, place.offset), _MAC, address)
