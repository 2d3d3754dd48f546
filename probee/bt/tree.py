"""The syntax tree of the bpftrace language: nothing but data.

Nodes are frozen and compared by identity, so that a table keyed by node can hold what later stages
learn. Every node has a `span`. Field order is source order.
"""

from __future__ import annotations

from ..base.record import record
from ..base.source import Source, Span


class Node:
    """Any node."""

    __slots__ = ()
    span: Span

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


class Expr(Node):
    """Something with a value."""

    __slots__ = ()


class Stmt(Node):
    """Something done."""

    __slots__ = ()


# ---- types -----------------------------------------------------------------------------------


@record
class TypeName(Node):
    """A type as written: `base` is "int32", "string", "struct sk_buff", "bool", a typedef …;
    `pointers` counts the stars; `dims` are array lengths, outermost first; `length` is N of `string[N]`,
    `buffer[N]`, `inet[N]`. `typeof` is the argument of typeof(...) in place of a name."""

    span: Span
    base: str
    pointers: int = 0
    dims: tuple[int, ...] = ()
    length: int | None = None
    typeof: Expr | TypeName | None = None


# ---- expressions -----------------------------------------------------------------------------


@record
class Integer(Expr):
    """`text` is the literal as written; `value` is unsigned (a minus is an operator)."""

    span: Span
    value: int
    text: str
    unsigned: bool = False  # had a `u` suffix


@record
class String(Expr):
    """`value` with escapes resolved."""

    span: Span
    value: bytes


@record
class Boolean(Expr):
    span: Span
    value: bool


@record
class Identifier(Expr):
    """A bare name: builtin, enum constant, macro or call without parentheses."""

    span: Span
    name: str


@record
class Variable(Expr):
    """`$name`; `name` has the dollar."""

    span: Span
    name: str


@record
class MapAccess(Expr):
    """`@name` or `@name[keys]`; `name` has the at sign. `keys` is () for a keyless access."""

    span: Span
    name: str
    keys: tuple[Expr, ...] = ()


@record
class Positional(Expr):
    """`$1` …; number 0 is `$#`, the count."""

    span: Span
    number: int


@record
class Unary(Expr):
    """`op` is one of - ! ~ * & +"""

    span: Span
    op: str
    operand: Expr


@record
class Increment(Expr):
    """`++x`, `x++`, `--x`, `x--` on a variable or map."""

    span: Span
    op: str  # "++" or "--"
    prefix: bool
    target: Expr


@record
class Binary(Expr):
    span: Span
    op: str
    left: Expr
    right: Expr


@record
class Ternary(Expr):
    """`c ? a : b`; `a ?: b` has `then` None."""

    span: Span
    condition: Expr
    then: Expr | None
    otherwise: Expr


@record
class Call(Expr):
    """`name(args)`. `name_span` covers the name alone."""

    span: Span
    name: str
    args: tuple[Expr | TypeName, ...]
    name_span: Span


@record
class FieldAccess(Expr):
    """`x.name`, or `x->name` when `arrow`."""

    span: Span
    operand: Expr
    name: str
    arrow: bool = False


@record
class TupleAccess(Expr):
    """`x.0`"""

    span: Span
    operand: Expr
    index: int


@record
class Index(Expr):
    """`x[i]`"""

    span: Span
    operand: Expr
    index: Expr


@record
class Cast(Expr):
    span: Span
    type: TypeName
    operand: Expr


@record
class TupleExpr(Expr):
    """`(a, b)`, `(a,)`, `()`"""

    span: Span
    items: tuple[Expr, ...]


@record
class RecordExpr(Expr):
    """`(x=1, y=2)`"""

    span: Span
    names: tuple[str, ...]
    items: tuple[Expr, ...]


@record
class SizeOf(Expr):
    span: Span
    of: Expr | TypeName


@record
class OffsetOf(Expr):
    span: Span
    of: Expr | TypeName
    path: tuple[str, ...]


@record
class TypeInfo(Expr):
    """`typeinfo(e)`"""

    span: Span
    of: Expr | TypeName


@record
class Comptime(Expr):
    span: Span
    operand: Expr


