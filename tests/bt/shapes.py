"""Trees as text without places, to compare what different texts mean."""

from __future__ import annotations

import re

from probee.base.errors import SourceError
from probee.base.source import Source
from probee.bt import tree
from probee.bt.dump import render_tree
from probee.bt.parser import parse


def script(text: str, *params: str) -> tree.Script:
    return parse(Source("test", text), params)


def body(text: str) -> tuple[tree.Stmt, ...]:
    """Statements of a probe with this body."""
    return script(f"begin {{ {text} }}").probes[0].body


def expression(text: str) -> tree.Expr:
    """The tree of an expression."""
    (statement,) = body(f"_ = {text};")
    assert isinstance(statement, tree.ExprStmt)
    return statement.expr


def shape(node: tree.Node) -> str:
    """The dump of a tree without (line:column)."""
    return re.sub(r" \(\d+:\d+\)$", "", render_tree(node), flags=re.MULTILINE)


def compact(expr: tree.Node) -> str:
    """An expression of operators with every pair of parentheses, and none around leaves."""
    match expr:
        case tree.Binary(_, op, left, right):
            return f"({compact(left)} {op} {compact(right)})"
        case tree.Unary(_, op, operand):
            return f"({op}{compact(operand)})"
        case tree.Increment(_, op, prefix, target):
            return f"({op}{compact(target)})" if prefix else f"({compact(target)}{op})"
        case tree.Ternary(_, condition, then, otherwise):
            middle = "" if then is None else f" {compact(then)} "
            return f"({compact(condition)} ?{middle}: {compact(otherwise)})"
        case tree.FieldAccess(_, operand, name, arrow):
            return f"({compact(operand)}{'->' if arrow else '.'}{name})"
        case tree.TupleAccess(_, operand, index):
            return f"({compact(operand)}.{index})"
        case tree.Index(_, operand, index):
            return f"({compact(operand)}[{compact(index)}])"
        case tree.Cast(_, type_, operand):
            return f"(({type_.span.text}){compact(operand)})"
        case tree.Comptime(_, operand):
            return f"(comptime {compact(operand)})"
        case tree.TupleExpr(_, items):
            return f"<{', '.join(map(compact, items))}>"
        case tree.RecordExpr(_, names, items):
            return f"<{', '.join(f'{n}={compact(i)}' for n, i in zip(names, items, strict=True))}>"
        case tree.MapAccess(_, name, keys):
            return f"{name}[{', '.join(map(compact, keys))}]" if keys else name
        case _:
            return expr.span.text


def refused(text: str, *params: str) -> SourceError:
    """The error that a script is refused with."""
    try:
        script(text, *params)
    except SourceError as error:
        return error
    raise AssertionError(f"accepted: {text}")
