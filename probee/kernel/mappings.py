"""What processes map while they are watched: the kernel's own records of it, as perf(1) takes them.

Records of mmap(2), exec, fork and exit come through a ring a CPU (perf_event_open(2), "MMAP layout"); where a
ring was full, the kernel says how many are missing. Nothing is sampled and no program runs.
"""

from __future__ import annotations

import fcntl
import mmap
import struct

from ..base.record import record
from ..spec.abi import PerfSoftware, PerfType
from .abi import PERF_ATTR_INHERIT, PERF_EVENT_IOC_ENABLE
from .cpus import online_cpus
from .fd import Fd
from .perf import try_event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

_MMAP, _COMM, _TASK, _WATERMARK, _MMAP2, _COMM_EXEC = (1 << bit for bit in (8, 9, 13, 14, 23, 24))
_LOST, _COMM_RECORD, _EXIT, _FORK, _MMAP2_RECORD = 2, 3, 4, 7, 10
_MISC_COMM_EXEC = 1 << 13

_PAGES = 64
"""Of data a ring, a power of two: room for a thousand mappings or more."""

_HEAD = struct.Struct("=IHH")  # type misc size
_MAPPED = struct.Struct("=IIQQQIIQQII")  # pid tid start bytes offset major minor inode generation prot flags
_FORKED = struct.Struct("=IIIIQ")  # pid ppid tid ptid time
_PROT_EXEC = 4
_DATA_HEAD, _DATA_TAIL = 1024, 1032


@record
class Mapped:
    """Process `pid` has mapped code: addresses `start` to `end` show `path` from byte `offset` on."""

    pid: int
    start: int
    end: int
    offset: int
    device: str
    inode: int
    path: str


@record
class Executed:
    """Process `pid` runs another program: all it had mapped is gone."""

    pid: int


@record
class Forked:
    """Process `pid` is a copy of `parent`."""

    pid: int
    parent: int


@record
class Exited:
    """Process `pid` has ended."""

    pid: int


Change = Mapped | Executed | Forked | Exited


class _Ring:
    """The ring of one CPU."""

    def __init__(self, fd: Fd) -> None:
        self.fd = fd
        page = mmap.PAGESIZE
        self._size = _PAGES * page
        self._memory = mmap.mmap(fd.number, page + self._size)
        words = memoryview(self._memory)
        self._head = words[_DATA_HEAD : _DATA_HEAD + 8].cast("Q")
        self._tail = words[_DATA_TAIL : _DATA_TAIL + 8].cast("Q")
        self._data = words[page:]

    def read(self) -> bytes:
        """All that has come since the last call."""
        head, tail = self._head[0], self._tail[0]
        if head == tail:
            return b""
        start, end = tail % self._size, head % self._size
        if start < end:
            data = bytes(self._data[start:end])
        else:
            data = bytes(self._data[start:]) + bytes(self._data[:end])
        self._tail[0] = head
        return data

    def close(self) -> None:
        for view in (self._head, self._tail, self._data):
            view.release()
        self.fd.close()


class Watch:
    """Watches process `pid` and those it starts from now on; -1: all. Raises nothing: `is_open` tells.

    `lost`: changes that found a ring full. A context manager.
    """

    def __init__(self, pid: int) -> None:
        self.lost = 0
        self._rings: list[_Ring] = []
        bits = _MMAP | _COMM | _TASK | _MMAP2 | _COMM_EXEC | _WATERMARK
        bits |= PERF_ATTR_INHERIT if pid > 0 else 0
        for cpu in online_cpus():
            number = try_event(PerfType.SOFTWARE, PerfSoftware.DUMMY, pid=pid, cpu=cpu, flags=bits, wakeup=1)
            if number < 0:
                self.close()
                return
            fd = Fd(number)
            try:
                self._rings.append(_Ring(fd))
            except OSError:
                fd.close()  # more memory than may be locked
                self.close()
                return
            fcntl.ioctl(number, PERF_EVENT_IOC_ENABLE, 0)

    @property
    def fds(self) -> list[int]:
        """Descriptors that are readable when something has changed."""
        return [ring.fd.number for ring in self._rings]

    @property
    def is_open(self) -> bool:
        return bool(self._rings)

    def read(self) -> list[Change]:
        """The changes since the last call; those of one CPU in their order."""
        changes: list[Change] = []
        for ring in self._rings:
            data = ring.read()
            if data:
                changes += self._parse(data)
        return changes

    def _parse(self, data: bytes) -> Iterator[Change]:
        at = 0
        while at + _HEAD.size <= len(data):
            kind, misc, size = _HEAD.unpack_from(data, at)
            if size < _HEAD.size:
                return
            body = data[at + _HEAD.size : at + size]
            at += size
            if kind == _MMAP2_RECORD:
                mapped = _parse_mapped(body)
                if mapped is not None:
                    yield mapped
            elif kind == _COMM_RECORD and misc & _MISC_COMM_EXEC:
                yield Executed(int.from_bytes(body[:4], "little"))
            elif kind in (_FORK, _EXIT):
                pid, parent, tid, _, _ = _FORKED.unpack_from(body)
                if kind == _FORK and pid != parent:
                    yield Forked(pid, parent)
                elif kind == _EXIT and pid == tid:
                    yield Exited(pid)
            elif kind == _LOST:
                self.lost += struct.unpack_from("=QQ", body)[1]

    def close(self) -> None:
        while self._rings:
            self._rings.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _parse_mapped(body: bytes) -> Mapped | None:
    pid, _, start, size, offset, major, minor, inode, _, prot, _ = _MAPPED.unpack_from(body)
    if not prot & _PROT_EXEC:
        return None
    path = body[_MAPPED.size :].partition(b"\0")[0].decode("utf-8", "surrogateescape")
    path = "" if path == "//anon" else path
    return Mapped(pid, start, start + size, offset, f"{major:02x}:{minor:02x}", inode, path)
