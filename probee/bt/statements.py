"""The grammar of statements and blocks. Each function parses the rule that is its docstring's first line.

`if` and `{ }` are expressions as well. They are parsed as such, and turned into statements where
no value is asked for.
"""

from __future__ import annotations

from ..base.source import Span
from . import tree
from .expressions import PRIMARY, expression, type_name, unary, variable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .lexer import Tokens

ASSIGNMENTS = frozenset(("=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="))


def block(p: Tokens, owner: str) -> tuple[tree.Stmt, ...]:
    """block = "{" {statement} "}", the last perhaps without its semicolon"""
    return _as_statements(block_expr(p, owner))


def block_expr(p: Tokens, owner: str = "") -> tree.BlockExpr:
    """block_expr = "{" {statement} [expression] "}" """
    start = p.start
    if p.kind != "{":
        raise p.unexpected("`{`", f"{owner} is followed by statements in braces" if owner else None)
    p.deepen()
    p.opened.append(start)
    p.advance()
    body: list[tree.Stmt] = []
    value: tree.Expr | None = None
    while p.kind != "}":
        if p.kind == "end":
            raise p.unexpected("`}`")
        item = statement(p)
        if isinstance(item, tree.Stmt):
            body.append(item)
        elif p.kind == "}" and _gives_value(item):
            value = item
        else:
            body.append(_as_statement(item))
    p.depth -= 1
    p.opened.pop()
    p.advance()
    return tree.BlockExpr(p.span(start), tuple(body), value)


def statement(p: Tokens) -> tree.Stmt | tree.Expr:
    """statement = if | block_expr | while | for | unroll | let | jump | import | simple

    What may be the value of the block around it is given as an expression.
    """
    rule = _STATEMENTS.get(p.kind)
    return rule(p) if rule is not None else simple(p)


def simple(p: Tokens) -> tree.Stmt | tree.Expr:
    """simple = (expression | target ("=" | "+=" | …) expression | "_" "=" expression) (";" | before "}")"""
    start = p.start
    result = expression(p)
    if p.kind in ASSIGNMENTS:
        return assignment(p, start, result)
    if p.kind == ";":
        p.advance()
        return tree.ExprStmt(result.span, result)
    if p.kind != "}":
        raise _no_semicolon(p, result)
    return result


def _no_semicolon(p: Tokens, before: tree.Expr | None = None) -> Exception:
    hint = None
    line = p.source.position(p.last)[0]
    if p.kind == ":" and isinstance(before, tree.Variable):
        hint = f"a type is given with `let {before.name} : type`"
    elif line != p.source.position(p.start)[0]:
        hint = f"a `;` may be missing at the end of line {line}"
    return p.unexpected("`;` or `}`" if p.kind == "end" else "`;`", hint)


def assignment(p: Tokens, start: int, target: tree.Expr) -> tree.Stmt:
    """assignment = (variable | map_access | "_") operator expression end"""
    op = p.kind
    discard = isinstance(target, tree.Identifier) and target.name == "_" and op == "="
    if not discard and not isinstance(target, tree.Variable | tree.MapAccess):
        raise _no_target(p, start, target)
    p.advance()
    value = expression(p)
    span = p.span(start)
    end(p)
    if discard:
        return tree.ExprStmt(span, value, True)
    return tree.Assign(span, target, op, value)


def _no_target(p: Tokens, start: int, target: tree.Expr) -> Exception:
    """The error for an assignment to what is no variable. `p` is at the operator."""
    hint = "`==` compares, `=` assigns" if p.kind == "=" else None
    if isinstance(target, tree.TupleAccess | tree.FieldAccess):
        if isinstance(target.operand, tree.Variable | tree.MapAccess):
            p.advance()
            expression(p)
            p.accept(";")
            message = (
                "Tuples and records are immutable once created. Consider creating a new value and assigning "
                "it instead."
            )
            return p.error(message, p.span(start))
        hint = "fields of tuples, records and structs can't be changed: assign a new value"
    elif isinstance(target, tree.Identifier):
        hint = f"variables begin with `$` and maps with `@`: `${target.name}`, `@{target.name}`"
    why = "only a variable or a map can be assigned to"
    return p.error("expected ';'", hint=f"{why}: {hint}" if hint else why)


def end(p: Tokens) -> None:
    """end = ";" | before "}" """
    if not p.accept(";") and p.kind != "}":
        raise _no_semicolon(p)


def if_statement(p: Tokens) -> tree.Stmt | tree.Expr:
    """if_statement = if_expr [";"]"""
    return _settled(p, if_expr(p))


def block_statement(p: Tokens) -> tree.Stmt | tree.Expr:
    """block_statement = block_expr [";"]"""
    return _settled(p, block_expr(p))


def _settled(p: Tokens, item: tree.IfExpr | tree.BlockExpr) -> tree.Stmt | tree.Expr:
    return _as_statement(item) if p.accept(";") else item


def if_expr(p: Tokens) -> tree.IfExpr:
    """if_expr = "if" header block_expr {"else" "if" header block_expr} ["else" block_expr]"""
    links: list[tuple[int, tree.Expr, tree.BlockExpr]] = []
    otherwise: tree.Expr | None = None
    while otherwise is None:
        start = p.start
        p.expect("if")
        condition = header(p)
        links.append((start, condition, block_expr(p, "a condition")))
        p.check_chain(len(links))
        if p.kind != "else":
            otherwise = tree.BlockExpr(Span(p.source, p.last, p.last), (), None)
        else:
            p.advance()
            if p.kind == "{":
                otherwise = block_expr(p)
            elif p.kind != "if":
                raise p.unexpected("`{` or `if` after `else`")
    for start, condition, then in reversed(links):
        otherwise = tree.IfExpr(p.span(start), condition, then, otherwise)
    assert isinstance(otherwise, tree.IfExpr)
    return otherwise


