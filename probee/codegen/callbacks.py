"""Callbacks become arguments of helpers, and get what they need from their program.

Needs: SSA of a whole program. Keeps: SSA. After it there is no `each` and no `loop`, and no callback has
a `ctx`: where a helper is called, an environment stands on the stack, of which the helper gives every
callback the address. Its words are the address of the scratch area and the program's context; what else a
callback shares with its program is in the area. (The kernel takes no environment but one on the stack,
and believes what it knows of that: before v6.8 it looked at the first call of a callback only. Of the area
it knows nothing.)
"""

from __future__ import annotations

from ..base.errors import FeatureError
from ..ir.nodes import Value
from ..ir.types import CTX, S64, STACK, U64, VALUE
from ..spec.abi import MAX_STACK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Function

AREA, CONTEXT, ENVIRONMENT = 0, 8, 16
"""Offsets in an environment, and its size."""

HELPERS = {"each": "for_each_map_elem", "loop": "loop"}
_PLACE = {"for_each_map_elem": 3, "loop": 1}
"""Which of a callback's parameters is the environment."""

ENVIRONMENT_ARGUMENT = 2
"""Which of the helper's arguments it is."""

_MOST_FRAMES = 8  # MAX_CALL_FRAMES
_FRAME_UNIT = 32


class Calls:
    """Who calls which callback of a program: each is called by one function, at any number of places."""

    def __init__(self, program: Function) -> None:
        self.program = program
        named = {callback.name: callback for callback in program.callbacks}
        self.parent: dict[Function, Function] = {}
        self.by: dict[Function, str] = {}
        for function in program.whole:
            for block in function.blocks:
                for value in block.values:
                    if value.op in HELPERS:
                        self.parent[named[value.attr]] = function
                        self.by[named[value.attr]] = HELPERS[value.op]

    def depth(self, function: Function) -> int:
        """How many functions are above."""
        count = 0
        while function in self.parent:
            count, function = count + 1, self.parent[function]
        return count

    def find_room(self) -> int:
        """The bytes of stack that each function may use: those that call one another share what there is.

        Raises FeatureError where more call one another than the kernel allows.
        """
        deepest = max(self.program.whole, key=self.depth)
        count = self.depth(deepest) + 1
        if count > _MOST_FRAMES:
            raise FeatureError(
                f"loops stand within one another more than {_MOST_FRAMES - 1} deep, which kernels allow",
                span=deepest.span,
            )
        return MAX_STACK // count // _FRAME_UNIT * _FRAME_UNIT if count > 1 else MAX_STACK


def open_callbacks(program: Function) -> Calls:
    """Put helpers in the place of `each` and `loop`. Callbacks that nothing names any more are dropped."""
    calls = Calls(program)
    program.callbacks = [callback for callback in program.callbacks if callback in calls.parent]
    contexts = _find_contexts(program, calls)
    for function in program.whole:
        context = _context_of(function)
        if context is None and function in contexts:
            context = Value("ctx", CTX, span=function.span)
            entry = function.blocks[0].values
            entry.insert(_count_params(entry), context)
        if function in calls.parent:
            _enter(function, _PLACE[calls.by[function]], context)
        for block in function.blocks:
            block.values = _call_helpers(block.values, context if function in contexts else None)
    return calls


def _context_of(function: Function) -> Value | None:
    return next((value for value in function.blocks[0].values if value.op == "ctx"), None)


def _find_contexts(program: Function, calls: Calls) -> set[Function]:
    """The functions of which a callback needs the context."""
    found: set[Function] = set()
    for callback in program.callbacks:
        function = callback
        if _context_of(callback) is not None:
            while function in calls.parent:
                function = calls.parent[function]
                found.add(function)
    return found


def _enter(callback: Function, place: int, context: Value | None) -> None:
    """Give a callback its environment, from which it reads the context."""
    entry = callback.blocks[0].values
    environment = Value("param", STACK, imm=place, span=callback.span)
    entry.insert(_count_params(entry), environment)
    if context is not None:
        context.op, context.args, context.imm = "load", [environment], CONTEXT


def _count_params(entry: list[Value]) -> int:
    return sum(value.op == "param" for value in entry)


def find_environment(callback: Function) -> Value:
    """The parameter of a callback that its environment is: the last one."""
    return [value for value in callback.blocks[0].values if value.op == "param"][-1]


def find_environments(function: Function) -> set[Value]:
    """The slots that environments are: they must be on the stack."""
    return {
        value.args[ENVIRONMENT_ARGUMENT]
        for block in function.blocks
        for value in block.values
        if value.op == "call" and value.attr in _PLACE
    }


def _call_helpers(values: list[Value], context: Value | None) -> list[Value]:
    out: list[Value] = []
    for value in values:
        if value.op in HELPERS:
            span = value.span
            environment = Value("slot", STACK, attr=(ENVIRONMENT, 8), span=span)
            area = Value("area", VALUE, span=span)
            out += environment, area, Value("store", None, [environment, area], imm=AREA, attr=8, span=span)
            if context is not None:
                out.append(Value("store", None, [environment, context], imm=CONTEXT, attr=8, span=span))
            callback = Value("func", U64, attr=value.attr, span=span)
            nothing = Value("const", U64, span=span)
            out += callback, nothing
            value.args = [value.args[0], callback, environment, nothing]
            value.op, value.type, value.attr = "call", S64, HELPERS[value.op]
        out.append(value)
    return out
