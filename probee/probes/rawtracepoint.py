"""rawtracepoint: a tracepoint of the kernel before tracefs makes a record of it: argN are its arguments, args
has them by name and type, where the kernel's BTF tells those.

`rawtracepoint:EVENT`, or `rawtracepoint:MODULE:EVENT`, where the module says where the event is from.
"""

from __future__ import annotations

from ..base.errors import TargetError
from ..base.record import replace
from ..base.registry import near_misses
from ..ctype.types import Member, NamedStruct, Ptr, Struct
from ..spec.abi import ProgType
from ..spec.bundle import RawTracepointLink
from .glob import compile_glob
from .provider import Point, Provider, Site, names_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..spec.target import Target


class _RawTracepoint(Provider):
    name = "rawtracepoint"
    aliases = ("rt",)
    usage = "rawtracepoint:EVENT, such as rawtracepoint:sched_switch"
    program_type = ProgType.RAW_TRACEPOINT
    arguments = "raw"
    task = True
    space = "kernel"

    def expand(self, point: Point, target: Target, pid: int = 0) -> list[Site]:
        if not 1 <= len(point.args) <= 2 or not all(point.args):
            raise self.misspelled(point, f"expected rawtracepoint:EVENT, got {point.text!r}")
        *modules, event = point.args
        events = [event]
        if "*" in event:
            pattern = compile_glob(event)
            events = sorted(
                {e for _, e in names_of(target, point).iter_tracepoints() if pattern.fullmatch(e)}
            )
            if not events:
                raise TargetError(f"No matches for rawtracepoint {event}.", span=point.span)
        module = modules[0] if modules and "*" not in modules[0] else ""
        if "*" not in event:
            self._check(point, target, event, module)
        return [self._site(point, name, target, module) for name in events]

    def _check(self, point: Point, target: Target, event: str, module: str) -> None:
        """Raise a TargetError if the kernel is known not to have the tracepoint."""
        names, types = target.names, target.types
        if names is None or types is None or types.missing or types.find_event(event, module) is not None:
            return
        # Modules whose types are not known have tracepoints, too.
        if module in ("", "vmlinux") or names.have_module(module):
            if any(event == known for _, known in names.iter_tracepoints()):
                return
        wish = "If this is expected, set the 'missing_probes' config variable to 'warn'."
        missing = "Probe has no valid attach points. " + wish
        if module:
            missing = f"No matches for rawtracepoint {module}:{event}."
        near = near_misses(event, [known for _, known in names.iter_tracepoints()])
        hint = f"did you mean {' or '.join(near)}?" if near else None
        raise TargetError(missing, span=point.span, hint=hint)

    def _site(self, point: Point, event: str, target: Target, module: str) -> Site:
        probe = f"{self.name}:{event}"
        name = f"_rawtracepoint_{event}"
        context = NamedStruct("struct", name, lambda: find_record(target, name, event, module))
        return Site(probe, "", RawTracepointLink("", event, probe, point.span), context)


_WORD = 8
"""Bytes of each argument in the context, whatever its type."""


def find_record(target: Target, name: str, event: str, module: str = "") -> Struct | None:
    """The arguments of a raw tracepoint as `struct name`; None where the kernel doesn't tell them."""
    function = target.types.find_event(event, module) if target.types is not None else None
    if function is None:
        return None
    members = []
    for number, (own, type) in enumerate(function.params):
        if isinstance(type, Ptr) and not type.space:
            type = replace(type, space="kernel")
        members.append(Member(own or f"arg{number}", type, 8 * _WORD * number))
    return Struct(name, _WORD * len(members), tuple(members))


PROVIDERS = (_RawTracepoint(),)
