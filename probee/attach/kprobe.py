"""kprobe and kretprobe: a program at one place of the kernel's code, or at the beginnings of many functions.

A program that was loaded for AttachType.TRACE_KPROBE_MULTI is attached by one link of that kind, any other
by a perf event for each place.
"""

from __future__ import annotations

import errno

from ..base.errors import AttachError, FeatureError
from ..kernel.config import find_config
from ..kernel.fd import Fds
from ..kernel.perf import attach_event, have_pmu, open_kprobe, try_kprobe_multi
from ..kernel.syscall import explain_refusal, known_errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..kernel.programs import KernelProgram
    from ..spec.bundle import KprobeLink

# What the kernel answers when an offset is not where an instruction begins.
_NO_INSTRUCTION = (errno.EILSEQ,)


def attach(link: KprobeLink, program: KernelProgram) -> Fds:
    """Run the program at `link.offset` of the function. Raises AttachError, FeatureError."""
    _check_kernel(link)
    what = f"attach {_spell(link)}"
    name = f"{link.module}:{link.function}" if link.module else link.function
    try:
        event = open_kprobe(what, name, link.offset, ret=link.ret)
        return attach_event(what, event, program.fd.number)
    except AttachError as error:
        raise AttachError(what, error.errno, hint=_explain(error)) from error


def attach_together(links: Sequence[KprobeLink], program: KernelProgram) -> Fds:
    """Run the program at the beginning, or the return, of all functions, by one link. Raises as `attach`."""
    _check_kernel(links[0])
    names = list(dict.fromkeys([link.function for link in links]))
    result = try_kprobe_multi(program.fd.number, names, ret=links[0].ret)
    if result < 0:
        what = f"attach {_spell(links[0])} and {len(names) - 1} more"
        raise AttachError(what, known_errno(-result), hint=explain_refusal(-result))
    return Fds(result)


def _spell(link: KprobeLink) -> str:
    return link.probe or f"{'kretprobe' if link.ret else 'kprobe'}:{link.function}+{link.offset:#x}"


def _check_kernel(link: KprobeLink) -> None:
    if not have_pmu("kprobe"):
        built = ": it was built without CONFIG_KPROBES" if find_config("CONFIG_KPROBES") == "n" else ""
        raise FeatureError(f"{_spell(link)}: this kernel has no kprobes{built}")


def _explain(error: AttachError) -> str | None:
    if error.errno in _NO_INSTRUCTION:
        return "the offset is not where an instruction begins"
    if error.errno == errno.EINVAL:
        return "the kernel lets no probe be put there"
    return error.hint
