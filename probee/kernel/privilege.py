"""What this process may do, found out by looking, and in words what it lacks.

Nothing is guessed: `explain` names only what it has seen missing or in force, and says
nothing when all it looked at is in order.
"""

from __future__ import annotations

import os
import re
from enum import IntEnum

from ..base.record import record
from .procfs import read_text


class Capability(IntEnum):
    """Bits of the capability sets in /proc/PID/status that tracing asks for."""

    CAP_SYS_PTRACE = 19
    CAP_SYS_ADMIN = 21
    CAP_SYS_RESOURCE = 24
    CAP_PERFMON = 38
    CAP_BPF = 39


_WHOLE_USER_NAMESPACE = 0xFFFFFFFF


@record
class Privileges:
    """Who this process is to the kernel.

    `capabilities`: the effective set, a bit each. `whole`: False in a user namespace, whose root is not the
    machine's. `seccomp`: the mode, 2 = a filter. `lockdown`: "none", "integrity", "confidentiality", or
    "" where nobody tells. `bpf_disabled` and `perf_paranoid` are the sysctls
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
    """The lockdown in force: "none", "integrity", "confidentiality"; "" where nobody tells.

    securityfs knows; where it is not mounted, a level that is built in, or given at boot, is in force.
    """
    chosen = re.search(r"\[(\w+)\]", read_text("/sys/kernel/security/lockdown") or "")
    if chosen:
        return chosen.group(1)
    from .config import find_config

    for level in ("confidentiality", "integrity"):
        if find_config(f"CONFIG_LOCK_DOWN_KERNEL_FORCE_{level.upper()}") == "y":
            return level
    given = re.search(r"\blockdown=(integrity|confidentiality)\b", read_text("/proc/cmdline") or "")
    return given.group(1) if given else ""


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
