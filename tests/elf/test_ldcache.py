"""The loader's cache, built here in both formats."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probee.base.errors import FormatError
from probee.elf.consts import EM
from probee.elf.ldcache import find_library, iter_libraries

X86_64, I386, AARCH64, OLD_LIBC = 0x0303, 0x0003, 0x0A03, 0x0301


def cache(*entries: tuple[str, str, int, int], old: bool = False, little: bool = True) -> bytes:
    """A cache of (soname, path, flags, hwcap) entries; `old` puts the table of the old format before it."""
    order = "<" if little else ">"
    strings_at = 48 + 24 * len(entries)
    strings, rows = b"", b""
    for name, path, flags, hwcap in entries:
        key = strings_at + len(strings)
        value = key + len(name) + 1
        strings += f"{name}\0{path}\0".encode()
        rows += struct.pack(order + "iIIIQ", flags, key, value, 0, hwcap)
    header = b"glibc-ld.so.cache1.1" + struct.pack(
        order + "IIBxxxIIII", len(entries), len(strings), 2 if little else 3, 0, 0, 0, 0
    )
    prefix = b"ld.so-1.7.0\0" + struct.pack(order + "I", 3) + bytes(3 * 12) + b"padd" if old else b""
    return prefix + header + rows + strings


def libraries(*names: str, flags: int = X86_64) -> bytes:
    return cache(*[(name, f"/lib/{name}", flags, 0) for name in names])


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("little", [False, True])
def test_entries(old: bool, little: bool) -> None:
    data = cache(
        ("libc.so.6", "/a/libc.so.6", X86_64, 0), ("libm.so.6", "/m", I386, 7), old=old, little=little
    )
    assert [(x.name, x.path, x.flags, x.hwcap) for x in iter_libraries(data)] == [
        ("libc.so.6", "/a/libc.so.6", X86_64, 0),
        ("libm.so.6", "/m", I386, 7),
    ]


@pytest.mark.parametrize("name", ["libc", "libc.so", "libc.so.6"])
def test_spellings(name: str) -> None:
    data = libraries("libcrypt.so.1", "libc.so.6", "libc++.so.1", "libc-2.so")
    assert find_library(data, name) == "/lib/libc.so.6"


@pytest.mark.parametrize("name", ["c", "", "lib", "libc.so.", "libc.so.7", "libc.s", "/lib/libc.so.6", ".so"])
def test_absent(name: str) -> None:
    assert find_library(libraries("libc.so.6", "libc.so.60"), name) is None


def test_highest_version() -> None:
    data = libraries("libx.so.9", "libx.so.10.2", "libx.so.10.10", "libx.so.1.1", "libx.so.10")
    assert find_library(data, "libx") == "/lib/libx.so.10.10"
    assert find_library(data, "libx.so.1") == "/lib/libx.so.1.1"
    assert find_library(data, "libx.so.10") == "/lib/libx.so.10"


def test_exact_name_first() -> None:
    assert find_library(libraries("libx.so.2", "libx.so"), "libx") == "/lib/libx.so"


def test_name_with_dots() -> None:
    data = libraries("libpython3.11.so.1.0", "libLLVM-15.so.1")
    assert find_library(data, "libpython3.11") == "/lib/libpython3.11.so.1.0"
    assert find_library(data, "libLLVM-15") == "/lib/libLLVM-15.so.1"


def test_abi() -> None:
    data = cache(
        ("libc.so.6", "/lib32/libc.so.6", I386, 0),
        ("libc.so.6", "/libx32/libc.so.6", 0x0803, 0),
        ("libc.so.6", "/old/libc.so.6", OLD_LIBC | 0x300, 0),
        ("libc.so.6", "/lib64/libc.so.6", X86_64, 0),
        ("libc.so.6", "/arm/libc.so.6", AARCH64, 0),
    )
    assert find_library(data, "libc") == "/lib64/libc.so.6"
    assert find_library(data, "libc", EM.AARCH64) == "/arm/libc.so.6"
    assert find_library(data, "libc", EM.I386) == "/lib32/libc.so.6"
    assert find_library(data, "libc", EM.RISCV) is None
    assert find_library(data, "libc", 0xDEAD) is None


@pytest.mark.parametrize("turned", [False, True])
def test_variant_that_runs_everywhere(turned: bool) -> None:
    entries = [("libx.so.1", "/v3/libx.so.1", X86_64, 1 << 62), ("libx.so.1", "/lib/libx.so.1", X86_64, 0)]
    assert find_library(cache(*(reversed(entries) if turned else entries)), "libx") == "/lib/libx.so.1"


def test_first_of_equals() -> None:
    data = cache(("libx.so.1", "/first", X86_64, 0), ("libx.so.1", "/second", X86_64, 0))
    assert find_library(data, "libx") == "/first"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "/c: 0x0: expected glibc-ld.so.cache1.1, got b''"),
        (b"glibc-ld.so.cache1.1", "/c: 0x0: expected a header of 48 bytes"),
        (b"ld.so-1.7.0\0", "/c: 0x0: expected an old header of 16 bytes"),
        (b"ld.so-1.7.0\0\1\0\0\0" + bytes(40), f"/c: 0x20: expected glibc-ld.so.cache1.1, got {bytes(20)!r}"),
        (libraries("libc.so.6")[:60], "/c: 0x0: expected 1 entries, got 60 bytes"),
        (libraries("libc.so.6")[:-1], "/c: 0x52: expected a name that ends in NUL"),
    ],
)
def test_malformed(data: bytes, message: str) -> None:
    with pytest.raises(FormatError) as raised:
        find_library(data, "libc", path="/c")
    assert str(raised.value) == message


@given(st.data())
def test_mutated(data: st.DataObject) -> None:
    whole = bytearray(cache(("libc.so.6", "/lib/libc.so.6", X86_64, 0), old=data.draw(st.booleans())))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        find_library(bytes(whole[: data.draw(st.integers(0, len(whole)))]), "libc")
    except FormatError:
        pass


@pytest.mark.needs("ldcache")
def test_real_cache() -> None:
    found = list(iter_libraries(Path("/etc/ld.so.cache").read_bytes()))
    assert found
    assert {library.flags & 0xFF for library in found} <= {1, 2, 3}
    assert all(library.path.startswith("/") and ".so" in library.name for library in found)
