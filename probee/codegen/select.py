"""Settles which values need a register, and turns phis into moves.

Needs: SSA without slots, no critical edge into a block with phis. Gives: every value that is left in a
block and gives something gets a register, but for `FOLDED` ops that stand as an argument only and
are written into the instruction that uses them. Constants and addresses live nowhere: each use that
can't hold one gets a fresh copy right before it, so none is ever kept across a call or spilled.
"""

from __future__ import annotations

from ..base.bits import signed
from ..ir.nodes import Value
from ..ir.ops import COMMUTATIVE, COMPARISONS, MEMORY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Function

CHEAP = frozenset({"const", "map", "global", "frame", "func"})
"""Ops that are made again at each use."""

FOLDED = CHEAP | {"reload"}
_TAKES_ANY = frozenset({"call", "moves", "ret"})
_RIGHT_CONST = COMPARISONS | {
    *("add", "sub", "mul", "udiv", "umod", "and", "or", "xor", "shl", "lshr", "ashr"),
    *("padd", "br", "store"),
}
_SWAPPED = {"eq": "eq", "ne": "ne", "ult": "ugt", "ule": "uge", "slt": "sgt", "sle": "sge"}


def is_small(value: Value) -> bool:
    """True for a constant that an instruction's signed 32-bit immediate can hold."""
    return value.op == "const" and -(1 << 31) <= signed(value.imm, 64) < 1 << 31


def select(function: Function) -> None:
    _drop_casts(function)
    _fold_addresses(function)
    _fuse_branches(function)
    _lower_phis(function)
    for block in function.blocks:
        out: list[Value] = []
        for value in block.values:
            if value.op in CHEAP:
                continue
            if value.op in COMMUTATIVE or (value.op == "br" and value.attr in ("eq", "ne")):
                _const_to_right(value)
            value.args = [_operand(out, value, i, arg) for i, arg in enumerate(value.args)]
            out.append(value)
        block.values = out


def _const_to_right(value: Value) -> None:
    if len(value.args) == 2 and value.args[0].op == "const" and value.args[1].op != "const":
        value.args.reverse()


def _operand(out: list[Value], user: Value, index: int, arg: Value) -> Value:
    """`arg` if `user` can hold it at that place, else a copy of its own in a register."""
    if arg.op not in CHEAP:
        return arg
    if user.op in _TAKES_ANY:
        return arg
    if arg.op == "frame" and index == 0 and user.op in MEMORY:
        return arg
    if index == 1 and user.op in _RIGHT_CONST and _holds(user, arg):
        return arg
    copy = Value(arg.op, arg.type, imm=arg.imm, attr=arg.attr, span=user.span)
    out.append(copy)
    return copy


def _holds(user: Value, arg: Value) -> bool:
    if user.op == "store" and user.attr < 8:
        return arg.op == "const"
    if user.op in ("udiv", "umod") and arg.imm == 0:
        return False  # the verifier refuses a constant divisor of 0, not one in a register
    return is_small(arg)


def _drop_casts(function: Function) -> None:
    """A cast is its argument: from here on types say how memory is read and nothing else."""
    same: dict[Value, Value] = {}
    for block in function.blocks:
        for value in block.values:
            if value.op == "cast":
                same[value] = value.args[0]
    if not same:
        return
    for block in function.blocks:
        block.values = [v for v in block.values if v not in same]
        for value in block.values:
            for i, arg in enumerate(value.args):
                while arg in same:
                    arg = same[arg]
                value.args[i] = arg


def _fold_addresses(function: Function) -> None:
    """Constant distances go into addresses and into the offsets of loads and stores."""
    for block in function.blocks:
        for value in block.values:
            if value.op == "padd":
                _fold_distance(value)
            elif value.op in MEMORY:
                base = value.args[0]
                while base.op == "padd" and base.args[1].op == "const":
                    offset = value.imm + signed(base.args[1].imm, 64)
                    if not -(1 << 15) <= offset < 1 << 15:
                        break
                    value.imm = offset
                    base = value.args[0] = base.args[0]
    used = {arg for block in function.blocks for value in block.values for arg in value.args}
    for block in function.blocks:
        block.values = [v for v in block.values if v.op != "padd" or v in used]


def _fold_distance(value: Value) -> None:
    base, by = value.args
    if by.op != "const":
        return
    distance = signed(by.imm, 64)
    if base.op in ("frame", "global"):
        value.op, value.imm, value.attr, value.args = base.op, base.imm + distance, base.attr, []
    elif base.op == "padd" and base.args[1].op == "const":
        total = distance + signed(base.args[1].imm, 64)
        value.args = [base.args[0], Value("const", by.type, imm=total, span=value.span)]


def _fuse_branches(function: Function) -> None:
    """A comparison that only its own block's branch uses becomes part of the branch (its `attr`)."""
    count: dict[Value, int] = {}
    for block in function.blocks:
        for value in block.values:
            for arg in value.args:
                count[arg] = count.get(arg, 0) + 1
    for block in function.blocks:
        end = block.values[-1]
        if end.op != "br":
            continue
        condition = end.args[0]
        if condition.op in COMPARISONS and count[condition] == 1 and condition in block.values:
            block.values.remove(condition)
            end.args, end.attr = list(condition.args), condition.op
            if end.args[0].op == "const" and end.args[1].op != "const":
                end.args.reverse()
                end.attr = _SWAPPED[condition.op]
        else:
            end.args, end.attr = [condition, Value("const", condition.type)], "ne"


def _lower_phis(function: Function) -> None:
    """At the end of each predecessor, one `moves`: all its `args` to the phis in its `attr` at once."""
    for block in function.blocks:
        phis = [v for v in block.values if v.op == "phi"]
        if not phis:
            continue
        for i, pred in enumerate(block.preds):
            sources = [phi.args[i] for phi in phis]
            moves = Value("moves", None, sources, attr=list(phis), span=pred.values[-1].span)
            pred.values.insert(len(pred.values) - 1, moves)
        for phi in phis:
            phi.args = []
