"""Live maps: single entries, whole contents, and array maps as memory.

Whole contents are read in batches, one call for hundreds of entries; where the kernel has none
for a map's type (`since` in `features`), entry by entry. Either way an entry that programs remove
or add meanwhile may be seen or not, and none is seen twice.
"""

from __future__ import annotations

import errno
import mmap
import struct

from ..base.bits import align_up
from ..base.errors import InternalError
from ..spec.abi import MapFlag, MapType
from .abi import ENOTSUPP, NAME_LENGTH, Cmd
from .fd import Fd
from .syscall import address, bpf, bpf_at, bpf_charged, check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..spec.bundle import Map

_CREATE = struct.Struct("=IIIIIII16s")  # type key_size value_size max_entries flags inner numa name
_ELEMENT = struct.Struct("=ixxxxQQQ")  # map_fd key value|next_key flags
_BATCH = struct.Struct("=QQQQIiQQ")  # in_batch out_batch keys values count map_fd elem_flags flags
_BATCH_COUNT = struct.Struct("=I")
_BATCH_COUNT_AT = 32

_BATCH_BYTES = 256 << 10
_BATCH_LEAST = 64

_ARRAYS = frozenset((MapType.ARRAY, MapType.PERCPU_ARRAY))
_PERCPU = frozenset((MapType.PERCPU_HASH, MapType.PERCPU_ARRAY, MapType.LRU_PERCPU_HASH))

# Types and commands a kernel does not know are EINVAL, types without batch operations ENOTSUPP.
_NO_BATCH = (-errno.EINVAL, -ENOTSUPP, -errno.EOPNOTSUPP)


