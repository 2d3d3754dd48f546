"""Checking statements."""

from __future__ import annotations

from ..base.record import replace
from ..base.source import Span
from ..ctype.types import INT64, VOID, CType, Int, Void
from ..funcs.func import Aggregation
from ..spec.values import Aggregate
from . import tree
from .check_access import check_condition, refuse_assignments
from .check_call import check_call
from .check_comptime import pass_over
from .check_expr import check_increment, type_binary, type_of
from .check_functions import check_return
from .check_loops import check_map_loop, check_range, check_unroll, check_while
from .macros import Inlined
from .names import ASSIGNMENT, DECLARATION, shown
from .types import arithmetic, describe, is_number, is_scalar, kind_of, literal_type, reads_as, resolve
from .walk import next_if
from .written import written_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .check import Checker
    from .names import Local, MapInfo


def check_body(c: Checker, body: tuple[tree.Stmt, ...]) -> None:
    """Check the statements of a block that has its scope already."""
    ended = False
    for statement in body:
        if ended:
            c.warn("Unreachable statement.", statement.span)
            ended = False
        check_statement(c, statement)
        ended = _ends(statement)


def _ends(statement: tree.Stmt) -> bool:
    if isinstance(statement, tree.Jump):
        return True
    expr = statement.expr if isinstance(statement, tree.ExprStmt) else None
    return isinstance(expr, (tree.Call, tree.Identifier)) and expr.name == "exit"


def check_statement(c: Checker, statement: tree.Stmt) -> None:
    """Check one statement."""
    _STATEMENTS[statement.__class__](c, statement)


def check_predicate(c: Checker, condition: tree.Expr) -> None:
    """Check the condition of a probe, which is marked with its slashes."""
    span = condition.span
    text = span.source.text
    start, end = text.rfind("/", 0, span.start), text.find("/", span.end) + 1
    check_condition(c, condition, replace(span, start=start, end=end))


def _block(c: Checker, statement: tree.Block) -> None:
    _scoped(c, statement.body)


def _scoped(c: Checker, body: tuple[tree.Stmt, ...]) -> None:
    c.scopes.append({})
    check_body(c, body)
    c.scopes.pop()


def _if(c: Checker, statement: tree.If) -> None:
    # In a loop, since `else if` may go on for hundreds of times.
    while True:
        check_condition(c, statement.condition)
        known = c.checked.known(statement.condition)
        if known is None and isinstance(statement.condition, tree.Comptime):
            pass_over(c, (statement.then, statement.otherwise))
            return
        if known is not None:
            pass_over(c, statement.otherwise if known else statement.then)
            _scoped(c, statement.then if known else statement.otherwise)
            return
        _scoped(c, statement.then)
        following = next_if(statement)
        if following is None:
            break
        statement = following
    _scoped(c, statement.otherwise)


def _expression(c: Checker, statement: tree.ExprStmt) -> None:
    expr = statement.expr
    if isinstance(expr, tree.Increment):
        check_increment(c, expr)
        return
    if isinstance(expr, (tree.Call, tree.Identifier)):
        type = check_call(c, expr)
        c.types[expr] = type if type is not None else VOID
        found = c.checked.calls.get(expr)
        discarded = found is not None and not found[0].effect
    else:
        type, discarded = type_of(c, expr), True
    if isinstance(expr, (tree.BlockExpr, Inlined)):
        return  # what a macro gives is seldom all that it does
    if discarded and not statement.discard and type is not None and not isinstance(type, Void):
        c.warn("Return value discarded.", expr.span, "use `_ = …` to discard it on purpose")


