"""Literals computed before anything is typed: `1 + 1` is `2`, `"a" == "b"` is `false`, `(1, 2).0` is `1`.

What a script may write where a literal is wanted, it may write as a sum of literals too. Numbers are exact
and must fit in 64 bits, signed or not: there is no wrapping around. Constants of C text and what is only
known with types (sizes, typeinfo) are not literals (see constants.py).
"""

from __future__ import annotations

from ..base.errors import SourceError
from ..base.record import fields
from ..base.source import Diagnostic
from . import tree
from .literals import LiteralError, parse_integer
from .walk import check_depth, if_chain, next_if

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from ..base.source import Span

    Literal = int | bool | bytes

_FLOW = "unable to fold literals due to overflow or underflow"
_LEAST, _MOST = -(1 << 63), (1 << 64) - 1


def fold_literals(script: tree.Script, params: Sequence[str] = ()) -> tuple[tree.Script, list[Diagnostic]]:
    """`script` with what literals come to in their place, and warnings. Raises SourceError for overflows."""
    check_depth(script)
    folder = _Folder(params)
    folded = folder.visit(script)
    if any(d.severity == "ERROR" for d in folder.found):
        raise SourceError([d for d in folder.found if d.severity == "ERROR"])
    return folded, folder.found


def parameter_value(text: str) -> int | bytes:
    """What a parameter of the command line is: a number if it looks like one, 0 if it is empty, else text."""
    if not text:
        return 0
    digits = text.removeprefix("-")
    raw = text.encode("utf-8", "surrogateescape")
    if not digits[:1].isdecimal():
        return raw
    try:
        value, _ = parse_integer(digits)
    except LiteralError:
        return raw
    if text[0] != "-":
        return value
    return -value if value <= 1 << 63 else raw


def literal_of(node: object) -> Literal | None:
    """The value of a literal; None where `node` is none."""
    if isinstance(node, (tree.Integer, tree.Boolean, tree.String)):
        return node.value
    return None


