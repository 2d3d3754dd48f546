"""What the interpreter runs functions on: maps, rings, memory, and a process whose every fact can be set."""

from __future__ import annotations

import random

from ..base.errors import InternalError
from .interp_maps import InterpMap
from .interp_memory import Memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..spec.bundle import Map


class InterpMachine:
    """What a function runs on; lives across runs, so that maps and rings keep their content.

    Times in nanoseconds. `user_memory` and `kernel_memory` are pieces of memory by their address.
    `pid` is the process and `tid` the thread, as scripts say (the kernel: tgid and pid).
    """

    def __init__(self, maps: Iterable[Map] = (), *, cpus: int = 1, seed: int = 0) -> None:
        self.cpus = cpus
        self.cpu = self.node = 0
        self.pid = self.tid = 1
        self.uid = self.gid = 0
        self.comm = b"interp"
        self.pid_namespace = (0, 0)  # device and inode
        self.signals: list[int] = []  # that were sent
        self.traced: list[tuple[bytes, tuple[int | bytes, ...]]] = []  # by trace_printk: format, values
        self.overridden: int | None = None  # what the traced function is to return
        self.time = self.boot_time = self.tai_time = self.jiffies = 0
        self.user_registers = 0
        self.kernel_stack: tuple[int, ...] = ()
        self.user_stack: tuple[int, ...] = ()
        self.task = self.cgroup = self.func_ip = self.cookie = 0
        self.user_memory: dict[int, bytes] = {}
        self.kernel_memory: dict[int, bytes] = {}
        self.random = random.Random(seed)
        self.memory = Memory()
        self.call_back: Callable[[int, Sequence[int]], int] | None = None  # while a function runs
        self.maps = {spec.name: InterpMap(spec, self.memory, cpus) for spec in maps}

    def records(self, ring: str) -> list[bytes]:
        """What was submitted to a ring (or a perf array), in order of reservation."""
        return [bytes(r.data) for r in self.maps[ring].records if r.state == "submitted"]

    def consume(self, ring: str) -> list[bytes]:
        """Take the records that a consumer would see now: up to the first that is not given back."""
        return self.maps[ring].consume()

    def find_map(self, address: int) -> InterpMap:
        """The map that a pointer of space MAP is."""
        region = self.memory.find(address, 0)[0]
        if region.map is None:
            raise InternalError(f"{region.name} is no map")
        return self.maps[region.map]
