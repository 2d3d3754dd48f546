"""Text in memory: storing constants, copying, comparing. Text ends in NUL or fills its room."""

from __future__ import annotations

from ..ir.types import BOOL, U64, int_type
from .loops import Rounds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.builder import Builder
    from ..ir.nodes import Block, Value
    from .emit import Emitter, Place

_UNROLLED = 64
"""Bytes up to which text is compared without a loop."""

ONES = 0x0101010101010101
HIGHS = 0x8080808080808080
_ALL = (1 << 64) - 1


def decode(text: bytes | None) -> str:
    """A script's text as Python's; bytes that are not UTF-8 come through and back."""
    return (text or b"").decode("utf-8", "surrogateescape")


def store_bytes(b: Builder, pointer: Value, offset: int, data: bytes) -> None:
    """Write constant bytes, in words as wide as `offset` is aligned (`pointer` is aligned to 8)."""
    at = 0
    while at < len(data):
        size = _chunk(offset + at, len(data) - at)
        b.store(pointer, b.const(int.from_bytes(data[at : at + size], "little"), U64), size, offset + at)
        at += size


def _chunk(offset: int, left: int) -> int:
    """The widest word at `offset` that is aligned and has at most `left` bytes."""
    size = 8
    while size > left or offset % size:
        size >>= 1
    return size


def store_text(b: Builder, place: Place, text: bytes) -> None:
    """Write constant text to `place`, with its NUL if there is room."""
    room = place.type.size
    data = text[:room]
    if place.clean:
        data += bytes(room - len(data))
    elif len(data) < room:
        data += b"\0"
    store_bytes(b, place.pointer, place.offset, data)


def copy_text(b: Builder, place: Place, source: Value, offset: int, size: int) -> None:
    """Copy text that lies in `size` bytes of memory to `place`, which may be smaller or larger."""
    room = place.type.size
    taken = min(room, size)
    b.copy(place.pointer, source, taken, place.offset, offset)
    if room > size:
        # The copied may fill its bytes to the last, with no NUL.
        if place.clean:
            b.zero(place.pointer, room - size, place.offset + size)
        else:
            b.store(place.pointer, 0, 1, place.offset + size)


_LONG = 512
"""Bytes of a text that are compared before the comparison may end."""


def equal_constant(b: Builder, pointer: Value, offset: int, size: int, text: bytes) -> Value:
    """1 if the text in `size` bytes of memory is `text`."""
    wanted = text + b"\0" if len(text) < size else text
    if len(wanted) > size:
        return b.const(0, BOOL)
    same, differ, done = b.new_block(), b.new_block(), b.new_block()
    at = 0
    # Long texts are left at the end of every so many words: a way out of each would be thousands.
    while len(wanted) - at > _LONG and offset % 8 == 0:
        differences = b.const(0, U64)
        for _ in range(_LONG // 8):
            constant = b.const(int.from_bytes(wanted[at : at + 8], "little"), U64)
            word = b.load(pointer, U64, offset + at)
            differences = b.op("or", differences, b.op("xor", word, constant))
            at += 8
        following = b.new_block()
        b.branch(b.compare("eq", differences, 0), following, differ)
        b.place(following)
    while at < len(wanted):
        width = _chunk(offset + at, len(wanted) - at)
        word = b.load(pointer, int_type(width, False), offset + at)
        constant = b.const(int.from_bytes(wanted[at : at + width], "little"), int_type(width, False))
        at += width
        following = same if at == len(wanted) else b.new_block()
        b.branch(b.compare("eq", word, constant), following, differ)
        if following is not same:
            b.place(following)
    return _verdict(b, same, differ, done)


def _verdict(b: Builder, same: Block, differ: Block, done: Block) -> Value:
    """Join the blocks where texts were found equal and different: 1 or 0."""
    name = f"equal {id(done)}"
    for block, result in ((same, 1), (differ, 0)):
        b.place(block)
        b.write(name, b.const(result, BOOL))
        b.jump(done)
    b.place(done)
    return b.read(name, BOOL)


def equal_text(
    to: Emitter, left: Value, left_size: int, right: Value, right_size: int, limit: int | None = None
) -> Value:
    """1 if the texts in two memories (aligned to 8, sizes multiples of 8) are equal, or their first `limit`
    bytes are.

    Words are compared up to the one with a NUL, of which only the bytes up to it count.
    """
    b = to.b
    size = min(left_size, right_size) if limit is None else min(left_size, right_size, limit)
    same, differ, done = b.new_block(), b.new_block(), b.new_block()
    whole, rest = size // 8, (1 << 8 * (size % 8)) - 1
    if size <= _UNROLLED:
        for at in range(0, 8 * whole, 8):
            _compare_word(b, b.load(left, U64, at), b.load(right, U64, at), same, differ)
    else:
        _compare_loop(to, left, right, whole, same, differ)
    if rest:
        # Bytes that do not count are 0 in both, and so end both.
        words = [b.op("and", b.load(memory, U64, 8 * whole), rest) for memory in (left, right)]
        _compare_word(b, words[0], words[1], same, differ)
    b.jump(same)
    return _verdict(b, same, differ, done)


def _compare_loop(to: Emitter, left: Value, right: Value, words: int, same: Block, differ: Block) -> None:
    """Compare so many words, up to one with an end; go on where none of them has one."""
    b = to.b
    name, body, after = f"index {id(same)}", b.new_block(), b.new_block()
    rounds = Rounds(to, words, after, f"comparing text of {8 * words} bytes", ends=3)
    rounds.start(name, 0)
    rounds.enter()
    index = b.read(name, U64)
    b.branch(b.compare("ult", index, words), body, after)
    b.place(body)
    at = b.op("shl", index, 3)
    _compare_word(b, b.load(b.offset(left, at), U64), b.load(b.offset(right, at), U64), same, differ)
    b.write(name, b.op("add", index, 1))
    rounds.again()
    b.place(after)


def marks_of_nul(b: Builder, word: Value) -> Value:
    """0 if no byte of `word` is 0; else its lowest set bit is the highest of the first byte that is (higher
    ones may be false marks of a borrow)."""
    return b.op("and", b.op("and", b.op("sub", word, ONES), b.op("xor", word, _ALL)), HIGHS)


def _compare_word(b: Builder, one: Value, other: Value, same: Block, differ: Block) -> None:
    """Go to `same` if the words end equal texts, to `differ` if they differ, else on."""
    marks = marks_of_nul(b, one)
    ended, going, onward = b.new_block(), b.new_block(), b.new_block()
    b.branch(b.compare("ne", marks, 0), ended, going)
    b.place(ended)
    up_to = b.op("xor", marks, b.op("sub", marks, 1))
    rest = b.op("and", b.op("xor", one, other), up_to)
    b.branch(b.compare("eq", rest, 0), same, differ)
    b.place(going)
    b.branch(b.compare("eq", one, other), onward, differ)
    b.place(onward)