def _let(c: Checker, statement: tree.Let) -> None:
    target = statement.target
    value = type_of(c, statement.value) if statement.value is not None else None
    declaration = Span(statement.span.source, statement.span.start, (statement.type or target).span.end)
    known = c.find_local(target.name)
    if known is not None:
        c.error(
            f"Variable {shown(target.name)} was already declared. Variable shadowing is not allowed.",
            declaration,
            notes=((f"This is the {known.origin}.", known.span),),
        )
        return
    local = c.declare_local(target.name, target, DECLARATION, declaration)
    c.checked.locals[target] = local
    if statement.type is not None:
        _declare(c, local, statement.type)
    if value is not None:
        _assign_to(c, target, value, statement, statement.value)
    elif statement.value is not None:
        local.assigned = True
        if local.type is None:
            c.follow("Invalid expression for assignment", statement.span)


def _declare(c: Checker, local: Local, written: tree.TypeName) -> None:
    """Give a variable the type that it is declared with. Text without a length is as long as it must be."""
    if written.base in (*_AGGREGATES, "void") and not written.pointers:
        c.error(f"Invalid variable declaration type: {written.base}", written.span)
        return
    refuse_assignments(c, written, "typeof or typeinfo")
    declared = written_type(c, written)
    if isinstance(declared, Void):
        c.error(f"Invalid variable declaration type: {describe(declared)}", written.span)
        return
    unsized = written.base == "string" and written.length is None and not written.pointers
    if declared is not None and not unsized:
        local.type, local.fixed = declared, True


def _assign(c: Checker, statement: tree.Assign) -> None:
    target = statement.target
    if isinstance(target, tree.MapAccess):
        _assign_map(c, target, statement)
        return
    assert isinstance(target, tree.Variable)
    plain = statement.op == "="
    if not plain:
        type_of(c, target)
        value = type_binary(c, statement, statement.op[:-1], target, statement.value)
    else:
        value = type_of(c, statement.value)
        if c.find_local(target.name) is None:
            c.declare_local(target.name, target, ASSIGNMENT, statement.span)
    local = c.find_local(target.name)
    if local is not None:
        c.checked.locals[target] = local
        local.assigned = True
        if value is not None:
            _assign_to(c, target, value, statement, statement.value if plain else None)
        elif local.type is None:
            c.follow("Invalid expression for assignment", statement.span)


def _assign_to(
    c: Checker, target: tree.Variable, value: CType, node: tree.Stmt, expr: tree.Expr | None
) -> None:
    local = c.checked.locals[target]
    local.assigned = True
    if isinstance(value, Void):
        c.error("Invalid expression for assignment", node.span)
    elif isinstance(value, Aggregate) and (
        reads_as(value) is None or not isinstance(resolve(local.type or INT64), Int)
    ):
        c.error(f"Value '{value}' cannot be assigned to a scratch variable.", node.span)
    else:
        c.assign_local(local, value, node, expr)
        if local.type is not None:
            c.types[target] = local.type


def _assign_map(c: Checker, target: tree.MapAccess, statement: tree.Assign) -> None:
    info = c.use_key(target)
    if statement.op != "=":
        _set_map(c, info, _compound_map(c, info, target, statement), statement, None)
    else:
        _map_value(c, info, statement, statement.value)


def _map_value(c: Checker, info: MapInfo, statement: tree.Assign, expr: tree.Expr) -> None:
    """Check what a map is set to: an aggregation may be the value of a block."""
    if isinstance(expr, tree.BlockExpr) and isinstance(expr.value, (tree.Call, tree.BlockExpr)):
        c.scopes.append({})
        check_body(c, expr.body)
        _map_value(c, info, statement, expr.value)
        c.scopes.pop()
        if expr.value in c.types:
            c.types[expr] = c.types[expr.value]
        return
    if not isinstance(expr, (tree.Call, tree.Identifier)):
        _set_map(c, info, type_of(c, expr), statement, expr)
        return
    value = check_call(c, expr, assigned=True)
    if value is not None:
        c.types[expr] = value
    found = c.checked.calls.get(expr)
    if value is not None and found is not None and isinstance(found[0], Aggregation):
        c.assign_map(info, value, expr)
    else:
        _set_map(c, info, value, statement, expr)


