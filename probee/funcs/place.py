"""Where the program stands: func probe probetype."""

from __future__ import annotations

from ..arch import find as find_arch
from ..ctype.types import CType
from ..ir.types import U64
from ..spec.values import Ksym, Str
from .func import CallSite, Func, func
from .memory import at_most
from .text import copy_text, store_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..ir.nodes import Value
    from ..probes.provider import Provider
    from ..spec.target import Target
    from .emit import Emitter, Place
    from .func import Checking


@func
class Function(Func):
    """name of the traced function

    Of the kernel's functions it is an address, which one program finds for any number of them; of others
    text, so that it needs no process whose files could be asked.
    """

    name = "func"

    def check(self, call: CallSite, to: Checking) -> CType:
        for provider in to.providers:
            if not provider.function:
                to.error(f"The func builtin can not be used with '{provider.name}' probes", call.span)
                break
        if to.providers and all(in_kernel(provider) for provider in to.providers):
            return Ksym()
        return Str(to.longest("function") + 1)

    def lower(self, call: CallSite, to: Emitter) -> Value:
        b = to.b
        if is_constant(to.provider, to.unit.target):
            names = to.unit.target.names
            return b.const((names.find_address(to.site.function) if names is not None else None) or 0, U64)
        if to.provider.returns:
            return b.call("get_func_ip", b.context())
        arch = find_arch(to.unit.target.machine)
        return b.load(b.context(), U64, arch.register(arch.instruction_pointer).offset)

    def lower_into(self, call: CallSite, to: Emitter, place: Place) -> None:
        _store(to, place, to.site.function, [site.function for site in to.site.served])


def in_kernel(provider: Provider) -> bool:
    """True of probes at functions of the kernel that are given the registers."""
    return provider.function and provider.arguments == "kernel"


def is_constant(provider: Provider, target: Target) -> bool:
    """True where only the compiler knows what function a program is at, so that each needs its own."""
    return not in_kernel(provider) or (provider.returns and not target.have("get_func_ip"))


def _store(to: Emitter, place: Place, text: str, served: Sequence[str]) -> None:
    """Write `text`, or that of the place by whose link's cookie the program was run."""
    if len(set(served)) < 2:
        store_text(to.b, place, (served[0] if served else text).encode())
        return
    b = to.b
    name, size = to.unit.table((b"", *[one.encode() for one in served]))
    row = at_most(to, b.call("get_attach_cookie", b.context()), len(served))
    copy_text(b, place, b.offset(b.global_(name, 0), b.op("mul", row, size)), 0, size)


@func
class Probe(Func):
    """full name of the probe"""

    name = "probe"

    def check(self, call: CallSite, to: Checking) -> CType:
        return Str(to.longest("probe") + 1)

    def lower_into(self, call: CallSite, to: Emitter, place: Place) -> None:
        _store(to, place, to.site.probe, [site.probe for site in to.site.served])


@func
class Probetype(Func):
    """kind of the probe: `uprobe`, `interval`; of BEGIN and END `special`"""

    name = "probetype"

    def check(self, call: CallSite, to: Checking) -> CType:
        return Str(max([len(_kind_of(provider)) for provider in to.providers], default=0) + 1)

    def lower_into(self, call: CallSite, to: Emitter, place: Place) -> None:
        store_text(to.b, place, _kind_of(to.provider).encode())


def _kind_of(provider: Provider) -> str:
    return "special" if provider.name in ("begin", "end") else provider.name
