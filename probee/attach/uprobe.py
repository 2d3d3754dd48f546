"""uprobe, uretprobe and usdt: a program at one place of a file's code.

A program that was loaded for AttachType.TRACE_UPROBE_MULTI is attached by a link of that kind, any
other by a perf event. A hit costs the same: on 6.18 on a virtual machine, 20,000 hits of one function,
25 rounds of both in turn, 540 and 543 ns at best (727 and 749 in the median), at the return 829 and
840 (1,120 and 1,160). But attaching by uprobe_multi took 8 ms where the perf event took 12, and
detaching 33 ms where it took 124 (medians): a compiler should choose uprobe_multi wherever the kernel has
it with a right pid filter (feature "uprobe_multi_pid").

With a pid, both are of the whole process: all threads, those there are and those to come, and files
it maps only later, after an exec. What the process forks is not traced.
"""

from __future__ import annotations

import errno
import os
import stat

from ..base.errors import AttachError, KernelError, TargetError
from ..kernel.fd import Fds
from ..kernel.perf import attach_event, open_uprobe, try_uprobe_multi
from ..kernel.syscall import explain_refusal, known_errno
from ..spec.abi import AttachType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..kernel.programs import KernelProgram
    from ..spec.bundle import UprobeLink

_ELF_MAGIC = b"\x7fELF"

# What the kernel answers when the bytes at the place are not what it can replace by a breakpoint.
_NO_INSTRUCTION = (errno.ENOEXEC, errno.EOPNOTSUPP)


def attach(link: UprobeLink, program: KernelProgram) -> Fds:
    """Run the program at `link.offset` of the file. Raises AttachError, TargetError, FeatureError."""
    what = f"attach {_spell(link)}"
    try:
        if program.spec.expected_attach == AttachType.TRACE_UPROBE_MULTI:
            return _attach_multi(what, (link,), program)
        event = open_uprobe(
            what, link.path, link.offset, ret=link.ret, pid=link.pid, semaphore=link.semaphore
        )
        return attach_event(what, event, program.fd.number, link.cookie)
    except AttachError as error:
        _check_place(link)
        raise _explained(what, link, error.errno) from error


def group_places(links: Sequence[UprobeLink]) -> list[list[UprobeLink]]:
    """Neighbours that one link of the kernel can serve: of the same file, kind and process."""
    groups: list[list[UprobeLink]] = []
    for link in links:
        first = groups[-1][0] if groups else None
        if first and (first.path, first.ret, first.pid) == (link.path, link.ret, link.pid):
            groups[-1].append(link)
        else:
            groups.append([link])
    return groups


def attach_together(links: Sequence[UprobeLink], program: KernelProgram) -> Fds:
    """Run the program at all places of a group, by one link. Raises as `attach` does."""
    if len(links) == 1:
        return attach(links[0], program)
    try:
        return _attach_multi(f"attach {_spell(links[0])} and {len(links) - 1} more", links, program)
    except AttachError:
        # The kernel does not say which place it was: the one that fails by itself does.
        for link in links:
            attach(link, program).close()
        raise


def _attach_multi(what: str, links: Sequence[UprobeLink], program: KernelProgram) -> Fds:
    first = links[0]
    cookies = [link.cookie for link in links] if any(link.cookie for link in links) else ()
    semaphores = [link.semaphore for link in links] if any(link.semaphore for link in links) else ()
    result = try_uprobe_multi(
        program.fd.number,
        first.path,
        [link.offset for link in links],
        ret=first.ret,
        pid=first.pid,
        cookies=cookies,
        semaphores=semaphores,
    )
    if result < 0:
        raise AttachError(what, known_errno(-result), hint=explain_refusal(-result))
    return Fds(result)


def _spell(link: UprobeLink) -> str:
    return link.probe or f"{link.path}+{link.offset:#x}"


def _check_place(link: UprobeLink) -> None:
    """Raise a TargetError if the file, the offset or the process of `link` can't be."""
    try:
        found = os.stat(link.path)
        if not stat.S_ISREG(found.st_mode):
            raise TargetError(f"{link.path} is not a file", span=link.span)
        with open(link.path, "rb") as file:
            magic = file.read(len(_ELF_MAGIC))
    except OSError as error:
        raise TargetError(f"{link.path}: {os.strerror(error.errno or 0).lower()}", span=link.span) from error
    if magic != _ELF_MAGIC:
        raise TargetError(f"{link.path} is not an ELF file: it has no code to probe", span=link.span)
    if link.offset >= found.st_size:
        message = f"{link.path}: expected an offset below its size {found.st_size:#x}, got {link.offset:#x}"
        raise TargetError(message, span=link.span)
    if link.pid and not os.path.exists(f"/proc/{link.pid}"):
        raise TargetError(f"no process has the id {link.pid}", span=link.span)


def _explained(what: str, link: UprobeLink, number: int) -> KernelError:
    if number in _NO_INSTRUCTION:
        hint = f"the bytes at {link.path}+{link.offset:#x} are not an instruction that a probe can replace"
        return AttachError(what, number, hint=hint)
    return AttachError(what, number, hint=explain_refusal(number))
