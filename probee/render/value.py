"""One value as text, by its type; what `%s` and `print` show.

Values come in the raw form (`Form(raw=True)`), where text is bytes, and text is passed through
unchanged, whatever its encoding.
"""

from __future__ import annotations

from ..base.bits import unsigned
from ..base.errors import InternalError
from ..ctype.types import Array, Bool, Enum, Float, Int, Member, Ptr, Struct, Void, strip_typedefs
from ..events.decode import find_by_class, is_text
from ..spec.values import (
    Avg,
    Buffer,
    CgroupPath,
    Code,
    Count,
    Inet,
    Ksym,
    MacAddress,
    Max,
    Min,
    Stack,
    Stats,
    Str,
    Sum,
    Timestamp,
    Tuple,
    Username,
    Usym,
)
from .clock import ISO, Strftime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from ..ctype.types import CType
    from .output import Context

    Render = Callable[[Any], bytes]

_PRINTABLE = range(32, 127)
ESCAPED = tuple(b"%c" % n if n in _PRINTABLE else b"\\x%02x" % n for n in range(256))
"""Every byte as buffers show it: printable ASCII as it is, else `\\xNN`."""


def compile_text(type: CType, context: Context) -> Render:
    """A function from a value of `type` to its text."""
    type = strip_typedefs(type)
    if is_text(type):
        return _text
    make = find_by_class(_RENDERS, type)
    if make is None:
        raise InternalError(f"no text for {type}")
    return make(type, context)


def escape_buffer(data: bytes) -> bytes:
    """A buffer as text."""
    return b"".join([ESCAPED[byte] for byte in data])


def members_of(type: Struct) -> Iterator[Member]:
    """The members of a struct by name, those of anonymous structs and unions among them."""
    for member in type.members:
        inner = strip_typedefs(member.type)
        if not member.name and isinstance(inner, Struct):
            yield from members_of(inner)
        elif member.name:
            yield member


def fields_of(type: Struct | Tuple) -> list[tuple[str, CType]]:
    """Name and type of every field of a struct or record."""
    if isinstance(type, Tuple):
        return list(zip(type.names, type.items, strict=True))
    return [(member.name, member.type) for member in members_of(type)]


def enum_names(type: Enum) -> dict[int, str]:
    """The names of an enum's values, the first one where several have the same."""
    return {value: name for name, value in reversed(type.values)}


def render_time(type: Timestamp) -> Render:
    """A function from nanoseconds since 1970 to the text that a timestamp's format asks for."""
    return Strftime(type.format or ISO).render


def render_username(context: Context) -> Render:
    """A function from a user id to the user's name, the number where it has none."""
    names: dict[int, bytes] = {}

    def render(uid: int) -> bytes:
        if uid not in names:
            name = context.username(uid)
            names[uid] = b"%d" % uid if name is None else name.encode("utf-8", "surrogateescape")
        return names[uid]

    return render


def _text(value: Any) -> bytes:
    text: bytes = value if value.__class__ is bytes else value.encode("utf-8", "surrogateescape")
    return text


def _code(type: Code, context: Context) -> Render:
    from .codes import compile_code

    return compile_code(type.kind, context.machine)


def _address(type: CType, context: Context) -> Render:
    from ..events.address import TEXTS

    return TEXTS[type.__class__]


def _stack(type: Stack, context: Context) -> Render:
    from .stack import render_stack

    return render_stack(type, context)


def _ksym(type: Ksym, context: Context) -> Render:
    from .stack import render_ksym

    return render_ksym(type, context)


def _usym(type: Usym, context: Context) -> Render:
    from .stack import render_usym

    return render_usym(type, context)


def _enum(type: Enum, context: Context) -> Render:
    names = {value: name.encode() for value, name in enum_names(type).items()}
    bits = type.bytes * 8

    def render(value: int) -> bytes:
        return names.get(value) or b"%d" % unsigned(value, bits)

    return render


def _array(type: Array, context: Context) -> Render:
    render = compile_text(type.of, context)
    return lambda values: b"[%b]" % b",".join([render(v) for v in values])


def _tuple(type: Tuple, context: Context) -> Render:
    if type.names:
        return _struct(type, context)
    renders = [compile_text(item, context) for item in type.items]
    return lambda values: b"(%b)" % b", ".join([r(v) for r, v in zip(renders, values, strict=True)])


def _struct(type: Struct | Tuple, context: Context) -> Render:
    fields = [(name, name.encode(), compile_text(t, context)) for name, t in fields_of(type)]
    if not fields:
        return lambda _: b"{}"

    def render(values: dict[str, Any]) -> bytes:
        texts = [b".%b = %b" % (label, text(values[name])) for name, label, text in fields]
        return b"{ %b }" % b", ".join(texts)

    return render


def _stats(type: Stats, context: Context) -> Render:
    return lambda v: b"{ .count = %d, .average = %d, .total = %d }" % (v.count, v.average, v.total)


def _float(type: Float, context: Context) -> Render:
    from ..events.floats import show_float

    size = type.size
    return lambda value: show_float(value, size).encode()


def _number(type: CType, context: Context) -> Render:
    return b"%d".__mod__


_RENDERS: dict[type, Callable[[Any, Context], Render]] = {
    Void: lambda type, context: lambda _: b"null",
    Float: _float,
    Int: _number,
    Bool: lambda type, context: lambda value: b"true" if value else b"false",
    Ptr: lambda type, context: b"0x%x".__mod__,
    Enum: _enum,
    Str: lambda type, context: _text,
    Buffer: lambda type, context: escape_buffer,
    Timestamp: lambda type, context: render_time(type),
    Username: lambda type, context: render_username(context),
    CgroupPath: lambda type, context: lambda id: context.cgroup_path(id, type.filter),
    Code: _code,
    Inet: _address,
    MacAddress: _address,
    Stack: _stack,
    Ksym: _ksym,
    Usym: _usym,
    Tuple: _tuple,
    Array: _array,
    Struct: _struct,
    Count: _number,
    Sum: _number,
    Min: _number,
    Max: _number,
    Avg: _number,
    Stats: _stats,
}
