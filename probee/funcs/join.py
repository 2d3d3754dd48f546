"""join: the texts of an array, such as a program's arguments, on a line."""

from __future__ import annotations

from ..ctype.types import VOID, CType, Int, Ptr
from ..ir.types import U64
from ..spec.values import Str
from .func import CallSite, Func, Param, func
from .memory import reader_of
from .text import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Block
    from .emit import Emitter, Place
    from .func import Checking

MOST = 16
"""Texts of an array that are printed."""

LENGTH = 1024
"""Bytes of each of them, NUL included."""


@func
class Join(Func):
    """print the texts of an array of pointers, up to a null pointer, with a space or `separator` between"""

    name = "join"
    params = (Param("array", "any"), Param("separator", "text", optional=True))
    effect = True

    def check(self, call: CallSite, to: Checking) -> CType:
        array = call.args[0]
        if not isinstance(array.type, (Int, Ptr)):
            to.error("join() only supports int and pointer arguments", array.span)
        return VOID

    def lower(self, call: CallSite, to: Emitter) -> None:
        b = to.b
        array = b.ext(to.value(call.args[0]), U64)
        separator = b" " if len(call.args) < 2 else call.args[1].text or b""
        read = reader_of(call.args[0].type, to.provider.space)

        def fill(places: list[Place]) -> None:
            for place in places:
                b.store(place.pointer, 0, 1, place.offset)
            pointer, done = b.slot(8), b.new_block()
            for index, place in enumerate(places):
                b.call(read, pointer, 8, b.op("add", array, 8 * index))
                following: Block = b.new_block()
                text = b.load(pointer, U64)  # 0 where it can't be read
                b.branch(b.compare("ne", text, 0), following, done)
                b.place(following)
                b.call(f"{read}_str", b.offset(place.pointer, place.offset), LENGTH, text)
            b.jump(done)
            b.place(done)

        to.send("join", call, [Str(LENGTH)] * MOST, fill, format=decode(separator))
