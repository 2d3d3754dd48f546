"""What the names of a C source mean: its own types before those that others know."""

from __future__ import annotations

from .layout import Abi
from .specifiers import well_known
from .types import (
    INT32,
    INT64,
    UINT32,
    UINT64,
    Array,
    CType,
    Enum,
    Func,
    Int,
    LazyStruct,
    Struct,
    strip_typedefs,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .expressions import Value


class Scope:
    """The tables that a parser fills: `types` by (kind, name), and the rest by name."""

    def __init__(self, known: Callable[[str, str], CType | None] | None, abi: Abi) -> None:
        self.abi = abi
        self.types: dict[tuple[str, str], CType] = {}
        self.enumerators: dict[str, tuple[int, Int]] = {}
        self.enums: list[Enum] = []  # those without a name too
        self.functions: dict[str, Func] = {}
        self.variables: dict[str, CType] = {}
        self._ask = known
        self._known: dict[tuple[str, str], CType | None] = {}
        self._tags: dict[tuple[str, str], LazyStruct] = {}

    def known(self, kind: str, name: str) -> CType | None:
        """What others know, asked for once."""
        key = kind, name
        if key not in self._known:
            self._known[key] = self._ask(kind, name) if self._ask else None
        return self._known[key]

    def find_typedef(self, name: str) -> CType | None:
        """The type called `name`, or None."""
        found = self.types.get(("typedef", name))
        if found is None and name not in self.enumerators:
            found = self.known("typedef", name) or well_known(name, self.abi)
        return found

    def enumerator(self, name: str) -> Value | None:
        """The value of a constant of an enum, or None."""
        own = self.enumerators.get(name)
        if own is not None:
            return own
        holder = self.known("enumerator", name)
        if isinstance(holder, Enum):
            for constant, number in holder.values:
                if constant == name:
                    return number, constant_type(number)
        return None

    # -- structs, which may be used before they are defined ----------------------------------------

    def tag(self, kind: str, name: str) -> LazyStruct:
        """The struct or union `name`, declared here if it isn't yet."""
        key = kind, name
        struct = self._tags.get(key)
        if struct is None:
            struct = self._tags[key] = LazyStruct(name, 0, kind, tuple, declared=True)
        return struct

    def is_complete(self, type: CType) -> bool:
        """Whether the size of `type` is known. A struct that the source didn't define is one that others
        know, if they do, from here on."""
        bare = strip_typedefs(type)
        while isinstance(bare, Array):
            bare = strip_typedefs(bare.of)
        if not isinstance(bare, LazyStruct) or not bare.declared:
            return bare.size > 0 or isinstance(bare, Struct)
        return self._complete((bare.kind, bare.name), bare)

    def complete_all(self) -> None:
        """Complete what the source refers to and doesn't define, as far as others know it."""
        for key, struct in self._tags.items():
            if struct.declared:
                self._complete(key, struct)

    def _complete(self, key: tuple[str, str], struct: LazyStruct) -> bool:
        found = self.known(*key)
        if not isinstance(found, Struct) or (isinstance(found, LazyStruct) and found.declared):
            return False
        struct.complete(found.bytes, lambda: found.members, found.alignment)
        return True


def constant_type(number: int) -> Int:
    """The type of a constant of an enum: `int`, unless it needs more."""
    for type in (INT32, UINT32, INT64):
        if not (number if number >= 0 else ~number) >> (type.bits - type.signed):
            return type
    return UINT64
