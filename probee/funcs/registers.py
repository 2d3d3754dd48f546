"""What the traced function got and gave: arg0 … argN, retval."""

from __future__ import annotations

from ..arch import find as find_arch
from ..ctype.types import UINT64, CType
from ..ir.types import U64, int_type
from .func import FUNCS, CallSite, Func, func

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Value
    from .emit import Emitter
    from .func import Checking


class _Argument(Func):
    """an argument of the traced function, counted from 0"""

    def __init__(self, number: int) -> None:
        self.name = f"arg{number}"
        self._number = number

    def check(self, call: CallSite, to: Checking) -> CType:
        for provider in to.providers:
            if not provider.arguments:
                message = f'The {self.name} builtin can not be used with "{provider.name}" probes'
                to.error(message, call.span, "argN needs a probe at a function, such as uprobe")
                break
        return UINT64

    def lower(self, call: CallSite, to: Emitter) -> Value:
        arch = find_arch(to.unit.target.machine)
        if self._number < len(arch.user_arguments):
            register = arch.register(arch.user_arguments[self._number])
            return to.b.load(to.b.context(), int_type(register.size, False), register.offset)
        b = to.b
        stack = b.load(b.context(), U64, arch.register(arch.stack_pointer).offset)
        index = self._number - len(arch.user_arguments)
        memory = b.slot(8)
        # Where the read fails the kernel leaves zeros.
        where = b.op("add", stack, arch.stack_argument + 8 * index)
        b.call("probe_read_user", memory, 8, where)
        return b.load(memory, U64)


def add_argument(number: int) -> None:
    """Register `argN` for N = `number`."""
    argument = _Argument(number)
    FUNCS.add(argument.name, argument)


@func
class Retval(Func):
    """what the traced function returned"""

    name = "retval"

    def check(self, call: CallSite, to: Checking) -> CType:
        for provider in to.providers:
            if not provider.returns:
                message = (
                    f"The retval builtin can only be used with 'uretprobe' probes ({provider.name} used here)"
                )
                to.error(message, call.span)
                break
        return UINT64

    def lower(self, call: CallSite, to: Emitter) -> Value:
        arch = find_arch(to.unit.target.machine)
        register = arch.register(arch.return_value)
        return to.b.load(to.b.context(), int_type(register.size, False), register.offset)
