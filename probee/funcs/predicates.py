"""What is known before the script runs: is_str is_ptr … of values, is_scalar of maps; is_err of addresses."""

from __future__ import annotations

from ..ctype.types import BOOL, Array, CType, Int, Ptr, Typedef
from ..ir.types import BOOL as TRUTH
from ..ir.types import S64
from ..spec.values import Str
from .func import Arg, CallSite, Func, Param, func

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Value
    from .emit import Emitter
    from .func import Checking

_LARGEST_ERROR = 4095
"""MAX_ERRNO: the last addresses are errors, as functions of the kernel return them."""


class _Predicate(Func):
    """A constant: the branch that it decides against leaves no code."""

    params = (Param("value", "any"),)

    def check(self, call: CallSite, to: Checking) -> CType:
        return BOOL

    def lower(self, call: CallSite, to: Emitter) -> Value:
        return to.b.const(int(self._holds(call.args[0], _resolve(call.args[0].type))), TRUTH)

    def _holds(self, arg: Arg, type: CType) -> bool:
        raise AssertionError(self.name)


def _resolve(type: CType) -> CType:
    while isinstance(type, Typedef):
        type = type.to
    return type


@func
class IsStr(_Predicate):
    """true of text"""

    name = "is_str"

    def _holds(self, arg: Arg, type: CType) -> bool:
        return isinstance(type, Str)


@func
class IsPtr(_Predicate):
    """true of a pointer"""

    name = "is_ptr"

    def _holds(self, arg: Arg, type: CType) -> bool:
        return isinstance(type, Ptr)


@func
class IsArray(_Predicate):
    """true of an array"""

    name = "is_array"

    def _holds(self, arg: Arg, type: CType) -> bool:
        return isinstance(type, Array)


@func
class IsInteger(_Predicate):
    """true of an integer"""

    name = "is_integer"

    def _holds(self, arg: Arg, type: CType) -> bool:
        return isinstance(type, Int)


@func
class IsUnsignedInteger(_Predicate):
    """true of an integer without a sign"""

    name = "is_unsigned_integer"

    def _holds(self, arg: Arg, type: CType) -> bool:
        return isinstance(type, Int) and not type.signed


@func
class IsLiteral(_Predicate):
    """true of what is known before the script runs"""

    name = "is_literal"

    def _holds(self, arg: Arg, type: CType) -> bool:
        return arg.text is not None or arg.number is not None


@func
class IsScalar(Func):
    """true of a map without keys"""

    name = "is_scalar"
    params = (Param("map", "map"),)

    def check(self, call: CallSite, to: Checking) -> CType:
        return BOOL

    def known(self, call: CallSite, to: Checking) -> int:
        return int(not to.is_keyed(call.args[0].variable))


@func
class IsErr(Func):
    """true of an address that is an error, as functions of the kernel return them"""

    name = "is_err"
    params = (Param("address", "any"),)

    def check(self, call: CallSite, to: Checking) -> CType:
        if not isinstance(_resolve(call.args[0].type), (Int, Ptr)):
            to.error(f"is_err() expects an address ({call.args[0].type} provided)", call.args[0].span)
        return BOOL

    def lower(self, call: CallSite, to: Emitter) -> Value:
        b = to.b
        number = b.ext(to.value(call.args[0]), S64)
        return b.compare("ult", b.op("sub", b.const(-1, S64), number), _LARGEST_ERROR)
