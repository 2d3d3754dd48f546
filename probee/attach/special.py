"""begin, end, self, test, bench: programs that run in this process, by BPF_PROG_TEST_RUN.

Nothing is attached, so there is nothing that another process could trigger.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..kernel.programs import KernelProgram
    from ..spec.bundle import Special

# A raw tracepoint has up to twelve u64 arguments, of which a program that runs by itself reads none.
_CONTEXT = bytes(12 * 8)

# The kernel takes no packet that is shorter than an Ethernet header.
_PACKET = bytes(14)


class Done:
    """The handle of what has already happened."""

    def close(self) -> None:
        pass


def attach(link: Special, program: KernelProgram) -> Done:
    """Run the program now. Raises KernelError."""
    program.test_run(context=_CONTEXT)
    return Done()


def measure(program: KernelProgram, times: int = 1) -> tuple[int, int]:
    """Run a test or benchmark so many times: (what the last run returned, nanoseconds of a run).

    Raises KernelError.
    """
    return program.measure(_PACKET, times)
