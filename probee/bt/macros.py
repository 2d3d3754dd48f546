"""Macros and functions of one's own: each call becomes a copy of the body before anything is checked.

A function's parameters are variables of its own, and it may `return`. A macro sees nothing of where it is
called but its arguments: variables (which it may change), maps, and expressions, which are computed at
each use. Variables of its own get names that no script can write. Every node of a copy has a span that
tells of the call, so that messages can.
"""

from __future__ import annotations

from ..base.errors import SourceError
from ..base.record import fields, record, replace
from ..base.source import Diagnostic, Expanded, Span
from ..funcs import find
from . import tree
from .walk import check_depth, if_chain, walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Argument = tree.Expr | tree.TypeName

MOST_CALLS = 5000
"""Calls that may be expanded in one script: of macros that each call the one before twice, the 40th would
come to 2**40."""

_KINDS = {"variable": tree.Variable, "map": tree.MapAccess}
_SPELLED = {"variable": "a variable", "map": "a map"}


@record
class Inlined(tree.Expr):
    """A call of a function of one's own: its body, which first sets the parameters. Its value is what is
    returned, of the type `returns`."""

    span: Span
    name: str
    body: tuple[tree.Stmt, ...]
    returns: tree.TypeName | None


def expand_macros(script: tree.Script) -> tree.Script:
    """`script` with the calls of its macros and functions expanded, and of the functions only those that
    nobody calls. Raises SourceError with everything that is wrong."""
    if not script.macros and not script.functions:
        return script
    check_depth(script)
    expansion = _Expansion(script)
    probes = tuple([expansion.outside().visit(probe) for probe in script.probes])
    unused = [function for name, function in expansion.functions.items() if name not in expansion.inlined]
    functions = tuple([expansion.outside().visit(function) for function in unused])
    if expansion.diagnostics:
        raise SourceError(list(dict.fromkeys(expansion.diagnostics)))
    return replace(script, macros=(), functions=functions, probes=probes)


class _Expansion:
    """The macros of a script by their names, and what is wrong with their calls."""

    def __init__(self, script: tree.Script) -> None:
        self.macros: dict[str, list[tree.Macro]] = {}
        self.functions: dict[str, tree.Function] = {}
        self.diagnostics: list[Diagnostic] = []
        self.calls = 0
        self.inlined: set[str] = set()
        for macro in script.macros:
            self._define(macro)
        for function in script.functions:
            if function.name in self.functions or function.name in self.macros:
                self.error(f"Redefinition of function: {function.name}", function.span)
            self.functions.setdefault(function.name, function)

    def outside(self) -> _Copier:
        return _Copier(self, ())

    def error(self, message: str, span: Span, *notes: tuple[str, Span]) -> None:
        self.diagnostics.append(Diagnostic("ERROR", message, span, notes=notes))

    def _define(self, macro: tree.Macro) -> None:
        known = self.macros.setdefault(macro.name, [])
        if any(_kinds(other) == _kinds(macro) for other in known):
            self.error(f"Redefinition of macro: {macro.name}", macro.span)
            return
        seen = set()
        for parameter in macro.parameters:
            if parameter.name in seen:
                what = {"variable": "Variable", "map": "Map"}.get(parameter.kind, "Ident")
                message = f"{what} for macro argument has already been used: {parameter.name}"
                self.error(message, parameter.span)
            seen.add(parameter.name)
        for node in walk(macro.body):
            if isinstance(node, tree.Jump) and (node.kind == "return" or not _in_loop(macro.body, node)):
                self.error(f"'{node.kind}' statement is not allowed in a macro", node.span)
        known.append(macro)

    def find(self, name: str, args: tuple[Argument, ...], span: Span) -> tree.Macro | None:
        """The macro that a call means; None, and an error if there are macros of that name."""
        known = self.macros.get(name, [])
        for macro in sorted(known, key=_generality):
            if _matches(macro, args):
                return macro
        if known and find(name) is None:  # else it is the language's own function of that name
            closest = min(known, key=lambda m: _distance(m, args))
            self._complain(closest, args, span)
        return None

    def _complain(self, closest: tree.Macro, args: tuple[Argument, ...], span: Span) -> None:
        wanted, name = len(closest.parameters), closest.name
        message = f"Call to {name}() has arguments that do not match any definition."
        if wanted != len(args):
            note = (
                f"The closest definition of {name}() has a different number of arguments. "
                f"Expected: {wanted} but got {len(args)}"
            )
            self.error(message, span, (note, _head(closest)))
            return
        self.error(message, span)
        for parameter, arg in _mismatches(closest, args):
            got = "an expression"
            for kind, node in _KINDS.items():
                if isinstance(arg, node):
                    got = _SPELLED[kind]
            message = f"Mismatched arg. {name}() expects {_SPELLED[parameter.kind]} for arg {parameter.name}"
            note = "This is the argument in the closest definition."
            self.error(f"{message} but got {got}.", arg.span, (note, parameter.span))


