"""tracepoint: a place in the kernel that was made to be traced, with a record of named fields.

`tracepoint:CATEGORY:EVENT` as tracefs names them; a `*` in either stands for any text.
"""

from __future__ import annotations

from ..base.errors import FormatError, TargetError
from ..base.registry import near_misses
from ..ctype.tracepoint import parse_format
from ..spec.abi import ProgType
from ..spec.bundle import TracepointLink
from .glob import compile_glob
from .provider import Point, Provider, Site, names_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..spec.target import Names, Target

_USER_CATEGORY = "syscalls"
"""Whose pointers are those that programs passed."""


class _Tracepoint(Provider):
    name = "tracepoint"
    aliases = ("t",)
    usage = "tracepoint:CATEGORY:EVENT, such as tracepoint:sched:sched_switch"
    program_type = ProgType.TRACEPOINT
    task = True
    space = "kernel"

    def expand(self, point: Point, target: Target, pid: int = 0) -> list[Site]:
        if len(point.args) != 2 or not all(point.args):
            raise self.misspelled(point, f"expected tracepoint:CATEGORY:EVENT, got {point.text!r}")
        names = names_of(target, point)
        found = _match(names, *point.args)
        if not found:
            near = near_misses(point.args[1], [event for _, event in names.iter_tracepoints()])
            hint = f"did you mean {' or '.join(near)}?" if near and "*" not in point.text else None
            message = f"No matches for tracepoint {':'.join(point.args)}."
            raise TargetError(message, span=point.span, hint=hint)
        return [self._site(point, category, event, text) for category, event, text in found]

    def _site(self, point: Point, category: str, event: str, text: str) -> Site:
        probe = f"{self.name}:{category}:{event}"
        space = "user" if category == _USER_CATEGORY else "kernel"
        try:
            record = parse_format(text, f"_tracepoint_{category}_{event}", space)
        except FormatError as error:
            raise TargetError(f"{probe}: {error.message}", span=point.span) from error
        return Site(probe, "", TracepointLink("", category, event, probe, point.span), record)


def _match(names: Names, category: str, event: str) -> list[tuple[str, str, str]]:
    """(category, event, description) of the tracepoints that are meant."""
    pairs = [(category, event)]
    if "*" in category or "*" in event:
        first, second = compile_glob(category), compile_glob(event)
        pairs = [(c, e) for c, e in names.iter_tracepoints() if first.fullmatch(c) and second.fullmatch(e)]
    formats = [(c, e, names.find_format(c, e)) for c, e in pairs]
    return [(c, e, text) for c, e, text in formats if text is not None]


PROVIDERS = (_Tracepoint(),)
