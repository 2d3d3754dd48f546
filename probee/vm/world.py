"""What programs see of the world around them, all of it in the hands of the test."""

from __future__ import annotations

import random

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
        self.cookie = 0
        self.function = 0
        self.chance = random.Random(seed)
        self.printed: list[str] = []
        self.signals: list[tuple[int, int]] = []
        self._memory: dict[int, bytearray] = {}

    def read_clock(self) -> int:
        now = self.clock
        self.clock += self.call_ns
        return now

    def put(self, address: int, data: bytes) -> None:
        """Let `data` lie at `address` of the process or the kernel, for the probe_read helpers."""
        self._memory[address] = bytearray(data)

    def find(self, address: int, size: int) -> bytes | None:
        """`size` bytes at `address`, or None when not all of them are there."""
        for start, data in self._memory.items():
            if start <= address and address + size <= start + len(data):
                return bytes(data[address - start : address - start + size])
        return None

    def find_string(self, address: int, most: int) -> bytes | None:
        """Bytes from `address` up to a NUL (not included) or `most` of them; None when a byte is missing."""
        for start, data in self._memory.items():
            if start <= address < start + len(data):
                part = bytes(data[address - start : address - start + most])
                end = part.find(0)
                if end >= 0:
                    return part[:end]
                return part if len(part) == most else None
        return None

    def change(self, address: int, value: bytes) -> bool:
        """Overwrite bytes that are there, for probe_write_user; False when they aren't."""
        for start, data in self._memory.items():
            if start <= address and address + len(value) <= start + len(data):
                data[address - start : address - start + len(value)] = value
                return True
        return False

    def check_cpu(self) -> int:
        if not 0 <= self.cpu < self.cpus:
            raise Fault(f"the world's CPU is {self.cpu}, expected one of 0..{self.cpus - 1}")
        return self.cpu
