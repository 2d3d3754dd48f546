"""What a probe kind is to a compiler."""

from __future__ import annotations

from ..base.errors import SourceError, TargetError
from ..base.record import record
from ..base.source import Diagnostic
from ..spec.abi import AttachType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..base.source import Span
    from ..ctype.types import Struct
    from ..spec.abi import ProgType
    from ..spec.bundle import Link
    from ..spec.target import Names, Target
    from ..usdt.args import Arg
    from .traced import Traced


@record
class Point:
    """One attach point as written: `provider` in the writer's spelling, the parts after it, the whole.

    `unsafe`: with leave to do what may harm the traced program.
    """

    provider: str
    args: tuple[str, ...]
    text: str
    span: Span | None = None
    unsafe: bool = False


@record
class Site:
    """One place to attach to: its full name, the traced function's name ("" = none), the link, whose
    `program` is still empty, and the record that `args` is there (None = none).

    `arguments`: where each argN is, at a probe that tells; None: where its kind says. `traced`: what debug
    information says of the place, of those in programs; `context` is made of it when a script wants args.
    `warning`: what is to be known of the place, which is not wrong. `goroutine`: where the number of the
    goroutine is, at functions of Go. `served`: all places that one program serves and tells apart by
    their links' cookies, counted from 1; empty where it needn't.
    """

    probe: str
    function: str
    link: Link
    context: Struct | None = None
    arguments: tuple[Arg, ...] | None = None
    traced: Traced | None = None
    warning: str = ""
    goroutine: Arg | None = None
    served: tuple[Site, ...] = ()


class Provider:
    """A probe kind. Facts are class attributes, `expand` finds the places of an attach point.

    `arguments`: argN can be read, and from where: as "user" or "kernel" code passes them, or "raw", one
    after another in the context; "" is nowhere. `returns`: retval can be read. `function`: func is known.
    `space`: where an address points, "user" or "kernel", that does not tell itself.
    `task`: the program runs in the traced task, so that a filter on pid makes sense; `links_by_pid`: the
    link does it. `cookies`: its links have them, where the kernel does.
    """

    name: str
    aliases: tuple[str, ...] = ()
    usage: str
    program_type: ProgType
    arguments = ""
    space = "user"
    returns = False
    function = False
    task = False
    links_by_pid = False
    cookies = False

    def find_attach_type(self, target: Target, sites: Sequence[Site]) -> AttachType:
        """What a program for `sites` is loaded for, by what `target` has."""
        return AttachType.NONE

    def expand(self, point: Point, target: Target, pid: int = 0) -> list[Site]:
        """The places that `point` names, at least one; `pid` restricts those that can be restricted.

        Raises SourceError for an attach point that is misspelled, TargetError for a thing that is not there.
        """
        raise AssertionError(self.name)

    def doubt(self, point: Point, target: Target) -> str:
        """What speaks against `point`, "" for nothing: said whether or not there are places for it."""
        return ""

    def misspelled(self, point: Point, message: str) -> SourceError:
        """The error for a malformed attach point, to be raised by the caller."""
        return self.wrong(point, message, f"usage: {self.usage}")

    def wrong(self, point: Point, message: str, hint: str | None = None) -> SourceError:
        """The error for what an attach point says, to be raised by the caller."""
        return SourceError([Diagnostic("ERROR", message, point.span, hint)])


def names_of(target: Target, point: Point) -> Names:
    """What there is to trace in the target's kernel. Raises TargetError where nobody knows."""
    if target.names is None:
        raise TargetError("it is not known what this target's kernel has to trace", span=point.span)
    return target.names
