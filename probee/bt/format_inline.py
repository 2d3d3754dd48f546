"""Tree → text on one line, with the parentheses that precedence asks for and no others."""

from __future__ import annotations

from . import tree
from .expressions import PRECEDENCE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# How tight an expression holds together: between _BINARY and _PREFIX are the ranks of PRECEDENCE.
_TERNARY, _BINARY, _PREFIX, _PRIMARY = 0, 1, 11, 12


def render_expression(expr: tree.Expr | tree.TypeName, rank: int = _TERNARY) -> str:
    """Text of an expression, in parentheses if it is looser than `rank`."""
    own, text = _RULES.get(type(expr), _as_written)(expr)
    return f"({text})" if own < rank else text


def render_type(type_: tree.TypeName) -> str:
    """Text of a type's name."""
    if type_.typeof is None:
        head = type_.base
    elif isinstance(type_.typeof, tree.TypeName) and type_.typeof.span.start == type_.span.start:
        head = render_type(type_.typeof)
    else:
        head = f"typeof({_type_argument(type_.typeof)})"
    unknown = "0" if "0]" in type_.span.text.replace(" ", "") else ""  # `[0]` and `[]` mean the same
    length = "" if type_.length is None else f"[{type_.length or unknown}]"
    stars = f" {'*' * type_.pointers}" if type_.pointers else ""
    return head + length + stars + "".join(f"[{dim or unknown}]" for dim in type_.dims)


def _type_argument(of: tree.Expr | tree.TypeName) -> str:
    """Text of what may be a type or an expression: `(x[0])` is an element, `x[0]` an array type."""
    text = render_expression(of)
    inner = of
    while isinstance(inner, tree.Index):
        inner = inner.operand
    return f"({text})" if isinstance(of, tree.Index) and isinstance(inner, tree.Identifier) else text


def render_statement(statement: tree.Stmt) -> str:
    """Text of a statement with its semicolon, or with its blocks."""
    heads = render_heads(statement)
    if not heads:
        return render_simple(statement) + ";"
    return " ".join(f"{head}{' ' if head else ''}{_body(body)}" for head, body in heads)


def render_simple(statement: tree.Stmt) -> str:
    """Text of a statement that has no block, without its semicolon."""
    match statement:
        case tree.ExprStmt(_, expr, discard):
            return f"_ = {render_expression(expr)}" if discard else render_value(expr)
        case tree.Assign(_, target, op, value):
            return f"{render_expression(target)} {op} {render_expression(value)}"
        case tree.Let(_, target, type_, value):
            type_text = "" if type_ is None else f" : {render_type(type_)}"
            return f"let {target.name}{type_text}" + (
                "" if value is None else f" = {render_expression(value)}"
            )
        case tree.Jump(_, kind, value):
            return kind if value is None else f"{kind} {render_expression(value)}"
        case _:
            return statement.span.text.rstrip(";")


Body = tuple[tree.Stmt, ...] | tree.BlockExpr


def render_heads(statement: tree.Node) -> list[tuple[str, Body]]:
    """Text before each block of a statement, "" for a bare one, and the block."""
    match statement:
        case tree.If() | tree.IfExpr():
            return _links(statement)
        case tree.While(_, condition, body):
            return [(f"while ({render_expression(condition)})", body)]
        case tree.Unroll(_, count, body):
            return [(f"unroll ({render_expression(count)})", body)]
        case tree.ForMap(_, target, map_, body):
            return [(f"for ({target.name} : {map_.name})", body)]
        case tree.ForRange(_, target, start, end, body):
            bounds = f"{render_expression(start, _PREFIX)}..{render_expression(end, _PREFIX)}"
            return [(f"for ({target.name} : {bounds})", body)]
        case tree.Block(_, body):
            return [("", body)]
        case tree.BlockExpr():
            return [("", statement)]
        case _:
            return []


def _links(link: tree.If | tree.IfExpr) -> list[tuple[str, Body]]:
    heads: list[tuple[str, Body]] = []
    while True:
        before = "else if" if heads else "if"
        heads.append((f"{before} ({render_expression(link.condition)})", link.then))
        rest = link.otherwise
        if isinstance(rest, tuple) and len(rest) == 1 and isinstance(rest[0], tree.If):
            link = rest[0]
        elif isinstance(rest, tree.IfExpr):
            link = rest
        else:
            break
    written = rest.span.start != rest.span.end if isinstance(rest, tree.BlockExpr) else bool(rest)
    if written:
        assert isinstance(rest, tuple | tree.BlockExpr)
        heads.append(("else", rest))
    return heads


def _body(body: Body) -> str:
    if isinstance(body, tree.BlockExpr):
        parts = [render_statement(statement) for statement in body.body]
        if body.value is not None:
            parts.append(render_value(body.value))
    else:
        parts = [render_statement(statement) for statement in body]
    return f"{{ {' '.join(parts)} }}" if parts else "{ }"


def render_value(value: tree.Expr) -> str:
    """Text of an expression at the beginning of a statement, where `if` and `{` would begin one."""
    text = render_expression(value)
    return f"({text})" if text.startswith(("if ", "{")) else text


