"""What the tests of events and render build their input with: encoders, rings and maps in memory."""

from __future__ import annotations

import struct
from typing import Any

from hypothesis import strategies as st

from probee.base.bits import align_up
from probee.base.errors import KernelError
from probee.ctype.types import Array, Bool, CType, Enum, Int, Member, Ptr, Struct, Void
from probee.spec.abi import MapType, UpdateFlag
from probee.spec.bundle import EventLayout, Field, Map
from probee.spec.values import Buffer, Str, Timestamp, Tuple, Username

ENDIAN = "little" if struct.pack("=H", 1) == b"\1\0" else "big"


def encode_value(type: CType, value: Any, rubbish: bytes = b"\xaa") -> bytes:
    """`value` as a program leaves it in memory, with `rubbish` wherever nothing is promised."""
    if isinstance(type, (Int, Enum)):
        return value.to_bytes(type.bytes, ENDIAN, signed=type.signed)
    if isinstance(type, Bool):
        return bytes([value])
    if isinstance(type, (Ptr, Timestamp)):
        return struct.pack("=Q", value)
    if isinstance(type, Username):
        return struct.pack("=I", value)
    if isinstance(type, Str):
        return (value + b"\0").ljust(type.bytes, rubbish)[: type.bytes]
    if isinstance(type, Buffer):
        return struct.pack("=I", len(value)) + value.ljust(type.bytes, rubbish)
    if isinstance(type, Array):
        return b"".join(encode_value(type.of, v, rubbish) for v in value)
    places = (
        list(zip(type.offsets, type.items, value, strict=True))
        if isinstance(type, Tuple)
        else [(m.offset_bits // 8, m.type, value[m.name]) for m in type.members]
    )
    data = bytearray(rubbish * type.size)
    for offset, item, part in places:
        data[offset : offset + item.size] = encode_value(item, part, rubbish)
    return bytes(data)


def integers(type: Int | Enum) -> st.SearchStrategy[int]:
    bits = type.bytes * 8
    low = -(1 << (bits - 1)) if type.signed else 0
    return st.integers(low, low + (1 << bits) - 1)


def values(type: CType) -> st.SearchStrategy[Any]:
    """Values of a type in raw form; text always leaves room for its NUL."""
    if isinstance(type, (Int, Enum)):
        return integers(type)
    if isinstance(type, Bool):
        return st.booleans()
    if isinstance(type, Ptr):
        return st.integers(0, (1 << 64) - 1)
    if isinstance(type, Str):
        return st.binary(max_size=type.bytes - 1).map(lambda b: b.replace(b"\0", b"?"))
    if isinstance(type, Buffer):
        return st.binary(max_size=type.bytes)
    if isinstance(type, Array):
        return st.lists(values(type.of), min_size=type.count, max_size=type.count)
    if isinstance(type, Tuple):
        return st.tuples(*map(values, type.items))
    assert isinstance(type, Struct)
    return st.fixed_dictionaries({m.name: values(m.type) for m in type.members})


INTS = [Int(size, sign) for size in (1, 2, 4, 8) for sign in (True, False)]


def _structs(items: st.SearchStrategy[CType]) -> st.SearchStrategy[Struct]:
    def build(types: list[CType]) -> Struct:
        layout = Tuple(tuple(types))
        members = [
            Member(f"m{n}", t, o * 8) for n, (t, o) in enumerate(zip(types, layout.offsets, strict=True))
        ]
        return Struct("s", layout.size, tuple(members))

    return st.lists(items, min_size=1, max_size=3).map(build)


LEAVES: st.SearchStrategy[CType] = st.one_of(
    st.sampled_from(INTS),
    st.just(Bool()),
    st.just(Ptr(Void())),
    st.just(Enum("e", 4, False, (("A", 0), ("B", 7)))),
    st.integers(1, 40).map(Str),
    st.integers(1, 20).map(Buffer),
)

TYPES: st.SearchStrategy[CType] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda items: Tuple(tuple(items))),
        st.builds(Array, st.sampled_from(INTS), st.integers(1, 5)),
        _structs(inner),
    ),
    max_leaves=5,
)