def _head(macro: tree.Macro) -> Span:
    """The word that begins a macro, and its name."""
    text = macro.span.source.text
    start = macro.span.start
    return Span(macro.span.source, start, text.index(macro.name, start + len("macro")) + len(macro.name))


def _kinds(macro: tree.Macro) -> list[str]:
    return [p.kind if p.kind in _KINDS else "" for p in macro.parameters]


def _generality(macro: tree.Macro) -> int:
    """Less for macros that take less: variables and maps go before expressions."""
    return _kinds(macro).count("")


def _fits(parameter: tree.Parameter, arg: Argument) -> bool:
    kind = _KINDS.get(parameter.kind)
    return kind is None or (isinstance(arg, kind) and not getattr(arg, "keys", ()))


def _matches(macro: tree.Macro, args: tuple[Argument, ...]) -> bool:
    return len(macro.parameters) == len(args) and not _mismatches(macro, args)


def _mismatches(macro: tree.Macro, args: tuple[Argument, ...]) -> list[tuple[tree.Parameter, Argument]]:
    return [(p, a) for p, a in zip(macro.parameters, args, strict=True) if not _fits(p, a)]


def _distance(macro: tree.Macro, args: tuple[Argument, ...]) -> int:
    wrong = sum(not _fits(p, a) for p, a in zip(macro.parameters, args, strict=False))
    return 1024 * abs(len(macro.parameters) - len(args)) + wrong


def _in_loop(body: tree.Node, jump: tree.Jump) -> bool:
    loops = (tree.While, tree.ForMap, tree.ForRange)
    return any(
        isinstance(node, loops) and any(inner is jump for inner in walk(node.body)) for node in walk(body)
    )


