from __future__ import annotations

import struct

import pytest

from events.fakes import FakeMap
from probee.base.errors import FormatError, InternalError
from probee.ctype.types import INT32, INT64, UINT32, UINT64
from probee.events.aggregate import Stats
from probee.events.decode import Form
from probee.events.losses import Losses
from probee.events.maps import open_variable
from probee.spec.abi import MapType
from probee.spec.bundle import Counter, Map, Variable
from probee.spec.values import Count, Max, Str, Sum, Tuple
from probee.spec.values import Stats as StatsType


def make_globals(variable: Variable, cpus: int = 2) -> tuple:
    handle = FakeMap(Map("globals", MapType.ARRAY, 4, 256, 1))
    return open_variable(variable, handle, cpus), handle.memory


def test_keys_and_values() -> None:
    handle = FakeMap(Map("x", MapType.HASH, 12, 4, 10))
    reader = open_variable(Variable("@x", Tuple((UINT32, Str(8))), INT32, "x"), handle, 2)
    handle.update(struct.pack("=I8s", 7, b"seven"), struct.pack("=i", -7))
    assert reader.read() == [((7, "seven"), -7)]
    reader.zero()
    assert reader.read() == [((7, "seven"), 0)]
    reader.clear()
    assert reader.read() == []
    reader.zero()
    assert reader.read() == []


def test_per_cpu_values_are_merged() -> None:
    handle = FakeMap(Map("x", MapType.PERCPU_HASH, 8, 16, 10), cpus=3)
    reader = open_variable(Variable("@x", UINT64, StatsType(True), "x"), handle, 3)
    handle.update(bytes(8), struct.pack("=6q", 5, 1, -9, 2, 0, 0))
    assert reader.read() == [(0, Stats(3, -1, -4))]
    reader.zero()
    assert reader.read() == [(0, Stats(0, 0, 0))]


def test_a_large_value_without_keys() -> None:
    handle = FakeMap(Map("x", MapType.HASH, 4, 8, 1))
    reader = open_variable(Variable("@x", None, Str(8), "x"), handle, 2, Form(raw=True))
    assert reader.read() is None
    reader.zero()
    assert reader.read() is None
    handle.update(bytes(4), b"text\0\0\0\0")
    assert reader.read() == b"text"
    reader.zero()
    assert reader.read() == b""
    reader.clear()
    assert reader.read() is None


def test_a_slot_that_has_no_flag() -> None:
    reader, memory = make_globals(Variable("@x", None, INT64, "globals", offset=16))
    assert reader.read() is None
    memory[16:24] = struct.pack("=q", -3)
    assert reader.read() == -3
    reader.zero()
    assert reader.read() == 0
    reader.clear()
    assert reader.read() is None


def test_a_slot_that_has_a_flag() -> None:
    reader, memory = make_globals(Variable("@x", None, INT64, "globals", offset=16, written=8))
    memory[16:24] = struct.pack("=q", 5)
    assert reader.read() is None
    memory[16:24] = bytes(8)
    memory[24:32] = struct.pack("=Q", 1)
    assert reader.read() == 0
    reader.zero()
    assert reader.read() == 0
    reader.clear()
    assert reader.read() is None
    assert not any(memory)


@pytest.mark.parametrize(
    ("type", "cpus", "value"),
    [
        (Count(), (b"\x05" + bytes(7), b"\x06" + bytes(7)), 11),
        (Sum(True), (struct.pack("=q", -5), struct.pack("=q", 2)), -3),
        (Max(True), (struct.pack("=QQ", -5 + 2**63, 1), struct.pack("=qQ", 0, 0)), -5),
        (INT32, (struct.pack("=i", 2**31 - 1), struct.pack("=i", 1)), -(2**31)),
    ],
)
def test_slots_of_every_cpu(type: object, cpus: tuple[bytes, bytes], value: object) -> None:
    reader, memory = make_globals(Variable("@x", None, type, "globals", offset=64, stride=128))
    assert reader.read() is None
    for cpu, data in enumerate(cpus):
        memory[64 + 128 * cpu : 64 + 128 * cpu + len(data)] = data
    assert reader.read() == value
    reader.zero()
    assert reader.read() == 0
    reader.clear()
    assert reader.read() is None
    assert not any(memory)


def test_a_slot_outside_the_globals() -> None:
    with pytest.raises(InternalError):
        make_globals(Variable("@x", None, Count(), "globals", offset=64, stride=128), cpus=3)


def test_an_entry_of_another_size() -> None:
    handle = FakeMap(Map("x", MapType.HASH, 4, 4, 10))
    handle.entries[b"1234"] = b"123"
    with pytest.raises(FormatError):
        open_variable(Variable("@x", UINT32, UINT32, "x"), handle, 1).read()


def test_losses_are_counted_per_probe_and_since_the_last_look() -> None:
    memory = bytearray(32)
    lost_a, lost_b, full = Counter("lost", 0, "a"), Counter("lost", 8, "b"), Counter("map_full", 24, "a")
    losses = Losses((lost_a, lost_b, full), memoryview(memory))
    assert losses.deltas() == losses.totals() == []
    memory[:] = struct.pack("=4Q", 3, 23, 0, 1)
    assert losses.deltas() == losses.totals() == [(lost_a, 3), (lost_b, 23), (full, 1)]
    memory[8:16] = struct.pack("=Q", 24)
    assert losses.deltas() == [(lost_b, 1)]
    assert losses.deltas() == []
    assert (losses.total("lost"), losses.total("lost", "b"), losses.total("nesting")) == (27, 24, 0)
    with pytest.raises(InternalError):
        Losses((Counter("lost", 32),), memoryview(memory))