def object_name(name: str) -> bytes:
    """`name` as the kernel takes it for maps and programs: letters, digits, `_` and `.`."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "_.") else "_" for c in name)
    return kept[:NAME_LENGTH].encode()


def create_map(spec: Map, cpus: int) -> KernelMap:
    """Make the map; `cpus` is the number of possible CPUs. Raises KernelError."""
    attr = bytearray(
        _CREATE.pack(
            spec.type,
            spec.key_size,
            spec.value_size,
            spec.max_entries,
            spec.flags,
            0,
            0,
            object_name(spec.name),
        )
    )
    number = check(f"create map {spec.name} ({spec.type.name})", bpf_charged(Cmd.MAP_CREATE, attr))
    return KernelMap(spec, number, cpus)


class KernelMap:
    """A map in the kernel (`spec.machine.MapHandle`). Calls raise KernelError."""

    __slots__ = ("spec", "fd", "_slots", "_stride", "_key", "_value", "_attr", "_at", "_memory", "_view")

    def __init__(self, spec: Map, fd: int, cpus: int) -> None:
        self.spec = spec
        self.fd = Fd(fd)
        percpu = spec.type in _PERCPU
        self._stride = align_up(spec.value_size, 8) if percpu else spec.value_size
        self._slots = cpus if percpu else 1
        # One set of buffers at fixed addresses, so that a call packs nothing anew.
        self._key = bytearray(spec.key_size)
        self._value = bytearray(self._stride * self._slots)
        self._attr = bytearray(_ELEMENT.size)
        self._at = address(self._attr)
        self._memory: mmap.mmap | None = None
        self._view: memoryview | None = None

    def find(self, key: bytes) -> bytes | None:
        """The value at `key`, or None; of a per-CPU map, the first CPU's."""
        return bytes(self._value[: self.spec.value_size]) if self._look_up(key) else None

    def find_percpu(self, key: bytes) -> list[bytes] | None:
        """The values of every possible CPU at `key`, ascending by CPU, or None."""
        return self._split(self._value, 0) if self._look_up(key) else None

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Every entry: key, value (of a per-CPU map, the first CPU's)."""
        size = self.spec.value_size
        for key, values, at in self._entries():
            yield key, bytes(values[at : at + size])

    def items_percpu(self) -> Iterator[tuple[bytes, list[bytes]]]:
        """Every entry: key, the values of every possible CPU."""
        for key, values, at in self._entries():
            yield key, self._split(values, at)

    def update(self, key: bytes, value: bytes, flags: int = 0) -> None:
        """Set an entry. `value` of a per-CPU map is all CPUs' values, each padded to 8 bytes."""
        if len(value) != len(self._value):
            raise InternalError(
                f"map {self.spec.name}: expected a value of {len(self._value)} bytes, got {len(value)}"
            )
        self._value[:] = value
        check(f"update map {self.spec.name}", self._element(Cmd.MAP_UPDATE_ELEM, key, flags))

    def delete(self, key: bytes) -> bool:
        """Remove an entry; False if there was none."""
        return self._found(self._element(Cmd.MAP_DELETE_ELEM, key), "delete from")

    def clear(self) -> None:
        """Remove every entry; the entries of an array are set to zero."""
        if self.spec.type in _ARRAYS:
            zero = bytes(len(self._value))
            for index in range(self.spec.max_entries):
                self.update(struct.pack("=I", index), zero)
            return
        batches = self._batches(Cmd.MAP_LOOKUP_AND_DELETE_BATCH)
        if batches is None:
            for key in list(self._keys()):
                self.delete(key)
        else:
            for _ in batches:
                pass

    def have_batches(self) -> bool:
        """Whether the kernel reads a map of this type in batches."""
        return self._batches(Cmd.MAP_LOOKUP_BATCH) is not None

    def view(self) -> memoryview:
        """Writable live memory of an array map made with MapFlag.MMAPABLE: all its values."""
        if self._view is None:
            if self.spec.type != MapType.ARRAY or not self.spec.flags & MapFlag.MMAPABLE:
                raise InternalError(f"map {self.spec.name} was not made with MapFlag.MMAPABLE")
            size = align_up(self.spec.value_size, 8) * self.spec.max_entries
            self._memory = mmap.mmap(self.fd.number, align_up(size, mmap.PAGESIZE))
            self._view = memoryview(self._memory)[:size]
        return self._view

    def close(self) -> None:
        """Give the map up. Views of it stay readable for whoever still holds one."""
        self._view = self._memory = None
        self.fd.close()

    def _element(self, cmd: Cmd, key: bytes, flags: int = 0) -> int:
        """One command about one entry, whose value is or will be in `_value`."""
        if len(key) != len(self._key):
            raise InternalError(
                f"map {self.spec.name}: expected a key of {len(self._key)} bytes, got {len(key)}"
            )
        self._key[:] = key
        # What a command has no use for must be 0.
        value = 0 if cmd == Cmd.MAP_DELETE_ELEM else address(self._value)
        _ELEMENT.pack_into(self._attr, 0, self.fd.number, address(self._key), value, flags)
        return bpf_at(cmd, self._at, _ELEMENT.size)

    def _look_up(self, key: bytes) -> bool:
        return self._found(self._element(Cmd.MAP_LOOKUP_ELEM, key), "look up in")

    def _found(self, result: int, what: str) -> bool:
        if result == -errno.ENOENT:
            return False
        check(f"{what} map {self.spec.name}", result)
        return True

    def _split(self, values: bytearray, at: int) -> list[bytes]:
        size, stride = self.spec.value_size, self._stride
        return [bytes(values[i : i + size]) for i in range(at, at + stride * self._slots, stride)]

    def _entries(self) -> Iterator[tuple[bytes, bytearray, int]]:
        """Every entry: key, a buffer, and where in it the value is."""
        batches = self._batches(Cmd.MAP_LOOKUP_BATCH)
        if batches is None:
            for key in self._keys():
                if self._look_up(key):
                    yield key, self._value, 0
            return
        key_size, value_size = self.spec.key_size, len(self._value)
        for count, keys, values in batches:
            for i in range(count):
                yield bytes(keys[i * key_size : (i + 1) * key_size]), values, i * value_size

    def _batches(self, cmd: Cmd) -> Iterator[tuple[int, bytearray, bytearray]] | None:
        """Count, keys and values, batch by batch; None where the kernel can't for this map."""
        batches = _Batches(self, cmd, len(self._value))
        return None if batches.result in _NO_BATCH else batches.iterate()

    def _keys(self) -> Iterator[bytes]:
        """Every key, one call each.

        When the key we stand on is removed, the kernel starts over from its first key; the keys
        seen are then passed over, and the walk gives up where it no longer gets ahead.
        """
        seen: set[bytes] = set()
        following = bytearray(self.spec.key_size)
        here = bytearray(self.spec.key_size)
        attr = bytearray(_ELEMENT.size)
        at, idle = 0, 0
        while idle <= len(seen) + 1:
            _ELEMENT.pack_into(attr, 0, self.fd.number, at, address(following), 0)
            if not self._found(bpf(Cmd.MAP_GET_NEXT_KEY, attr), "walk"):
                return
            here[:] = following
            at = address(here)
            key = bytes(following)
            if key in seen:
                idle += 1
            else:
                seen.add(key)
                idle = 0
                yield key


class _Batches:
    """One walk over a map by a batch command. The first batch is read at once."""

    def __init__(self, handle: KernelMap, cmd: Cmd, value_size: int) -> None:
        self._spec, self._fd, self._cmd, self._value_size = handle.spec, handle.fd, cmd, value_size
        entry = max(handle.spec.key_size + value_size, 1)
        self._room = min(max(_BATCH_BYTES // entry, _BATCH_LEAST), handle.spec.max_entries)
        # Where the walk stands: a bucket number, or for arrays a key.
        self._cursor = bytearray(max(handle.spec.key_size, 8))
        self._started = False
        self.result = self._read()

    def iterate(self) -> Iterator[tuple[int, bytearray, bytearray]]:
        while True:
            if self.result not in (0, -errno.ENOENT):
                check(f"read map {self._spec.name}", self.result)
            if self._count:
                yield self._count, self._keys, self._values
            if self.result == -errno.ENOENT:
                return
            self.result = self._read()

    def _read(self) -> int:
        """Read the next batch, with more room if a bucket does not fit."""
        while True:
            self._keys = bytearray(self._room * self._spec.key_size)
            self._values = bytearray(self._room * self._value_size)
            cursor = address(self._cursor)
            attr = bytearray(
                _BATCH.pack(
                    cursor if self._started else 0,
                    cursor,
                    address(self._keys),
                    address(self._values),
                    self._room,
                    self._fd.number,
                    0,
                    0,
                )
            )
            result = bpf(self._cmd, attr)
            if result != -errno.ENOSPC or self._room >= self._spec.max_entries:
                break
            self._room = min(self._room * 4, self._spec.max_entries)
        (self._count,) = _BATCH_COUNT.unpack_from(attr, _BATCH_COUNT_AT)
        self._started = True
        return result