@record
class BlockExpr(Expr):
    """`{ statements; value }` used as a value; `value` None gives nothing."""

    span: Span
    body: tuple[Stmt, ...]
    value: Expr | None


@record
class IfExpr(Expr):
    """`if c { a } else { b }` used as a value."""

    span: Span
    condition: Expr
    then: BlockExpr
    otherwise: Expr


# ---- statements ------------------------------------------------------------------------------


@record
class ExprStmt(Stmt):
    """An expression for its effect; `discard` for `_ = e`."""

    span: Span
    expr: Expr
    discard: bool = False


@record
class Let(Stmt):
    """`let $x`, `let $x : type`, `let $x = e`, `let $x : type = e`"""

    span: Span
    target: Variable
    type: TypeName | None
    value: Expr | None


@record
class Assign(Stmt):
    """`target op value`; `op` is "=" or a compound such as "+="."""

    span: Span
    target: Expr
    op: str
    value: Expr


@record
class If(Stmt):
    """`otherwise` is the else branch: an `If` alone in it for `else if`."""

    span: Span
    condition: Expr
    then: tuple[Stmt, ...]
    otherwise: tuple[Stmt, ...] = ()


@record
class While(Stmt):
    span: Span
    condition: Expr
    body: tuple[Stmt, ...]


@record
class ForMap(Stmt):
    """`for $kv : @map { }`"""

    span: Span
    target: Variable
    map: MapAccess
    body: tuple[Stmt, ...]


@record
class ForRange(Stmt):
    """`for $i : start..end { }`, end excluded"""

    span: Span
    target: Variable
    start: Expr
    end: Expr
    body: tuple[Stmt, ...]


@record
class Unroll(Stmt):
    span: Span
    count: Expr
    body: tuple[Stmt, ...]


@record
class Jump(Stmt):
    """`break`, `continue`, `return`, `return e`"""

    span: Span
    kind: str
    value: Expr | None = None


@record
class Block(Stmt):
    """A bare `{ }`."""

    span: Span
    body: tuple[Stmt, ...]


@record
class Import(Stmt):
    """`import "path";`, at the top or as a statement."""

    span: Span
    path: str


# ---- the top ---------------------------------------------------------------------------------


@record
class AttachPoint(Node):
    """One attach point: `[name=]provider:arg:…`. `provider` in the writer's spelling; `args` are the
    parts between colons after it, unquoted, `$1` expanded, and an unquoted `@` a part of its own;
    `text` is the whole as written (expanded)."""

    span: Span
    text: str
    provider: str
    args: tuple[str, ...]
    name: str = ""


@record
class Probe(Node):
    """`points / predicate / { body }`"""

    span: Span
    points: tuple[AttachPoint, ...]
    predicate: Expr | None
    body: tuple[Stmt, ...]


@record
class MapDecl(Node):
    """`let @name = hash(max_entries);`"""

    span: Span
    name: str
    kind: str
    max_entries: Expr


@record
class Parameter(Node):
    """Of a macro: `$x`, `@m`, a bare name, or `typeof(T)` (kind "type"); of a fn: `$x : type`."""

    span: Span
    name: str
    kind: str  # "variable", "map", "expression", "type"
    type: TypeName | None = None


@record
class Macro(Node):
    span: Span
    name: str
    parameters: tuple[Parameter, ...]
    body: BlockExpr


@record
class Function(Node):
    """`fn name($a : type) : type { }`"""

    span: Span
    name: str
    parameters: tuple[Parameter, ...]
    returns: TypeName | None
    body: tuple[Stmt, ...]


@record
class Setting(Node):
    """`key = value` of `config = { }`: value is text, a number or a truth."""

    span: Span
    key: str
    value: str | int | bool


@record
class CDefinition(Node):
    """C text from the head of the script: a #include, a #define, or a struct, union or enum."""

    span: Span
    text: str


@record
class Script(Node):
    """One file. Members in order of the source."""

    span: Span
    source: Source
    c_definitions: tuple[CDefinition, ...]
    config: tuple[Setting, ...]
    imports: tuple[Import, ...]
    maps: tuple[MapDecl, ...]
    macros: tuple[Macro, ...]
    functions: tuple[Function, ...]
    probes: tuple[Probe, ...]
