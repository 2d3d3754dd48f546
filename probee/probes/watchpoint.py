"""watchpoint: a program whenever memory is read, written or executed, by the CPU's own breakpoints.

`watchpoint:ADDRESS:LENGTH:MODE`, of the traced process's memory, or without one the kernel's.
"""

from __future__ import annotations

import re

from ..spec.abi import ProgType
from ..spec.bundle import WatchLink
from .provider import Point, Provider, Site

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..spec.target import Target

_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,16}|\d{1,20}")
_LENGTHS = ("1", "2", "4", "8")
_MODES = {
    "x86_64": ("w", "rw", "x"),
    "aarch64": ("r", "w", "rw", "x"),
}
"""What a breakpoint of a CPU can watch for: x86 knows no reads alone."""


class _Watchpoint(Provider):
    name = "watchpoint"
    aliases = ("w",)
    usage = "watchpoint:ADDRESS:LENGTH:MODE, such as watchpoint:0x10000000:8:rw"
    program_type = ProgType.PERF_EVENT
    task = True

    def expand(self, point: Point, target: Target, pid: int = 0) -> list[Site]:
        if len(point.args) != 3:
            raise self.misspelled(point, f"expected watchpoint:ADDRESS:LENGTH:MODE, got {point.text!r}")
        where, length, written = point.args
        if not _NUMBER.fullmatch(where) or not 0 < int(where, 0) < 1 << 64:
            raise self.misspelled(point, "watchpoint must be attached to a non-zero address")
        if length not in _LENGTHS:
            raise self.misspelled(point, "watchpoint length must be one of (1,2,4,8)")
        modes = "".join(sorted(written))
        if not modes or set(modes) - set("rwx"):
            raise self.misspelled(point, "watchpoint mode must be combination of (r,w,x)")
        if len(set(modes)) < len(modes):
            raise self.misspelled(point, "watchpoint modes may not be duplicated")
        known = _MODES.get(target.machine, ())
        if modes not in known:
            raise self.wrong(
                point, f"invalid watchpoint mode: {modes}", f"supported modes: {','.join(known) or 'none'}"
            )
        probe = ":".join((self.name, *point.args))
        link = WatchLink("", int(where, 0), int(length), modes, pid, probe, point.span)
        return [Site(probe, "", link)]


PROVIDERS = (_Watchpoint(),)
