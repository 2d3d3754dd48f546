"""The C types and constants that a script may name: those of the C text at its head, then what the target's
kernel has. What a script defines itself comes before what the kernel knows by the same name."""

from __future__ import annotations

from ..base.errors import SourceError
from ..base.record import replace
from ..base.source import Source, Span
from ..ctype.types import Array, CType, Enum, LazyStruct, NamedStruct, Ptr, Struct
from .headers import Headers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ctype.declare import Declarations
    from ..spec.target import Target
    from . import tree

    Constant = tuple[Enum | None, int | bytes]

HAVE_BTF = "BPFTRACE_HAVE_BTF"
"""The macro that tells a script's C text that the kernel's types are there without its headers."""


class CTypes:
    """The C types and constants of one script. One that names none loads nothing."""

    def __init__(
        self, script: tree.Script, target: Target | None = None, headers: Headers | None = None
    ) -> None:
        self._known = target.types if target is not None else None
        self._target = target
        self._declared: Declarations | None = None
        self._enums: dict[str, Enum] = {}
        self._found: dict[str, CType | None] = {}
        self._constants: dict[str, Constant | None] = {}
        self._macros: dict[str, str | None] = {}
        self._named: dict[tuple[str, str], NamedStruct] = {}
        if script.c_definitions or headers is not None:
            self._declared = _parse(script, target, headers or Headers(target, (), ()))
            for enum in self._declared.enums:
                self._enums.update(dict.fromkeys([name for name, _ in enum.values], enum))

    # ---- types

    def find_type(self, name: str) -> CType | None:
        """The type `struct x`, `union x`, `enum x` or the typedef `x`."""
        if name not in self._found:
            kind, _, own = name.rpartition(" ")
            self._found[name] = self._find(kind or "typedef", own)
        return self._found[name]

    def _find_declared(self, kind: str, name: str) -> CType | None:
        return self._declared.types.get((kind, name)) if self._declared is not None else None

    def _share(self, other: CTypes) -> None:
        """Know what `other` knows, but find types anew."""
        self._known, self._target = other._known, other._target
        self._declared, self._enums, self._macros = other._declared, other._enums, other._macros
        self._found, self._constants, self._named = {}, {}, {}

    def _find(self, kind: str, name: str) -> CType | None:
        found = self._find_declared(kind, name)
        if found is None and kind == "typedef":
            from ..ctype.layout import X86_64
            from ..ctype.specifiers import well_known

            found = well_known(name, X86_64)
        if found is None and self._known is not None:
            found = self._known.find_type(kind, name)
        return found

    def refer(self, kind: str, name: str) -> NamedStruct:
        """The struct or union of that name, which is looked up when somebody asks what is in it."""
        named = self._named.get((kind, name))
        if named is None:
            named = NamedStruct(kind, name, lambda: self.find_type(f"{kind} {name}"))
            self._named[kind, name] = named
        return named

    def completed(self, type: CType) -> CType:
        """`type`, where it leads to a struct that is only declared with the one of that name for it: modules
        define what the kernel only declares, and tracepoints name what they don't define."""
        if isinstance(type, Ptr):
            to = self.completed(type.to)
            return type if to is type.to else replace(type, to=to)
        if isinstance(type, Array):
            of = self.completed(type.of)
            return type if of is type.of else replace(type, of=of)
        if type.__class__ is LazyStruct and type.declared and type.name:
            assert isinstance(type, Struct)
            return self.refer(type.kind, type.name)
        return type

    @property
    def missing(self) -> str | None:
        """Why no type of the kernel is known; None where they are."""
        return (self._known.missing or None) if self._known is not None else None

    # ---- constants

    @property
    def have_macros(self) -> bool:
        """True if the script's own C text, or a header of its own, defines a macro."""
        return self._declared is not None and next(self._declared.iter_macros(), None) is not None

    def find_macro(self, name: str) -> str | None:
        """The text of a macro of the script's own C text that is no constant."""
        if name not in self._macros:
            self._macros[name] = self._declared.macro_text(name) if self._declared is not None else None
        return self._macros[name]

    def find_constant(self, name: str) -> Constant | None:
        """The number or text that a constant of an enum or a macro is, and the enum where it is of one."""
        if name not in self._constants:
            self._constants[name] = self._find_own(name) or self._find_known(name)
        return self._constants[name]

    def _find_own(self, name: str) -> Constant | None:
        if self._declared is None:
            return None
        if name in self._declared.enumerators:
            return self._enums.get(name), self._declared.enumerators[name]
        value = self._declared.macro_value(name)
        if isinstance(value, str):
            return None, value.encode("utf-8", "surrogateescape")
        return (None, value) if value is not None else None

    def _find_known(self, name: str) -> Constant | None:
        """What the kernel's headers say: builtins and functions of the language come before."""
        from ..funcs import find

        if find(name) is not None:
            return None
        enum = _find_constant(self._target, name)
        if enum is None:
            return None
        return (enum if enum.name or len(enum.values) > 1 else None), dict(enum.values)[name]


def _parse(script: tree.Script, target: Target | None, headers: Headers) -> Declarations:
    """Raises SourceError that points into the script."""
    from ..ctype.declare import parse_declarations
    from ..ctype.layout import X86_64
    from ..ctype.specifiers import well_known

    known = target.types if target is not None else None

    def find_known(kind: str, name: str) -> CType | None:
        if kind == "enumerator":
            return _find_constant(target, name)
        if known is None or (kind == "typedef" and well_known(name, X86_64) is not None):
            return None
        return known.find_type(kind, name)

    text, added = _c_text(script)
    have = known is not None and HAVE_BTF in text and not known.missing
    try:
        return parse_declarations(
            headers.whole(Source(script.source.name, text)),
            find_known,
            include=headers.find,
            defines={HAVE_BTF: "1"} if have else None,
        )
    except SourceError as error:
        raise SourceError(
            [replace(d, span=_in_script(d.span, script, added)) for d in error.diagnostics]
        ) from None


def _find_constant(target: Target | None, name: str) -> Enum | None:
    """The enum of the kernel's that has the constant `name`; a macro is one of its own, without a name."""
    if target is None:
        return None
    enum = target.types.find_enum(name) if target.types is not None else None
    if enum is not None:
        return enum
    from ..ctype.kernel_macros import find_macro

    value = find_macro(name, target.machine, target.page_size)
    return Enum("", 8, True, ((name, value),)) if value is not None else None


def c_source(script: tree.Script) -> Source:
    """The C text of a script, line for line where it is there."""
    return Source(script.source.name, _c_text(script)[0])


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
