"""Types and constants by name in a probe of a program: after the script's own, those of the program's debug
information, then the kernel's."""

from __future__ import annotations

from ..ctype.types import CType, Enum, NamedStruct
from .cdefs import CTypes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..probes.traced import Traced
    from .cdefs import Constant


class TracedTypes(CTypes):
    """What `types`, the script's, and the debug information of places know; the first that knows tells."""

    def __init__(self, types: CTypes, traced: Sequence[Traced]) -> None:
        self._share(types)
        # One place of each file: all of a file have the same types.
        self._traced = list({place.path: place for place in reversed(traced)}.values())[::-1]

    def _find(self, kind: str, name: str) -> CType | None:
        return self._find_declared(kind, name) or self._find_traced(kind, name) or super()._find(kind, name)

    def _find_traced(self, kind: str, name: str) -> CType | None:
        for place in self._traced:
            found = place.find_type(kind, name)
            if found is not None:
                return found
        return None

    def refer(self, kind: str, name: str) -> NamedStruct:
        named = self._named.get((kind, name))
        if named is None:
            named = NamedStruct(kind, name, lambda: self._find_traced(kind, name))
            self._named[kind, name] = named
        return named

    def _find_known(self, name: str) -> Constant | None:
        from ..funcs import find

        if find(name) is not None:
            return None
        for place in self._traced:
            found = place.find_enumerator(name)
            if found is not None and isinstance(found[0], Enum):
                return found[0], found[1]
        return super()._find_known(name)
