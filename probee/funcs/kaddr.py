"""Addresses of the kernel's symbols: kaddr percpu_kaddr. Both are found when the script is compiled."""

from __future__ import annotations

from ..base.errors import FeatureError
from ..ctype.types import UINT64, CType
from ..ir.types import U64
from .func import CallSite, Func, Param, func
from .memory import KernelAddress
from .text import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Value
    from ..spec.target import Target
    from .emit import Emitter
    from .func import Checking

_OFFSETS = "__per_cpu_offset"
"""The kernel's array of what to add to a per-CPU variable's address, for each CPU."""


@func
class Kaddr(Func):
    """address of a symbol of the kernel"""

    name = "kaddr"
    params: tuple[Param, ...] = (Param("symbol", "text"),)

    def check(self, call: CallSite, to: Checking) -> CType:
        name = decode(call.args[0].text)
        self._check_symbol(call, to, name)
        types = to.target.types if to.target is not None else None
        return KernelAddress(
            8, False, to=(types.find_variable(name) if types is not None else None) or UINT64
        )

    def _check_symbol(self, call: CallSite, to: Checking, name: str) -> None:
        try:
            address = _find_address(to.target, name)
        except FeatureError as error:
            to.error(error.message, call.span, error.hint)
            return
        if address is None:
            types = to.target.types if to.target is not None else None
            known = types is not None and types.find_variable(name) is not None
            hint = "it is a variable, which kernels without CONFIG_KALLSYMS_ALL tell no address of"
            to.error(f"Failed to resolve kernel symbol: {name}", call.span, hint if known else None)

    def lower(self, call: CallSite, to: Emitter) -> Value:
        return to.b.const(_known_address(to, decode(call.args[0].text)), U64)


@func
class PercpuKaddr(Kaddr):
    """address of the copy of a per-CPU variable of the kernel that the current CPU has, or another; 0 of
    a CPU that there can't be"""

    name = "percpu_kaddr"
    params = (Param("symbol", "text"), Param("cpu", "int", optional=True))

    def _check_symbol(self, call: CallSite, to: Checking, name: str) -> None:
        super()._check_symbol(call, to, name)
        super()._check_symbol(call, to, _OFFSETS)

    def lower(self, call: CallSite, to: Emitter) -> Value:
        b, symbol = to.b, super().lower(call, to)
        if len(call.args) < 2:
            return b.op("add", symbol, _read_offset(to, b.call("get_smp_processor_id")))
        cpu, variable = b.ext(to.value(call.args[1]), U64), "per-CPU address"
        b.write(variable, b.const(0, U64))
        inside, done = b.new_block(), b.new_block()
        b.branch(b.compare("ult", cpu, to.unit.target.cpus), inside, done)
        b.place(inside)
        b.write(variable, b.op("add", symbol, _read_offset(to, cpu)))
        b.jump(done)
        b.place(done)
        return b.read(variable, U64)


def _read_offset(to: Emitter, cpu: Value) -> Value:
    b, memory = to.b, to.b.slot(8)
    entry = b.op("add", b.op("mul", b.ext(cpu, U64), 8), _known_address(to, _OFFSETS))
    b.call("probe_read_kernel", memory, 8, entry)
    return b.load(memory, U64)


def _find_address(target: Target | None, symbol: str) -> int | None:
    names = target.names if target is not None else None
    return names.find_address(symbol) if names is not None else None


def _known_address(to: Emitter, symbol: str) -> int:
    address = _find_address(to.unit.target, symbol)
    assert address is not None  # checked
    return address
