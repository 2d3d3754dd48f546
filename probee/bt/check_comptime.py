"""What is asked of types, and decided by them: `typeinfo(…)`, `comptime …`.

A condition that types decide is looked at when those types have settled without it, the first of a script
first; from then on the types that it asked about are locked. Until then what it guards is not looked at.
"""

from __future__ import annotations

from ..ctype.types import UINT64, CType
from ..spec.values import Str, Tuple
from . import tree
from .constants import number_of, text_of
from .fold import literal_of
from .types import describe, is_integer, kind_of, literal_type, merge
from .walk import walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..base.source import Span
    from .check import Checker
    from .names import Local, MapInfo

_FIELDS = ("btf_id", "base_type", "full_type")


def check_comptime(c: Checker, expr: tree.Comptime) -> CType | None:
    """`comptime expression`"""
    known = c.comptimes.get(expr)
    type = c.type_of(expr.operand)
    number = known if known is not None else number_of(c, expr.operand)
    if expr.operand in c.checked.infos:
        c.checked.infos[expr] = c.checked.infos[expr.operand]
        return type
    text = text_of(c, expr.operand)
    if text is not None:
        c.checked.texts[expr] = text
        return type
    if type is None or number is None:
        c.error("Unable to resolve comptime expression", expr.span)
        c.waiting = True
        return None
    if known is None and literal_of(expr.operand) is None:
        if not c.deciding:
            c.waiting = True
            c.error("Unable to resolve comptime expression", expr.span)
            return None
        c.deciding, c.changed = False, True
        _lock(c, expr.operand)
    c.comptimes[expr] = number
    c.checked.numbers[expr] = number
    return literal_type(number) if is_integer(type) and number >= 0 else type


def check_typeinfo(c: Checker, expr: tree.TypeInfo) -> CType | None:
    """`typeinfo(type)`, `typeinfo(expression)`: a record of what there is to know"""
    from .check_access import type_named

    type = type_named(c, expr.of, "typeof or typeinfo")
    _check_enabled(c, expr)
    if type is None:
        return None
    texts = (kind_of(type).encode(), describe(type).encode())
    c.checked.infos[expr] = texts
    return Tuple((UINT64, *[Str(len(text) + 1) for text in texts]), _FIELDS)


def _check_enabled(c: Checker, expr: tree.TypeInfo) -> None:
    """typeinfo is there for who asks for it."""
    mode = c.settings.get("unstable_typeinfo", "enable")
    if mode == "error":
        c.error(
            "typeinfo feature is not enabled by default. To enable this unstable feature, set the config "
            "flag to enable. unstable_typeinfo=enable",
            expr.span,
        )


def note_field(c: Checker, expr: tree.FieldAccess) -> None:
    """Put down what a field of a typeinfo is, or of a call's record where that is known."""
    call = c.checked.calls.get(expr.operand)
    value = call[0].known_field(call[1], expr.name, c) if call is not None else None
    if isinstance(value, bytes):
        c.checked.texts[expr] = value
    elif value is not None:
        c.checked.numbers[expr] = int(value)
    if isinstance(expr.operand, tree.TypeInfo):
        if expr.name == _FIELDS[0]:
            c.checked.numbers[expr] = 0
        else:
            c.checked.texts[expr] = c.checked.infos[expr.operand][_FIELDS.index(expr.name) - 1]


def same_texts(c: Checker, op: str, left: tree.Expr, right: tree.Expr) -> int | None:
    """`left op right` where both are known texts, or typeinfos; None otherwise."""
    if op not in ("==", "!="):
        return None
    infos = c.checked.infos
    one: object = infos.get(left) or text_of(c, left)
    other: object = infos.get(right) or text_of(c, right)
    return None if one is None or other is None else int((one == other) == (op == "=="))


def pass_over(c: Checker, skipped: object) -> None:
    """Variables that are set in what is not looked at may be set."""
    for node in walk(skipped):
        if isinstance(node, tree.Assign) and isinstance(node.target, tree.Variable):
            local = c.find_local(node.target.name)
            if local is not None:
                local.assigned = True


# ---- locks


def _lock(c: Checker, asked: tree.Expr) -> None:
    """Lock the types of the variables that `asked` is about."""
    for node in walk(asked):
        if isinstance(node, tree.Variable):
            local = c.checked.locals.get(node)
            if local is not None and local.type is not None:
                c.locked[local] = local.type
        elif isinstance(node, tree.MapAccess) and node.name in c.maps:
            info = c.maps[node.name]
            for what, type in (("value", info.value), ("key", info.key)):
                if type is not None:
                    c.locked[info, what] = type


def check_lock(c: Checker, what: Local | tuple[MapInfo, str], name: str, type: CType, span: Span) -> bool:
    """True for a variable whose type is locked; an error if `type` does not go into that."""
    locked = c.locked.get(what)
    if locked is None:
        return False
    if merge(locked, type) != locked:
        c.error(
            f"Type mismatch for {name}: this type has been locked because it was used in another part of the "
            "type graph that was already resolved (e.g. `sizeof`, `typeinfo`, etc.). The new type "
            f"'{describe(type)}' doesn't fit into the locked type '{describe(locked)}'",
            span,
        )
    return True
