"""A bundle as bytes, to be kept between runs.

The form is Python's `marshal` of nested tuples: every record of the spec, the types and the spans is a
tuple of its class's name and its fields. It is read only by the same Python and the same probee that
wrote it (both are in the first item), and only from files that nobody else can write. A checksum stands
before it.
"""

from __future__ import annotations

import marshal
import sys
from binascii import crc32

from ..base import source
from ..base.errors import InternalError
from ..base.record import fields
from ..ctype import types
from . import abi, bundle, values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MODULES = (types, values, bundle, source)
_ENUMS = (abi.ProgType, abi.AttachType, abi.MapType)
_SUM = 4
"""Bytes of the checksum that stands first."""

_RECORD, _TUPLE, _SOURCE, _SPAN, _ENUM = range(5)


def encode_stored(version: str, value: Any) -> bytes:
    """`value` (records, tuples, plain values, one Source) as bytes, marked with probee's `version`."""
    sources: dict[int, Any] = {}
    body = _pack(value, sources)
    texts = tuple([(s.name, s.text) for s in sources.values()])
    data = marshal.dumps(((version, sys.version), texts, body))
    return crc32(data).to_bytes(_SUM, "little") + data


def parse_stored(version: str, data: bytes) -> Any | None:
    """What `encode_stored` was given; None for what another version wrote, or what is damaged."""
    # `marshal` believes every length that it reads, so it is only given what was written.
    if crc32(data[_SUM:]) != int.from_bytes(data[:_SUM], "little"):
        return None
    try:
        mark, texts, body = marshal.loads(data[_SUM:])
        if mark != (version, sys.version):
            return None
        return _unpack(body, [source.Source(name, text) for name, text in texts])
    except (EOFError, ValueError, TypeError, KeyError, IndexError):
        return None


def _pack(value: Any, sources: dict[int, Any]) -> Any:
    if isinstance(value, tuple):
        return (_TUPLE, *[_pack(item, sources) for item in value])
    if isinstance(value, source.Span):
        by = (_pack(value.by, sources),) if isinstance(value, source.Expanded) else ()
        return (_SPAN, _number(value.source, sources), value.start, value.end, *by)
    if isinstance(value, source.Source):
        return (_SOURCE, _number(value, sources))
    if isinstance(value, _ENUMS):
        return (_ENUM, _ENUMS.index(type(value)), int(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)  # flags and constants are of classes of their own
    if hasattr(value, "__record_fields__"):
        if _find_class(type(value).__name__) is not type(value):
            raise InternalError(f"{value!r} is in a bundle, and of no class of the spec")
        items = [_pack(getattr(value, name), sources) for name in fields(value)]
        return (_RECORD, type(value).__name__, *items)
    return value


def _number(text: source.Source, sources: dict[int, Any]) -> int:
    sources.setdefault(id(text), text)
    return list(sources).index(id(text))


def _unpack(value: Any, sources: list[source.Source]) -> Any:
    if type(value) is not tuple:
        return value
    kind = value[0]
    if kind == _TUPLE:
        return tuple([_unpack(item, sources) for item in value[1:]])
    if kind == _SPAN:
        if len(value) > 4:
            by = _unpack(value[4], sources)
            return source.Expanded(sources[value[1]], value[2], value[3], by)
        return source.Span(sources[value[1]], value[2], value[3])
    if kind == _SOURCE:
        return sources[value[1]]
    if kind == _ENUM:
        return _ENUMS[value[1]](value[2])
    return _find_class(value[1])(*[_unpack(item, sources) for item in value[2:]])


def _find_class(name: str) -> Any:
    for module in _MODULES:
        found = module.__dict__.get(name)
        if found is not None:
            return found
    return None
