"""Lists of CPUs as sysfs writes them: `0-3,8`."""

from __future__ import annotations

_POSSIBLE = "/sys/devices/system/cpu/possible"
_ONLINE = "/sys/devices/system/cpu/online"


def parse_cpu_list(text: str) -> list[int]:
    """CPU numbers of a list such as "0-3,8", in its order."""
    cpus: list[int] = []
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if first:
            cpus.extend(range(int(first), int(last or first) + 1))
    return cpus


def possible_cpus() -> list[int]:
    """CPUs that the kernel keeps per-CPU data for, ascending.

    There may be gaps: a per-CPU map value has one slot for each *entry* of this list.
    """
    return _read_list(_POSSIBLE)


def online_cpus() -> list[int]:
    """CPUs that run now, ascending; at least one."""
    return _read_list(_ONLINE)


def _read_list(path: str) -> list[int]:
    with open(path, encoding="ascii") as file:
        return parse_cpu_list(file.read())
