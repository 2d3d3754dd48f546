"""Values that lie in memory of ours: copied from one place to another, and compared."""

from __future__ import annotations

from ..base.bits import align_up
from ..ctype.types import CType
from ..funcs.emit import ROOM, Place, in_memory, in_register
from ..funcs.text import copy_text, equal_text
from ..ir.types import BOOL, int_type
from ..spec.values import Str, Tuple
from .lower_arith import combine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Block, Value
    from .lower import Lowerer

    Memory = tuple[Value, int, CType]
    """A value in memory: a pointer that is aligned to 8, bytes past it, the type."""


def copy_value(s: Lowerer, place: Place, source: Value, offset: int, type: CType) -> None:
    """Copy a value of `type` from memory to `place`, whose type may be wider."""
    if isinstance(type, Str):
        copy_text(s.b, place, source, offset, type.size)
    elif isinstance(type, Tuple) and isinstance(place.type, Tuple) and type != place.type:
        if place.clean and has_gaps(place.type):
            s.b.zero(place.pointer, place.type.size, place.offset)
        for item, at, (to, wider) in zip(
            type.items, type.offsets, placed_items(place.type, type.names), strict=True
        ):
            inner = Place(place.pointer, place.offset + to, wider, place.clean)
            _copy_item(s, inner, source, offset + at, item)
    elif type.size:
        s.b.copy(place.pointer, source, type.size, place.offset, offset)


def has_gaps(type: Tuple) -> bool:
    """True for a tuple of which some bytes are no value's."""
    return sum(item.size for item in type.items) != type.size or any(
        isinstance(item, Tuple) and has_gaps(item) for item in type.items
    )


def placed_items(type: Tuple, names: tuple[str, ...]) -> list[tuple[int, CType]]:
    """Offset and type of every item; of a record's in the order of `names`."""
    placed = list(zip(type.offsets, type.items, strict=True))
    return placed if type.names == names else [placed[type.names.index(name)] for name in names]


def _copy_item(s: Lowerer, place: Place, source: Value, offset: int, type: CType) -> None:
    if in_memory(type):
        copy_value(s, place, source, offset, type)
    else:
        value = s.b.load(source, in_register(type), offset)
        s.b.store(place.pointer, value, place.type.size, place.offset)


def equal_values(s: Lowerer, one: Memory, other: Memory) -> Value:
    """1 if two values in memory are equal."""
    b = s.b
    differ, done = b.new_block(), b.new_block()
    _compare(s, one, other, differ)
    b.write("equal values", b.const(1, BOOL))
    b.jump(done)
    b.place(differ)
    b.write("equal values", b.const(0, BOOL))
    b.jump(done)
    b.place(done)
    return b.read("equal values", BOOL)


def _compare(s: Lowerer, one: Memory, other: Memory, differ: Block) -> None:
    """Go on where two values are equal, else to `differ`."""
    first, at, type = one
    second, to, wider = other
    if isinstance(type, Tuple) and isinstance(wider, Tuple):
        for item, offset, (there, also) in zip(
            type.items, type.offsets, placed_items(wider, type.names), strict=True
        ):
            _compare(s, (first, at + offset, item), (second, to + there, also), differ)
    elif isinstance(type, Str) and isinstance(wider, Str):
        left, right = _own_text(s, one), _own_text(s, other)
        _go_on_if(s, equal_text(s, left, align_up(type.size, 8), right, align_up(wider.size, 8)), differ)
    elif in_memory(type):
        size = min(type.size, wider.size)  # buffers begin with their length
        for start in range(0, size, 8):
            _compare_bytes(s, one, other, start, min(8, size - start), differ)
    else:
        left, right = s.b.load(first, in_register(type), at), s.b.load(second, in_register(wider), to)
        _go_on_if(s, combine(s, "==", left, right, type, wider), differ)


def _compare_bytes(s: Lowerer, one: Memory, other: Memory, start: int, size: int, differ: Block) -> None:
    """Compare `size` bytes, in pieces as wide as both are aligned."""
    first, at, _ = one
    second, to, _ = other
    end = start + size
    while start < end:
        width = 8
        while width > end - start or (at + start) % width or (to + start) % width:
            width >>= 1
        word = int_type(width, False)
        left, right = s.b.load(first, word, at + start), s.b.load(second, word, to + start)
        _go_on_if(s, s.b.compare("eq", left, right), differ)
        start += width


def _go_on_if(s: Lowerer, truth: Value, differ: Block) -> None:
    onward = s.b.new_block()
    s.b.branch(truth, onward, differ)
    s.b.place(onward)


def _own_text(s: Lowerer, text: Memory) -> Value:
    """A copy of a text that ends on a word, aligned to 8."""
    pointer, offset, type = text
    size = align_up(type.size, 8)
    memory = s.b.slot(size + align_up(ROOM, 8))
    s.b.zero(memory, 8, size - 8)
    copy_text(s.b, Place(memory, 0, type), pointer, offset, type.size)
    return memory
