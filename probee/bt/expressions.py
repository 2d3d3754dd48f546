"""The grammar of expressions. Each function parses the rule that is its docstring's first line.

A function finds its first token at hand (`p.kind`) and leaves the one after its last. Statements
inside expressions (`if`, `{ }`) are entered in `PRIMARY` by `statements`.
"""

from __future__ import annotations

from ..base.source import Span
from . import tree
from .typenames import BUILTINS, at_cast, at_type_argument, plain_type, suffixed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .lexer import Tokens

PRECEDENCE = {
    "||": 1,
    "&&": 2,
    "|": 3,
    "^": 4,
    "&": 5,
    "==": 6,
    "!=": 6,
    "<": 7,
    ">": 7,
    "<=": 7,
    ">=": 7,
    "<<": 8,
    ">>": 8,
    "+": 9,
    "-": 9,
    "*": 10,
    "/": 10,
    "%": 10,
}

_PREFIX = frozenset(("-", "!", "~", "*", "&", "++", "--", "comptime"))


def expression(p: Tokens) -> tree.Expr:
    """expression = binary ["?" [expression] ":" expression]"""
    p.deepen()
    start = p.start
    result = binary(p)
    if p.kind == "?":
        p.advance()
        then = None if p.kind == ":" else expression(p)
        p.expect(":", "of `? :`")
        otherwise = expression(p)
        result = tree.Ternary(p.span(start), result, then, otherwise)
    p.depth -= 1
    return result


def binary(p: Tokens) -> tree.Expr:
    """binary = unary {operator unary}, grouped by PRECEDENCE, the left first among equals"""
    start = p.start
    left = unary(p)
    if p.kind not in PRECEDENCE:
        return left
    operands: list[tuple[tree.Expr, int, int]] = [(left, start, p.last)]
    operators: list[str] = []
    count = 0
    while (rank := PRECEDENCE.get(p.kind)) is not None:
        while operators and PRECEDENCE[operators[-1]] >= rank:
            _join(p, operands, operators)
        operators.append(p.kind)
        count += 1
        p.check_chain(count)
        p.advance()
        start = p.start
        right = unary(p)
        operands.append((right, start, p.last))
    while operators:
        _join(p, operands, operators)
    return operands[0][0]


def _join(p: Tokens, operands: list[tuple[tree.Expr, int, int]], operators: list[str]) -> None:
    right, _, end = operands.pop()
    left, start, _ = operands.pop()
    operands.append((tree.Binary(Span(p.source, start, end), operators.pop(), left, right), start, end))


def unary(p: Tokens) -> tree.Expr:
    """unary = ("-" | "!" | "~" | "*" | "comptime") unary | ("++" | "--") unary | "&" target | postfix"""
    if p.kind not in _PREFIX:
        return postfix(p)
    prefixes: list[tuple[str, int]] = []
    while p.kind in _PREFIX:
        prefixes.append((p.kind, p.start))
        p.check_chain(len(prefixes))
        p.advance()
        if prefixes[-1][0] == "&":
            break
    operand = _addressed(p) if prefixes[-1][0] == "&" else postfix(p)
    for op, start in reversed(prefixes):
        if op == "comptime":
            operand = tree.Comptime(p.span(start), operand)
        elif op in ("++", "--"):
            _check_counter(p, operand, operand.span)
            operand = tree.Increment(p.span(start), op, True, operand)
        else:
            operand = tree.Unary(p.span(start), op, operand)
    return operand


def _addressed(p: Tokens) -> tree.Expr:
    """target = variable | map"""
    if p.kind == "variable":
        return variable(p)
    if p.kind != "map":
        raise p.error("address-of operator (&) can only be used on a map or variable")
    name = p.word
    p.advance()
    return tree.MapAccess(p.span(p.last - len(name)), name)


def _check_counter(p: Tokens, operand: tree.Expr, marked: Span) -> None:
    if not isinstance(operand, tree.Variable | tree.MapAccess):
        raise p.error("increment/decrement requires a variable or map", marked)


def postfix(p: Tokens) -> tree.Expr:
    """postfix = primary {"." name | "->" name | "." integer | "[" expression "]" | "++" | "--"}"""
    start = p.start
    result = primary(p)
    count = 0
    while (suffix := _POSTFIX.get(p.kind)) is not None:
        count += 1
        p.check_chain(count)
        result = suffix(p, result, start)
    return result


