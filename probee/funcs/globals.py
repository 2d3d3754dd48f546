"""The layout of the globals map: counters, shared scalars, and a block of every CPU for aggregates.

Shared scalars have a 64-byte line each, so that CPUs that write different ones do not take lines from
one another. The slots of a CPU lie together, CPUs a power of two apart: a slot's address is a mask and
a shift away, which is what the verifier can follow.
"""

from __future__ import annotations

from ..base.bits import align_up, ceil_pow2

LINE = 64
"""Bytes of a cache line."""


class Globals:
    """Hands out offsets. `place_cpus` is called once, between the per-CPU slots and the rest."""

    def __init__(self, cpus: int) -> None:
        self.cpus = ceil_pow2(cpus)
        self.size = 0
        self.cpu_start = 0
        self.stride = 0
        self._cpu_size = 0

    def take(self, size: int, align: int = 8) -> int:
        """Room for `size` bytes; its offset."""
        offset = align_up(self.size, align)
        self.size = offset + size
        return offset

    def take_line(self) -> int:
        """A line of its own; its offset."""
        offset = self.take(LINE, LINE)
        return offset

    def take_slot(self, size: int) -> int:
        """Room for `size` bytes in every CPU's slots; its offset in them."""
        offset = self._cpu_size
        self._cpu_size = offset + align_up(size, 8)
        return offset

    def place_cpus(self) -> None:
        """Put the CPUs' slots here."""
        if self._cpu_size:
            self.stride = max(ceil_pow2(self._cpu_size), LINE)
            self.cpu_start = self.take(self.stride * self.cpus, LINE)
