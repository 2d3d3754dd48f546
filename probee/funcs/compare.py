"""Sizes of text, and bytes compared: strcap default_str_length assert_str memcmp."""

from __future__ import annotations

from ..base.bits import align_up
from ..ctype.types import INT32, INT64, UINT64, VOID, Array, CType, Int, Ptr
from ..ir.types import S8, S32, S64, U64
from ..spec.values import Str
from .emit import ROOM, Place, in_memory
from .func import Arg, CallSite, Func, Param, func
from .loops import Rounds
from .memory import at_most
from .search import check_text, resolve
from .text import store_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Value
    from .emit import Emitter
    from .func import Checking


@func
class AssertStr(Func):
    """refuse to compile the script unless a value is text, or an array of or a pointer to bytes"""

    name = "assert_str"
    params = (Param("value", "any"),)

    def check(self, call: CallSite, to: Checking) -> CType:
        arg = call.args[0]
        type = resolve(arg.type)
        of = resolve(type.of) if isinstance(type, Array) else type.to if isinstance(type, Ptr) else None
        if of is not None and not (isinstance(of, Int) and of.bytes == 1):
            what = "arrays must contain" if isinstance(type, Array) else "pointers must point to"
            to.error(f"string-like {what} a char-like type", arg.span)
        elif of is None and arg.text is None and not isinstance(type, Str):
            to.error("string-like values must be either strings, arrays or pointers", arg.span)
        return VOID

    def lower(self, call: CallSite, to: Emitter) -> None:
        """Nothing is left to do."""


@func
class DefaultStrLength(Func):
    """bytes of text that str() reads without a length"""

    name = "default_str_length"

    def check(self, call: CallSite, to: Checking) -> CType:
        return UINT64

    def known(self, call: CallSite, to: Checking) -> int:
        return to.max_strlen


@func
class Strcap(Func):
    """bytes that text or an array has room for; of what a pointer points to, the length of the text"""

    name = "strcap"
    params = (Param("text", "any"),)

    def check(self, call: CallSite, to: Checking) -> CType:
        check_text(call.args[0], to, self.name)
        return INT64

    def known(self, call: CallSite, to: Checking) -> int | None:
        arg = call.args[0]
        if arg.text is not None:
            return len(arg.text) + 1
        type = resolve(arg.type)
        return type.size if isinstance(type, (Str, Array)) else None

    def lower(self, call: CallSite, to: Emitter) -> Value:
        from .search import Strlen

        return Strlen().lower(call, to)


@func
class Memcmp(Func):
    """0 if the first n bytes of two values are the same, else the difference of the first that differ"""

    name = "memcmp"
    params = (Param("value", "any"), Param("other", "any"), Param("n", "int"))

    def check(self, call: CallSite, to: Checking) -> CType:
        count = call.args[2]
        room = _room(call)
        if count.number is not None and not 0 <= count.number <= room:
            message = f"memcmp() expects at most {room} bytes of these values, got {count.number}"
            to.error(message, count.span)
        return INT32

    def lower(self, call: CallSite, to: Emitter) -> Value:
        b, room = to.b, _room(call)
        one, other = [_put(to, arg) for arg in call.args[:2]]
        limit = call.args[2]
        count = b.const(limit.number, U64) if limit.number is not None else at_most(to, to.value(limit), room)
        result, at = f"difference {id(call)}", f"index {id(call)}"
        body, differ, on, done = b.new_block(), b.new_block(), b.new_block(), b.new_block()
        b.write(result, b.const(0, S64))
        rounds = Rounds(to, room + 1, done, f"comparing {room} bytes", ends=2)
        rounds.start(at, 0)
        rounds.enter()
        index = b.read(at, U64)
        inside = b.new_block()
        b.branch(b.compare("ult", index, count), inside, done)
        b.place(inside)
        # Said for the verifier, which knows nothing of a count that is no constant.
        b.branch(b.compare("ult", index, room), body, done)
        b.place(body)
        left, right = [b.ext(b.load(b.offset(memory, index), S8), S64) for memory in (one, other)]
        b.branch(b.compare("eq", left, right), on, differ)
        b.place(differ)
        b.write(result, b.op("sub", left, right))
        b.jump(done)
        b.place(on)
        b.write(at, b.op("add", index, 1))
        rounds.again()
        b.place(done)
        return b.ext(b.read(result, S64), S32)


def _room(call: CallSite) -> int:
    """Bytes that both values have."""
    sizes = [len(arg.text) + 1 if arg.text is not None else resolve(arg.type).size for arg in call.args[:2]]
    return max(min(sizes), 1)


def _put(to: Emitter, arg: Arg) -> Value:
    """A value in memory of its own, with zeros after text."""
    b, type = to.b, resolve(arg.type)
    if arg.text is not None:
        type = Str(len(arg.text) + 1)
    size = align_up(type.size + ROOM, 8)
    memory = b.slot(size)
    b.zero(memory, size)
    if arg.text is not None:
        store_text(b, Place(memory, 0, type), arg.text)
    elif in_memory(type):
        to.fill(arg, Place(memory, 0, type, clean=True))
    else:
        b.store(memory, to.value(arg), type.size)
    return memory
