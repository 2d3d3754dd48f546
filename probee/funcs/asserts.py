"""What a script promises: assert at run time, static_assert and fail when it is compiled."""

from __future__ import annotations

from ..base.errors import SourceError
from ..base.source import Diagnostic
from ..ctype.types import VOID, CType
from ..spec.printf import find_fault, parse_format
from ..spec.values import Str
from .control import end_script
from .func import CallSite, Func, Param, func
from .text import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Block
    from .emit import Emitter
    from .func import Arg, Checking


@func
class Assert(Func):
    """end the script with an error, and status 1, unless a condition holds"""

    name = "assert"
    params = (Param("condition", "any"), Param("message", "any"))
    effect = True

    def check(self, call: CallSite, to: Checking) -> CType:
        message = call.args[1]
        if not isinstance(message.type, Str):
            to.error(f"assert() expects text as message ({message.type} provided)", message.span)
        return VOID

    def lower(self, call: CallSite, to: Emitter) -> None:
        b = to.b
        failed, done = b.new_block(), b.new_block()
        b.branch(to.value(call.args[0]), done, failed)
        b.place(failed)
        to.event("errorf", call, call.args[1:], format="assert failed: %s")
        end_script(call, to, 1)
        to.leave()
        b.place(done)


def _is_reached(to: Emitter) -> bool:
    """False where constant conditions keep the program from getting to."""
    seen: set[Block] = set()
    waiting = [] if to.b.ended else [to.b.block]
    entry = to.b.function.blocks[0]
    while waiting:
        block = waiting.pop()
        if block is entry:
            return True
        if block not in seen:
            seen.add(block)
            waiting += block.preds
    return False


@func
class StaticAssert(Func):
    """refuse to compile the script unless a constant condition holds"""

    name = "static_assert"
    params = (Param("condition", "any"), Param("message", "text"))
    effect = True

    def lower(self, call: CallSite, to: Emitter) -> None:
        condition = to.value(call.args[0])
        if condition.op != "const":
            message = "static_assert() expects a condition that is known before the script runs"
            raise SourceError([Diagnostic("ERROR", message, call.args[0].span)])
        if not condition.imm and _is_reached(to):
            raise SourceError([Diagnostic("ERROR", decode(call.args[1].text), call.span)])


@func
class Fail(Func):
    """refuse to compile the script, with a message by a format as printf(3), where it can get here

    Values must be constant.
    """

    name = "fail"
    params = (Param("format", "text"), Param("value", "any", many=True))
    effect = True

    def check(self, call: CallSite, to: Checking) -> CType:
        fault = find_fault(parse_format(decode(call.args[0].text)), [arg.type for arg in call.args[1:]])
        if fault is not None:
            to.error(f"fail: {fault.message}", call.span)
        for arg in call.args[1:]:
            if arg.text is None and arg.number is None:
                to.error("fail() expects constant values", arg.span)
        return VOID

    def lower(self, call: CallSite, to: Emitter) -> None:
        if _is_reached(to):
            raise SourceError([Diagnostic("ERROR", _message(call.args), call.span)])


def _message(args: tuple[Arg, ...]) -> str:
    form = parse_format(decode(args[0].text))
    text = form.literals[0]
    for arg, conversion, literal in zip(args[1:], form.conversions, form.literals[1:], strict=True):
        value = decode(arg.text) if arg.text is not None else arg.number
        specifier = conversion.specifier if conversion.specifier in ("x", "X", "o", "c") else "s"
        text += f"%{specifier}" % value + literal
    return text
