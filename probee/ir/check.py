"""What a legal function is, at each stage of the compiler.

`check_function` is for tests and for the debug switch: it is not on the way of a run. A rule's name
comes first in what it complains of, so that a test can ask for it:

    stage        the op may stand at this stage
    shape        blocks, terminators, predecessors and phis fit together
    args         number and kind of arguments
    constant     `imm` and `attr` are as the op table says
    type         types of arguments and result fit the op
    space        the op may touch what this pointer points into
    helper       a helper gets what it asks for
    dominance    a value is made before it is used, on every path
    null         a pointer that may be 0 is told apart from 0 before it is used, on every path
    ring         a reserved record is submitted or discarded once, on every path, and not used after
"""

from __future__ import annotations

from ..base.errors import InternalError
from ..base.record import record
from .fold import canonical, fits
from .helpers import HELPERS
from .nodes import Block, Function, Value
from .ops import ARITHMETIC, COMPARISONS, OPS
from .paths import check_paths
from .spaces import ACCESS, FOREIGN, HELPER_SPACES, RELEASES, find_space
from .text import names, print_value
from .types import CTX, MAP, S64, STACK, U64, VALUE, IntType, PtrType, Space, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import NoReturn


@record
class Stage:
    """`ops` that may stand; `ssa`: all the rules hold, else only stage and shape."""

    ops: frozenset[str]
    ssa: bool = True


_MACHINE = frozenset({"moves", "spill", "reload", "frame"})
_BULK = frozenset({"zero", "copy"})
_CLOSED = frozenset({"each", "loop"})
_OPENED = frozenset({"func", "area"})
_ALL = frozenset(OPS)

STAGES = {
    "built": Stage(_ALL - _MACHINE - _OPENED),
    "legal": Stage(_ALL - _MACHINE - _BULK - _OPENED),
    "opened": Stage(_ALL - _MACHINE - _BULK - _CLOSED),
    "placed": Stage(_ALL - _MACHINE - _BULK - _CLOSED - {"slot", "shared", "area"} | {"frame"}),
    "allocated": Stage(_ALL - _BULK - _CLOSED - {"slot", "shared", "area", "cast"}, ssa=False),
}
"""After the builder, after legalizing, after callbacks have become arguments of helpers, after slots have
their place, after register allocation."""

_TARGETS = {"jump": 1, "br": 2, "may_goto": 2, "ret": 0}
_ARG_KINDS = {"i": (IntType, "an integer"), "p": (PtrType, "a pointer"), "x": (object, "a value")}
_ADDRESSES: dict[str, Type] = {
    "ctx": CTX,
    "slot": STACK,
    "map": MAP,
    "global": VALUE,
    "frame": STACK,
    "shared": VALUE,
    "area": VALUE,
    "func": U64,
    "each": S64,
    "loop": S64,
}
_FIRST = frozenset({"ctx", "param"})
_SIZES = {"store": (1, 2, 4, 8)} | dict.fromkeys(("atomic_add", "fetch_add", "xchg", "cmpxchg"), (4, 8))


def check_function(function: Function, stage: str = "built") -> None:
    """InternalError, with function, block, value and rule, unless `function` is legal at `stage`, and its
    callbacks are."""
    for part in function.whole:
        Checker(part, STAGES[stage], stage, function).check()


