"""Live maps: every operation, in batches and entry by entry, and while programs change them."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

import pytest

from probee.base.errors import InternalError, KernelError
from probee.kernel.machine import Kernel
from probee.kernel.maps import KernelMap, object_name
from probee.spec.abi import MapFlag, MapType, UpdateFlag
from probee.spec.bundle import Map

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.kernel


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    with Kernel() as machine:
        yield machine


def key(number: int) -> bytes:
    return struct.pack("=I", number)


def value(number: int) -> bytes:
    return struct.pack("=Q", number)


def hash_map(entries: int, kind: MapType = MapType.HASH) -> Map:
    return Map("test", kind, 4, 8, entries)


@pytest.fixture(params=["batch", "single"])
def entry_by_entry(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test both ways: as on this kernel, and as where it reads no batches."""
    if request.param == "single":
        monkeypatch.setattr(KernelMap, "_batches", lambda *_: None)


def test_single_entries(kernel: Kernel) -> None:
    handle = kernel.create_map(hash_map(4))
    assert handle.find(key(1)) is None
    handle.update(key(1), value(10))
    handle.update(key(1), value(11))
    assert handle.find(key(1)) == value(11)
    with pytest.raises(KernelError, match="update map test: File exists"):
        handle.update(key(1), value(12), UpdateFlag.NOEXIST)
    assert handle.delete(key(1)) is True
    assert handle.delete(key(1)) is False
    assert handle.find(key(1)) is None


@pytest.mark.usefixtures("entry_by_entry")
def test_items_are_all_entries_and_clear_removes_them(kernel: Kernel) -> None:
    handle = kernel.create_map(hash_map(5000))
    written = {key(n): value(n * n) for n in range(4999)}
    for k, v in written.items():
        handle.update(k, v)
    read = list(handle.items())
    assert len(read) == 4999
    assert dict(read) == written
    handle.clear()
    assert list(handle.items()) == []


@pytest.mark.usefixtures("entry_by_entry")
def test_an_empty_map_has_no_items(kernel: Kernel) -> None:
    assert list(kernel.create_map(hash_map(8)).items()) == []


@pytest.mark.usefixtures("entry_by_entry")
def test_array_items_are_in_order_and_clear_sets_zero(kernel: Kernel) -> None:
    handle = kernel.create_map(Map("test", MapType.ARRAY, 4, 8, 300))
    for number in range(300):
        handle.update(key(number), value(number + 1))
    assert list(handle.items()) == [(key(n), value(n + 1)) for n in range(300)]
    handle.clear()
    assert {v for _, v in handle.items()} == {value(0)}


@pytest.mark.usefixtures("entry_by_entry")
@pytest.mark.parametrize("kind", [MapType.PERCPU_HASH, MapType.PERCPU_ARRAY, MapType.LRU_PERCPU_HASH])
def test_percpu_values_are_one_a_cpu(kernel: Kernel, kind: MapType) -> None:
    cpus = os.sysconf("SC_NPROCESSORS_CONF")
    handle = kernel.create_map(Map("test", kind, 4, 12, 3))
    for number in range(3):
        written = b"".join(struct.pack("=QI4x", number, cpu) for cpu in range(cpus))
        handle.update(key(number), written)
    expected = {key(n): [struct.pack("=QI", n, cpu) for cpu in range(cpus)] for n in range(3)}
    assert handle.find_percpu(key(2)) == expected[key(2)]
    assert handle.find(key(2)) == expected[key(2)][0]
    assert dict(handle.items_percpu()) == expected
    assert dict(handle.items()) == {k: v[0] for k, v in expected.items()}


def test_a_walk_outlives_the_removal_of_every_key_it_stands_on(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KernelMap, "_batches", lambda *_: None)
    handle = kernel.create_map(hash_map(200))
    for number in range(200):
        handle.update(key(number), value(number))
    seen = []
    for k, _ in handle.items():
        seen.append(k)
        handle.delete(k)
    assert sorted(seen) == sorted(key(n) for n in range(200))


def test_a_walk_sees_no_key_twice_when_others_are_removed_and_added(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KernelMap, "_batches", lambda *_: None)
    handle = kernel.create_map(hash_map(64))
    for number in range(64):
        handle.update(key(number), value(number))
    seen = []
    for k, _ in handle.items():
        seen.append(k)
        handle.delete(k)
        handle.update(k, value(0))
    assert len(seen) == len(set(seen)) == 64


def test_a_bucket_larger_than_the_batch_is_read(kernel: Kernel) -> None:
    # With a quarter of a megabyte a value, the least batch has 64 entries, and the map as many buckets.
    handle = kernel.create_map(Map("test", MapType.HASH, 4, 8192, 2048, MapFlag.NO_PREALLOC))
    for number in range(2000):
        handle.update(key(number), bytes(8192))
    assert len(dict(handle.items())) == 2000


def test_view_is_the_maps_own_memory(kernel: Kernel) -> None:
    handle = kernel.create_map(Map("test", MapType.ARRAY, 4, 12, 3, MapFlag.MMAPABLE))
    view = handle.view()
    assert len(view) == 48  # values lie 8-byte aligned
    handle.update(key(1), b"abcdefghijkl")
    assert bytes(view[16:28]) == b"abcdefghijkl"
    view[32] = 7
    assert handle.find(key(2)) == b"\7" + bytes(11)
    assert handle.view() is view


def test_a_map_that_is_not_for_mapping_has_no_view(kernel: Kernel) -> None:
    with pytest.raises(InternalError, match="MMAPABLE"):
        kernel.create_map(hash_map(1)).view()


def test_sizes_are_checked_before_the_kernel_reads_past_them(kernel: Kernel) -> None:
    handle = kernel.create_map(hash_map(1))
    with pytest.raises(InternalError, match="expected a key of 4 bytes, got 3"):
        handle.find(b"abc")
    with pytest.raises(InternalError, match="expected a value of 8 bytes, got 4"):
        handle.update(key(0), b"abcd")


def test_a_refused_map_says_what_was_tried(kernel: Kernel) -> None:
    with pytest.raises(KernelError, match=r"create map test \(HASH\): Invalid argument"):
        kernel.create_map(hash_map(0))


def test_close_may_be_called_twice(kernel: Kernel) -> None:
    handle = kernel.create_map(hash_map(1))
    handle.close()
    handle.close()
    with pytest.raises(KernelError, match="Bad file descriptor"):
        handle.find(key(0))


def test_names_are_made_fit_for_the_kernel() -> None:
    assert object_name("@a-very long näme") == b"_a_very_long_n_"