class _Copier:
    """Copies a tree and expands what is called in it. Inside of a macro (`stack` is not empty) it gives
    arguments for parameters, and the macro's own variables their names."""

    def __init__(
        self,
        expansion: _Expansion,
        stack: tuple[tree.Macro | tree.Function, ...],
        args: dict[str, Argument] | None = None,
        call: Span | None = None,
    ) -> None:
        self.expansion = expansion
        self.stack = stack
        self.args = args or {}
        self.call = call
        self.number = expansion.calls
        self.renamed: dict[str, str] = {}
        if stack:
            for name in _declared(stack[-1]):
                if name not in self.args:
                    self.renamed[name] = self.own(name)

    def own(self, name: str) -> str:
        """What a variable of the macro or function at hand is called in this copy."""
        return f"$${self.stack[-1].name}_{self.number}_{name}"

    def visit(self, item: Any) -> Any:
        """A copy of `item`, a node, a tuple or a value."""
        if isinstance(item, tuple):
            return tuple([self.visit(part) for part in item])
        if not isinstance(item, tree.Node):
            return item
        rule = _RULES.get(item.__class__)
        return rule(self, item) if rule is not None else self.copy(item)

    def copy(self, node: tree.Node, **changes: Any) -> Any:
        """A copy of `node`, of which `changes` are what is not to be copied."""
        for name in fields(node):
            if name == "span":
                changes.setdefault(name, self.span(node.span))
            elif name not in changes:
                changes[name] = self.visit(getattr(node, name))
        return node.__class__(**changes)

    def span(self, span: Span) -> Span:
        """`span` of a macro's text, for a copy that was made for a call."""
        if self.call is None:
            return span
        return Expanded(span.source, span.start, span.end, self.call)

    def variable(self, node: tree.Variable) -> Any:
        arg = self.args.get(node.name)
        if isinstance(arg, tree.Variable):
            return self.copy(node, name=arg.name)
        if self.stack and isinstance(self.stack[-1], tree.Function):
            return self.copy(node, name=self.own(node.name))
        return self.copy(node, name=self.renamed.get(node.name, node.name))

    def chain(self, first: tree.If) -> Any:
        """An `if` with its `else if`s, in their order."""
        links = if_chain(first)
        parts = [(self.visit(link.condition), self.visit(link.then)) for link in links]
        otherwise = self.visit(links[-1].otherwise)
        for link, (condition, then) in zip(reversed(links), reversed(parts), strict=True):
            otherwise = (tree.If(self.span(link.span), condition, then, otherwise),)
        return otherwise[0]

    def let(self, node: tree.Let) -> Any:
        if node.target.name in self.args:
            message = f"Variable declaration shadows macro arg {node.target.name}"
            self.expansion.error(message, self.span(node.span))
        return self.copy(node)

    def map(self, node: tree.MapAccess) -> Any:
        arg = self.args.get(node.name)
        if isinstance(arg, tree.MapAccess):
            return self.copy(node, name=arg.name)
        if self.stack and isinstance(self.stack[-1], tree.Macro):
            message = (
                f"Unhygienic access to map: {node.name}. Maps must be passed into the macro as arguments."
            )
            self.expansion.error(message, self.span(node.span))
        return self.copy(node)

    def identifier(self, node: tree.Identifier) -> Any:
        arg = self.args.get(node.name)
        if arg is not None:
            return _clone(arg)
        return self.expand(node, (), node.span) or self.copy(node)

    def call_(self, node: tree.Call) -> Any:
        args = self.visit(node.args)
        made = self.expand(node, args, node.span)
        return made or self.copy(node, args=args)

    def expand(self, node: tree.Identifier | tree.Call, args: tuple[Argument, ...], span: Span) -> Any:
        """What a call stands for, None where it is no macro's."""
        span = self.span(span)
        function = self.expansion.functions.get(node.name)
        if function is not None:
            return self.inline(function, args, span)
        macro = self.expansion.find(node.name, args, span)
        if macro is None or self.recurses(macro, "macro", span):
            return None
        given: dict[str, Argument] = {}
        for parameter, arg in zip(macro.parameters, args, strict=True):
            whole = parameter.kind not in _KINDS and isinstance(arg, (tree.Variable, tree.MapAccess))
            given[parameter.name] = tree.BlockExpr(arg.span, (), arg) if whole else arg  # type: ignore[arg-type]
        inner = _Copier(self.expansion, (*self.stack, macro), given, span)
        return inner.copy(macro.body, span=span)

    def recurses(self, called: tree.Macro | tree.Function, what: str, span: Span) -> bool:
        """True, and an error, where a call is made within what it calls, or calls have become too many."""
        self.expansion.calls += 1
        if self.expansion.calls == MOST_CALLS:
            self.expansion.error(f"macros and functions come to more than {MOST_CALLS} calls", span)
        if self.expansion.calls >= MOST_CALLS:
            return True
        if called not in self.stack:
            return False
        chain = " > ".join([m.name for m in (*self.stack[self.stack.index(called) :], called)])
        self.expansion.error(f"Recursive {what} call detected. Call chain: {chain}", span)
        return True

    def inline(self, function: tree.Function, args: tuple[Argument, ...], span: Span) -> Any:
        """The body of a function, with its parameters set to `args`."""
        self.expansion.inlined.add(function.name)
        if self.recurses(function, "function", span):
            return None
        wanted = len(function.parameters)
        if wanted != len(args):
            message = f"Function `{function.name}` requires {wanted} arguments, got {len(args)}"
            self.expansion.error(message, span)
            return None
        inner = _Copier(self.expansion, (*self.stack, function), None, span)
        body: list[tree.Stmt] = []
        for parameter, arg in zip(function.parameters, args, strict=True):
            if isinstance(arg, tree.TypeName):
                self.expansion.error(f"Function `{function.name}` takes no types", arg.span)
                continue
            target = tree.Variable(inner.span(parameter.span), inner.renamed[parameter.name])
            body.append(tree.Let(arg.span, target, inner.visit(parameter.type), arg))
        body += inner.visit(function.body)
        return Inlined(span, function.name, tuple(body), inner.visit(function.returns))

    def type_name(self, node: tree.TypeName) -> Any:
        tag, _, name = node.base.rpartition(" ")
        arg = self.args.get(name)
        if isinstance(arg, tree.BlockExpr):
            arg = arg.value
        if arg is None:
            return self.copy(node)
        if isinstance(arg, tree.TypeName) and not tag:
            return self.copy(node, base="", typeof=arg)
        if isinstance(arg, tree.TypeName) and isinstance(arg.typeof, (tree.Identifier, tree.TypeName)):
            arg = arg.typeof
        named = arg.name if isinstance(arg, tree.Identifier) else ""
        if isinstance(arg, tree.TypeName) and not (arg.pointers or arg.dims or " " in arg.base):
            named = arg.base
        if named:
            return self.copy(node, base=f"{tag} {named}".strip())
        message = f"Invalid replacement for macro '{self.stack[-1].name}' type parameter '{name}'"
        if tag:
            message += f" which makes up the type '{node.base}'"
        self.expansion.error(message, arg.span)
        return self.copy(node)

    def offset_of(self, node: tree.OffsetOf) -> Any:
        arg = self.args.get(node.path[0]) if len(node.path) == 1 else None
        path = _path_of(arg) if arg is not None else None
        return self.copy(node, path=path or node.path)