def _list(items: tuple[tree.Expr | tree.TypeName, ...]) -> str:
    return ", ".join(map(render_expression, items))


def _as_written(expr: Any) -> tuple[int, str]:
    return _PRIMARY, expr.span.text


def _map_access(expr: tree.MapAccess) -> tuple[int, str]:
    return _PRIMARY, f"{expr.name}[{_list(expr.keys)}]" if expr.keys else expr.name


def _unary(expr: tree.Unary) -> tuple[int, str]:
    operand = render_expression(expr.operand, _PREFIX)
    return _PREFIX, expr.op + (" " if operand[0] == expr.op == "-" else "") + operand


def _increment(expr: tree.Increment) -> tuple[int, str]:
    target = render_expression(expr.target, _PRIMARY)
    return (_PREFIX, expr.op + target) if expr.prefix else (_PRIMARY, target + expr.op)


def _binary(expr: tree.Binary) -> tuple[int, str]:
    rank = PRECEDENCE[expr.op]
    operands: list[str] = []
    left: tree.Expr = expr
    while isinstance(left, tree.Binary) and PRECEDENCE[left.op] == rank:
        right = render_expression(left.right, rank + 1)
        if left.op == "/" and right.startswith("{"):  # would end a predicate
            right = f"({right})"
        operands += [right, left.op]
        left = left.left
    operands.append(render_expression(left, rank))
    return rank, " ".join(reversed(operands))


def _ternary(expr: tree.Ternary) -> tuple[int, str]:
    condition, otherwise = render_expression(expr.condition, _BINARY), render_expression(expr.otherwise)
    middle = "" if expr.then is None else f" {render_expression(expr.then)} "
    return _TERNARY, f"{condition} ?{middle}: {otherwise}"


def _call(expr: tree.Call) -> tuple[int, str]:
    return _PRIMARY, f"{expr.name}({_list(expr.args)})"


def _field(expr: tree.FieldAccess) -> tuple[int, str]:
    return _PRIMARY, f"{render_expression(expr.operand, _PRIMARY)}{'->' if expr.arrow else '.'}{expr.name}"


def _element(expr: tree.TupleAccess) -> tuple[int, str]:
    return _PRIMARY, f"{render_expression(expr.operand, _PRIMARY)}.{expr.index}"


def _index(expr: tree.Index) -> tuple[int, str]:
    operand = render_expression(expr.operand, _PRIMARY)
    if isinstance(expr.operand, tree.MapAccess) and not expr.operand.keys:
        operand = f"({operand})"  # a key would be read
    return _PRIMARY, f"{operand}[{render_expression(expr.index)}]"


def _cast(expr: tree.Cast) -> tuple[int, str]:
    return _PREFIX, f"({render_type(expr.type)}){render_expression(expr.operand, _PREFIX)}"


def _tuple(expr: tree.TupleExpr) -> tuple[int, str]:
    return _PRIMARY, f"({_list(expr.items)}{',' if len(expr.items) == 1 else ''})"


def _record(expr: tree.RecordExpr) -> tuple[int, str]:
    pairs = zip(expr.names, expr.items, strict=True)
    return _PRIMARY, f"({', '.join(f'{name}={render_expression(item)}' for name, item in pairs)})"


def _size_of(expr: tree.SizeOf) -> tuple[int, str]:
    return _PRIMARY, f"sizeof({_type_argument(expr.of)})"


def _type_info(expr: tree.TypeInfo) -> tuple[int, str]:
    return _PRIMARY, f"typeinfo({_type_argument(expr.of)})"


def _offset_of(expr: tree.OffsetOf) -> tuple[int, str]:
    return _PRIMARY, f"offsetof({_type_argument(expr.of)}, {'.'.join(expr.path)})"


def _comptime(expr: tree.Comptime) -> tuple[int, str]:
    return _PREFIX, f"comptime {render_expression(expr.operand, _PREFIX)}"


def _blocks(expr: tree.BlockExpr | tree.IfExpr) -> tuple[int, str]:
    return _PRIMARY, " ".join(
        f"{head}{' ' if head else ''}{_body(body)}" for head, body in render_heads(expr)
    )


def _type(type_: tree.TypeName) -> tuple[int, str]:
    return _PRIMARY, render_type(type_)


_RULES: dict[type, Callable[[Any], tuple[int, str]]] = {
    tree.MapAccess: _map_access,
    tree.Unary: _unary,
    tree.Increment: _increment,
    tree.Binary: _binary,
    tree.Ternary: _ternary,
    tree.Call: _call,
    tree.FieldAccess: _field,
    tree.TupleAccess: _element,
    tree.Index: _index,
    tree.Cast: _cast,
    tree.TupleExpr: _tuple,
    tree.RecordExpr: _record,
    tree.SizeOf: _size_of,
    tree.TypeInfo: _type_info,
    tree.OffsetOf: _offset_of,
    tree.Comptime: _comptime,
    tree.BlockExpr: _blocks,
    tree.IfExpr: _blocks,
    tree.TypeName: _type,
}
