"""Stacks of calls: kstack ustack stack_len.

A stack is taken whole, into the record or the key that it is for: no table of stacks stands between, in which
two of one hash would push each other out.
"""

from __future__ import annotations

from ..base.record import record
from ..ctype.types import INT64, CType
from ..ir.types import U16, U64
from ..spec.abi import ProgType
from ..spec.values import MODES, Stack
from .func import Arg, CallSite, Func, Param, func
from .process import current_ids

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Value
    from .emit import Emitter, Place
    from .func import Checking

MOST_FRAMES = 1024

_USER_STACK = 1 << 8  # BPF_F_USER_STACK
_USER_BUILD_ID = 1 << 11  # BPF_F_USER_BUILD_ID
HEAD = 8
"""Bytes before the frames: count, program, process."""

_WITHOUT_STACK = (ProgType.XDP, ProgType.SYSCALL)
_VALID = "valid values are bpftrace, raw, perf, and build_id."


@record
class _Wanted:
    """What the arguments of a call ask for."""

    mode: str
    limit: int


class _Stack(Func):
    """The stack of the current thread."""

    params = (Param("mode", "stack", optional=True), Param("limit", "stack", optional=True))
    kernel: bool
    most = MOST_FRAMES

    def check(self, call: CallSite, to: Checking) -> CType:
        for provider in to.providers:
            if provider.program_type in _WITHOUT_STACK:
                to.error(f"{self.name} can not be used with '{provider.name}' probes", call.span)
                break
        wanted = self._parse(call, to)
        return Stack(self.kernel, wanted.mode, wanted.limit)

    def _parse(self, call: CallSite, to: Checking) -> _Wanted:
        mode, limit, rest = to.stack_mode, to.stack_limit, list(call.args)
        if rest and rest[0].word:
            mode = self._check_mode(rest.pop(0), to)
        elif len(rest) > 1:
            to.error("Expected stack mode as first argument", call.span)
            rest.pop(0)
        elif self.kernel and mode == "build_id":
            message = "'build_id' stack mode can only be used for ustack. Falling back to 'raw' mode."
            to.warn(message, call.span)
            mode = "raw"
        for arg in rest:
            limit = self._check_limit(arg, call, to)
        return _Wanted(mode, limit)

    def _check_mode(self, arg: Arg, to: Checking) -> str:
        if arg.word not in MODES:
            text = f"{self.name}: Invalid value for stack_mode: {_VALID}"
            to.error(f"Error parsing stack mode: {text}", arg.span)
        elif self.kernel and arg.word == "build_id":
            to.error("'build_id' stack mode can only be used for ustack", arg.span)
        return arg.word

    def _check_limit(self, arg: Arg, call: CallSite, to: Checking) -> int:
        if arg.number is None or arg.number < 0:
            to.error(f"{self.name}: invalid limit value", call.span)
            return 1
        if arg.number > self.most:
            head = f"{self.name}([int limit]): limit shouldn't exceed {self.most}"
            to.error(f"{head}, {arg.number} given", call.span)
        return min(max(arg.number, 1), self.most)

    def lower_into(self, call: CallSite, to: Emitter, place: Place) -> None:
        b, type = to.b, place.type
        assert isinstance(type, Stack)
        store_head(to, place, type)
        flags = 0 if self.kernel else _USER_STACK
        if type.mode == "build_id":
            flags |= _USER_BUILD_ID
        frames = b.offset(place.pointer, place.offset + HEAD)
        # The kernel clears what it doesn't fill, also when it fails: keys compare equal.
        taken = b.call("get_stack", b.context(), frames, type.limit * type.frame_size, flags)
        got, done = b.new_block(), b.new_block()
        b.branch(b.compare("sgt", taken, 0), got, done)
        b.place(got)
        b.store(place.pointer, b.op("lshr", taken, type.frame_size.bit_length() - 1), 2, place.offset)
        b.jump(done)
        b.place(done)


def store_head(to: Emitter, place: Place, type: Stack) -> None:
    """Say of no frames yet who takes them, where."""
    b = to.b
    b.store(place.pointer, 0, 2, place.offset)
    b.store(place.pointer, 0 if type.kernel else to.program_number, 2, place.offset + 2)
    process: Value | int = 0 if type.kernel else b.op("lshr", current_ids(to), 32)
    b.store(place.pointer, process, 4, place.offset + 4)


@func
class Kstack(_Stack):
    """the kernel's stack: who called whom, innermost first"""

    name, kernel = "kstack", True


@func
class Ustack(_Stack):
    """the process's own stack: who called whom, innermost first"""

    name, kernel = "ustack", False


@func
class StackLen(Func):
    """how many frames a stack has"""

    name = "stack_len"
    params = (Param("stack", "any"),)

    def check(self, call: CallSite, to: Checking) -> CType:
        if not isinstance(call.args[0].type, Stack):
            to.error("len() expects a map or stack to be provided", call.span)
        return INT64

    def lower(self, call: CallSite, to: Emitter) -> Value:
        return stack_length(call.args[0], to)


def stack_length(arg: Arg, to: Emitter) -> Value:
    """How many frames the stack that `arg` is has."""
    pointer, offset = to.where(arg)
    return to.b.ext(to.b.load(pointer, U16, offset), U64)
