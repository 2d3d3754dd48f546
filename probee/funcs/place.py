"""Where the program stands: func probe probetype."""

from __future__ import annotations

from ..ctype.types import CType
from ..spec.values import Str
from .func import CallSite, Func, func
from .text import store_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..probes.provider import Provider
    from .emit import Emitter, Place
    from .func import Checking


@func
class Function(Func):
    """name of the traced function"""

    name = "func"

    def check(self, call: CallSite, to: Checking) -> CType:
        for provider in to.providers:
            if not provider.function:
                to.error(f"The func builtin can not be used with '{provider.name}' probes", call.span)
                break
        return Str(to.longest("function") + 1)

    def lower_into(self, call: CallSite, to: Emitter, place: Place) -> None:
        store_text(to.b, place, to.site.function.encode())


@func
class Probe(Func):
    """full name of the probe"""

    name = "probe"

    def check(self, call: CallSite, to: Checking) -> CType:
        return Str(to.longest("probe") + 1)

    def lower_into(self, call: CallSite, to: Emitter, place: Place) -> None:
        store_text(to.b, place, to.site.probe.encode())


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