def _field(p: Tokens, operand: tree.Expr, start: int) -> tree.Expr:
    arrow = p.kind == "->"
    p.advance()
    if p.kind == "integer" and not arrow:
        return _element(p, operand, start)
    name = p.expect_word(f"a field's name after `{'->' if arrow else '.'}`")
    return tree.FieldAccess(p.span(start), operand, name, arrow)


def _element(p: Tokens, operand: tree.Expr, start: int) -> tree.Expr:
    if isinstance(operand, tree.Integer):
        span = Span(p.source, start, p.end)
        raise p.error(
            f"expected an integer, got `{span.text}`", span, "there are no fractions in this language"
        )
    at = p.here()
    index = p.integer_value()[0]
    if index >= 1 << 31:
        raise p.error(f"a tuple has no element {at.text}", at)
    return tree.TupleAccess(p.span(start), operand, index)


def _index(p: Tokens, operand: tree.Expr, start: int) -> tree.Expr:
    p.advance()
    index = expression(p)
    p.expect("]", "to close the index")
    return tree.Index(p.span(start), operand, index)


def _count(p: Tokens, operand: tree.Expr, start: int) -> tree.Expr:
    op = p.kind
    _check_counter(p, operand, p.here())
    p.advance()
    return tree.Increment(p.span(start), op, False, operand)


_POSTFIX: dict[str, Callable[[Tokens, tree.Expr, int], tree.Expr]] = {
    ".": _field,
    "->": _field,
    "[": _index,
    "++": _count,
    "--": _count,
}


def primary(p: Tokens) -> tree.Expr:
    """primary = one of the rules in PRIMARY, chosen by its first token"""
    rule = PRIMARY.get(p.kind)
    if rule is None:
        raise p.unexpected("an expression", _primary_hint(p))
    return rule(p)


def _primary_hint(p: Tokens) -> str | None:
    if p.kind in ("struct", "union", "enum", "typeof"):
        return "a type stands in a cast, `(struct x *)e`, or in `typeof(…)` as an argument"
    if p.kind == "+":
        return "there is no `+` with one operand"
    return None


def integer(p: Tokens) -> tree.Expr:
    """integer = digits [suffix]"""
    span, text = p.here(), p.word
    value, unsigned = p.integer_value()
    return tree.Integer(span, value, text, unsigned)


def string(p: Tokens) -> tree.Expr:
    """string = '"' {character | escape} '"'"""
    span = p.here()
    return tree.String(span, p.string_value())


def boolean(p: Tokens) -> tree.Expr:
    """boolean = "true" | "false" """
    result = tree.Boolean(p.here(), p.kind == "true")
    p.advance()
    return result


def variable(p: Tokens) -> tree.Variable:
    """variable = "$" name"""
    result = tree.Variable(p.here(), p.word)
    p.advance()
    return result


def parameter(p: Tokens) -> tree.Expr:
    """parameter = "$" number | "$#" """
    digits = p.word[1:]
    if digits != "#" and not 1 <= int(digits[:20]) < 1 << 63:
        raise p.error(f"param ${digits} is out of integer range [1, {(1 << 63) - 1}]")
    result = tree.Positional(p.here(), 0 if digits == "#" else int(digits))
    p.advance()
    return result


def map_access(p: Tokens) -> tree.Expr:
    """map_access = "@" [name] ["[" expression {"," expression} "]"], a tuple as key being its elements"""
    start, name = p.start, p.word
    p.advance()
    if p.kind != "[":
        return tree.MapAccess(p.span(start), name)
    p.advance()
    keys = [expression(p)]
    while p.accept(","):
        keys.append(expression(p))
    p.expect("]", "to close the map's key")
    only = keys[0]
    if len(keys) == 1 and isinstance(only, tree.TupleExpr) and len(only.items) > 1:
        return tree.MapAccess(p.span(start), name, only.items)
    return tree.MapAccess(p.span(start), name, tuple(keys))


def name_or_call(p: Tokens) -> tree.Expr:
    """name_or_call = name ["(" [argument {"," argument}] ")"]"""
    start, name = p.start, p.word
    p.advance()
    if p.kind != "(":
        return tree.Identifier(p.span(start), name)
    name_span = p.span(start)
    p.advance()
    arguments: list[tree.Expr | tree.TypeName] = []
    if p.kind != ")":
        arguments.append(_argument(p))
        while p.accept(","):
            arguments.append(_argument(p))
    p.expect(")", f"to close the call of `{name}`")
    return tree.Call(p.span(start), name, tuple(arguments), name_span)


def _argument(p: Tokens) -> tree.Expr | tree.TypeName:
    """argument = typeof | expression"""
    return typeof(p) if p.kind == "typeof" else expression(p)


