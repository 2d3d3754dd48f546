"""The consumer's end of a BPF ring buffer.

Layout, from the kernel's kernel/bpf/ringbuf.c: a page with the consumer's position, which is ours to
write; a page with the producers' position; then the data, mapped twice in a row so that a record
never has a seam. Each record is a u32 length with a BUSY and a DISCARD bit, a u32 that is the kernel's,
the payload, and padding to 8 bytes.

A position only grows; its place in the data is its low bits.
"""

from __future__ import annotations

import mmap
import os
from _thread import allocate_lock

from ..base.bits import align_up
from ..spec.abi import RINGBUF_BUSY, RINGBUF_DISCARD, RINGBUF_HEADER
from .maps import KernelMap

_BUSY_OR_DISCARD = RINGBUF_BUSY | RINGBUF_DISCARD
_WORD = 4
_ID_WORD = RINGBUF_HEADER // _WORD
_WALK = 8

# Where a CPU may load a record's payload before the header that says it is complete, a fence goes between.
_LOADS_IN_ORDER = os.uname().machine in ("x86_64", "s390x")

TYPE_CHECKING = False
if TYPE_CHECKING:
    Run = tuple[int, int, memoryview]


class KernelRing:
    """One ring buffer (`spec.machine.RingHandle`).

    `read` and `read_runs` move on over the same records: use one or the other. What they return is
    memory of the ring, valid until `release`, which gives the room back to the programs.
    """

    __slots__ = ("fd", "_size", "_consumer", "_producer", "_data", "_words", "_position", "_lock")

    def __init__(self, ring: KernelMap) -> None:
        page = mmap.PAGESIZE
        self.fd = ring.fd
        self._size = ring.spec.max_entries
        consumer = mmap.mmap(ring.fd.number, page)
        producer = mmap.mmap(ring.fd.number, page + 2 * self._size, prot=mmap.PROT_READ, offset=page)
        self._consumer = memoryview(consumer)[:8].cast("Q")
        self._producer = memoryview(producer)[:8].cast("Q")
        self._data = memoryview(producer)[page:]
        self._words = self._data.cast("I")
        self._position = self._consumer[0]
        self._lock = allocate_lock()
        self._lock.acquire()

    def producer(self) -> int:
        """Position up to which programs have reserved records, in bytes since the start."""
        position: int = self._producer[0]
        self._fence()
        return position

    def position(self) -> int:
        """The consumer's position after the records read so far."""
        return self._position

    def read(self, until: int | None = None) -> list[memoryview | bytes]:
        """Records, without headers, up to the first that is not yet submitted, or position `until`."""
        records: list[memoryview | bytes] = []
        for stride, count, span in self.read_runs(until):
            end = RINGBUF_HEADER + span[:_WORD].cast("I")[0]
            records += [span[at + RINGBUF_HEADER : at + end] for at in range(0, stride * count, stride)]
        return records

    def read_runs(self, until: int | None = None) -> list[Run]:
        """The same records as `read`, as runs: (stride, count, memory).

        A run is a maximal sequence of consecutive records that are all submitted, none discarded, of the
        same length *and* the same u32 event id, the payload's first word. `memory` holds `count`
        records of `stride` bytes each, one after another: the 8-byte header (u32 length, u32 that
        means nothing here), the payload, padding to 8 bytes. So one `struct.iter_unpack` with a
        format of `stride` bytes ("<8x…") decodes a run. Records shorter than 4 bytes make runs of 1.
        Discarded records separate runs and are not seen otherwise; the end of the ring's memory ends
        a run, too, and a record that crosses it is whole.
        """
        end = self.producer() if until is None else min(until, self.producer())
        runs: list[Run] = []
        position, mask, words, data = self._position, self._size - 1, self._words, self._data
        while position < end:
            at = position & mask
            first = at // _WORD
            word = words[first]
            if word & RINGBUF_BUSY:
                break
            stride = align_up(RINGBUF_HEADER + (word & ~_BUSY_OR_DISCARD), 8)
            if word & RINGBUF_DISCARD:
                position += stride
                continue
            # Records that begin in the second mapping are left to the next run, at the start of the first:
            # pages that are read through both count twice as this process's memory.
            most = min((end - position) // stride, -((at - self._size) // stride))
            count = self._run_length(first, word, stride // _WORD, most)
            span = stride * count
            runs.append((stride, count, data[at : at + span]))
            position += span
        self._position = position
        # The payloads must not be read before the headers that say they are complete.
        self._fence()
        return runs

    def release(self) -> None:
        """Give the room of the records read so far back to programs."""
        self._fence()
        self._consumer[0] = self._position
        # The next look at the producer's position must come after this store: a program that submits in
        # between decides by the old position not to wake us.
        self._fence()

    def close(self) -> None:
        """Give the ring's memory up. The map itself stays open."""
        self._consumer = self._producer = self._data = self._words = memoryview(b"")

    def _run_length(self, first: int, header: int, stride: int, most: int) -> int:
        """How many of `most` records of `stride` words from word `first` on are like that one.

        The first few are looked at one by one, for streams of mixed events.
        """
        if most < 2 or header < _WORD:
            return 1
        words = self._words
        if not _LOADS_IN_ORDER:
            self._fence()
        kind = words[first + _ID_WORD]
        here = first + stride
        for count in range(1, min(most, _WALK)):
            if words[here] != header:
                return count
            if not _LOADS_IN_ORDER:
                self._fence()
            if words[here + _ID_WORD] != kind:
                return count
            here += stride
        return self._long_run(first, stride, most) if most > _WALK else most

    def _long_run(self, first: int, stride: int, most: int) -> int:
        """`_run_length` of a run of at least `_WALK`, so that no Python code runs once a record.

        Each header is compared to the next by two strided views of the same memory; the spans tried grow
        eightfold, the last one is halved until the end of the run is found.
        """
        known, step = _WALK, _WALK
        while known < most:
            tried = min(known + step, most)
            if self._alike(first, stride, known, tried):
                known, step = tried, step * 8
                continue
            while tried - known > 1:
                middle = (known + tried) // 2
                if self._alike(first, stride, known, middle):
                    known = middle
                else:
                    tried = middle
            break
        return known

    def _alike(self, at: int, stride: int, known: int, count: int) -> bool:
        """Whether records `known` to `count` have the header length and id of record `known` - 1."""
        first, last = at + (known - 1) * stride, at + (count - 1) * stride
        words = self._words
        if words[first:last:stride] != words[first + stride : last + 1 : stride]:
            return False
        if not _LOADS_IN_ORDER:
            self._fence()  # ids are payload
        first, last = first + _ID_WORD, last + _ID_WORD
        return bool(words[first:last:stride] == words[first + stride : last + 1 : stride])

    def _fence(self) -> None:
        """A full memory barrier: a release that is followed by an acquire is one on every CPU."""
        self._lock.release()
        self._lock.acquire()
