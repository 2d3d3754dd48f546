"""Macros of C text in expressions: a name that stands for more than a constant is what its text says, read as
an expression of the language.

Needs: a parsed script and its C text. Constants are left to be found by their names (see cdefs.py), as are
names that are no macros.
"""

from __future__ import annotations

from ..base.errors import SourceError
from ..base.record import fields
from ..base.source import Diagnostic, Expanded, Source, Span
from . import tree
from .expressions import expression
from .lexer import Tokens
from .walk import check_depth, find_too_deep, if_chain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .cdefs import CTypes

_MOST = 5000
"""Macros that one script may come to: of those that name the one before twice, the 40th would be 2**40."""

_OPAQUE = (tree.AttachPoint, tree.CDefinition, tree.Setting, tree.Import, tree.TypeName)


def expand_c_macros(script: tree.Script, ctypes: CTypes) -> tree.Script:
    """`script` with the macros of its C text expanded. Raises SourceError with everything that is wrong."""
    check_depth(script)
    expansion = _Expansion(ctypes)
    made: tree.Script = expansion.visit(script)
    if expansion.diagnostics:
        raise SourceError(expansion.diagnostics)
    return made


class _Expansion:
    """Goes through a tree, and gives the same node back wherever there is nothing to expand."""

    def __init__(self, ctypes: CTypes) -> None:
        self.ctypes = ctypes
        self.diagnostics: list[Diagnostic] = []
        self._active: list[str] = []
        self._count = 0

    def visit(self, item: Any) -> Any:
        if isinstance(item, tuple):
            made = [self.visit(part) for part in item]
            return tuple(made) if any(a is not b for a, b in zip(made, item, strict=True)) else item
        if not isinstance(item, tree.Node) or isinstance(item, _OPAQUE):
            return item
        if isinstance(item, tree.Identifier):
            return self._expand(item)
        if isinstance(item, tree.If):
            return self._chain(item)
        parts = {name: getattr(item, name) for name in fields(item)}
        changes = {name: self.visit(part) for name, part in parts.items()}
        if all(changes[name] is part for name, part in parts.items()):
            return item
        return item.__class__(**changes)

    def _chain(self, first: tree.If) -> tree.If:
        """An `if` with its `else if`s, in their order."""
        links = if_chain(first)
        parts = [(self.visit(link.condition), self.visit(link.then)) for link in links]
        otherwise = self.visit(links[-1].otherwise)
        for link, (condition, then) in zip(reversed(links), reversed(parts), strict=True):
            otherwise = (tree.If(link.span, condition, then, otherwise),)
        made: tree.If = otherwise[0]
        return made

    def _expand(self, node: tree.Identifier) -> tree.Expr:
        text = self.ctypes.find_macro(node.name)
        if text is None:
            return node
        self._count += 1
        if node.name in self._active:
            self._complain(f"Macro recursion: {'->'.join(self._active)}", node.span)
            return node
        if self._count > _MOST:
            self._complain(f"macros come to more than {_MOST} expressions", node.span)
            return node
        parsed = _parse(Source(node.name, text))
        if parsed is None:
            self._complain(f"unable to expand macro as an expression: {text}", node.span)
            return node
        self._active.append(node.name)
        made: tree.Expr = self.visit(_placed(parsed, node.span))
        self._active.pop()
        return made

    def _complain(self, message: str, span: Span) -> None:
        if self._count <= _MOST + 1:
            self.diagnostics.append(Diagnostic("ERROR", message, span))


def _parse(text: Source) -> tree.Expr | None:
    """The expression that is all of `text`, or None."""
    try:
        tokens = Tokens(text)
        made = expression(tokens)
    except SourceError:
        return None
    return made if tokens.kind == "end" and find_too_deep(made) is None else None


def _placed(item: Any, by: Span) -> Any:
    """A copy of a node whose spans tell that it came to be at `by`."""
    if isinstance(item, tuple):
        return tuple([_placed(part, by) for part in item])
    if not isinstance(item, tree.Node):
        return item
    made = {name: _placed(getattr(item, name), by) for name in fields(item)}
    for name in ("span", "name_span"):
        if name in made:
            span = made[name]
            made[name] = Expanded(span.source, span.start, span.end, by)
    return item.__class__(**made)
