"""Files that guests boot from: kernels as they are unpacked, modules in order, initrds."""

from __future__ import annotations

import gzip
import lzma
import struct
from typing import TYPE_CHECKING

import pytest

from lab import cache
from lab.cache import keep
from lab.debian import find_mirror
from lab.initrd import encode_cpio
from lab.kernel import Kernel, decompress, open_kernel, read_modules, unpack_image
from probee.base.errors import TargetError

if TYPE_CHECKING:
    from pathlib import Path

RELEASE = "6.1.0-9-amd64"
ELF = b"\x7fELF" + bytes(range(256)) * 9


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "FOLDER", tmp_path / "kept")


def make_kernel(folder: Path, payload: bytes = b"", **modules: str) -> Kernel:
    """A kernel of modules (name → what it depends on), whose image has the payload where its header says."""
    image = bytearray(0x400)
    image[0x1F1] = 1
    struct.pack_into("<II", image, 0x248, 0x10, len(payload))
    folder.joinpath("boot").mkdir(parents=True)
    folder.joinpath("boot", f"vmlinuz-{RELEASE}").write_bytes(image + bytes(0x10) + payload + b"padding")
    home = folder / "lib" / "modules" / RELEASE
    home.joinpath("kernel", "fs").mkdir(parents=True)
    home.joinpath("modules.builtin").write_text("kernel/fs/built-in_one.ko\n")
    for name, depends in modules.items():
        contents = b"\0license=GPL\0depends=" + depends.encode() + b"\0"
        path = home / "kernel" / "fs" / f"{name.replace('_', '-')}.ko.xz"
        path.write_bytes(lzma.compress(contents))
    return open_kernel(f"{folder}/")


def test_a_kernel_without_modules_is_none(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="expected lib/modules/\\*/kernel, got none"):
        open_kernel(f"{tmp_path}/")


def test_a_kernel_without_an_image_is_none(tmp_path: Path) -> None:
    make_kernel(tmp_path)
    tmp_path.joinpath("boot", f"vmlinuz-{RELEASE}").unlink()
    with pytest.raises(TargetError, match=f"expected boot/vmlinuz-{RELEASE}, got none"):
        open_kernel(f"{tmp_path}/")


@pytest.mark.parametrize("pack", [lzma.compress, gzip.compress])
def test_the_elf_file_in_an_image(tmp_path: Path, pack: type[bytes]) -> None:
    kernel = make_kernel(tmp_path / "6.1", pack(ELF))
    assert kernel.release == RELEASE
    assert unpack_image(kernel).read_bytes() == ELF


def test_an_image_of_another_kind_stays_as_it_is(tmp_path: Path) -> None:
    kernel = make_kernel(tmp_path / "6.1", b"nothing known")
    assert unpack_image(kernel).read_bytes() == kernel.image.read_bytes()


@pytest.mark.parametrize("padding", [b"", bytes(7), b"anything"])
@pytest.mark.parametrize("pack", [lzma.compress, gzip.compress])
def test_what_lies_behind_packed_data_is_left_out(pack: type[bytes], padding: bytes) -> None:
    assert decompress(pack(ELF) + padding) == ELF


def test_a_program_that_unpacks_is_asked_for_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(TargetError) as raised:
        decompress(b"\x28\xb5\x2f\xfd")
    assert raised.value.hint == "apt-get install -y --no-install-recommends zstd"


def test_modules_come_after_what_they_need(tmp_path: Path) -> None:
    kernel = make_kernel(tmp_path, a="b_c,d", b_c="d", d="", e="built_in_one", unwanted="")
    found = read_modules(kernel, ["a", "b-c", "e", "built-in-one"])
    assert [name for name, _ in found] == ["d", "b_c", "a", "e"]
    assert found[1][1] == b"\0license=GPL\0depends=d\0"


def test_a_module_that_is_none(tmp_path: Path) -> None:
    kernel = make_kernel(tmp_path, a="gone")
    with pytest.raises(TargetError, match=f"kernel {RELEASE} has no module gone"):
        read_modules(kernel, ["a"])


def read_cpio(archive: bytes) -> list[tuple[str, int, bytes]]:
    """Name, mode and contents of the entries of a "newc" archive."""
    entries, at = [], 0
    while at < len(archive):
        assert archive[at : at + 6] == b"070701"
        fields = [int(archive[place : place + 8], 16) for place in range(at + 6, at + 110, 8)]
        name = archive[at + 110 : at + 110 + fields[11]]
        start = -(-(at + 110 + len(name)) // 4) * 4
        entries.append((name.decode().removesuffix("\0"), fields[1], archive[start : start + fields[6]]))
        at = -(-(start + fields[6]) // 4) * 4
    return entries


def test_an_initrd_is_an_archive_of_its_files() -> None:
    files = [
        ("init", 0o100755, b"#!/bin/sh\n"),
        ("modules", 0o040755, b""),
        ("modules/0-a.ko", 0o100644, ELF),
    ]
    assert read_cpio(encode_cpio(files)) == [*files, ("TRAILER!!!", 0, b"")]


def test_a_file_is_made_once() -> None:
    first = keep("name", lambda: b"one")
    assert keep("name", lambda: b"two").read_bytes() == b"one"
    assert list(first.parent.iterdir()) == [first]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sources.list", "deb [arch=amd64] http://mirror.example/debian trixie main\n"),
        (
            "sources.list.d/a.sources",
            "Types: deb\n# http://old.example/debian\nURIs: http://mirror.example/debian/\nSuites: trixie\n",
        ),
    ],
)
def test_the_mirror_of_apts_configuration(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    tmp_path.joinpath("sources.list").write_text(
        "deb http://mirror.example/debian-security trixie main\n# http://mirror.example/debian/2025 a\n"
    )
    path.write_text(text)
    assert find_mirror(tmp_path) == "http://mirror.example/debian"


def test_no_mirror(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="names no Debian mirror"):
        find_mirror(tmp_path)