class Checker:
    """Remembers where it is, so that a complaint can say so."""

    def __init__(self, function: Function, stage: Stage, stage_name: str, program: Function) -> None:
        self.function = function
        self.callbacks = {callback.name for callback in program.callbacks}
        self.shared = program.shared
        self.stage = stage
        self.stage_name = stage_name
        self.block: Block | None = None
        self.value: Value | None = None

    def fail(self, rule: str, what: str) -> NoReturn:
        where = self.function.name
        if self.block is not None:
            where += f": {names(self.function).get(self.block, self.block.name)}"
            if self.value is not None:
                where += f": {print_value(self.value, self.block, self.function)!r}"
        raise InternalError(f"ir of {where}: {rule}: {what}")

    def expect(self, holds: bool, rule: str, what: str) -> None:
        if not holds:
            self.fail(rule, what)

    def walk(self) -> Iterator[Value]:
        """Every value, with errors pointing at it."""
        for block in self.function.blocks:
            self.block = block
            for value in block.values:
                self.value = value
                yield value
            self.value = None
        self.block = None

    def check(self) -> None:
        self.check_shape()
        if self.stage.ssa:
            for value in self.walk():
                self.check_args(value)
                self.check_constants(value)
                self.check_types(value)
            check_paths(self)

    # ---- shape

    def check_shape(self) -> None:
        blocks = self.function.blocks
        self.expect(bool(blocks), "shape", "a function has an entry block")
        self.expect(len(set(blocks)) == len(blocks), "shape", "a block stands in the function once")
        seen: set[Value] = set()
        for value in self.walk():
            self.expect(value.op in OPS, "stage", "no op is called that")
            self.expect(value.op in self.stage.ops, "stage", f"not an op of stage {self.stage_name!r}")
            self.expect(value not in seen, "shape", "a value stands in one place")
            seen.add(value)
        for block in blocks:
            self.block = block
            self.check_block(block)
        self.block = None
        self.check_edges()

    def check_block(self, block: Block) -> None:
        self.expect(block.terminator is not None, "shape", "a block ends in a terminator")
        phis = True
        for self.value in block.values:
            op = self.value.op
            ends = OPS[op].effect == "end"
            self.expect(ends == (self.value is block.values[-1]), "shape", "a terminator is the last value")
            self.expect(len(self.value.targets) == _TARGETS.get(op, 0), "shape", "wrong number of targets")
            phis = phis and op == "phi"
            self.expect(phis or op != "phi", "shape", "phis come first")
            if op == "phi" and self.stage.ssa:
                self.expect(len(self.value.args) == len(block.preds), "shape", "one argument a predecessor")
            self.expect(
                op not in _FIRST or block is self.function.blocks[0],
                "shape",
                f"{op} stands in the entry block",
            )
        self.value = None

    def check_edges(self) -> None:
        blocks = self.function.blocks
        preds: dict[Block, list[Block]] = {b: [] for b in blocks}
        for block in blocks:
            self.block = block
            for succ in block.succs:
                self.expect(succ in preds, "shape", "a target is a block of the function")
                preds[succ].append(block)
        order = {block: i for i, block in enumerate(blocks)}
        for block in blocks:
            self.block = block
            known = [order.get(p, -1) for p in block.preds]
            self.expect(
                sorted(known) == [order[p] for p in preds[block]],
                "shape",
                "preds are the blocks that lead here",
            )
        reached = _find_reached(blocks[0])
        for block in blocks:
            self.block = block
            self.expect(block in reached, "shape", "the block can be reached")
        self.block = blocks[0]
        self.expect(not blocks[0].preds, "shape", "nothing leads to the entry block")
        self.block = None

    # ---- one value

    def check_args(self, value: Value) -> None:
        op = OPS[value.op]
        self.expect(value.attr is None or op.attr != "", "constant", "the op has no attr")
        self.expect(value.imm == 0 or op.imm != "", "constant", "the op has no imm")
        if value.op != "call":
            self.expect(
                (value.type is not None) == op.gives, "type", f"gives {'' if op.gives else 'no'} value"
            )
        kinds = op.args[0] * len(value.args) if op.args.endswith("*") else op.args
        self.expect(len(value.args) == len(kinds), "args", f"expected {len(kinds)} arguments")
        for arg, kind in zip(value.args, kinds, strict=True):
            wanted, called = _ARG_KINDS[kind]
            self.expect(arg.type is not None, "args", "an argument gives no value")
            self.expect(isinstance(arg.type, wanted), "args", f"expected {called}, got {arg.type}")
        for arg, spaces in zip(value.args, ACCESS.get(value.op, ()), strict=False):
            self.expect(find_space(arg) in spaces, "space", f"{value.op} can't touch {arg.type}")

    def check_constants(self, value: Value) -> None:
        check = _CONSTANTS.get(OPS[value.op].attr)
        if check is not None:
            self.expect(check(value.attr), "constant", f"expected {OPS[value.op].attr}, got {value.attr!r}")
        sizes = _SIZES.get(value.op)
        if sizes:
            self.expect(value.attr in sizes, "constant", f"expected one of {sizes} bytes")
        if value.op == "const":
            assert value.type is not None
            self.expect(value.imm == canonical(value.imm, value.type), "constant", "not canonical")
            foreign = not isinstance(value.type, PtrType) or value.type.space in FOREIGN
            self.expect(foreign or value.imm == 0, "constant", f"a constant {value.type} is 0")
        elif value.op == "global":
            self.expect(value.imm >= 0, "constant", "an offset in a map's value is not negative")
        elif value.op == "call":
            self.expect(value.attr in HELPERS, "helper", f"no helper is called {value.attr!r}")
        elif OPS[value.op].attr == "callback name":
            self.expect(value.attr in self.callbacks, "constant", f"no callback is called {value.attr!r}")
        elif value.op == "shared":
            self.expect(0 <= value.imm < self.shared, "constant", "beyond the memory that is shared")

    def check_types(self, value: Value) -> None:
        op, type = value.op, value.type
        if op in ARITHMETIC - {"ext"}:
            for each in (type, *(a.type for a in value.args)):
                self.expect(isinstance(each, IntType) and each.bits == 64, "type", "arithmetic is on 64 bits")
        elif op in COMPARISONS:
            self.expect(isinstance(type, IntType), "type", "a comparison gives an integer")
            left, right = value.args
            self.expect(find_space(left) == find_space(right), "type", "compares values of one kind")
        elif op in _ADDRESSES:
            self.expect(type == _ADDRESSES[op], "type", f"{op} gives {_ADDRESSES[op]}")
        elif op in _TYPES:
            complaint = _TYPES[op](value)
            self.expect(not complaint, "type", complaint)
        elif op == "call":
            self.check_call(value)

    def check_call(self, value: Value) -> None:
        helper = HELPERS[value.attr]
        self.expect(value.type == helper.gives, "helper", f"{helper.name} gives {helper.gives}")
        self.expect(
            len(value.args) == len(helper.args), "helper", f"{helper.name} takes {len(helper.args)} arguments"
        )
        for arg, kind in zip(value.args, helper.args, strict=True):
            spaces = HELPER_SPACES.get(kind)
            if spaces is not None:
                self.expect(find_space(arg) in spaces, "helper", f"{helper.name} can't take {arg.type}")
        if helper.name in RELEASES:
            self.expect(
                find_space(value.args[0]) == Space.RING, "helper", f"{helper.name} takes a ring record"
            )


