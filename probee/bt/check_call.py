"""Calls: which function is meant, whether the arguments fit its parameters, what the call gives."""

from __future__ import annotations

from ..ctype.types import VOID, CType
from ..funcs import find, find_near
from ..funcs.func import Aggregation, Arg, CallSite, Func, Param
from ..spec.values import Str
from . import tree
from .check_access import type_named
from .constants import number_of, parameter_text, text_of
from .names import shown
from .types import describe, is_integer, is_number, literal_type, reads_as, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .check import Checker


def check_call(c: Checker, expr: tree.Call | tree.Identifier, *, assigned: bool = False) -> CType | None:
    """The type of a call or a bare name; `assigned`: it is what a map is set to."""
    found = find(expr.name)
    if found is None:
        if isinstance(expr, tree.Identifier):
            constant = _constant_type(c, expr)
            if constant is not None:
                return constant
        _complain_name(c, expr)
        return None
    if c.action is not None:
        c.checked.names[c.action.probe].add(found.name)
    if isinstance(found, Aggregation) and not assigned:
        c.error(f"{found.name}() must be assigned directly to a map", expr.span, f"@name = {found.usage};")
        return None
    if found.unsafe and not c.unsafe:
        c.error(f"{found.name}() is an unsafe function being used in safe mode", expr.span)
    if c.map_loops and _is_context(found.name):
        c.error(f"'{found.name}' builtin is not allowed in a for-loop", expr.span)
        return None
    nodes = expr.args if isinstance(expr, tree.Call) else ()
    if not _check_count(c, expr, found, len(nodes)):
        return None
    args = _arguments(c, found, nodes)
    if args is None:
        return None
    site = CallSite(found.name, expr.span, args)
    c.checked.calls[expr] = (found, site)
    type = found.check(site, c)
    if type is not None:
        _note_known(c, expr, found.known(site, c))
    return type


def _note_known(c: Checker, expr: tree.Call | tree.Identifier, value: int | bytes | None) -> None:
    """Put down what a call is known to give. Its neighbours may have asked before: one more round."""
    if isinstance(value, bytes):
        c.changed |= c.checked.texts.get(expr) != value
        c.checked.texts[expr] = value
    elif value is not None:
        c.changed |= c.checked.numbers.get(expr) != value
        c.checked.numbers[expr] = int(value)


def _is_context(name: str) -> bool:
    """True for what the language has in probes only, not in loops over maps."""
    return name in ("retval", "ctx") or (name[:3] == "arg" and name[3:].isdigit())


def _constant_type(c: Checker, expr: tree.Identifier) -> CType | None:
    """The type of a constant of the C text, whose value is put down."""
    found = c.ctypes.find_constant(expr.name)
    if found is None:
        return None
    enum, value = found
    if isinstance(value, bytes):
        c.checked.texts[expr] = value
        return Str(len(value) + 1)
    c.checked.numbers[expr] = value
    return enum or literal_type(value)


def _complain_name(c: Checker, expr: tree.Call | tree.Identifier) -> None:
    is_call = isinstance(expr, tree.Call)
    span = expr.name_span if isinstance(expr, tree.Call) else expr.span
    if expr.name.startswith("sarg") and expr.name[4:].isdigit():
        c.error("sarg* is deleted. This was deprecated in v0.21 and was last available in v0.24.", span)
        return
    near = find_near(expr.name)
    hint = f"did you mean {' or '.join(near)}?" if near else None
    what = f"Unknown function: '{expr.name}'" if is_call else f"Unknown identifier: '{expr.name}'"
    c.error(what, span, hint)


def _check_count(c: Checker, expr: tree.Expr, found: Func, count: int) -> bool:
    least = sum(not p.optional and not p.many for p in found.params)
    most = 128 if any(p.many for p in found.params) else len(found.params)
    if least <= count <= most:
        return True
    if least == most:
        words = {0: "no arguments", 1: "one argument"}.get(least, f"{least} arguments")
        message = f"{found.name}() requires {words}"
    elif count < least:
        words = "one argument" if least == 1 else f"{least} arguments"
        message = f"{found.name}() requires at least {words}"
    else:
        words = "one argument" if most == 1 else f"{most} arguments"
        message = f"{found.name}() takes up to {words}"
    c.error(f"{message} ({count} provided)", expr.span, f"usage: {found.usage}")
    return False


def _arguments(
    c: Checker, found: Func, nodes: tuple[tree.Expr | tree.TypeName, ...]
) -> tuple[Arg, ...] | None:
    args: list[Arg | None] = []
    for index, node in enumerate(nodes):
        param = found.params[min(index, len(found.params) - 1)]
        args.append(_argument(c, found, param, node, args, len(nodes)))
    whole = [a for a in args if a is not None]
    return tuple(whole) if len(whole) == len(args) else None


