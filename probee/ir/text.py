"""The text form of a function, one value a line: printer (`-d ir`) and parser (golden tests).

    function count
    b0:
      v0:ptr.ctx = ctx
      v1:u64 = load v0 +112
      v2:u8 = ult v1, v3
      br v2, b1, b2

How an op is written follows from its row of the op table: `.8` are the bytes it touches, `+112` the
offset that belongs to the pointer before it, a bare word the map or helper. Values and blocks are
numbered in order, whatever their `id` and `name` are, so a dump never changes what it shows. After a
program come its callbacks, each under a line `callback NAME`; `shared 24` behind the program's name are
the bytes that they share.
For functions in SSA form `parse_function(print_function(f))` prints the same text; what passes make
of them after that is printed only. A comment goes from `;` to the line's end.
"""

from __future__ import annotations

import re

from ..base.errors import SourceError
from ..base.source import Diagnostic, Source, Span
from .nodes import Block, Function, Value
from .ops import OPS
from .types import S8, S16, S32, S64, U8, U16, U32, U64, PtrType, Space, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from .ops import Op

_INTEGERS: tuple[Type, ...] = (S8, S16, S32, S64, U8, U16, U32, U64)
_POINTERS: tuple[Type, ...] = tuple(PtrType(s, nullable) for s in Space for nullable in (False, True))
TYPES = {str(t): t for t in _INTEGERS + _POINTERS}
"""Every type by its spelling."""


# ---- printer


def names(function: Function) -> dict[Value | Block, str]:
    """What values and blocks are called in the text form."""
    found: dict[Value | Block, str] = {b: f"b{i}" for i, b in enumerate(function.blocks)}
    values = (v for b in function.blocks for v in b.values)
    found.update((v, f"v{i}") for i, v in enumerate(values))
    return found


def print_function(function: Function, *, spans: bool = False) -> str:
    """The text of `function`. `spans`: each line says where in the script it comes from, `; line:column`."""
    head = f"function {function.name}"
    if function.shared:
        head += f" shared {function.shared}"
    lines = [head, *_body_lines(function, spans)]
    for callback in function.callbacks:
        lines += [f"callback {callback.name}", *_body_lines(callback, spans)]
    return "\n".join(lines) + "\n"


def _body_lines(function: Function, spans: bool) -> list[str]:
    called = names(function)
    lines = []
    for block in function.blocks:
        lines.append(f"{called[block]}:")
        for value in block.values:
            text = f"  {_value_text(value, block, called)}"
            if spans and value.span is not None:
                text += f"  ; {value.span.line}:{value.span.column}"
            lines.append(text)
    return lines


def print_value(value: Value, block: Block, function: Function) -> str:
    """The line of one value of `block`."""
    return _value_text(value, block, names(function))


def _value_text(value: Value, block: Block, called: dict[Value | Block, str]) -> str:
    head = f"{called.get(value, 'v?')}:{value.type} = " if value.type is not None else ""
    op = OPS.get(value.op)
    if op is None:
        return f"{head}{value.op}"
    return f"{head}{_mnemonic(value, op)} {_operands(value, op, block, called)}".rstrip()


def _mnemonic(value: Value, op: Op) -> str:
    if op.attr == "bytes":
        return f"{value.op}.{value.attr}"
    return f"{value.op}.{value.attr[2]}" if value.op == "copy" else value.op


def _operands(value: Value, op: Op, block: Block, called: dict[Value | Block, str]) -> str:
    args = [called.get(a) or _inner_text(a, block, called) for a in value.args]
    if value.op == "moves":
        places = [called.get(p, "v?") if isinstance(p, Value) else f"{p:+}" for p in value.attr]
        return f"[{', '.join(f'{p}: {a}' for p, a in zip(places, args, strict=True))}]"
    if value.op == "phi":
        pairs = [f"{called.get(b, 'b?')}: {a}" for b, a in zip(block.preds, args, strict=False)]
        return f"[{', '.join(pairs)}]"
    if value.op == "slot":
        return "{} align {}".format(*value.attr)
    if value.op == "const":
        return str(value.imm)
    if value.op == "copy":
        args = [f"{a} {by:+}" for a, by in zip(args, value.attr[:2], strict=True)]
    elif op.imm:
        args = [f"{args[0]} {value.imm:+}", *args[1:]] if args else [f"{value.imm:+}"]
    operands = ", ".join(args + [called.get(t, "b?") for t in value.targets])
    return f"{value.attr} {operands}" if value.attr and isinstance(value.attr, str) else operands


