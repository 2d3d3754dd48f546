"""Types as a script writes them: `int32`, `string[64]`, `bool`."""

from __future__ import annotations

from ..ctype.types import BOOL, VOID, Array, CType, Int, Ptr
from ..funcs import find
from ..spec.values import Buffer, Str, Username
from . import tree
from .names import did_you_mean
from .types import settle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .check import Checker

_TYPES: dict[str, CType] = {"bool": BOOL, "void": VOID, "username_t": Username()}
_TYPES.update({str(t): t for t in (Int(n, s) for n in (1, 2, 4, 8) for s in (True, False))})
_TYPES.update({"int": Int(4, True), "uint": Int(4, False), "char": Int(1, True, "char")})


def written_type(c: Checker, name: tree.TypeName) -> CType | None:
    """The type that `name` is; None, and an error, where it is none that is known."""
    found = _base_type(c, name)
    if found is None:
        return None
    for _ in range(name.pointers):
        found = Ptr(found)
    for count in reversed(name.dims):
        found = Array(found, count)
    return found


def _base_type(c: Checker, name: tree.TypeName) -> CType | None:
    if name.typeof is not None:
        of = name.typeof
        found = written_type(c, of) if isinstance(of, tree.TypeName) else asked_type(c, of)
        return settle(found) if found is not None else None
    if name.base == "string":
        return Str(name.length if name.length is not None else c.max_strlen)
    if name.base == "buffer" and name.length is not None:
        return Buffer(name.length)
    found = _TYPES.get(name.base) or c.ctypes.find_type(name.base)
    if found is None:
        hint = did_you_mean(name.base, _TYPES) or c.ctypes.missing
        c.error(f'Cannot resolve unknown type "{name.base}"', name.span, hint)
    return found


def asked_type(c: Checker, of: tree.Expr) -> CType | None:
    """The type of an expression that is only asked about, or of the name of a type; of a map with keys, that
    of the keys."""
    if isinstance(of, tree.Identifier) and find(of.name) is None:
        named = c.ctypes.find_type(of.name)
        if named is not None:
            return named
    c.asked += 1
    info = c.maps.get(of.name) if isinstance(of, tree.MapAccess) and not of.keys else None
    if isinstance(of, tree.MapAccess) and not of.keys and (info is None or info.keyed is not False):
        found = info.key if info is not None else None
    else:
        found = c.type_of(of)
    c.asked -= 1
    return found
