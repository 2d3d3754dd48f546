"""What programs see of the world around them, all of it in the hands of the test."""

from __future__ import annotations

import random
from bisect import bisect_right, insort

from .fault import Fault

EFAULT = 14


class World:
    """The clock, the current process, the CPU, memory outside the program, and chance.

    All attributes may be set at any time between runs. Times are in nanoseconds; `clock` is what
    CLOCK_MONOTONIC gives and `boot` and `tai` are the distances of the other clocks from it.
    `call_ns` is how far each reading of a clock moves it on.
    """

    def __init__(self, *, seed: int = 1, cpus: int = 2) -> None:
        self.cpus = cpus
        self.cpu = 0
        self.clock = 1_000_000_000
        self.boot = 0
        self.tai = 0
        self.call_ns = 0
        self.pid = 1000
        self.tid = 1000
        self.uid = 0
        self.gid = 0
        self.comm = b"probee"
        self.cgroup = 1
        self.numa_node = 0
        self.task = 0xFFFF_8880_0000_1000
        self.kernel_stack: tuple[int, ...] = ()
        self.user_stack: tuple[int, ...] = ()
        self.names: dict[int, str] = {}  # of functions, by address: for who shows stacks
        self.cookie = 0
        self.function = 0
        self.chance = random.Random(seed)
        self.printed: list[str] = []
        self.signals: list[tuple[int, int]] = []
        self.overridden: int | None = None  # what the traced function is to return
        self._memory: dict[int, bytearray] = {}
        self._starts: list[int] = []

    def read_clock(self) -> int:
        now = self.clock
        self.clock += self.call_ns
        return now

    def put(self, address: int, data: bytes) -> None:
        """Let `data` lie at `address` of the process or the kernel, for the probe_read helpers.

        What was put at that same address before is gone.
        """
        if address not in self._memory:
            insort(self._starts, address)
        self._memory[address] = bytearray(data)

    def find(self, address: int, size: int) -> bytes | None:
        """`size` bytes at `address`, or None when not all of them are there."""
        data, offset = self._piece(address)
        return bytes(data[offset : offset + size]) if offset + size <= len(data) else None

    def find_string(self, address: int, most: int) -> bytes | None:
        """Bytes from `address` up to a NUL (not included) or `most` of them; None when a byte is missing."""
        data, offset = self._piece(address)
        part = bytes(data[offset : offset + most])
        end = part.find(0)
        if end >= 0:
            return part[:end]
        return part if part and len(part) == most else None

    def change(self, address: int, value: bytes) -> bool:
        """Overwrite bytes that are there, for probe_write_user; False when they aren't."""
        data, offset = self._piece(address)
        if offset + len(value) > len(data):
            return False
        data[offset : offset + len(value)] = value
        return True

    def _piece(self, address: int) -> tuple[bytearray, int]:
        """The memory that begins at or before `address`, and how far into it that is."""
        at = bisect_right(self._starts, address)
        if not at:
            return bytearray(), address + 1
        start = self._starts[at - 1]
        return self._memory[start], address - start

    def check_cpu(self) -> int:
        if not 0 <= self.cpu < self.cpus:
            raise Fault(f"the world's CPU is {self.cpu}, expected one of 0..{self.cpus - 1}")
        return self.cpu
