"""Where each type's record begins, and at which offset its name: what following ids and finding names need.

Both are columns of 32-bit numbers, so that an index can be kept as bytes and mapped when it is needed again:

    u32 INDEX_MAGIC, bytes of the type section, bytes of the string section, count
    u32 offset[count]       of a type's record, in words from the start of the type section
    u32 name_off[count]

All in the byte order of the machine that made it, whatever the order of the BTF.
"""

from __future__ import annotations

import sys
from bisect import bisect_right

from ..base.errors import FormatError
from .consts import KIND_MASK, KIND_SHIFT, VLEN_MASK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .header import Image

INDEX_MAGIC = 0x42544631  # "BTF1"
_HEAD = 4
_SAMPLES = 64


class Steps(dict[int, int]):
    """Words from one record to the next, by the record's `info`: few differ, so each is computed once."""

    def __init__(self, sizes: dict[int, tuple[int, int]]) -> None:
        self._sizes = sizes

    def __missing__(self, info: int) -> int:
        once, each = self._sizes[info >> KIND_SHIFT & KIND_MASK]
        step = self[info] = 3 + once // 4 + each // 4 * (info & VLEN_MASK)
        return step


class Index:
    """`offsets[n]` is where record n begins, in words. `data` is the index as bytes."""

    __slots__ = ("data", "offsets", "_names", "_end")

    def __init__(self, data: Image, count: int) -> None:
        words = memoryview(data).cast("I")
        self.data = data
        self.offsets = words[_HEAD : _HEAD + count]
        self._names = 4 * (_HEAD + count)
        self._end = self._names + 4 * count

    def __len__(self) -> int:
        return len(self.offsets)

    def iter_named(self, name_off: int) -> Iterator[int]:
        """Numbers, from 0, of the records whose name is at `name_off`, in order."""
        wanted = name_off.to_bytes(4, sys.byteorder)
        at = self.data.find(wanted, self._names, self._end)
        while at >= 0:
            if not at & 3:
                yield (at - self._names) // 4
            at = self.data.find(wanted, at + 1, self._end)

    def number_around(self, offset: int) -> int:
        """The number of the record that word `offset` is part of."""
        return bisect_right(self.offsets, offset) - 1


def build_index(types: memoryview, strings: int, steps: Steps, path: str) -> Index:
    """Walk all records of `types` (words). `strings` is the size of the string section, for `parse_index`."""
    offsets: list[int] = []
    append, infos, at = offsets.append, types[1:], 0
    try:
        # The whole cost of opening BTF is in this loop; the end of the data ends it.
        while True:
            step = steps[infos[at]]
            append(at)
            at += step
    except IndexError:
        pass
    except KeyError as unknown:
        what = f"expected a kind of type that is known or in the layout section, got {unknown.args[0]}"
        raise FormatError(what, path=path, section="types", offset=4 * at) from None
    if at != len(types):
        start = offsets[-1] if at > len(types) else at
        what = f"expected a whole type, got {4 * (len(types) - start)} bytes at the end"
        raise FormatError(what, path=path, section="types", offset=4 * start)
    from array import array  # with collections.abc, which a run with a kept index needs not

    head = array("I", (INDEX_MAGIC, 4 * len(types), strings, len(offsets)))
    names = array("I", [types[at] for at in offsets])
    return Index(head.tobytes() + array("I", offsets).tobytes() + names.tobytes(), len(offsets))


def parse_index(data: Image, types: memoryview, strings: int, steps: Steps, path: str) -> Index:
    """An index made before, if it may be one of this BTF: sizes are compared, and a sample of its entries."""

    def refused(why: str) -> FormatError:
        return FormatError(f"expected the index of this BTF, {why}", path=path, section="index")

    if len(data) < 4 * _HEAD or len(data) % 8:
        raise refused(f"got {len(data)} bytes")
    magic, types_size, strings_size, count = memoryview(data).cast("I")[:_HEAD].tolist()
    if (magic, types_size, strings_size) != (INDEX_MAGIC, 4 * len(types), strings):
        raise refused("got that of another")
    if len(data) != 4 * (_HEAD + 2 * count) or (count == 0) != (len(types) == 0):
        raise refused(f"got {count} types in {len(data)} bytes")
    index = Index(data, count)
    if count and index.offsets[0]:
        raise refused("got a first type that is not at 0")
    names = memoryview(data).cast("I")[_HEAD + count :]
    for number in {*range(0, count, max(count // _SAMPLES, 1)), count - 1} if count else ():
        at = index.offsets[number]
        after = index.offsets[number + 1] if number + 1 < count else len(types)
        if at + 3 > len(types) or names[number] != types[at] or not _fits(types, at, after, steps):
            raise refused(f"got a wrong place of type {number}")
    return index


def _fits(types: memoryview, at: int, after: int, steps: Steps) -> bool:
    try:
        return at + steps[types[at + 1]] == after
    except KeyError:
        return False
