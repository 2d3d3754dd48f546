"""The stable text form of a bundle: what a compiler made, as a person or a test reads it.

One record a paragraph, one field a line; fields at their defaults are left out, code is in hex, 16
bytes a line, spans are `line:column`. Equal bundles give equal text.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

from ..base.record import fields
from ..base.source import Source, Span
from ..ctype.types import CType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .bundle import Bundle

_SECTIONS = ("maps", "variables", "programs", "links", "events", "counters")


def render_bundle(bundle: Bundle) -> str:
    """The whole bundle as text, ending in a newline."""
    lines = [f"globals {bundle.globals or '-'}"]
    lines += [f"ring {name} {map_name}" for name, map_name in bundle.rings]
    if bundle.start_time >= 0:
        lines.append(f"start_time {bundle.start_time}")
    lines += [f"config {key} {value}" for key, value in bundle.config]
    lines += _bytes("btf", bundle.btf)
    for section in _SECTIONS:
        for item in getattr(bundle, section):
            lines.append("")
            lines += _record(item)
    return "\n".join(lines) + "\n"


def _record(item: Any, indent: str = "") -> list[str]:
    defaults: dict[str, Any] = getattr(item, "__record_defaults__", {})
    lines = [f"{indent}{type(item).__name__}"]
    inner = indent + "  "
    for name in fields(item):
        value = getattr(item, name)
        if name in defaults and value == defaults[name]:
            continue
        lines += _field(name, value, inner)
    return lines


def _field(name: str, value: Any, indent: str) -> list[str]:
    if isinstance(value, bytes):
        return _bytes(name, value, indent)
    if isinstance(value, tuple) and value and hasattr(value[0], "__record_fields__"):
        lines = []
        for item in value:
            lines.append(f"{indent}{name} {_inline(item)}")
        return lines
    return [f"{indent}{name} {_inline(value)}"]


def _inline(value: Any) -> str:
    if isinstance(value, Span):
        return f"{value.line}:{value.column}"
    if isinstance(value, Source):
        return value.name
    if isinstance(value, CType):
        return str(value)
    if hasattr(value, "__record_fields__"):
        return " ".join(f"{name}={_inline(getattr(value, name))}" for name in fields(value))
    if isinstance(value, tuple):
        return f"({', '.join(_inline(item) for item in value)})"
    if isinstance(value, IntEnum):
        return value.name
    return repr(int(value)) if isinstance(value, IntFlag) else repr(value)


def _bytes(name: str, data: bytes, indent: str = "") -> list[str]:
    lines = [f"{indent}{name} {len(data)} bytes"] if data else []
    return lines + [f"{indent}  {data[at : at + 16].hex(' ', 8)}" for at in range(0, len(data), 16)]
