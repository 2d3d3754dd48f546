"""Types of a kernel that is made up: what C text declares, as `spec.target.Types`."""

from __future__ import annotations

from ..base.source import Source
from ..ctype.declare import parse_declarations
from ..ctype.types import Enum, Func

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..ctype.types import CType


class DeclaredTypes:
    """The types, functions and variables that the C text `text` declares. Raises SourceError.

    A function `trace_NAME` says what programs at the raw tracepoint NAME get.
    """

    missing = ""

    def __init__(self, text: str) -> None:
        self._declared = parse_declarations(Source("kernel", text))

    def find_type(self, kind: str, name: str) -> CType | None:
        return self._declared.types.get((kind, name))

    def find_enum(self, constant: str) -> Enum | None:
        for type in self._declared.types.values():
            if isinstance(type, Enum) and any(name == constant for name, _ in type.values):
                return type
        return None

    def find_function(self, name: str, module: str = "") -> Func | None:
        return self._declared.functions.get(name)

    def find_event(self, name: str, module: str = "") -> Func | None:
        return self.find_function(f"trace_{name}", module)

    def find_variable(self, name: str) -> CType | None:
        return self._declared.variables.get(name)

    def iter_types(self) -> Iterator[tuple[str, str]]:
        return iter([key for key in self._declared.types if key[0] != "typedef"])