def _inner_text(value: Value, block: Block, called: dict[Value | Block, str]) -> str:
    """A value that stands as an argument only, as instruction selection leaves them."""
    return "v?" if value.args else f"({_value_text(value, block, called).partition(' = ')[2]})"


# ---- parser

_LINE = re.compile(
    r"(?:v(?P<id>\d{1,20}):(?P<type>\S+) = )?(?P<op>\w+)(?:\.(?P<bytes>\d{1,20}))?(?: (?P<rest>.*))?"
)
_ARG = re.compile(r"v(\d{1,20})(?: ([+-]\d{1,20}))?")
_TARGET = re.compile(r"b(\d{1,20})")
_PHI = re.compile(r"\[(.*)\]")
_PHI_ARG = re.compile(r"b(\d{1,20}): v(\d{1,20})")
_SLOT = re.compile(r"(\d{1,20}) align (\d{1,20})")
_NUMBER = re.compile(r"[+-]?\d{1,20}")


def parse_function(text: str) -> Function:
    """The function that `text` describes; SourceError where it can't be read.

    Only the form is checked: whether the function is legal is `check_function`'s to say.
    """
    return _Parser(text).parse()


class _Parser:
    """Lines first, names later: a value may be used above the line that defines it."""

    def __init__(self, text: str) -> None:
        self.source = Source("ir", text)
        self.at = (0, 0)  # the line that errors point at: its start and end
        self.program = Function("")
        self.begin(self.program)

    def begin(self, function: Function) -> None:
        """Read `function` from here on: names of values and blocks are its own."""
        self.function = function
        self.blocks: dict[str, Block] = {}
        self.values: dict[str, Value] = {}
        self.uses: list[tuple[tuple[int, int], Value, list[str], list[str]]] = []
        self.phi_preds: dict[Value, list[str]] = {}

    def fail(self, message: str) -> NoReturn:
        raise SourceError([Diagnostic("ERROR", message, Span(self.source, *self.at))])

    def parse(self) -> Function:
        start = 0
        for line in self.source.text.split("\n"):
            content = line.partition(";")[0].strip()
            first = start + len(line) - len(line.lstrip())
            self.at = (first, first + len(content))
            start += len(line) + 1
            if content:
                self._line(content)
        if not self.program.name:
            self.fail("expected 'function NAME'")
        self._finish()
        return self.program

    def _finish(self) -> None:
        self._resolve()
        self._order_preds(self.function)
        self.function.number()

    def _line(self, content: str) -> None:
        if content.startswith("function "):
            if self.program.name:
                self.fail("expected one function, got another")
            name, _, shared = content.removeprefix("function ").strip().partition(" shared ")
            self.program.name = name
            self.program.shared = int(self._match(_NUMBER, shared, "a number of bytes")[0]) if shared else 0
        elif not self.program.name:
            self.fail("expected 'function NAME' first")
        elif content.startswith("callback "):
            self._finish()
            self.begin(Function(content.removeprefix("callback ").strip()))
            self.program.callbacks.append(self.function)
        elif content.endswith(":"):
            self._block(self.function, content[:-1])
        elif not self.function.blocks:
            self.fail("expected a block, such as 'b0:', before the first value")
        else:
            self.function.blocks[-1].values.append(self._value(content))

    def _block(self, function: Function, name: str) -> None:
        if not _TARGET.fullmatch(name):
            self.fail(f"expected a block's name such as b0, got {name!r}")
        if name in self.blocks:
            self.fail(f"block {name} is there already")
        self.blocks[name] = Block(name)
        function.blocks.append(self.blocks[name])

    def _value(self, content: str) -> Value:
        match = _LINE.fullmatch(content)
        if match is None:
            self.fail("expected a value, such as 'v1:u64 = add v2, v3'")
        op = OPS.get(match["op"])
        if op is None or op.name == "moves":
            self.fail(f"no op of SSA form is called {match['op']!r}")
        value = Value(op.name, self._type(match["type"]) if match["type"] else None)
        if value.type is not None:
            name = f"v{match['id']}"
            if name in self.values:
                self.fail(f"{name} is defined already")
            self.values[name] = value
        has_bytes = op.attr == "bytes" or op.name == "copy"
        if has_bytes != (match["bytes"] is not None):
            self.fail(f"expected {op.name} {'with' if has_bytes else 'without'} a number of bytes")
        self._operands(value, op, int(match["bytes"] or 0), match["rest"] or "")
        return value

    def _type(self, text: str) -> Type:
        if text not in TYPES:
            self.fail(f"no type is called {text!r}")
        return TYPES[text]

    def _operands(self, value: Value, op: Op, size: int, rest: str) -> None:
        if op.name == "phi":
            self._phi(value, rest)
            return
        if op.name == "slot":
            match = self._match(_SLOT, rest, "SIZE align ALIGN")
            value.attr = (int(match[1]), int(match[2]))
            return
        if op.attr.endswith("name"):
            value.attr, _, rest = rest.partition(" ")
            if not value.attr:
                self.fail(f"expected a {op.attr}")
        if op.imm and not op.args:
            value.imm = int(self._match(_NUMBER, rest, f"the {op.imm}")[0])
            rest = ""
        items = rest.split(", ") if rest else []
        targets = [i for i in items if _TARGET.fullmatch(i)]
        matches = [self._match(_ARG, i, "a value such as v1") for i in items[: len(items) - len(targets)]]
        offsets = [int(m[2]) for m in matches if m[2] is not None]
        self._offsets(value, op, size, offsets)
        self.uses.append((self.at, value, [f"v{m[1]}" for m in matches], targets))

    def _offsets(self, value: Value, op: Op, size: int, offsets: list[int]) -> None:
        wanted = 2 if op.name == "copy" else 1 if op.imm and op.args else 0
        if len(offsets) != wanted:
            self.fail(f"expected {wanted} offsets, got {len(offsets)}")
        if op.name == "copy":
            value.attr = (*offsets, size)
        elif op.attr == "bytes":
            value.attr = size
        if wanted == 1:
            value.imm = offsets[0]

    def _phi(self, value: Value, rest: str) -> None:
        inner = self._match(_PHI, rest, "[b1: v2, …]")[1]
        matches = [self._match(_PHI_ARG, i, "b1: v2") for i in inner.split(", ")] if inner else []
        self.phi_preds[value] = [f"b{m[1]}" for m in matches]
        self.uses.append((self.at, value, [f"v{m[2]}" for m in matches], []))

    def _match(self, pattern: re.Pattern[str], text: str, expected: str) -> re.Match[str]:
        match = pattern.fullmatch(text)
        if match is None:
            self.fail(f"expected {expected}, got {text!r}")
        return match

    def _resolve(self) -> None:
        for at, value, args, targets in self.uses:
            self.at = at
            for name in args:
                if name not in self.values:
                    self.fail(f"{name} is not defined")
            for name in targets:
                if name not in self.blocks:
                    self.fail(f"there is no block {name}")
            value.args = [self.values[n] for n in args]
            value.targets = [self.blocks[n] for n in targets]

    def _order_preds(self, function: Function) -> None:
        """Predecessors in the order in which the block's phis name them."""
        function.link()
        lines = {value: at for at, value, _, _ in self.uses}
        for block in function.blocks:
            for value in block.values:
                if value.op != "phi":
                    continue
                self.at = lines[value]
                named = [self.blocks.get(n) for n in self.phi_preds[value]]
                if sorted(map(repr, named)) != sorted(map(repr, block.preds)):
                    self.fail(f"expected the predecessors {_list(block.preds)} of {block.name}")
                if value is block.values[0]:
                    block.preds = [b for b in named if b is not None]
                elif named != block.preds:
                    self.fail("expected the predecessors in the same order as in the first phi")


def _list(blocks: list[Block]) -> str:
    return ", ".join(b.name for b in blocks) or "(none)"
