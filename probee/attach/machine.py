"""The whole machine: the kernel, and for each kind of link the file that attaches it.

`kernel.machine.Kernel` can't do this itself: the layers say that `attach` imports `kernel` and never
the reverse. So `LiveMachine` is a `Kernel` with one method more.
"""

from __future__ import annotations

from importlib import import_module

from ..base.errors import InternalError
from ..kernel.machine import Kernel
from ..kernel.programs import KernelProgram
from ..spec.abi import AttachType
from ..spec.bundle import (
    IntervalLink,
    KprobeLink,
    PerfLink,
    RawTracepointLink,
    Special,
    TracepointLink,
    UprobeLink,
    WatchLink,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..spec.bundle import Link
    from ..spec.machine import LinkHandle, ProgramHandle

KINDS: dict[type, str] = {
    Special: "special",
    UprobeLink: "uprobe",
    IntervalLink: "interval",
    PerfLink: "perf",
    TracepointLink: "tracepoint",
    RawTracepointLink: "rawtracepoint",
    KprobeLink: "kprobe",
    WatchLink: "watchpoint",
}
"""Class of a link → the module of this folder whose `attach(link, program)` makes it live."""


class LiveMachine(Kernel):
    """The running kernel (`spec.machine.Machine`). A context manager; `close` detaches everything."""

    def attach(self, link: Link, program: ProgramHandle) -> LinkHandle:
        """Make `link` live until its handle is closed. BEGIN and END run here and now, and once.

        Raises AttachError, TargetError, FeatureError, and for BEGIN and END KernelError.
        """
        attach: Callable[[Link, KernelProgram], LinkHandle] = import_module(
            f"{__package__}.{KINDS[type(link)]}"
        ).attach
        return self._own(attach(link, _own(program)))

    def attach_all(self, links: Sequence[Link], program: ProgramHandle) -> list[LinkHandle]:
        """`attach` for all links of one program; there may be fewer handles than links.

        Places of one file that follow one another share a link of the kernel where it has such links:
        each link costs tens of milliseconds to close, however many places it has.
        """
        if program.spec.expected_attach == AttachType.TRACE_KPROBE_MULTI:
            from .kprobe import attach_together as attach_functions

            functions = [link for link in links if isinstance(link, KprobeLink)]
            return [self._own(attach_functions(functions, _own(program)))]
        places = [link for link in links if isinstance(link, UprobeLink)]
        if len(places) < len(links) or program.spec.expected_attach != AttachType.TRACE_UPROBE_MULTI:
            return [self.attach(link, program) for link in links]
        from .uprobe import attach_together, group_places

        return [self._own(attach_together(group, _own(program))) for group in group_places(places)]


def _own(program: ProgramHandle) -> KernelProgram:
    if not isinstance(program, KernelProgram):
        raise InternalError(f"program {program.spec.name} is not one of this machine")
    return program
