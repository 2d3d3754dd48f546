"""One type's bytes become one Python value.

A type is either one item of a `struct` format (integers, pointers, times) or a block of bytes and a
function that takes it apart. Values are int, bool, str, bytes (buffers), tuple, list (arrays), dict
(structs and records) and None (void). Numbers are in the machine's byte order.

`Form.raw` keeps text as the bytes that were read: programs print those unchanged. Addresses of networks
are text, and raw their bytes.
"""

from __future__ import annotations

import struct
import sys

from ..base.bits import signed
from ..base.errors import FormatError, InternalError
from ..base.record import record
from ..ctype.types import Array, Bool, Enum, Float, Int, Ptr, Struct, Void, strip_typedefs
from ..spec.values import (
    Buffer,
    CgroupPath,
    Chars,
    Code,
    Inet,
    Ksym,
    MacAddress,
    Stack,
    Str,
    Timestamp,
    Tuple,
    Username,
    Usym,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Literal, TypeVar

    from ..ctype.types import CType, Member
    from ..symbols.frame import Frame, Symbols

    Convert = Callable[[Any], Any]
    T = TypeVar("T")

BYTE_ORDER: Literal["little", "big"] = sys.byteorder

_INTEGERS = {
    (1, True): "b",
    (1, False): "B",
    (2, True): "h",
    (2, False): "H",
    (4, True): "i",
    (4, False): "I",
    (8, True): "q",
    (8, False): "Q",
}


def no_symbols() -> Symbols:
    """Addresses without names."""
    from ..symbols.frame import ADDRESSES

    return ADDRESSES


@record
class Form:
    """How values are wanted.

    `raw`: text stays bytes, else it is decoded as UTF-8 and bytes that aren't become `\\xNN`.
    `trailer` follows text that has no NUL, which was cut to its room. `boot_offset` is what to add
    to the boot clock, in nanoseconds, to have the time since 1970. `symbols` gives who names addresses.
    """

    raw: bool = False
    trailer: bytes = b".."
    boot_offset: int = 0
    symbols: Callable[[], Symbols] = no_symbols


@record
class Item:
    """A value as one item `code` of a struct format; `convert` makes the value of it, if need be."""

    code: str
    convert: Convert | None = None


def integer_code(size: int, is_signed: bool) -> str:
    """The struct code of an integer of 1, 2, 4 or 8 bytes."""
    return _INTEGERS[size, is_signed]


def find_by_class(table: dict[type, T], type: CType) -> T | None:
    """What a table has for the class of `type`, or for the nearest class above that it has an entry for.

    Compilers derive types of their own, a literal's say, that lie in memory as what they derive from.
    """
    for cls in type.__class__.__mro__:
        if cls in table:
            return table[cls]
    return None


def is_text(type: CType) -> bool:
    """Text is a Str, or an array of `char`."""
    if isinstance(type, Array):
        of = strip_typedefs(type.of)
        return isinstance(of, Int) and of.bytes == 1 and of.name == "char"
    return isinstance(type, Str)


def is_array(type: CType) -> bool:
    """True of text that is an array of C: a full one was not cut."""
    return isinstance(type, (Array, Chars))


def item_of(type: CType, form: Form) -> Item:
    """How to unpack and convert a value of `type`."""
    type = strip_typedefs(type)
    if is_text(type):
        return Item(f"{type.size}s", _text(form, b"" if is_array(type) else form.trailer))
    make = find_by_class(_ITEMS, type)
    if make is None:
        raise InternalError(f"no value has type {type}")
    return make(type, form)


def compile_value(type: CType, form: Form) -> Callable[[bytes], Any]:
    """A function from exactly `type.size` bytes to a value; raises FormatError for other sizes."""
    item = item_of(type, form)
    size = type.size
    unpack = struct.Struct("=" + item.code).unpack if size else lambda _: (b"",)
    convert = item.convert

    def parse(data: bytes) -> Any:
        if len(data) != size:
            raise FormatError(f"expected {size} bytes of {type}, got {len(data)}")
        (value,) = unpack(data)
        return value if convert is None else convert(value)

    return parse


def fuse(items: Iterable[tuple[int, int, str]], size: int, lead: int = 0) -> str:
    """The struct format of `size` bytes, after `lead` others, that hold items.

    An item is (offset, size, code); they come in order of offset and do not overlap.
    """
    parts, at = ["="], -lead
    for offset, width, code in items:
        if offset < at or offset + width > size:
            raise InternalError(f"item at {offset}+{width} overlaps or leaves a record of {size} bytes")
        parts.append(f"{offset - at}x{code}")
        at = offset + width
    parts.append(f"{size - at}x")
    return "".join(parts)


def _integer(type: Any, form: Form) -> Item:
    code = _INTEGERS.get((type.bytes, type.signed))
    if code is not None:
        return Item(code)
    is_signed = type.signed
    return Item(f"{type.bytes}s", lambda data: int.from_bytes(data, BYTE_ORDER, signed=is_signed))


def _float(type: Float, form: Form) -> Item:
    from .floats import CODES, find_reader

    code = CODES.get(type.size)
    return Item(code) if code is not None else Item(f"{type.size}s", find_reader(type.size))


def _text(form: Form, trailer: bytes) -> Convert:
    def cut(data: bytes) -> bytes:
        end = data.find(0)
        return data[:end] if end >= 0 else data + trailer

    if form.raw:
        return cut
    return lambda data: cut(data).decode("utf-8", "backslashreplace")


def _buffer(type: Buffer, form: Form) -> Item:
    room = type.bytes

    def take(data: bytes) -> bytes:
        count = int.from_bytes(data[:4], BYTE_ORDER)
        return data[4 : 4 + min(count, room)]

    return Item(f"{type.size}s", take)


def _timestamp(type: Timestamp, form: Form) -> Item:
    offset = form.boot_offset
    if type.mode == "boot" and offset:
        return Item("Q", lambda value: value + offset)
    return Item("Q")


def _address(type: CType, form: Form) -> Item:
    """Raw, an address stays the bytes that it is, which sort as addresses do."""
    if form.raw:
        return Item(f"{type.size}s")
    from .address import TEXTS

    text = TEXTS[type.__class__]
    return Item(f"{type.size}s", lambda data: text(data).decode())


def _stack(type: Stack, form: Form) -> Item:
    """Raw, a stack is what `events.stack` makes of it, else a tuple of frames."""
    from ..symbols.frame import Frame
    from .stack import NOWHERE, compile_stack

    take = compile_stack(type)
    if form.raw or type.mode == "build_id":
        return Item(f"{type.size}s", take)
    symbols, is_kernel = form.symbols(), type.kernel

    def name(data: bytes) -> tuple[Frame, ...]:
        stack = take(data)
        if is_kernel:
            found = symbols.kernel(stack.frames)
        else:
            found = symbols.user(stack.pid, stack.program, stack.frames, stack.python)
        end = (Frame(NOWHERE, "<unwind failure>"),) if stack.is_cut else ()
        return (*[frame for frames in found for frame in frames], *end)

    return Item(f"{type.size}s", name)


def _ksym(type: Ksym, form: Form) -> Item:
    if form.raw:
        return Item("Q")
    symbols = form.symbols()
    return Item("Q", lambda address: symbols.kernel_name(address) or f"{address:#x}")


def _usym(type: Usym, form: Form) -> Item:
    from .stack import split_usym

    if form.raw:
        return Item(f"{type.size}s", split_usym)
    symbols = form.symbols()

    def name(data: bytes) -> str:
        address, pid, program = split_usym(data)
        return symbols.user_name(pid, program, address) or f"{address:#x}"

    return Item(f"{type.size}s", name)


def _tuple(type: Tuple, form: Form) -> Item:
    if not type.items:
        return Item("0s", (lambda _: {}) if type.names else (lambda _: ()))
    items = [item_of(t, form) for t in type.items]
    layout = fuse(
        [(o, t.size, i.code) for o, t, i in zip(type.offsets, type.items, items, strict=True)], type.size
    )
    split = _splitter(layout, [i.convert for i in items])
    names = type.names
    if names:
        return Item(f"{type.size}s", lambda data: dict(zip(names, split(data), strict=True)))
    return Item(f"{type.size}s", split)


def _splitter(layout: str, converts: list[Convert | None]) -> Callable[[bytes], tuple[Any, ...]]:
    unpack = struct.Struct(layout).unpack
    if not any(converts):
        return unpack

    def split(data: bytes) -> tuple[Any, ...]:
        return tuple([v if c is None else c(v) for v, c in zip(unpack(data), converts, strict=True)])

    return split


def _array(type: Array, form: Form) -> Item:
    of, count = type.of, type.count
    if not of.size or not count:
        return Item(f"{type.size}s", lambda _: [])
    item = item_of(of, form)
    iterate, convert = struct.Struct("=" + item.code).iter_unpack, item.convert
    if convert is None:
        return Item(f"{type.size}s", lambda data: [v for (v,) in iterate(data)])
    return Item(f"{type.size}s", lambda data: [convert(v) for (v,) in iterate(data)])


def _struct(type: Struct, form: Form) -> Item:
    members = [(m.name, _member(m, form)) for m in type.members]

    def split(data: bytes) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, take in members:
            value = take(data)
            if name:
                values[name] = value
            elif isinstance(value, dict):
                values.update(value)  # members of an anonymous struct or union are the outer one's
        return values

    return Item(f"{type.size}s", split)


def _member(member: Member, form: Form) -> Callable[[bytes], Any]:
    if member.bit_size:
        return _bit_field(member)
    start, end = member.offset_bits // 8, member.offset_bits // 8 + member.type.size
    take = compile_value(member.type, form)
    return lambda data: take(data[start:end])


def _bit_field(member: Member) -> Callable[[bytes], Any]:
    first, bits = member.offset_bits, member.bit_size
    start, end = first // 8, -(-(first + bits) // 8)
    # Bits count from the low end in little-endian machines and from the high end in others.
    shift = first - start * 8 if BYTE_ORDER == "little" else end * 8 - first - bits
    type = strip_typedefs(member.type)
    is_signed = isinstance(type, (Int, Enum)) and type.signed
    is_bool = isinstance(type, Bool)
    mask = (1 << bits) - 1

    def take(data: bytes) -> int:
        value = int.from_bytes(data[start:end], BYTE_ORDER) >> shift & mask
        if is_signed:
            return signed(value, bits)
        return bool(value) if is_bool else value

    return take


_ITEMS: dict[type, Callable[[Any, Form], Item]] = {
    Void: lambda type, form: Item("0s", lambda _: None),
    Int: _integer,
    Enum: _integer,
    Bool: lambda type, form: Item("?"),
    Ptr: lambda type, form: Item("I" if type.bytes == 4 else "Q"),
    Username: lambda type, form: Item("I"),
    CgroupPath: lambda type, form: Item("Q"),
    Float: _float,
    Code: lambda type, form: Item("i"),
    Inet: _address,
    MacAddress: _address,
    Stack: _stack,
    Ksym: _ksym,
    Usym: _usym,
    Timestamp: _timestamp,
    Buffer: _buffer,
    Tuple: _tuple,
    Array: _array,
    Struct: _struct,
}
