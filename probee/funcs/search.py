"""Text inside text, in programs: strlen strncmp strstr strcontains str_concat."""

from __future__ import annotations

from ..base.bits import align_up, ceil_pow2
from ..ctype.types import BOOL, INT64, UINT64, Array, CType, Int, Ptr, Typedef
from ..ir.types import S64, U8, U16, U64
from ..spec.values import Str
from .emit import Place
from .func import Arg, CallSite, Func, Param, func
from .loops import Rounds
from .memory import at_most, reader_of
from .text import HIGHS, ONES, copy_text, equal_text, marks_of_nul, store_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.builder import Builder
    from ..ir.nodes import Block, Value
    from .emit import Emitter
    from .func import Checking


def resolve(type: CType) -> CType:
    """What a typedef stands for."""
    while isinstance(type, Typedef):
        type = type.to
    return type


def check_text(arg: Arg, to: Checking, name: str) -> None:
    """Complain of an argument that is no text, nor an array of or a pointer to bytes."""
    type = resolve(arg.type)
    of = resolve(type.of) if isinstance(type, Array) else type.to if isinstance(type, Ptr) else None
    if arg.text is None and not isinstance(type, Str) and not (isinstance(of, Int) and of.bytes == 1):
        hint = "str(address) makes text of an address"
        to.error(f"{name}() expects text ({arg.type} provided)", arg.span, hint)


def _room(arg: Arg, to: Checking | Emitter) -> int:
    """Bytes that the text of `arg` takes at most, its NUL counted where it has one."""
    if arg.text is not None:
        return len(arg.text.split(b"\0")[0]) + 1
    type = resolve(arg.type)
    if isinstance(type, (Str, Array)):
        return type.size
    return to.max_strlen


def _put(to: Emitter, arg: Arg, room: int, size: int) -> Value:
    """Memory of `size` bytes (more than `room`), zeros but for the text of `arg`: so it ends in NUL."""
    b = to.b
    memory = b.slot(size)
    b.zero(memory, size)
    if arg.text is not None:
        store_text(b, Place(memory, 0, Str(room)), arg.text.split(b"\0")[0])
    elif isinstance(resolve(arg.type), Ptr):
        read = reader_of(arg.type, to.provider.space)
        b.call(f"{read}_str", memory, room, b.ext(to.value(arg), U64))
    else:
        to.fill(arg, Place(memory, 0, resolve(arg.type)))
    return memory