def parenthesized(p: Tokens) -> tree.Expr:
    """parenthesized = cast | record | tuple | "(" expression ")" """
    start = p.start
    p.deepen()
    p.advance()
    if _at_record(p):
        result = record(p, start)
    elif at_cast(p):
        result = cast(p, start)
    else:
        result = tuple_or_group(p, start)
    p.depth -= 1
    return result


def _at_record(p: Tokens) -> bool:
    if p.kind != "name" or p.word in BUILTINS:
        return False
    start = p.start
    p.advance()
    found = p.kind == "="
    p.seek(start)
    return found


def cast(p: Tokens, start: int) -> tree.Expr:
    """cast = "(" type_name ")" unary"""
    type_ = type_name(p)
    p.expect(")", "to close the cast")
    operand = unary(p)
    return tree.Cast(p.span(start), type_, operand)


def record(p: Tokens, start: int) -> tree.Expr:
    """record = "(" name "=" expression {"," name "=" expression} ")" """
    names: list[str] = []
    items: list[tree.Expr] = []
    while True:
        here = p.here()
        name = p.expect_word("a field's name")
        p.expect("=", "and the field's value")
        items.append(expression(p))
        if name in names:
            message = f"Named argument list already contains name: {name}"
            raise p.error(message, p.span(here.start))
        names.append(name)
        if not p.accept(","):
            break
    p.expect(")", "to close the record")
    return tree.RecordExpr(p.span(start), tuple(names), tuple(items))


def tuple_or_group(p: Tokens, start: int) -> tree.Expr:
    """tuple_or_group = "(" expression ")" | "(" [expression "," {expression ","} [expression]] ")" """
    if p.accept(")"):
        return tree.TupleExpr(p.span(start), ())
    first = expression(p)
    if p.kind != ",":
        p.expect(")", "to close the parenthesis")
        return first
    items = [first]
    while p.accept(",") and p.kind != ")":
        items.append(expression(p))
    p.expect(")", "to close the tuple")
    return tree.TupleExpr(p.span(start), tuple(items))


def type_name(p: Tokens) -> tree.TypeName:
    """type_name = typeof | plain_type"""
    return typeof(p) if p.kind == "typeof" else plain_type(p)


def typeof(p: Tokens) -> tree.TypeName:
    """typeof = "typeof" "(" type_argument ")" {"*" | "[" integer "]"}"""
    start = p.start
    p.advance()
    p.expect("(", "after `typeof`")
    of = type_argument(p)
    p.expect(")", "to close `typeof`")
    return suffixed(p, start, "", of)


def type_argument(p: Tokens) -> tree.Expr | tree.TypeName:
    """type_argument = type_name | expression; a bare name that is no type of the language is an expression"""
    return type_name(p) if at_type_argument(p) else expression(p)


def sizeof(p: Tokens) -> tree.Expr:
    """sizeof = "sizeof" "(" type_argument ")" """
    start = p.start
    p.advance()
    p.expect("(", "after `sizeof`")
    of = type_argument(p)
    p.expect(")", "to close `sizeof`")
    return tree.SizeOf(p.span(start), of)


def typeinfo(p: Tokens) -> tree.Expr:
    """typeinfo = "typeinfo" "(" type_argument ")" """
    start = p.start
    p.advance()
    p.expect("(", "after `typeinfo`")
    of = type_argument(p)
    p.expect(")", "to close `typeinfo`")
    return tree.TypeInfo(p.span(start), of)


def offsetof(p: Tokens) -> tree.Expr:
    """offsetof = "offsetof" "(" type_argument "," name {"." name} ")" """
    start = p.start
    p.advance()
    p.expect("(", "after `offsetof`")
    of = type_argument(p)
    p.expect(",", "and a field's name")
    path = [p.expect_word("a field's name")]
    while p.accept("."):
        path.append(p.expect_word("a field's name after `.`"))
    p.expect(")", "to close `offsetof`")
    return tree.OffsetOf(p.span(start), of, tuple(path))


# First token → rule. The statements that can be values are added by `statements`.
PRIMARY: dict[str, Callable[[Tokens], tree.Expr]] = {
    "integer": integer,
    "string": string,
    "true": boolean,
    "false": boolean,
    "variable": variable,
    "parameter": parameter,
    "map": map_access,
    "name": name_or_call,
    "(": parenthesized,
    "sizeof": sizeof,
    "offsetof": offsetof,
    "typeinfo": typeinfo,
}
