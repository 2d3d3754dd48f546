"""Ops the target has no instruction for become ops that it has.

Needs: SSA. Keeps: SSA. After it there is no `zero` and no `copy`, and no signed division below
instruction level 4.
"""

from __future__ import annotations

from ..ir.nodes import Block, Value
from ..ir.ops import MEMORY
from ..ir.types import S64, U64, int_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Function
    from ..spec.target import Target

_FAR = 1 << 15

_INLINE = 256
"""Bytes up to which memory is cleared or copied by single loads and stores, not by a helper."""


def legalize(function: Function, target: Target) -> None:
    for block in function.blocks:
        out: list[Value] = []
        for value in block.values:
            if value.op == "zero":
                _clear(out, value)
            elif value.op == "copy":
                _copy(out, value)
            elif value.op in ("sdiv", "smod") and target.isa < 4:
                _divide_signed(out, value)
            else:
                out.append(value)
        block.values = _reach(out)


def _reach(values: list[Value]) -> list[Value]:
    """Memory further than the 16 bits of an instruction's offset is reached by a pointer moved there."""
    if all(v.op not in MEMORY or -_FAR <= v.imm < _FAR for v in values):
        return values
    out: list[Value] = []
    for value in values:
        if value.op in MEMORY and not -_FAR <= value.imm < _FAR:
            # By whole steps, so that what lies near shares the pointer instead of keeping thousands alive.
            near = value.imm & (_FAR - 1)
            value.args[0] = _add(out, value.args[0], value.imm - near, value)
            value.imm = near
        out.append(value)
    return out


def _pieces(size: int, *offsets: int) -> list[tuple[int, int]]:
    """(start, width) of the widest aligned accesses that cover `size` bytes at all `offsets`."""
    pieces = []
    at = 0
    while at < size:
        width = 8
        while width > size - at or any((offset + at) % width for offset in offsets):
            width //= 2
        pieces.append((at, width))
        at += width
    return pieces


def _clear(out: list[Value], value: Value) -> None:
    pointer, size = value.args[0], value.attr
    nothing = Value("const", U64, span=value.span)
    out.append(nothing)
    if size > _INLINE:
        # Reading kernel address 0 fails, and a read that fails fills its buffer with zeros.
        _call_read(out, value, pointer, value.imm, size, nothing)
        return
    for at, width in _pieces(size, value.imm):
        out.append(Value("store", None, [pointer, nothing], imm=value.imm + at, attr=width, span=value.span))


def _copy(out: list[Value], value: Value) -> None:
    to, source = value.args
    to_offset, offset, size = value.attr
    if size > _INLINE:
        start = _add(out, source, offset, value)
        _call_read(out, value, to, to_offset, size, start)
        return
    for at, width in _pieces(size, to_offset, offset):
        word = Value("load", int_type(width, False), [source], imm=offset + at, span=value.span)
        out += (
            word,
            Value("store", None, [to, word], imm=to_offset + at, attr=width, span=value.span),
        )


def _add(out: list[Value], pointer: Value, offset: int, like: Value) -> Value:
    if not offset:
        return pointer
    number = Value("const", U64, imm=offset, span=like.span)
    moved = Value("padd", pointer.type, [pointer, number], span=like.span)
    out += (number, moved)
    return moved


def _call_read(out: list[Value], like: Value, to: Value, to_offset: int, size: int, source: Value) -> None:
    start = _add(out, to, to_offset, like)
    count = Value("const", U64, imm=size, span=like.span)
    out += (
        count,
        Value("call", S64, [start, count, source], attr="probe_read_kernel", span=like.span),
    )


def _divide_signed(out: list[Value], value: Value) -> None:
    """Divide the absolute values, then give the result its sign, all without branches."""
    a, b = value.args
    shift = Value("const", U64, imm=63, span=value.span)
    out.append(shift)

    def op(name: str, left: Value, right: Value) -> Value:
        result = Value(name, S64, [left, right], span=value.span)
        out.append(result)
        return result

    def with_sign(number: Value, sign: Value) -> Value:
        return op("sub", op("xor", number, sign), sign)

    sign_a, sign_b = op("ashr", a, shift), op("ashr", b, shift)
    rest = op("udiv" if value.op == "sdiv" else "umod", with_sign(a, sign_a), with_sign(b, sign_b))
    sign = op("xor", sign_a, sign_b) if value.op == "sdiv" else sign_a
    flipped = op("xor", rest, sign)
    value.op, value.args = "sub", [flipped, sign]
    out.append(value)


def split_edges(function: Function) -> None:
    """Put a block on every edge from a block with two successors to one with two predecessors."""
    added: list[Block] = []
    for block in function.blocks:
        end = block.terminator
        if end is None or len(end.targets) < 2:
            continue
        for i, target in enumerate(end.targets):
            if len(target.preds) > 1 and target.values and target.values[0].op == "phi":
                middle = Block("edge")
                middle.values.append(Value("jump", None, targets=[target], span=end.span))
                middle.preds = [block]
                end.targets[i] = middle
                target.preds[target.preds.index(block)] = middle
                added.append(middle)
    if added:
        function.blocks += added