def _find_reached(entry: Block) -> set[Block]:
    reached, work = {entry}, [entry]
    while work:
        fresh = [b for b in work.pop().succs if b not in reached]
        reached.update(fresh)
        work += fresh
    return reached


# ---- tables of checks; a complaint is "" where there is none


def _is_name(attr: object) -> bool:
    return isinstance(attr, str) and bool(attr)


def _is_size(attr: object) -> bool:
    return isinstance(attr, int) and attr > 0


def _is_slot(attr: object) -> bool:
    match attr:
        case (int(size), int(align)):
            return size > 0 and align in (1, 2, 4, 8)
    return False


def _is_copy(attr: object) -> bool:
    match attr:
        case (int(), int(), int(size)):
            return size > 0
    return False


_CONSTANTS: dict[str, Callable[[object], bool]] = {
    "map name": _is_name,
    "helper name": _is_name,
    "callback name": _is_name,
    "bytes": _is_size,
    "(size, align)": _is_slot,
    "(to offset, from offset, bytes)": _is_copy,
}


def _ext_type(value: Value) -> str:
    narrow = isinstance(value.type, IntType) and value.type.bits < 64
    return "" if narrow else "ext gives an integer of less than 64 bits"


def _cast_type(value: Value) -> str:
    old, new = value.args[0].type, value.type
    if isinstance(old, IntType) and isinstance(new, IntType):
        return "" if new.bits == 64 or fits(old, new) else f"not every {old} is an {new}: that is ext"
    if isinstance(old, PtrType) and isinstance(new, PtrType) and old.space == new.space:
        return ""
    if isinstance(old, PtrType) and old.space in (Space.VALUE, Space.MAP) and new == U64:
        return ""  # an address that is looked at, or read like one of the kernel's
    pointers = [t for t in (old, new) if isinstance(t, PtrType)]
    if any(p.space not in (*FOREIGN, Space.CTX) for p in pointers) or new == PtrType(Space.CTX):
        return f"{old} can't become {new}"
    integers = [t for t in (old, new) if isinstance(t, IntType)]
    return "" if all(t.bits == 64 for t in integers) else "a pointer has 64 bits"


def _load_type(value: Value) -> str:
    if value.args[0].op == "param":
        return ""  # what the code generator has put there for a callback
    own = isinstance(value.type, PtrType) and value.type.space not in FOREIGN
    return f"{value.type} can't come out of memory" if own else ""


def _store_type(value: Value) -> str:
    cut = isinstance(value.args[1].type, PtrType) and value.attr != 8
    return "a pointer is stored whole" if cut else ""


def _padd_type(value: Value) -> str:
    pointer, by = value.args
    if find_space(pointer) == Space.CTX and by.op != "const":
        return "the context moves by a constant only"
    return "" if value.type == pointer.type else "padd gives the type of its pointer"


def _atomic_type(value: Value) -> str:
    return "" if isinstance(value.type, IntType) and value.type.bits == 64 else "gives 64 bits"


def _phi_type(value: Value) -> str:
    other = next((a.type for a in value.args if a.type != value.type), None)
    return f"expected {value.type} on every way, got {other}" if other is not None else ""


_TYPES: dict[str, Callable[[Value], str]] = {
    "ext": _ext_type,
    "cast": _cast_type,
    "load": _load_type,
    "store": _store_type,
    "padd": _padd_type,
    "phi": _phi_type,
    **dict.fromkeys(("fetch_add", "xchg", "cmpxchg"), _atomic_type),
}