def _set_map(
    c: Checker, info: MapInfo, value: CType | None, statement: tree.Assign, expr: tree.Expr | None
) -> None:
    if value is None:
        info.tried = True
    elif isinstance(value, Void):
        c.error(f"Value '{value}' cannot be assigned to a map.", statement.span)
    elif isinstance(value, Aggregate) and (
        reads_as(value) is None or not isinstance(resolve(info.value or value), Int)
    ):
        _refuse_aggregate(c, info, value, statement)
    else:
        c.assign_map(info, reads_as(value) or value, statement, expr)


def _refuse_aggregate(c: Checker, info: MapInfo, value: Aggregate, statement: tree.Assign) -> None:
    info.tried = True
    call = _CALLS.get(kind_of(value).removesuffix("_t"), "")
    source = statement.value
    hint = None
    if isinstance(source, tree.MapAccess) and reads_as(value) is not None:
        cast = f"`{info.name} = (int64){source.name};`"
        hint = f"Add a cast to integer if you want the value of the aggregate, e.g. {cast}."
    c.error(
        f"Map value '{value}' cannot be assigned from one map to another. The function that returns this "
        f"type must be called directly e.g. `{info.name} = {call};`.",
        statement.span,
        hint,
    )


_AGGREGATES = ("avg_t", "count_t", "hist_t", "lhist_t", "max_t", "min_t", "stats_t", "sum_t", "tseries_t")

_CALLS = {
    "count": "count()",
    "sum": "sum(retval)",
    "min": "min(retval)",
    "max": "max(retval)",
    "avg": "avg(retval)",
    "stats": "stats(arg2)",
    "hist": "hist(retval)",
    "lhist": "lhist(rand %10, 0, 10, 1)",
    "tseries": "tseries(rand %10, 10s, 1)",
}


def _compound_map(c: Checker, info: MapInfo, target: tree.MapAccess, statement: tree.Assign) -> CType | None:
    """The type of `@x += value`, which may be all that says what `@x` is: nothing counts as 0."""
    op = statement.op[:-1]
    if info.value is not None:
        return type_binary(c, statement, op, target, statement.value)
    by = type_of(c, statement.value)
    if by is None or not is_number(by):
        c.error(f"Undefined map: {target.name}", target.span, c.near_map(target.name))
        return None
    c.types[target] = literal_type(0)
    return arithmetic(op, literal_type(0), by)


def _jump(c: Checker, statement: tree.Jump) -> None:
    if statement.kind != "return":
        if not c.loops:
            where = "function" if c.inlined else "probe"
            c.error(f"'{statement.kind}' statement is not allowed in a {where}", statement.span)
    elif c.inlined:
        check_return(c, statement, c.inlined[-1])
    elif statement.value is not None:
        type = type_of(c, statement.value)
        if type is not None and not is_scalar(type):
            c.error(f"Probe return values can only be integers. Found {describe(type)}", statement.span)


def is_library(statement: tree.Import) -> bool:
    """True for `import "stdlib…"`, of which all is there anyway."""
    return statement.path.removesuffix("/").split("/")[0] == "stdlib"


def _import(c: Checker, statement: tree.Import) -> None:
    if c.settings.get("unstable_import_statement", "enable") == "error":
        c.error(
            "Import statements that are not at the top level are primarily for the standard library. If this "
            "is functionality you need, please file an issue to explain why.",
            statement.span,
        )
    if not is_library(statement):
        hint = f'`import "{statement.path}";` stands at the head of the script'
        c.error("only the standard library can be imported inside of a block", statement.span, hint)


_STATEMENTS: dict[type, Callable[[Checker, Any], None]] = {
    tree.ExprStmt: _expression,
    tree.Let: _let,
    tree.Assign: _assign,
    tree.If: _if,
    tree.Block: _block,
    tree.Jump: _jump,
    tree.While: check_while,
    tree.ForMap: check_map_loop,
    tree.ForRange: check_range,
    tree.Unroll: check_unroll,
    tree.Import: _import,
}
