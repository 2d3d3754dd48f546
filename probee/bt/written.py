"""Types as a script writes them: `int32`, `string[64]`, `bool`."""

from __future__ import annotations

from ..ctype.types import BOOL, VOID, CType, Int, Ptr
from ..spec.values import Str
from .names import did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import tree
    from .check import Checker

_TYPES: dict[str, CType] = {"bool": BOOL, "void": VOID}
_TYPES.update({str(t): t for t in (Int(n, s) for n in (1, 2, 4, 8) for s in (True, False))})
_TYPES.update({"int": Int(4, True), "uint": Int(4, False), "char": Int(1, True, "char")})


def written_type(c: Checker, name: tree.TypeName) -> CType | None:
    """The type that `name` is; None, and an error, where it is none that is known."""
    if name.typeof is not None or name.dims:
        c.error("this kind of type is not supported yet", name.span)
        return None
    if name.base == "string" and not name.pointers:
        return Str(name.length if name.length is not None else c.max_strlen)
    found = _TYPES.get(name.base)
    if found is None:
        c.error(f'Cannot resolve unknown type "{name.base}"', name.span, did_you_mean(name.base, _TYPES))
        return None
    for _ in range(name.pointers):
        found = Ptr(found)
    return found
