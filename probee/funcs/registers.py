"""What the traced function got and gave: arg0 … argN, retval; and any register: reg."""

from __future__ import annotations

from ..arch import find as find_arch
from ..base.errors import SourceError
from ..base.source import Diagnostic
from ..ctype.types import UINT64, CType
from ..elf.consts import EM
from ..ir.types import U64, int_type
from ..spec.abi import ProgType
from .func import FUNCS, CallSite, Func, Param, func
from .text import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Value
    from .emit import Emitter, Place
    from .func import Checking


WITH_REGISTERS = (ProgType.KPROBE, ProgType.PERF_EVENT)
"""Programs whose context begins with the registers."""


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
        return self._find_type(call, to)

    def _find_type(self, call: CallSite, to: Checking) -> CType:
        """By what probes say of their arguments, where they do; else of 64 bits without a sign."""
        described = [(site, site.arguments) for site in to.sites if site.arguments is not None]
        if not described:
            return UINT64
        from .usdt import find_trouble, merge_types

        for site, arguments in described:
            trouble = find_trouble(arguments, self._number)
            if trouble is not None:
                to.error(f"{self.name} of {site.probe} can't be read: {trouble}", call.span)
                return UINT64
        if len(described) < len(to.sites):
            return UINT64
        return merge_types([arguments[self._number] for _, arguments in described])

    def lower(self, call: CallSite, to: Emitter) -> Value:
        if to.site.arguments is not None:
            from .usdt import read_argument

            return read_argument(to, to.site.arguments[self._number])
        b, convention = to.b, to.provider.arguments
        if convention == "raw":
            return b.load(b.context(), U64, 8 * self._number)
        arch = find_arch(to.unit.target.machine)
        names = arch.kernel_arguments if convention == "kernel" else arch.user_arguments
        if self._number < len(names):
            register = arch.register(names[self._number])
            return b.load(b.context(), int_type(register.size, False), register.offset)
        stack = b.load(b.context(), U64, arch.register(arch.stack_pointer).offset)
        memory = b.slot(8)
        # Where the read fails the kernel leaves zeros.
        where = b.op("add", stack, arch.stack_argument + 8 * (self._number - len(names)))
        b.call(f"probe_read_{convention}", memory, 8, where)
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
                return UINT64
        if any(site.traced is not None for site in to.sites):
            from .arguments import find_result_type

            return find_result_type(to, call.span)
        return UINT64

    def lower_into(self, call: CallSite, to: Emitter, place: Place) -> None:
        from .arguments import copy_result

        assert to.site.traced is not None
        copy_result(to, to.site.traced, place)

    def lower(self, call: CallSite, to: Emitter) -> Value:
        if to.site.traced is not None and to.site.traced.machine == EM.I386:
            from .arguments import load_wide_result

            wide = load_wide_result(to, to.site.traced)
            if wide is not None:
                return wide
        arch = find_arch(to.unit.target.machine)
        register = arch.register(arch.return_value)
        return to.b.load(to.b.context(), int_type(register.size, False), register.offset)


@func
class Reg(Func):
    """what a register holds, by the name that the CPU's maker gave it: `reg("ip")`"""

    name = "reg"
    params = (Param("name", "text"),)

    def check(self, call: CallSite, to: Checking) -> CType:
        for provider in to.providers:
            if provider.program_type not in WITH_REGISTERS:
                to.error(f"reg can not be used with '{provider.name}' probes", call.span)
                break
        return UINT64

    def lower(self, call: CallSite, to: Emitter) -> Value:
        arch = find_arch(to.unit.target.machine)
        name = decode(call.args[0].text)
        register = arch.find_register(name)
        if register is None:
            message = f"'{name}' is not a valid register on this architecture ({arch.name})"
            hint = f"there are {' '.join(r.name for r in arch.registers)}"
            raise SourceError([Diagnostic("ERROR", message, call.args[0].span, hint)])
        # Of a timer's registers only whole words can be read.
        whole = to.b.load(to.b.context(), U64, register.offset)
        return to.b.ext(to.b.ext(whole, int_type(register.size, False)), U64)
