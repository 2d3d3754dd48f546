"""Types as C text: what `parse_declarations` reads back to the same types.

A struct whose members are where C puts them is written plainly; else with attributes that put them
there, or with its padding written out (BTF knows neither).
"""

from __future__ import annotations

from .layout import X86_64, Abi, Field, enum_layout
from .padding import plan_struct
from .types import Array, Bool, CType, Enum, Func, Int, LazyStruct, Ptr, Struct, Typedef

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_INDENT = "\t"
_DEEPEST = 50
_INTEGERS = {1: "char", 2: "short", 4: "int", 8: "long", 16: "__int128"}


def render_declaration(type: CType, name: str = "", *, abi: Abi = X86_64) -> str:
    """`type` as the declaration of `name`, or as the name of a type: `int (*f)(void)`, `char [16]`.

    Structs, unions and enums without a name are written out, since C has no other way.
    """
    return _Renderer(abi).declared(type, name, 0)


def render_definition(type: CType, *, abi: Abi = X86_64) -> str:
    """The definition of a struct, union, enum or typedef, with a `;` at the end.

    Raises ValueError for other types, and where C has no way to say where the members are.
    """
    renderer = _Renderer(abi)
    if isinstance(type, Typedef):
        return f"typedef {renderer.declared(type.to, type.name, 0)}{_attributes(False, type.alignment)};"
    if isinstance(type, Struct):
        return f"{renderer.struct(type, 0)};"
    if isinstance(type, Enum):
        return f"{renderer.enum(type, 0)};"
    raise ValueError(f"expected a type that can be defined, got {type}")


def iter_needed(types: Iterable[CType]) -> Iterator[CType]:
    """`types`, each after all structs, enums and typedefs that a compiler must have read before it.

    What is only pointed to by its tag is left out. Anonymous types are part of those that hold them.
    """
    done: set[tuple[str, str]] = set()
    stack: list[tuple[CType, bool]] = [(type, False) for type in reversed(list(types))]
    while stack:
        type, is_last = stack.pop()
        key = _key(type)
        if is_last:
            yield type
            continue
        if key is not None:
            if key in done:
                continue
            done.add(key)
            if isinstance(type, Typedef) and _key(type.to):
                stack.append((type.to, False))
            stack.append((type, True))
        stack += [(held, False) for held in reversed(list(_iter_before(type)))]


def _key(type: CType) -> tuple[str, str] | None:
    """What a type is defined under, None for those that are written where they are used."""
    if isinstance(type, Struct) and not (isinstance(type, LazyStruct) and type.declared):
        return (type.kind, type.name) if type.name else None
    if isinstance(type, Enum):
        return ("enum", type.name) if type.name else None
    return ("typedef", type.name) if isinstance(type, Typedef) else None


def _iter_before(type: CType) -> Iterator[CType]:
    """Types whose definitions come before that of `type`."""
    if isinstance(type, Struct):
        for member in type.members:
            yield from _iter_whole(member.type)
    elif isinstance(type, Typedef):
        # The tag of a struct may have a second name before it is defined.
        yield from _iter_named(type.to) if isinstance(type.to, Struct) else _iter_whole(type.to)


def _iter_whole(type: CType) -> Iterator[CType]:
    """Types to define before one may be declared to have the type `type`."""
    while isinstance(type, Array | Typedef):
        if isinstance(type, Typedef):
            yield type
        type = type.to if isinstance(type, Typedef) else type.of
    if isinstance(type, Struct | Enum):
        yield type
    else:
        yield from _iter_named(type)


def _iter_named(type: CType) -> Iterator[CType]:
    """Types to define before `type` may be pointed to: all but structs by their tags."""
    while isinstance(type, Ptr):
        type = type.to
    if isinstance(type, Func):
        for used in (type.returns, *(param for _, param in type.params)):
            yield from _iter_named(used)
    elif isinstance(type, Array):
        yield from _iter_whole(type)
    elif isinstance(type, Typedef | Enum) or (isinstance(type, Struct) and not type.name):
        yield type


class _Renderer:
    """Writes types for one ABI; `depth` is the number of braces around what is written."""

    def __init__(self, abi: Abi) -> None:
        self._abi = abi

    def declared(self, type: CType, inner: str, depth: int) -> str:
        """The declaration of the declarator `inner`."""
        while True:
            if isinstance(type, Ptr):
                inner = f"__{type.space} *{inner}" if type.space else f"*{inner}"
                type = type.to
                inner = f"({inner})" if isinstance(type, Array | Func) else inner
            elif isinstance(type, Array):
                inner, type = f"{inner}[{type.count}]", type.of
            elif isinstance(type, Func):
                inner, type = f"{inner}({self._params(type, depth)})", type.returns
            else:
                base = self._base(type, depth)
                return f"{base} {inner}" if inner else base

    def _params(self, type: Func, depth: int) -> str:
        params = [self.declared(param, name, depth) for name, param in type.params]
        return ", ".join([*params, *["..."] * type.variadic]) or "void"

    def _base(self, type: CType, depth: int) -> str:
        if isinstance(type, Struct) and not type.name:
            return self.struct(type, depth)
        if isinstance(type, Enum) and not type.name:
            return self.enum(type, depth)
        if isinstance(type, Bool):
            return "_Bool"
        if isinstance(type, Int) and not type.name:
            return f"{'signed' if type.signed else 'unsigned'} {_INTEGERS[type.bytes]}"
        return str(type)

    def struct(self, type: Struct, depth: int) -> str:
        """A struct or union, its members between braces, unless it is only declared."""
        head = f"{type.kind} {type.name}".rstrip()
        if isinstance(type, LazyStruct) and type.declared:
            return head
        if depth > _DEEPEST:
            raise ValueError(f"expected structs at most {_DEEPEST} deep in one another")
        plan = plan_struct(type, self._abi)
        lines = [f"{head} {{"]
        lines += [_INDENT * (depth + 1) + self._field(field, depth + 1) for field in plan.fields]
        return "\n".join([*lines, _INDENT * depth + "}" + _attributes(plan.packed, plan.alignment)])

    def _field(self, field: Field, depth: int) -> str:
        width = "" if field.bit_size is None else f"{'' if field.name else ' '}:{field.bit_size}"
        attributes = _attributes(field.packed, field.alignment)
        return f"{self.declared(field.type, field.name, depth)}{width}{attributes};"

    def enum(self, type: Enum, depth: int) -> str:
        """An enum with its constants, unless it has none and so is only declared."""
        head = f"enum {type.name}".rstrip()
        if not type.values:
            return head
        numbers = [number for _, number in type.values]
        attributes, wanted = "", (type.bytes, type.signed)
        if enum_layout(numbers, False) != wanted:
            if enum_layout(numbers, True) == wanted:
                attributes = _attributes(True, 0)
            else:
                head += f" : {self._base(Int(type.bytes, type.signed), depth)}"
        lines = [f"{head} {{"]
        indent = _INDENT * (depth + 1)
        lines += [f"{indent}{name} = {n}{'ULL' * (n >> 63 > 0)}," for name, n in type.values]
        return "\n".join([*lines, _INDENT * depth + "}" + attributes])


def _attributes(packed: bool, alignment: int) -> str:
    words = ["packed"] * packed + [f"aligned({alignment})"] * (alignment > 0)
    return f" __attribute__(({', '.join(words)}))" if words else ""
