"""What a probe tells by the names of fields: args."""

from __future__ import annotations

from ..ctype.types import CType
from .func import CallSite, Func, func

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..base.source import Span
    from ..ir.nodes import Value
    from .emit import Emitter, Place
    from .func import Checking
    from .located import Found

_NAMED = "args needs a probe with named fields, such as tracepoint"
_WITHOUT = {
    "uretprobe": "arguments are gone when a function returns: keep them at its entry, @x[tid] = args.x",
    "kretprobe": "arguments are gone when a function returns: keep them at its entry, @x[tid] = arg0",
}


@func
class Args(Func):
    """what a tracepoint tells, or a function gets, by the names of its fields"""

    name = "args"

    def check(self, call: CallSite, to: Checking) -> CType | None:
        for provider, context in to.contexts:
            if context is None:
                message = f"The args builtin can not be used with '{provider.name}' probes"
                to.error(message, call.span, _WITHOUT.get(provider.name, _NAMED))
                return None
        return next((context for _, context in to.contexts), None)

    def check_field(self, call: CallSite, name: str, span: Span, to: Checking) -> None:
        for site in to.sites:
            if site.traced is not None:
                from .arguments import find_reason

                reason = find_reason(site.traced, name)
                if reason:
                    to.error(f"args.{name} of {site.probe} can't be read: {reason}", span)
                    return

    def find_field(self, call: CallSite, name: str, to: Emitter) -> Found | None:
        if to.site.traced is None:
            return None
        from .arguments import find_argument

        return find_argument(to, to.site.traced, name)

    def memory(self, call: CallSite, to: Emitter) -> Value | None:
        return to.b.context() if to.site.traced is None else None

    def lower_into(self, call: CallSite, to: Emitter, place: Place) -> None:
        if to.site.traced is not None:
            from .arguments import copy_arguments

            copy_arguments(to, to.site.traced, place, call.span)
            return
        to.b.copy(place.pointer, to.b.context(), place.type.size, place.offset)
