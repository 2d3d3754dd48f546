"""The op table. Everything that walks the IR (checker, text form, interpreter, passes) reads it.

Letters of `args`: i integer, p pointer, x either. A trailing * repeats. `imm` and `attr` say what the
two constants of an op mean ("" = unused). Arithmetic is 64 bits wide and wraps; both operands and the
result have 64 bits. Shift counts are taken modulo 64. Division by zero gives 0, modulo by zero the
dividend, INT64_MIN / -1 wraps.
"""

from __future__ import annotations

from ..base.record import record


@record
class Op:
    """`effect`: "" for a pure op, "read" or "write" for memory, "call", "end" for a terminator."""

    name: str
    args: str
    effect: str = ""
    imm: str = ""
    attr: str = ""
    gives: bool = True


OPS: dict[str, Op] = {
    op.name: op
    for op in (
        # constants and addresses
        Op("const", "", imm="value"),
        Op("ctx", ""),  # the program's context, only in the entry block
        Op("slot", "", attr="(size, align)"),  # bytes private to this run; content undefined
        Op("map", "", attr="map name"),
        Op("global", "", imm="offset", attr="map name"),  # address in an array map's only value
        Op("shared", "", imm="offset"),  # address in memory that a run and its callbacks share; undefined
        Op("param", "", imm="number"),  # what a callback is called with; first in its entry block
        # arithmetic on 64-bit integers
        *(Op(n, "ii") for n in ("add", "sub", "mul", "udiv", "umod", "sdiv", "smod")),
        *(Op(n, "ii") for n in ("and", "or", "xor", "shl", "lshr", "ashr")),
        Op("neg", "i"),
        Op("ext", "i"),  # the low bits that the result's type has, extended as it says
        Op("cast", "x"),  # the same 64 bits under another type
        # comparisons: 0 or 1
        *(Op(n, "xx") for n in ("eq", "ne")),
        *(Op(n, "ii") for n in ("ult", "ule", "slt", "sle")),
        # memory
        Op("padd", "pi"),
        Op("load", "p", "read", imm="offset"),
        Op("store", "px", "write", imm="offset", attr="bytes", gives=False),
        Op("zero", "p", "write", imm="offset", attr="bytes", gives=False),
        Op("copy", "pp", "write", attr="(to offset, from offset, bytes)", gives=False),
        Op("atomic_add", "pi", "write", imm="offset", attr="bytes", gives=False),
        Op("fetch_add", "pi", "write", imm="offset", attr="bytes"),
        Op("xchg", "pi", "write", imm="offset", attr="bytes"),
        Op("cmpxchg", "pii", "write", imm="offset", attr="bytes"),  # pointer, expected, new → old
        # calls
        Op("call", "x*", "call", attr="helper name"),
        # a callback called again and again until it gives 1; the number of calls
        Op("each", "p", "write", attr="callback name"),  # with every entry of a map: param 1 key, 2 value
        Op("loop", "i", "write", attr="callback name"),  # so many times: param 0 counts from 0
        # joins: one argument a predecessor, in the block's order of predecessors
        Op("phi", "x*"),
        # the end of a block
        Op("jump", "", "end", gives=False),
        Op("br", "i", "end", gives=False),  # targets: if not 0, if 0
        Op("may_goto", "", "end", gives=False),  # targets: go round again, when the run may do so no more
        Op("ret", "i", "end", gives=False),
        # only after callbacks have become arguments of helpers
        Op("func", "", attr="callback name"),  # address of a callback
        Op("area", ""),  # what shared memory and scratch slots are in
        # only after register allocation has begun
        Op("moves", "x*", "write", attr="phis, or frame offsets, to write", gives=False),  # all at once
        Op("spill", "x", "write", imm="frame offset", gives=False),
        Op("reload", "", "read", imm="frame offset"),
        Op("frame", "", imm="frame offset"),  # the frame pointer plus a (negative) constant
    )
}

COMMUTATIVE = frozenset({"add", "mul", "and", "or", "xor", "eq", "ne"})
COMPARISONS = frozenset({"eq", "ne", "ult", "ule", "slt", "sle"})
ARITHMETIC = frozenset(
    [
        "add",
        "sub",
        "mul",
        "udiv",
        "umod",
        "sdiv",
        "smod",
        "and",
        "or",
        "xor",
        "shl",
        "lshr",
        "ashr",
        "neg",
        "ext",
    ]
)
PURE = frozenset(op.name for op in OPS.values() if not op.effect and op.name != "phi")
MEMORY = frozenset({"load", "store", "atomic_add", "fetch_add", "xchg", "cmpxchg"})
"""Ops that one instruction does at an offset from their first argument."""
TERMINATORS = frozenset(op.name for op in OPS.values() if op.effect == "end")
