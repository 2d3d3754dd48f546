"""What this process may do, found out by looking, and in words what it lacks.

Nothing is guessed: `explain_refusal` names only what it has seen missing or in force, and says
nothing when all it looked at is in order.
"""

from __future__ import annotations

import errno
import os
import re

from ..base.record import record
from .abi import Capability

_WHOLE_USER_NAMESPACE = 0xFFFFFFFF


@record
class Privileges:
    """Who this process is to the kernel.

    `capabilities`: the effective set, a bit each. `whole`: False in a user namespace, whose root is not the
    machine's. `seccomp`: the mode, 2 = a filter. `lockdown`: "none", "integrity", "confidentiality", or
    "" where securityfs does not tell. `bpf_disabled` and `perf_paranoid` are the sysctls
    kernel.unprivileged_bpf_disabled and kernel.perf_event_paranoid, None where there is none.
    """

    uid: int
    capabilities: int
    whole: bool
    seccomp: int
    lockdown: str
    bpf_disabled: int | None
    perf_paranoid: int | None

    def have(self, capability: Capability) -> bool:
        """CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON, as it does in the kernel."""
        wanted = 1 << capability
        if capability in (Capability.CAP_BPF, Capability.CAP_PERFMON):
            wanted |= 1 << Capability.CAP_SYS_ADMIN
        return bool(self.capabilities & wanted)

    @property
    def missing(self) -> list[str]:
        """Names of the capabilities tracing needs and this process has not."""
        return [c.name for c in (Capability.CAP_BPF, Capability.CAP_PERFMON) if not self.have(c)]


def read_privileges() -> Privileges:
    """Look at this process and the machine's settings."""
    status = read_text("/proc/self/status") or ""
    return Privileges(
        uid=os.geteuid(),
        capabilities=_status_field(status, "CapEff", 16),
        whole=_is_whole(read_text("/proc/self/uid_map") or ""),
        seccomp=_status_field(status, "Seccomp", 10),
        lockdown=read_lockdown(),
        bpf_disabled=_read_number("/proc/sys/kernel/unprivileged_bpf_disabled"),
        perf_paranoid=_read_number("/proc/sys/kernel/perf_event_paranoid"),
    )


def read_lockdown() -> str:
    """The lockdown in force: "none", "integrity", "confidentiality"; "" where securityfs does not tell."""
    chosen = re.search(r"\[(\w+)\]", read_text("/sys/kernel/security/lockdown") or "")
    return chosen.group(1) if chosen else ""


def explain_refusal(number: int) -> str | None:
    """What this process lacks, when a call failed with errno `number`; None when nothing was found."""
    if number not in (errno.EPERM, errno.EACCES):
        return None
    return explain(read_privileges())


def explain(having: Privileges) -> str | None:
    """What a process `having` these privileges lacks for tracing, in one sentence; or None."""
    if having.missing:
        sysctl = having.bpf_disabled
        why = f", and kernel.unprivileged_bpf_disabled is {sysctl}" if sysctl else ""
        names = " and ".join(having.missing)
        return f"tracing needs root, or CAP_BPF and CAP_PERFMON: uid {having.uid} lacks {names}{why}"
    if not having.whole:
        return "root of a user namespace (a rootless container) may not trace: run outside of it"
    if having.lockdown not in ("", "none"):
        return f"the kernel is locked down (lockdown={having.lockdown}), which not even root may lift"
    if having.seccomp:
        return "a seccomp filter is in force here, as in containers: it may refuse bpf and perf_event_open"
    return None


def read_text(path: str) -> str | None:
    """What a file of /proc or /sys says, or None where there is none to read."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return None


def _status_field(status: str, name: str, base: int) -> int:
    found = re.search(rf"^{name}:\s*(\w+)", status, re.M)
    return int(found.group(1), base) if found else 0


def _is_whole(uid_map: str) -> bool:
    """Whether a uid_map is that of the machine itself: every id, one to one."""
    words = uid_map.split()
    return words == ["0", "0", str(_WHOLE_USER_NAMESPACE)]


def _read_number(path: str) -> int | None:
    text = (read_text(path) or "").strip()
    return int(text) if text.lstrip("-").isdigit() else None
