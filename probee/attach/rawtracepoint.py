"""rawtracepoint: a program at a tracepoint itself, by BPF_RAW_TRACEPOINT_OPEN."""

from __future__ import annotations

import errno

from ..base.errors import AttachError, TargetError
from ..kernel.fd import Fds
from ..kernel.programs import open_raw_tracepoint
from ..kernel.syscall import explain_refusal, known_errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..kernel.programs import KernelProgram
    from ..spec.bundle import RawTracepointLink


def attach(link: RawTracepointLink, program: KernelProgram) -> Fds:
    """Run the program at each hit. Raises AttachError, TargetError."""
    result = open_raw_tracepoint(link.event, program.fd.number)
    if result == -errno.ENOENT:
        raise TargetError(f"this kernel has no tracepoint {link.event}", span=link.span)
    if result < 0:
        what = f"attach {link.probe or f'rawtracepoint:{link.event}'}"
        raise AttachError(what, known_errno(-result), hint=explain_refusal(-result))
    return Fds(result)
