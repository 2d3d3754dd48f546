"""What the C text at the head of a script defines: types by name, and constants."""

from __future__ import annotations

from ..base.errors import SourceError
from ..base.record import replace
from ..base.source import Source, Span
from ..ctype.types import CType, Enum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ctype.declare import Declarations
    from . import tree


class CTypes:
    """The C types and constants of one script. One without C text knows none, and loads nothing."""

    def __init__(self, script: tree.Script) -> None:
        self._declared: Declarations | None = None
        self._enums: dict[str, Enum] = {}
        if script.c_definitions:
            self._declared = _parse(script)
            for type in self._declared.types.values():
                if isinstance(type, Enum):
                    self._enums.update(dict.fromkeys([name for name, _ in type.values], type))

    def find_type(self, name: str) -> CType | None:
        """The type `struct x`, `union x`, `enum x` or the typedef `x`."""
        if self._declared is None:
            return None
        kind, _, own = name.rpartition(" ")
        return self._declared.types.get((kind or "typedef", own))

    def find_constant(self, name: str) -> tuple[Enum | None, int | bytes] | None:
        """The number or text that a constant of an enum or a macro is, and the enum where it is of one."""
        if self._declared is None:
            return None
        if name in self._declared.enumerators:
            return self._enums.get(name), self._declared.enumerators[name]
        value = self._declared.macro_value(name)
        if isinstance(value, str):
            return None, value.encode("utf-8", "surrogateescape")
        return (None, value) if value is not None else None


def _parse(script: tree.Script) -> Declarations:
    """Raises SourceError that points into the script."""
    from ..ctype.declare import parse_declarations

    text, added = _c_text(script)
    try:
        return parse_declarations(Source(script.source.name, text), include=_include)
    except SourceError as error:
        raise SourceError(
            [replace(d, span=_in_script(d.span, script, added)) for d in error.diagnostics]
        ) from None


def _c_text(script: tree.Script) -> tuple[str, list[int]]:
    """The C text, each piece where it is in the script but for the semicolons that C wants and the script
    may leave out: where those were added."""
    parts: list[str] = []
    added: list[int] = []
    whole, at = script.source.text, 0
    for definition in script.c_definitions:
        start, end = definition.span.start, definition.span.end
        parts += ("".join([c if c == "\n" else " " for c in whole[at:start]]), definition.text)
        if not definition.text.startswith("#") and not definition.text.endswith(";"):
            added.append(end + len(added))
            parts.append(";")
        at = end
    return "".join(parts) + "\n", added


def _in_script(span: Span | None, script: tree.Script, added: list[int]) -> Span | None:
    if span is None or span.source.name != script.source.name:
        return span
    start, end = (at - sum(place < at for place in added) for at in (span.start, span.end))
    return Span(script.source, start, end)


def _include(name: str, form: str, source: Source) -> Source | None:
    """The kernel's own headers are taken for empty: its types are known without."""
    return Source(name, "") if form == "angled" else None
