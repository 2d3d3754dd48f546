"""The whole machine: the kernel, and for each kind of link the file that attaches it.

`kernel.machine.Kernel` can't do this itself: the layers say that `attach` imports `kernel` and never
the reverse. So `LiveMachine` is a `Kernel` with one method more.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ..base.errors import InternalError
from ..kernel.machine import Kernel
from ..kernel.programs import KernelProgram
from ..spec.bundle import IntervalLink, Special, UprobeLink

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..spec.bundle import Link
    from ..spec.machine import LinkHandle, ProgramHandle

KINDS: dict[type, str] = {Special: "special", UprobeLink: "uprobe", IntervalLink: "interval"}
"""Class of a link → the module of this folder whose `attach(link, program)` makes it live."""


class LiveMachine(Kernel):
    """The running kernel (`spec.machine.Machine`). A context manager; `close` detaches everything."""

    def attach(self, link: Link, program: ProgramHandle) -> LinkHandle:
        """Make `link` live until its handle is closed. BEGIN and END run here and now, and once.

        Raises AttachError, TargetError, FeatureError, and for BEGIN and END KernelError.
        """
        if not isinstance(program, KernelProgram):
            raise InternalError(f"program {program.spec.name} is not one of this machine")
        attach: Callable[[Link, KernelProgram], LinkHandle] = import_module(
            f"{__package__}.{KINDS[type(link)]}"
        ).attach
        return self._own(attach(link, program))