class _Folder:
    """Goes through a tree, and gives the same node back wherever nothing is to be folded."""

    def __init__(self, params: Sequence[str]) -> None:
        self.params = params
        self.found: list[Diagnostic] = []

    def visit(self, item: Any) -> Any:
        if isinstance(item, tuple):
            made = [self.visit(part) for part in item]
            return tuple(made) if any(a is not b for a, b in zip(made, item, strict=True)) else item
        if not isinstance(item, tree.Node):
            return item
        if isinstance(item, tree.If):
            return self.chain(item)
        rule = _RULES.get(item.__class__)
        inner = self.inside(item)
        return rule(self, inner) if rule is not None else inner

    def chain(self, first: tree.If) -> tree.If:
        """An `if` with its `else if`s, which may be hundreds."""
        links = if_chain(first)
        made: tree.If | None = None
        for link in reversed(links):
            otherwise = self.visit(link.otherwise) if made is None else (made,)
            if made is not None and made is next_if(link):
                otherwise = link.otherwise
            condition, then = self.condition(self.visit(link.condition)), self.visit(link.then)
            parts = (condition, then, otherwise)
            same = all(
                a is b for a, b in zip(parts, (link.condition, link.then, link.otherwise), strict=True)
            )
            made = link if same else tree.If(link.span, condition, then, otherwise)
        assert made is not None
        return made

    def inside(self, node: tree.Node) -> Any:
        """`node` with what is below it folded."""
        if isinstance(node, (tree.AttachPoint, tree.CDefinition, tree.Setting, tree.Import)):
            return node
        changes = {}
        for name in fields(node):
            value = getattr(node, name)
            if isinstance(value, (tuple, tree.Node)):
                made = self.argument_list(node, value) if isinstance(node, tree.Call) else self.visit(value)
                if made is not value:
                    changes[name] = made
        if not changes:
            return node
        kept = {name: getattr(node, name) for name in fields(node)}
        return node.__class__(**{**kept, **changes})

    def argument_list(self, call: tree.Call, value: Any) -> Any:
        """The arguments of a call. A parameter that is a whole argument is left to the function: to str()
        it is text."""
        if not isinstance(value, tuple):
            return value
        made = []
        for part in value:
            if call.name == "str" and isinstance(part, tree.Binary) and part.op == "+":
                part = self.moved_parameter(part)
            made.append(part if isinstance(part, tree.Positional) else self.visit(part))
        return tuple(made) if any(a is not b for a, b in zip(made, value, strict=True)) else value

    def moved_parameter(self, expr: tree.Binary) -> tree.Binary:
        """`$1 + n` in str(): the parameter is text there."""
        if not isinstance(expr.left, tree.Positional) or not expr.left.number:
            return expr
        text = self.parameter(expr.left.number).encode("utf-8", "surrogateescape")
        return tree.Binary(expr.span, expr.op, tree.String(expr.left.span, text), expr.right)

    def parameter(self, number: int) -> str:
        return self.params[number - 1] if number <= len(self.params) else ""

    def error(self, span: Span, message: str = _FLOW) -> None:
        self.found.append(Diagnostic("ERROR", message, span))

    def warn(self, span: Span, message: str) -> None:
        self.found.append(Diagnostic("WARNING", message, span))

    # ---- rules: a node whose parts are folded → what it is

    def positional(self, expr: tree.Positional) -> tree.Expr:
        if not expr.number:
            return make_literal(expr.span, len(self.params))
        text = self.parameter(expr.number)
        if not text:
            self.warn(expr.span, f"Positional parameter ${expr.number} is empty or not provided. ")
        return make_literal(expr.span, parameter_value(text))

    def unary(self, expr: tree.Unary) -> tree.Expr:
        value = literal_of(expr.operand)
        if value is None or isinstance(value, bytes):
            return expr
        if expr.op == "!":
            return make_literal(expr.span, not value)
        if isinstance(value, bool):
            return expr
        if expr.op == "~":
            return make_literal(expr.span, ~value & _MOST)
        if expr.op != "-":
            return expr
        if -value < _LEAST:
            self.error(expr.span, "negative value will underflow")
            return expr
        return make_literal(expr.span, -value)

    def binary(self, expr: tree.Binary) -> tree.Expr:
        left, right = literal_of(expr.left), literal_of(expr.right)
        if left is None or right is None:
            return self.whole(expr)
        if isinstance(left, bytes) or isinstance(right, bytes):
            return self.text(expr, left, right)
        if isinstance(left, bool) or isinstance(right, bool):
            return self.truth(expr, left, right)
        made = _numbers(expr.op, left, right)
        if made is None:
            self.error(expr.span)
            return expr
        return make_literal(expr.span, made)

    def text(self, expr: tree.Binary, left: Literal, right: Literal) -> tree.Expr:
        """Text with text, moved by a number, or asked if it is empty."""
        op = expr.op
        if op in LOGICAL and not (isinstance(left, int) and not isinstance(left, bool)):
            if isinstance(right, bool) or isinstance(left, bool) or isinstance(right, bytes):
                return make_literal(expr.span, LOGICAL[op](bool(left), bool(right)))
        if not isinstance(left, bytes) or not isinstance(right, bytes):
            text, by = (left, right) if isinstance(left, bytes) else (right, left)
            if op != "+" or isinstance(by, (bool, bytes)) or by < 0:
                return expr
            assert isinstance(text, bytes)
            if by >= len(text):
                self.warn(expr.span, "literal string will always be empty")
            return tree.String(expr.span, text[by:])
        if op == "+":
            return tree.String(expr.span, left + right)
        if op in COMPARED:
            return make_literal(expr.span, COMPARED[op](left, right))
        self.error(expr.span, "illegal literal operation with strings")
        return expr

    def truth(self, expr: tree.Binary, left: int, right: int) -> tree.Expr:
        """Two truths, or a truth and a number in && and ||."""
        op = expr.op
        if op in LOGICAL:
            return make_literal(expr.span, LOGICAL[op](left, right))
        if not isinstance(left, bool) or not isinstance(right, bool):
            return expr
        if op in ("/", "%") and not right:
            self.error(expr.span)
            return expr
        if op in ("<<", ">>"):
            return expr
        made = COMPARED[op](left, right) if op in COMPARED else _numbers(op, int(left), int(right))
        return make_literal(expr.span, bool(made))

    def whole(self, expr: tree.Binary) -> tree.Expr:
        """Tuples and records whose items tell that they differ, or that they are equal."""
        if expr.op not in ("==", "!="):
            return expr
        same = _same(expr.left, expr.right)
        return expr if same is None else make_literal(expr.span, same == (expr.op == "=="))

    def ternary(self, expr: tree.Ternary) -> tree.Expr:
        value = literal_of(expr.condition)
        if value is None:
            return expr
        then = expr.condition if expr.then is None else expr.then
        if literal_of(then) is not None and literal_of(expr.otherwise) is not None:
            return then if value else expr.otherwise
        truth = make_literal(expr.condition.span, bool(value))
        return tree.Ternary(expr.span, truth, then, expr.otherwise)

    def if_expr(self, expr: tree.IfExpr) -> tree.Expr:
        return tree.IfExpr(expr.span, self.condition(expr.condition), expr.then, expr.otherwise)

    def while_(self, statement: tree.While) -> tree.Stmt:
        return tree.While(statement.span, self.condition(statement.condition), statement.body)

    def probe(self, probe: tree.Probe) -> tree.Probe:
        if probe.predicate is None:
            return probe
        return tree.Probe(probe.span, probe.points, self.condition(probe.predicate), probe.body)

    def condition(self, expr: tree.Expr) -> tree.Expr:
        """What is asked if it is true: text is if it is not empty."""
        inner = expr.operand if isinstance(expr, tree.Comptime) else expr
        value = literal_of(inner)
        if not isinstance(value, bytes):
            return expr
        truth = make_literal(inner.span, bool(value))
        return tree.Comptime(expr.span, truth) if isinstance(expr, tree.Comptime) else truth

    def comptime(self, expr: tree.Comptime) -> tree.Expr:
        return expr.operand if isinstance(expr.operand, tree.String) else expr

    def block(self, expr: tree.BlockExpr) -> tree.Expr:
        if not expr.body and literal_of(expr.value) is not None:
            assert expr.value is not None
            return expr.value
        return expr

    def call(self, expr: tree.Call) -> tree.Expr:
        """`str(literal)`, perhaps cut to a length"""
        if expr.name != "str" or not 1 <= len(expr.args) <= 2:
            return expr
        value = literal_of(expr.args[0])
        length = literal_of(expr.args[1]) if len(expr.args) == 2 else _MOST
        if value is None or isinstance(value, bool) or not isinstance(length, int) or length < 0:
            return expr
        text = value if isinstance(value, bytes) else str(value).encode()
        return tree.String(expr.span, text[: int(length)])

    def index(self, expr: tree.Index) -> tree.Expr:
        text, number = literal_of(expr.operand), literal_of(expr.index)
        if not isinstance(text, bytes) or not isinstance(number, int) or not 0 <= number <= len(text):
            return expr
        byte = (text + b"\0")[number]
        return make_literal(expr.span, byte - 256 if byte > 127 else byte)

    def tuple_access(self, expr: tree.TupleAccess) -> tree.Expr:
        items = expr.operand.items if isinstance(expr.operand, tree.TupleExpr) else ()
        if expr.index < len(items) and all(_is_literal(item) for item in items):
            return items[expr.index]
        return expr

    def field(self, expr: tree.FieldAccess) -> tree.Expr:
        whole = expr.operand
        if isinstance(whole, tree.RecordExpr) and expr.name in whole.names and _is_literal(whole):
            return whole.items[whole.names.index(expr.name)]
        return expr