def _measure(to: Emitter, memory: Value, size: int) -> Value:
    """The length of the text in `size` bytes of memory, which has a NUL: a word at a time."""
    b = to.b
    found, body, on = b.new_block(), b.new_block(), b.new_block()
    index, marks = f"index {id(found)}", f"marks {id(found)}"
    rounds = Rounds(to, size // 8, found, f"measuring text of {size} bytes")
    rounds.start(index, 0)
    b.write(marks, b.const(HIGHS, U64))
    rounds.enter()
    b.branch(b.compare("ult", b.read(index, U64), size // 8), body, found)
    b.place(body)
    at = b.op("shl", b.read(index, U64), 3)
    b.write(marks, marks_of_nul(b, b.load(b.offset(memory, at), U64)))
    b.branch(b.compare("ne", b.read(marks, U64), 0), found, on)
    b.place(on)
    b.write(index, b.op("add", b.read(index, U64), 1))
    rounds.again()
    b.place(found)
    # Of the lowest mark 0x80 << 8k, the bits below it have k + 1 times the lowest bit of a byte.
    lowest = b.op("and", b.read(marks, U64), b.neg(b.read(marks, U64)))
    below = b.op("and", b.op("sub", lowest, 1), ONES)
    count = b.op("lshr", b.op("mul", below, ONES), 56)
    return b.op("add", b.op("shl", b.read(index, U64), 3), b.op("sub", count, 1))


@func
class Strlen(Func):
    """bytes of a text before its NUL"""

    name = "strlen"
    params = (Param("text", "any"),)

    def check(self, call: CallSite, to: Checking) -> CType:
        check_text(call.args[0], to, self.name)
        return UINT64

    def lower(self, call: CallSite, to: Emitter) -> Value:
        source = call.args[0]
        if source.text is not None:
            return to.b.const(_room(source, to) - 1, U64)
        room = _room(source, to)
        size = align_up(room + 1, 8)
        return _measure(to, _put(to, source, room, size), size)


@func
class Strncmp(Func):
    """0 if two texts are equal, or their first n bytes are; else 1"""

    name = "strncmp"
    params = (Param("text", "any"), Param("other", "any"), Param("n", "number"))

    def check(self, call: CallSite, to: Checking) -> CType:
        for arg in call.args[:2]:
            check_text(arg, to, self.name)
        if (call.args[2].number or 0) < 0:
            message = f"Builtin strncmp requires a non-negative literal ({call.args[2].number} provided)"
            to.error(message, call.args[2].span)
        return UINT64

    def lower(self, call: CallSite, to: Emitter) -> Value:
        b, rooms = to.b, [_room(arg, to) for arg in call.args[:2]]
        limit = call.args[2].number or 0
        sizes = [align_up(room + 1, 8) for room in rooms]
        one, other = [_put(to, *three) for three in zip(call.args[:2], rooms, sizes, strict=True)]
        return b.ext(b.compare("eq", equal_text(to, one, sizes[0], other, sizes[1], limit), 0), U64)


class _Find(Func):
    params = (Param("haystack", "any"), Param("needle", "any"))

    def check(self, call: CallSite, to: Checking) -> CType:
        for arg in call.args:
            check_text(arg, to, self.name)
        return BOOL if self.name == "strcontains" else INT64

    def _find(self, call: CallSite, to: Emitter) -> Value:
        haystack, needle = call.args
        room = _room(haystack, to)
        return _Search(to, haystack, room, needle, _room(needle, to)).find()


class _Search:
    """Knuth, Morris and Pratt's: `back[j]` is how much of the needle is still matched when the byte after
    j matched ones differs."""

    def __init__(self, to: Emitter, haystack: Arg, hay_room: int, needle: Arg, needle_room: int) -> None:
        self.to = to
        self.b = to.b
        self.what = f"searching text of {hay_room} bytes"
        self.rounds = 2 * hay_room + 2
        self.hay_mask = ceil_pow2(hay_room + 1) - 1
        # More than the haystack has room for can't be found, and is told apart by one byte.
        self.room = min(needle_room, hay_room + 1)
        self.needle_mask = ceil_pow2(needle_room + 1) - 1
        self.haystack = _put(to, haystack, hay_room, max(self.hay_mask + 1, 8))
        self.needle = _put(to, needle, needle_room, max(self.needle_mask + 1, 8))
        self.back = self.b.slot(2 * (self.needle_mask + 1))
        self.b.zero(self.back, 2 * (self.needle_mask + 1))
        self.fixed = needle.text is not None
        if needle.text is not None:
            for at, value in enumerate(_back_of(needle.text.split(b"\0")[0])):
                if value:
                    self.b.store(self.back, value, 2, 2 * at)

    def find(self) -> Value:
        """Where the needle is, -1 if it is not."""
        if not self.fixed:
            self._learn()
        b, result = self.b, f"found {id(self)}"
        inside, absent, done = b.new_block(), b.new_block(), b.new_block()
        at, matched = self._go_round(inside, absent)
        b.place(inside)
        b.write(result, b.cast(b.op("sub", at, matched), S64))
        b.jump(done)
        b.place(absent)
        b.write(result, b.const(-1, S64))
        b.jump(done)
        b.place(done)
        return b.read(result, S64)

    def _go_round(self, inside: Block, absent: Block) -> tuple[Value, Value]:
        """The loop over the haystack; the place and the number of matched bytes where it goes `inside`."""
        b = self.b
        place, number = f"at {id(self)}", f"matched {id(self)}"
        rounds = Rounds(self.to, self.rounds, absent, self.what, ends=2)
        for variable in (place, number):
            rounds.start(variable, 0)
        rounds.enter()
        more, differ = b.new_block(), b.new_block()
        at = b.op("and", b.read(place, U64), self.hay_mask)
        matched = b.op("and", b.read(number, U64), self.needle_mask)
        wanted = self._byte(self.needle, matched)
        b.branch(b.compare("eq", wanted, 0), inside, more)
        b.place(more)
        byte = self._byte(self.haystack, at)
        b.branch(b.compare("eq", byte, 0), absent, differ)
        b.place(differ)
        kept, advance = self._next(byte, wanted, matched)
        b.write(place, b.op("add", at, advance))
        b.write(number, kept)
        rounds.again()
        return at, matched

    def _learn(self) -> None:
        """Fill `back` by matching the needle with itself."""
        b = self.b
        learnt, own = f"learnt {id(self)}", f"own {id(self)}"
        on, done = b.new_block(), b.new_block()
        rounds = Rounds(self.to, 2 * self.room, done, self.what)
        rounds.start(learnt, 1)
        rounds.start(own, 0)
        rounds.enter()
        at = b.op("and", b.read(learnt, U64), self.needle_mask)
        matched = b.op("and", b.read(own, U64), self.needle_mask)
        byte = self._byte(self.needle, at)
        b.branch(b.compare("eq", byte, 0), done, on)
        b.place(on)
        kept, advance = self._next(byte, self._byte(self.needle, matched), matched)
        following = b.op("and", b.op("add", at, advance), self.needle_mask)
        entry = b.offset(self.back, b.op("shl", following, 1))
        # What was learnt of a place that is not left yet stays.
        chosen = b.op("and", kept, b.neg(advance))
        old = b.op("and", b.ext(b.load(entry, U16), U64), b.op("sub", advance, 1))
        b.store(entry, b.op("or", chosen, old), 2)
        b.write(learnt, following)
        b.write(own, kept)
        rounds.again()
        b.place(done)

    def _byte(self, memory: Value, at: Value) -> Value:
        return self.b.ext(self.b.load(self.b.offset(memory, at), U8), U64)

    def _next(self, byte: Value, wanted: Value, matched: Value) -> tuple[Value, Value]:
        """How much is matched after `byte`, and 1 if one is to go on to the next byte. Without a branch."""
        b = self.b
        differ = _truth(b, b.op("xor", byte, wanted))
        equal = b.op("xor", differ, 1)
        back = b.ext(b.load(b.offset(self.back, b.op("shl", matched, 1)), U16), U64)
        longer = b.op("and", b.op("add", matched, 1), b.neg(equal))
        kept = b.op("or", longer, b.op("and", back, b.neg(differ)))
        return kept, b.op("or", equal, b.op("xor", _truth(b, matched), 1))


def _truth(b: Builder, number: Value) -> Value:
    """1 for what is not 0 and below 1 << 63: by the sign of its negative."""
    return b.op("lshr", b.neg(number), 63)


def _back_of(needle: bytes) -> list[int]:
    """As `_Search._learn`, for a needle that is known."""
    back, kept = [0, 0], 0
    for byte in needle[1:]:
        while kept and byte != needle[kept]:
            kept = back[kept]
        kept += byte == needle[kept]
        back.append(kept)
    return back[: len(needle) + 1]


@func
class Strstr(_Find):
    """where in a text another begins, counted from 0; -1 if it is not in it"""

    name = "strstr"

    def lower(self, call: CallSite, to: Emitter) -> Value:
        return self._find(call, to)


@func
class Strcontains(_Find):
    """true if a text has another in it"""

    name = "strcontains"

    def lower(self, call: CallSite, to: Emitter) -> Value:
        return to.b.compare("sge", self._find(call, to), 0)


@func
class StrConcat(Func):
    """two texts, one after the other"""

    name = "str_concat"
    params = (Param("text", "any"), Param("other", "any"))

    def check(self, call: CallSite, to: Checking) -> CType:
        for arg in call.args:
            check_text(arg, to, self.name)
        # Of texts that change the result would be longer each time that it is put in one of them.
        known = all(arg.text is not None for arg in call.args)
        return Str(sum([_room(arg, to) for arg in call.args]) if known else to.max_strlen)

    def lower_into(self, call: CallSite, to: Emitter, place: Place) -> None:
        b = to.b
        first, second = [_room(arg, to) for arg in call.args]
        size = align_up(first + second + 1, 8)
        memory = _put(to, call.args[0], first, size)
        other = _put(to, call.args[1], second, align_up(second + 1, 8))
        length = at_most(to, _measure(to, memory, size), first)
        b.call("probe_read_kernel_str", b.offset(memory, length), second + 1, other)
        copy_text(b, place, memory, 0, min(first + second, size))
