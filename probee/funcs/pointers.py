"""Numbers seen otherwise: kptr uptr bswap container_of."""

from __future__ import annotations

from ..ctype.types import VOID, CType, Enum, Int, Ptr, Struct, strip_typedefs
from ..ir.types import U64, int_type
from .func import CallSite, Func, Param, func

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Value
    from .emit import Emitter
    from .func import Checking


class _Space(Func):
    params = (Param("address", "any"),)
    space: str

    def check(self, call: CallSite, to: Checking) -> CType:
        type = call.args[0].type
        if isinstance(type, Ptr):
            return Ptr(type.to, self.space)
        if not isinstance(type, Int):
            message = f"{self.name}() only supports integer and pointer arguments ({type} provided)"
            to.error(message, call.span)
        return Ptr(VOID, self.space)

    def lower(self, call: CallSite, to: Emitter) -> Value:
        return to.b.ext(to.value(call.args[0]), U64)


@func
class Kptr(_Space):
    """the same address, taken for one of the kernel"""

    name, space = "kptr", "kernel"


@func
class Uptr(_Space):
    """the same address, taken for one of the traced process"""

    name, space = "uptr", "user"


@func
class Bswap(Func):
    """a number with its bytes in the other order"""

    name = "bswap"
    params = (Param("n", "int"),)

    def check(self, call: CallSite, to: Checking) -> CType:
        type = call.args[0].type
        return Int(type.bytes if isinstance(type, (Int, Enum)) else 8, False)

    def lower(self, call: CallSite, to: Emitter) -> Value:
        type = call.args[0].type
        size = type.bytes if isinstance(type, (Int, Enum)) else 8
        return swap(to, to.value(call.args[0]), size)


def swap(to: Emitter, value: Value, size: int) -> Value:
    """The low `size` bytes of `value` in the other order: neighbours change places, then pairs, fours."""
    b = to.b
    number = b.ext(b.ext(value, int_type(size, False)), U64)
    step = 1
    while step < size:
        bits = 8 * step
        mask = sum(((1 << bits) - 1) << at for at in range(0, 8 * size, 2 * bits))
        low = b.op("shl", b.op("and", number, mask), bits)
        number = b.op("or", low, b.op("and", b.op("lshr", number, bits), mask))
        step *= 2
    return b.ext(number, int_type(size, False))


@func
class ContainerOf(Func):
    """the struct that a member is part of, by the member's address"""

    name = "container_of"
    params = (Param("pointer", "any"), Param("type", "type"), Param("member", "word"))

    def check(self, call: CallSite, to: Checking) -> CType:
        pointer, whole, member = call.args
        if not isinstance(pointer.type, (Int, Ptr)):
            to.error(f"container_of() expects a pointer, got {pointer.type}", pointer.span)
        if _find_offset(whole.type, member.word) is None:
            to.error(f"'{whole.type}' does not contain a field named '{member.word}'", member.span)
        return Ptr(whole.type, pointer.type.space if isinstance(pointer.type, Ptr) else "")

    def lower(self, call: CallSite, to: Emitter) -> Value:
        pointer, whole, member = call.args
        offset = _find_offset(whole.type, member.word)
        assert offset is not None  # checked
        return to.b.op("sub", to.b.ext(to.value(pointer), U64), offset)


def _find_offset(type: CType, name: str) -> int | None:
    """Bytes from the start of a struct to its member `name`, those of anonymous structs among them."""
    type = strip_typedefs(type)
    for member in type.members if isinstance(type, Struct) else ():
        within = _find_offset(member.type, name) if not member.name else None
        if member.name == name or within is not None:
            return member.offset_bits // 8 + (within or 0)
    return None