def make_literal(span: Span, value: Literal) -> tree.Expr:
    """The node of a value that was computed."""
    if isinstance(value, bytes):
        return tree.String(span, value)
    if isinstance(value, bool):
        return tree.Boolean(span, value)
    return tree.Integer(span, value, str(value))


def _is_literal(node: tree.Expr) -> bool:
    if isinstance(node, (tree.TupleExpr, tree.RecordExpr)):
        return all(_is_literal(item) for item in node.items)
    return literal_of(node) is not None


def _same(one: tree.Expr, other: tree.Expr) -> bool | None:
    """Whether two tuples or records of literals are equal; None where that is not known."""
    if isinstance(one, tree.TupleExpr) and isinstance(other, tree.TupleExpr):
        if len(one.items) != len(other.items):
            return False
        return _all_same(list(zip(one.items, other.items, strict=True)))
    if isinstance(one, tree.RecordExpr) and isinstance(other, tree.RecordExpr):
        if len(one.items) != len(other.items):
            return False
        if sorted(one.names) != sorted(other.names):
            return None
        there = dict(zip(other.names, other.items, strict=True))
        return _all_same([(item, there[name]) for name, item in zip(one.names, one.items, strict=True)])
    if not _is_literal(one) or not _is_literal(other):
        return None
    left, right = literal_of(one), literal_of(other)
    return left is not None and type(left) is type(right) and left == right


def _all_same(pairs: list[tuple[tree.Expr, tree.Expr]]) -> bool | None:
    for one, other in pairs:
        same = _same(one, other)
        if not same:
            return same
    return True


def _numbers(op: str, left: int, right: int) -> Literal | None:
    """`left op right` of two numbers; None where it is none, or does not fit."""
    if (left < 0 or right < 0) and max(left, right) >= 1 << 63:
        return None  # there is no type that holds both
    if op in COMPARED:
        return COMPARED[op](left, right)
    if op in LOGICAL:
        return LOGICAL[op](left, right)
    if (op in ("/", "%") and not right) or (op in ("<<", ">>") and not 0 <= right < 64):
        return None
    made = _COMPUTED[op](left, right)
    return made if _LEAST <= made <= _MOST else None


def _quotient(left: int, right: int) -> int:
    """Rounded towards 0, as machines do."""
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _shifted(left: int, right: int) -> int:
    """What of `left << right` is left in 64 bits, signed if `left` is."""
    kept = (left << right) & _MOST
    return kept - (1 << 64) if left < 0 and kept >> 63 else kept


COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
LOGICAL: dict[str, Callable[[Any, Any], bool]] = {
    "&&": lambda a, b: bool(a and b),
    "||": lambda a, b: bool(a or b),
}
_COMPUTED: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": _quotient,
    "%": lambda a, b: a - b * _quotient(a, b),
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "<<": _shifted,
    ">>": lambda a, b: a >> b,
}

_RULES: dict[type, Callable[[_Folder, Any], Any]] = {
    tree.Positional: _Folder.positional,
    tree.Unary: _Folder.unary,
    tree.Binary: _Folder.binary,
    tree.Ternary: _Folder.ternary,
    tree.IfExpr: _Folder.if_expr,
    tree.While: _Folder.while_,
    tree.Probe: _Folder.probe,
    tree.Comptime: _Folder.comptime,
    tree.BlockExpr: _Folder.block,
    tree.Call: _Folder.call,
    tree.Index: _Folder.index,
    tree.TupleAccess: _Folder.tuple_access,
    tree.FieldAccess: _Folder.field,
}
