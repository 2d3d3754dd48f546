"""Types of the values a script keeps in maps and sends in events.

Beside the C types: text, tuples, and the aggregations with their layout in a map. `size` is what
one value takes in a map value, a key or an event; all numbers are in the machine's byte order.
"""

from __future__ import annotations

from ..base.bits import align_up
from ..base.record import record, replace
from ..ctype.types import VOID, Array, CType, Ptr, Struct, Typedef


@record
class Str(CType):
    """Text of at most `bytes` bytes, NUL included where it fits. Bytes after a NUL mean nothing."""

    bytes: int

    @property
    def size(self) -> int:
        return self.bytes

    @property
    def align(self) -> int:
        return 1

    def __str__(self) -> str:
        return f"string[{self.bytes}]"


@record
class Chars(Str):
    """Text in an array of C, which has a NUL only where there is room for it: a full one was not cut."""


@record
class Buffer(CType):
    """Bytes: a u32 count, then room for `bytes` of them."""

    bytes: int

    @property
    def size(self) -> int:
        return 4 + self.bytes

    @property
    def align(self) -> int:
        return 4

    def __str__(self) -> str:
        return f"buffer[{self.bytes}]"


@record
class Tuple(CType):
    """Values one after another, each at its natural alignment. `names` makes it a record."""

    items: tuple[CType, ...]
    names: tuple[str, ...] = ()

    @property
    def offsets(self) -> tuple[int, ...]:
        """Byte offset of each item."""
        at, offsets = 0, []
        for item in self.items:
            at = align_up(at, item.align)
            offsets.append(at)
            at += item.size
        return tuple(offsets)

    @property
    def size(self) -> int:
        end = self.offsets[-1] + self.items[-1].size if self.items else 0
        return align_up(end, self.align)

    @property
    def align(self) -> int:
        return max((item.align for item in self.items), default=1)

    def __str__(self) -> str:
        return f"({','.join(map(str, self.items))})"


@record
class Timestamp(CType):
    """Nanoseconds of clock `mode` (nsecs(mode)), shown by strftime with `format`."""

    format: str = ""
    mode: str = "boot"

    @property
    def size(self) -> int:
        return 8

    def __str__(self) -> str:
        return "timestamp"


@record
class Username(CType):
    """A user id, shown as the user's name."""

    @property
    def size(self) -> int:
        return 4

    def __str__(self) -> str:
        return "username_t"


@record
class CgroupPath(CType):
    """The u64 id of a cgroup, shown by where it is in the hierarchies whose names match `filter`, "" all."""

    filter: str = ""

    @property
    def size(self) -> int:
        return 8

    def __str__(self) -> str:
        return "cgroup_path_t"


@record
class Inet(CType):
    """An address of the Internet: a u32 family (AF_INET, AF_INET6), then 4 or 16 bytes; zeros up to 16."""

    @property
    def size(self) -> int:
        return 20

    @property
    def align(self) -> int:
        return 4

    def __str__(self) -> str:
        return "inet"


@record
class MacAddress(CType):
    """The 6 bytes of an Ethernet address."""

    @property
    def size(self) -> int:
        return 6

    @property
    def align(self) -> int:
        return 1

    def __str__(self) -> str:
        return "macaddr_t"


@record
class Code(CType):
    """A 32-bit number that is shown by a name; `kind` is "errno", "signal" or "syscall"."""

    kind: str

    @property
    def size(self) -> int:
        return 4

    def __str__(self) -> str:
        return f"{self.kind}_t"


MODES = ("bpftrace", "perf", "raw", "build_id")
"""How a stack can be shown."""


@record
class Stack(CType):
    """The code addresses of a stack of calls, the innermost first.

    u16 count of frames, u16 number of the program that took it (see `Bundle.numbered`), u32 id of the
    process (0 of the kernel's), then room for `limit` frames, of which those past the count are zeros. A
    frame is a u64 address; in `mode` "build_id" a `struct bpf_stack_build_id`. `mode` says how it is shown:
    "bpftrace", "perf", "raw", "build_id". With `python`, room for as many words of `spec.python` follows: the
    frames of CPython's interpreter, the innermost first, and zeros.
    """

    kernel: bool
    mode: str
    limit: int
    python: bool = False

    @property
    def frame_size(self) -> int:
        return 32 if self.mode == "build_id" else 8

    @property
    def size(self) -> int:
        return 8 + self.limit * (self.frame_size + 8 * self.python)

    @property
    def align(self) -> int:
        return 8

    def __str__(self) -> str:
        name = "py_ustack" if self.python else "kstack" if self.kernel else "ustack"
        return f"{name}_{self.mode}_{self.limit}"