def _clone(item: Any) -> Any:
    """A fresh copy of what the caller wrote, at each place where it is used."""
    if isinstance(item, tuple):
        return tuple([_clone(part) for part in item])
    if not isinstance(item, tree.Node):
        return item
    return item.__class__(**{name: _clone(getattr(item, name)) for name in fields(item)})


def _path_of(arg: Argument) -> tuple[str, ...] | None:
    """`a.b.c` as an argument for a path of fields."""
    names: list[str] = []
    node: object = arg
    while isinstance(node, tree.FieldAccess):
        names.insert(0, node.name)
        node = node.operand
    return (node.name, *names) if isinstance(node, tree.Identifier) else None


def _declared(body: tree.Node) -> list[str]:
    """The variables that a macro or a function makes or changes."""
    found = [p.name for p in body.parameters] if isinstance(body, tree.Function) else []
    for node in walk(body):
        if isinstance(node, (tree.Assign, tree.Let, tree.ForMap, tree.ForRange)) and isinstance(
            node.target, tree.Variable
        ):
            found.append(node.target.name)
    return found


_RULES: dict[type, Callable[[_Copier, Any], Any]] = {
    tree.Variable: _Copier.variable,
    tree.If: _Copier.chain,
    tree.Let: _Copier.let,
    tree.MapAccess: _Copier.map,
    tree.Identifier: _Copier.identifier,
    tree.Call: _Copier.call_,
    tree.TypeName: _Copier.type_name,
    tree.OffsetOf: _Copier.offset_of,
}
