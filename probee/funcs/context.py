"""What a probe tells by the names of fields: args."""

from __future__ import annotations

from ..ctype.types import CType
from .func import CallSite, Func, func

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Value
    from .emit import Emitter, Place
    from .func import Checking


@func
class Args(Func):
    """what a tracepoint tells, by the names of its fields"""

    name = "args"

    def check(self, call: CallSite, to: Checking) -> CType | None:
        for provider, context in to.contexts:
            if context is None:
                message = f"The args builtin can not be used with '{provider.name}' probes"
                to.error(message, call.span, "args needs a probe with named fields, such as tracepoint")
                return None
        return next((context for _, context in to.contexts), None)

    def memory(self, call: CallSite, to: Emitter) -> Value:
        return to.b.context()

    def lower_into(self, call: CallSite, to: Emitter, place: Place) -> None:
        to.b.copy(place.pointer, to.b.context(), place.type.size, place.offset)