@record
class Ksym(CType):
    """A u64 address of the kernel's code or data, shown by its name."""

    @property
    def size(self) -> int:
        return 8

    def __str__(self) -> str:
        return "ksym_t"


@record
class Usym(CType):
    """A u64 address in a process, u32 id of that, u32 number of the program that took it: shown by its
    name."""

    @property
    def size(self) -> int:
        return 16

    @property
    def align(self) -> int:
        return 8

    def __str__(self) -> str:
        return "usym_t"


class Aggregate(CType):
    """A value that calls add to, one instance per CPU, merged when read."""

    __slots__ = ()

    @property
    def align(self) -> int:
        return 8


@record
class Count(Aggregate):
    """u64 calls."""

    @property
    def size(self) -> int:
        return 8

    def __str__(self) -> str:
        return "count_t"


@record
class Sum(Aggregate):
    """64-bit total."""

    signed: bool

    @property
    def size(self) -> int:
        return 8

    def __str__(self) -> str:
        return "sum_t" if self.signed else "usum_t"


@record
class Min(Aggregate):
    """The smallest value, as the u64 largest ~x (x with its sign bit flipped when signed), then a u64
    that is 1 once there was a value: memory of zeros is the empty minimum."""

    signed: bool

    @property
    def size(self) -> int:
        return 16

    def __str__(self) -> str:
        return "min_t" if self.signed else "umin_t"


@record
class Max(Aggregate):
    """The largest value, as a u64 (with its sign bit flipped when signed), then a u64 that is 1 once
    there was a value: memory of zeros is the empty maximum."""

    signed: bool

    @property
    def size(self) -> int:
        return 16

    def __str__(self) -> str:
        return "max_t" if self.signed else "umax_t"


@record
class Avg(Aggregate):
    """64-bit total, then u64 count."""

    signed: bool

    @property
    def size(self) -> int:
        return 16

    def __str__(self) -> str:
        return "avg_t" if self.signed else "uavg_t"


@record
class Stats(Aggregate):
    """64-bit total, then u64 count; shows count, average and total."""

    signed: bool

    @property
    def size(self) -> int:
        return 16

    def __str__(self) -> str:
        return "stats_t" if self.signed else "ustats_t"


@record
class Hist(Aggregate):
    """u64 counts of powers of two, each power in 2**k equal parts.

    Bucket 0 counts negative numbers, bucket 1 + i those of index i: with n = 2**k the first 2n
    indices are the values 0..2n-1, and index i after them starts at
    `(n + (i & (n - 1))) << ((i >> k) - 1)`.
    """

    k: int = 0

    @property
    def buckets(self) -> int:
        return 1 + ((64 - self.k + 1) << self.k)

    @property
    def size(self) -> int:
        return self.buckets * 8

    def __str__(self) -> str:
        return "hist_t"


SERIES_WORDS = 3
"""u64s of an interval of a TSeries."""


@record
class TSeries(Aggregate):
    """Values of the last `count` intervals of `interval` nanoseconds of the TAI clock.

    Interval n is in place n % count, as 3 u64: two that are what a Sum, Min, Max or Avg keeps, by `agg`, or
    for "" the last value and when it was written; and n + 1, so that memory of zeros is no interval.
    """

    signed: bool
    interval: int
    count: int
    agg: str = ""

    @property
    def size(self) -> int:
        return self.count * SERIES_WORDS * 8

    def __str__(self) -> str:
        return "tseries_t"


@record
class LHist(Aggregate):
    """u64 counts: bucket 0 is below `min`, then one a `step`, the last is `max` and above."""

    min: int
    max: int
    step: int

    @property
    def buckets(self) -> int:
        return -(-(self.max - self.min) // self.step) + 2

    @property
    def size(self) -> int:
        return self.buckets * 8

    def __str__(self) -> str:
        return "lhist_t"


def standalone(type: CType) -> CType:
    """`type` as a bundle has it, by itself: what its pointers point to is not shown, and may be all types of
    a kernel, which point to one another."""
    if isinstance(type, Ptr):
        return Ptr(VOID, type.space, type.bytes)
    if isinstance(type, Typedef):
        return replace(type, to=standalone(type.to))
    if isinstance(type, Array):
        return Array(standalone(type.of), type.count)
    if isinstance(type, Tuple):
        return Tuple(tuple([standalone(item) for item in type.items]), type.names)
    if isinstance(type, Struct):
        members = tuple([replace(member, type=standalone(member.type)) for member in type.members])
        return Struct(type.name, type.bytes, members, type.kind, type.alignment)
    return type
