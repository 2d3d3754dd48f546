"""Numbers seen otherwise: kptr uptr bswap."""

from __future__ import annotations

from ..ctype.types import VOID, CType, Enum, Int, Ptr
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