def make_layout(types: list[CType], id: int = 7, kind: str = "printf", **rest: Any) -> EventLayout:
    """A layout of fields that follow the id, each at its alignment."""
    at, fields = 4, []
    for type in types:
        at = align_up(at, type.align)
        fields.append(Field(at, type))
        at += type.size
    return EventLayout(id, kind, at, tuple(fields), **rest)


def encode_event(layout: EventLayout, row: Any, rubbish: bytes = b"\xaa") -> bytes:
    """A record's payload."""
    data = bytearray(rubbish * layout.size)
    data[:4] = struct.pack("=I", layout.id)
    for field, value in zip(layout.fields, row, strict=True):
        data[field.offset : field.offset + field.type.size] = encode_value(field.type, value, rubbish)
    return bytes(data)


def encode_control(layout: EventLayout, due: int) -> bytes:
    return struct.pack("=IIQ", layout.id, 0, due).ljust(layout.size, b"\0")


def frame(payload: bytes) -> bytes:
    """A payload as it lies in a ring."""
    return (struct.pack("=II", len(payload), 0) + payload).ljust(align_up(8 + len(payload), 8), b"\xbb")


class FakeRing:
    """A ring in memory. Records sent "busy" stop the reader until `submit`; "gone" ones are discarded."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes, str]] = []
        self.at = self.released = self._next = 0

    def send(self, payload: bytes, state: str = "") -> int:
        """Append a record; the producer's position before it."""
        before = self.producer()
        self.records.append((frame(payload), state))
        return before

    def submit(self) -> None:
        self.records = [(data, "" if state == "busy" else state) for data, state in self.records]

    def producer(self) -> int:
        return sum(len(data) for data, _ in self.records)

    def position(self) -> int:
        return self.at

    def read_runs(self, until: int | None = None) -> list[tuple[int, int, memoryview]]:
        end = self.producer() if until is None else until
        runs: list[list[bytes]] = []
        joined = False
        while self._next < len(self.records) and self.at < end:
            data, state = self.records[self._next]
            if state == "busy":
                break
            self._next += 1
            self.at += len(data)
            if state == "gone":
                joined = False
            elif joined and len(runs[-1][0]) == len(data) and runs[-1][0][8:12] == data[8:12]:
                runs[-1].append(data)
            else:
                runs.append([data])
                joined = True
        return [(len(run[0]), len(run), memoryview(b"".join(run))) for run in runs]

    def release(self) -> None:
        self.released = self.at


class FakeMap:
    """A map in memory, for `cpus` CPUs when its type is per CPU."""

    def __init__(self, spec: Map, cpus: int = 1) -> None:
        self.spec = spec
        self.percpu = spec.type in (MapType.PERCPU_HASH, MapType.PERCPU_ARRAY)
        self.cpus = cpus
        self.entries: dict[bytes, Any] = {}
        self.memory = bytearray(spec.value_size)

    def find(self, key: bytes) -> bytes | None:
        return self.entries.get(key)

    def find_percpu(self, key: bytes) -> list[bytes] | None:
        return self.entries.get(key)

    def items(self) -> Any:
        return iter(list(self.entries.items()))

    items_percpu = items

    def update(self, key: bytes, value: bytes, flags: int = 0) -> None:
        if flags == UpdateFlag.EXIST and key not in self.entries:
            raise KernelError("update", 2)
        size = align_up(self.spec.value_size, 8)
        if self.percpu:
            assert len(value) == size * self.cpus
            self.entries[key] = [value[n : n + self.spec.value_size] for n in range(0, len(value), size)]
        else:
            assert len(value) == self.spec.value_size
            self.entries[key] = value

    def delete(self, key: bytes) -> bool:
        return self.entries.pop(key, None) is not None

    def clear(self) -> None:
        self.entries.clear()

    def view(self) -> memoryview:
        return memoryview(self.memory)

    def close(self) -> None:
        pass
