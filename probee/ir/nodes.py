"""Functions of blocks of values.

Values and blocks are mutable while passes run; they are compared by identity. A block ends in exactly
one terminator, whose `targets` are its successors; `preds` is kept by `Function.link`.
"""

from __future__ import annotations

from .ops import TERMINATORS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..base.source import Span
    from .types import Type


class Value:
    """One instruction and what it gives. `imm` and `attr` are as the op table says."""

    __slots__ = ("op", "type", "args", "imm", "attr", "span", "targets", "id")

    def __init__(
        self,
        op: str,
        type: Type | None,
        args: list[Value] | None = None,
        *,
        imm: int = 0,
        attr: Any = None,
        span: Span | None = None,
        targets: list[Block] | None = None,
    ) -> None:
        self.op = op
        self.type = type
        self.args: list[Value] = args if args is not None else []
        self.imm = imm
        self.attr = attr
        self.span = span
        self.targets: list[Block] = targets if targets is not None else []
        self.id = 0  # a number for printing and tables, given by Function.number

    def __repr__(self) -> str:
        return f"<v{self.id} {self.op}>"


class Block:
    """A straight run of values. Phis come first, the terminator last."""

    __slots__ = ("name", "values", "preds")

    def __init__(self, name: str) -> None:
        self.name = name
        self.values: list[Value] = []
        self.preds: list[Block] = []

    @property
    def terminator(self) -> Value | None:
        """The last value where it ends the block."""
        return self.values[-1] if self.values and self.values[-1].op in TERMINATORS else None

    @property
    def succs(self) -> list[Block]:
        end = self.terminator
        return end.targets if end is not None else []

    def __repr__(self) -> str:
        return f"<{self.name}>"


class Function:
    """`blocks[0]` is the entry. Order of blocks is the order of the code.

    A program has `callbacks`, functions that it or one of them names, and `shared` bytes of memory that
    all of them see through one run; a callback itself has neither.
    """

    __slots__ = ("name", "blocks", "span", "callbacks", "shared")

    def __init__(self, name: str, span: Span | None = None) -> None:
        self.name = name
        self.blocks: list[Block] = []
        self.span = span
        self.callbacks: list[Function] = []
        self.shared = 0

    @property
    def whole(self) -> list[Function]:
        """The function and its callbacks."""
        return [self, *self.callbacks]

    def link(self) -> None:
        """Recompute `preds`. Phis must be in step with it: only for functions without phis, or where no
        edge has changed."""
        for block in self.blocks:
            block.preds = []
        for block in self.blocks:
            for succ in block.succs:
                succ.preds.append(block)

    def number(self) -> int:
        """Give blocks names and values ids in order; the count of values."""
        count = 0
        for index, block in enumerate(self.blocks):
            block.name = f"b{index}"
            for value in block.values:
                value.id = count
                count += 1
        return count