def _argument(
    c: Checker,
    found: Func,
    param: Param,
    node: tree.Expr | tree.TypeName,
    before: list[Arg | None],
    count: int,
) -> Arg | None:
    if param.kind == "type":
        named = type_named(c, node, found.name)
        return Arg(node, node.span, named) if named is not None else None
    if isinstance(node, tree.TypeName):
        c.error(f"{found.name}() takes no types", node.span)
        return None
    if param.kind in ("map", "entry", "print"):
        variable = _variable(c, found, param, node, alone=count == 1)
        if variable is not None or param.kind != "print":
            return variable
    if param.kind == "word":
        if not isinstance(node, tree.Identifier):
            c.error(f"{found.name}() expects a name as {param.name}", node.span)
            return None
        return Arg(node, node.span, VOID, word=node.name)
    if param.kind == "stack" and isinstance(node, tree.Identifier):
        return Arg(node, node.span, VOID, word=node.name)
    if param.kind == "local":
        return _local(c, found, param, node)
    if param.kind == "key":
        return _key(c, found, node, before)
    if param.kind == "text" and isinstance(node, (tree.Call, tree.FieldAccess)):
        c.type_of(node)  # finds out if its text is known
    text, number = text_of(c, node), number_of(c, node)
    if param.kind == "text":
        if text is None:
            c.error(f"{found.name}() expects a string literal as {param.name}", node.span)
            return None
        return Arg(node, node.span, VOID, text=text)
    if param.kind == "address" and isinstance(node, tree.Positional) and node.number:
        return Arg(node, node.span, VOID, text=parameter_text(c, node.number))
    type = c.type_of(node)
    if type is None:
        return None
    type = reads_as(type) or resolve(type)
    if param.kind == "number" and number is None:
        c.error(f"{found.name}() expects a constant integer as {param.name}", node.span)
        return None
    if param.kind in ("int", "number") and not (is_integer(type) or is_number(type)):
        c.error(f"{found.name}() only supports integer arguments ({describe(type)} provided)", node.span)
        return None
    return Arg(node, node.span, type, text=text, number=number)


def _variable(c: Checker, found: Func, param: Param, node: tree.Expr, *, alone: bool) -> Arg | None:
    """An argument that is a map; None, with an error unless any value would do, where it is none."""
    whole = isinstance(node, tree.MapAccess) and not node.keys
    if isinstance(node, tree.MapAccess) and (whole or param.kind == "entry"):
        if not whole:
            c.use_key(node).read = True
        info = c.maps.get(node.name)
        if info is None or info.value is None:
            if (info is None or not info.tried) and whole:
                c.error(f"Undefined map: {node.name}", node.span, c.near_map(node.name))
            return None if param.kind != "print" else Arg(node, node.span, VOID, variable=node.name)
        if not whole or (param.kind == "entry" and alone):
            c.use_key(node)
        return Arg(node, node.span, info.value, variable=node.name)
    if param.kind != "print":
        c.error(f"{found.name}() expects a map argument", node.span)
    return None


def _local(c: Checker, found: Func, param: Param, node: tree.Expr) -> Arg | None:
    """A variable that the call sets."""
    if not isinstance(node, tree.Variable):
        c.error(f"{found.name}() expects a variable as {param.name}", node.span)
        return None
    local = c.find_local(node.name)
    if local is None:
        name = shown(node.name)
        hint = f"it is declared before: let {name};"
        c.error(f"Undefined or undeclared variable: {name}", node.span, hint)
        return None
    c.checked.locals[node] = local
    return Arg(node, node.span, local.type or VOID)


def _key(c: Checker, found: Func, node: tree.Expr, before: list[Arg | None]) -> Arg | None:
    """The key in `delete(@x, key)`: as good as `@x[key]`."""
    first = before[0] if before else None
    if first is None:
        return None
    if not isinstance(first.node, tree.MapAccess) or first.node.keys:
        c.error(f"{found.name}() expects a map without a key as first of two arguments", first.span)
        return None
    info = c.maps.get(first.variable)
    if info is not None and info.keyed is False:
        return Arg(node, node.span, VOID, variable=first.variable)  # the function says what it expects
    keys = node.items if isinstance(node, tree.TupleExpr) and len(node.items) > 1 else (node,)
    access = c.accesses.setdefault(node, tree.MapAccess(node.span, first.variable, keys))
    c.use_key(access)
    return Arg(access, node.span, VOID, variable=first.variable)