def header(p: Tokens) -> tree.Expr:
    """header = expression, the condition of an if or a loop, in parentheses or not"""
    condition = expression(p)
    if isinstance(condition, tree.RecordExpr):
        raise p.error("expected a condition, got a record", condition.span, "`==` compares, `=` assigns")
    if isinstance(condition, tree.TupleExpr):
        raise p.error("expected a condition, got a tuple", condition.span)
    return condition


def while_(p: Tokens) -> tree.Stmt:
    """while = "while" header block [";"]"""
    start = p.start
    p.advance()
    condition = header(p)
    body = block(p, "a condition")
    span = p.span(start)
    p.accept(";")
    return tree.While(span, condition, body)


def unroll(p: Tokens) -> tree.Stmt:
    """unroll = "unroll" header block [";"]"""
    start = p.start
    p.advance()
    count = header(p)
    body = block(p, "a count")
    span = p.span(start)
    p.accept(";")
    return tree.Unroll(span, count, body)


def for_(p: Tokens) -> tree.Stmt:
    """for = "for" ["("] variable ":" (map | bound ".." bound) [")"] block [";"], a bound being a unary"""
    start = p.start
    p.advance()
    parenthesis = p.accept("(")
    if p.kind != "variable":
        raise p.unexpected("a variable after `for`")
    target = variable(p)
    p.expect(":", "after the loop's variable")
    first = unary(p)
    last = None
    if p.accept(".."):
        last = unary(p)
    elif not isinstance(first, tree.MapAccess) or first.keys:
        raise _no_range(p, first)
    if parenthesis:
        if p.kind != ")":
            raise p.unexpected("`)`", "a bound with operators stands in parentheses")
        p.advance()
    elif p.kind != "{":
        raise p.unexpected("`{`", "a bound with operators stands in parentheses")
    body = block(p, "the head of a loop")
    span = p.span(start)
    p.accept(";")
    if last is not None:
        return tree.ForRange(span, target, first, last, body)
    assert isinstance(first, tree.MapAccess)
    return tree.ForMap(span, target, first, body)


def _no_range(p: Tokens, first: tree.Expr) -> Exception:
    if isinstance(first, tree.MapAccess):
        return p.error("expected a whole map, got one of its values", first.span)
    hint = "a loop runs over a map, `$kv : @map`, or over a range, `$i : 0..10`"
    if p.kind in (")", "{"):
        return p.error("expected a map or a range", first.span, hint)
    return p.unexpected("`..`", "a bound with operators stands in parentheses")


def let(p: Tokens) -> tree.Stmt:
    """let = "let" variable [":" type_name] ["=" expression] end"""
    start = p.start
    p.advance()
    if p.kind != "variable":
        raise p.unexpected("a variable after `let`")
    target = variable(p)
    type_ = type_name(p) if p.accept(":") else None
    value = expression(p) if p.accept("=") else None
    span = p.span(start)
    end(p)
    return tree.Let(span, target, type_, value)


def jump(p: Tokens) -> tree.Stmt:
    """jump = ("break" | "continue" | "return" [expression]) end"""
    start, kind = p.start, p.kind
    p.advance()
    value = expression(p) if kind == "return" and p.kind not in (";", "}") else None
    span = p.span(start)
    end(p)
    return tree.Jump(span, kind, value)


def import_(p: Tokens) -> tree.Import:
    """import = "import" string ";" """
    start = p.start
    p.advance()
    if p.kind != "string":
        raise p.unexpected("a string after `import`")
    path = p.string_value().decode("utf-8", "surrogateescape")
    span = p.span(start)
    p.expect(";", "after `import`")
    return tree.Import(span, path)


def _gives_value(item: tree.Expr) -> bool:
    """Whether any branch of `item` ends in an expression."""
    while isinstance(item, tree.IfExpr):
        if item.then.value is not None:
            return True
        item = item.otherwise
    return not isinstance(item, tree.BlockExpr) or item.value is not None


def _as_statement(item: tree.Expr) -> tree.Stmt:
    if isinstance(item, tree.BlockExpr):
        return tree.Block(item.span, _as_statements(item))
    if not isinstance(item, tree.IfExpr):
        return tree.ExprStmt(item.span, item)
    links: list[tree.IfExpr] = []
    last: tree.Expr = item
    while isinstance(last, tree.IfExpr):
        links.append(last)
        last = last.otherwise
    assert isinstance(last, tree.BlockExpr)
    otherwise = _as_statements(last)
    for link in reversed(links):
        result = tree.If(link.span, link.condition, _as_statements(link.then), otherwise)
        otherwise = (result,)
    return result


def _as_statements(item: tree.BlockExpr) -> tuple[tree.Stmt, ...]:
    """Statements of a block whose value nobody asks for."""
    return item.body if item.value is None else (*item.body, _as_statement(item.value))


_STATEMENTS: dict[str, Callable[[Tokens], tree.Stmt | tree.Expr]] = {
    "if": if_statement,
    "{": block_statement,
    "while": while_,
    "for": for_,
    "unroll": unroll,
    "let": let,
    "break": jump,
    "continue": jump,
    "return": jump,
    "import": import_,
}

PRIMARY["if"] = if_expr
PRIMARY["{"] = block_expr
