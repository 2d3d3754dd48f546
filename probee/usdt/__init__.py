"""Statically defined tracing: the marks that programs carry in their code, by SystemTap's <sys/sdt.h>.

Bytes in, values out, and the reverse; callers open and map files themselves.

    notes      the probes of a file: where they are, what raises their semaphore
    args       one argument of a probe: where its value is when the probe is hit
    x86        operands as an assembler for x86-64 writes them
    aarch64    operands as one for AArch64 does
    encode     the reverse: a shared object with one probe

`Provider`, which gives this very process probes, needs the kernel and is at home at the top, in
`probee.provider`; here it has the name that people look for.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..provider import Provider

__all__ = ["Provider"]


def __getattr__(name: str) -> Any:
    if name == "Provider":
        from ..provider import Provider

        return Provider
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
