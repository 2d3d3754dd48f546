"""What probes say the place of: their arguments, the goroutine; a register, memory, a constant."""

from __future__ import annotations

from ..arch import find as find_arch
from ..ctype.types import INT64, UINT64, CType
from ..ir.types import S64, U64, int_type
from ..usdt.args import Arg, Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..ir.nodes import Value
    from .emit import Emitter


def find_trouble(arguments: Sequence[Arg], number: int) -> str | None:
    """Why argument `number` of a probe with `arguments` can't be read; None where it can."""
    if number >= len(arguments):
        count = len(arguments)
        return f"the probe has {count or 'no'} argument{'' if count == 1 else 's'}"
    arg = arguments[number]
    if arg.is_float:
        return f"it is a floating point value, {arg.text}"
    return f"{arg.reason} ({arg.text})" if arg.kind == Kind.UNSUPPORTED else None


def merge_types(arguments: Sequence[Arg]) -> CType:
    """The type, of 64 bits, that holds the value of each of `arguments`."""
    has_negative = any(arg.signed for arg in arguments)
    fits = all(arg.signed or arg.size < 8 for arg in arguments)
    return INT64 if has_negative and fits else UINT64


def read_argument(to: Emitter, arg: Arg) -> Value:
    """The value of `arg`, extended to 64 bits as its size and sign say; 0 where its memory can't be read."""
    b = to.b
    if arg.kind == Kind.CONSTANT:
        value = b.const(arg.value, U64)
        value = b.op("add", _register(to, arg.register), value) if arg.register else value
    elif arg.kind == Kind.REGISTER:
        value = _register(to, arg.register)
        value = b.op("lshr", value, arg.shift) if arg.shift else value
    else:
        memory = b.slot(8)
        # Where the read fails the kernel leaves zeros.
        b.call("probe_read_user", memory, arg.size, _address(to, arg))
        value = b.load(memory, int_type(arg.size, arg.signed))
    return b.ext(b.ext(value, int_type(arg.size, arg.signed)), S64 if arg.signed else U64)


def _address(to: Emitter, arg: Arg) -> Value:
    b = to.b
    where = b.const(arg.displacement, U64)
    if arg.register:
        where = b.op("add", _register(to, arg.register), where)
    if arg.index:
        index = b.ext(_register(to, arg.index), int_type(arg.index_size, arg.index_signed))
        where = b.op("add", where, b.op("mul", b.ext(index, U64), arg.scale))
    return where


def _register(to: Emitter, name: str) -> Value:
    """All of a register."""
    register = find_arch(to.unit.target.machine).register(name)
    return to.b.load(to.b.context(), U64, register.offset)
