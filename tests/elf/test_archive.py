"""ELF files inside of zip archives."""

from __future__ import annotations

import io
import zipfile
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders.elf import ElfBuilder
from probee.base.errors import FormatError, TargetError
from probee.elf.archive import find_member, place_in_file, split_path
from probee.elf.consts import PF, SHF
from probee.elf.resolve import resolve_symbol
from probee.kernel.files import LiveFiles

if TYPE_CHECKING:
    from pathlib import Path


def program() -> bytes:
    elf = ElfBuilder()
    elf.section(".text", data=b"\x90" * 64, address=0x1000, flags=SHF.ALLOC | SHF.EXECINSTR)
    elf.load(".text", flags=PF.R | PF.X)
    elf.symbol("main", 0x1010, 16)
    return elf.build()


def archive(comment: bytes = b"", method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        file.writestr("readme", "text " * 100)
        file.writestr("lib/x86_64/libapp.so", program())
        file.comment = comment
    return buffer.getvalue()


@pytest.mark.parametrize("comment", [b"", b"PK and more", b"x" * 0xFFFF])
def test_member(comment: bytes) -> None:
    data = archive(comment)
    start, size = find_member(data, "lib/x86_64/libapp.so", "a.apk")
    assert data[start : start + size] == program()
    start, size = find_member(data, "readme", "a.apk")
    assert data[start : start + size] == b"text " * 100


@pytest.mark.parametrize(
    ("data", "name", "message"),
    [
        (archive(), "nope", "a.apk has no member nope"),
        (
            archive(method=zipfile.ZIP_DEFLATED),
            "readme",
            "a.apk!/readme: compressed, so that it can't be run",
        ),
        (b"", "x", "a.apk: 0x0: expected a zip archive"),
        (program(), "x", "a.apk: 0x0: expected a zip archive"),
        (b"PK\5\6" + bytes(4), "x", "a.apk: 0x0: expected 22 bytes, got 8"),
    ],
)
def test_complaints(data: bytes, name: str, message: str) -> None:
    with pytest.raises((FormatError, TargetError)) as caught:
        find_member(data, name, "a.apk")
    assert message in str(caught.value)


@given(st.data())
def test_mutated(data: st.DataObject) -> None:
    whole = bytearray(archive())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(len(whole) - 200, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with suppress(FormatError, TargetError):
        start, size = find_member(bytes(whole), "lib/x86_64/libapp.so", "a.apk")
        assert start + size <= len(whole)


def test_place(tmp_path: Path) -> None:
    """What a probe is put on is a place in the archive."""
    path = tmp_path / "a.apk"
    path.write_bytes(archive())
    files, name = LiveFiles(""), f"{path}!/lib/x86_64/libapp.so"
    assert files.find_program(name) == name
    assert files.find_program(f"{path}x!/lib") is None
    elf = files.open_elf(name)
    place = place_in_file(elf, resolve_symbol(elf, "main").file_offset)
    code = program().index(b"\x90" * 64)
    assert place == (str(path), path.read_bytes().index(program()) + code + 0x10)
    assert split_path(name) == (str(path), "lib/x86_64/libapp.so")
    assert split_path("/bin/x") == ("/bin/x", "")


def test_a_folder_may_be_called_so(tmp_path: Path) -> None:
    (tmp_path / "a!").mkdir()
    (tmp_path / "a!" / "x").write_bytes(program())
    elf = LiveFiles("").open_elf(f"{tmp_path}/a!/x")
    assert place_in_file(elf, 5) == (f"{tmp_path}/a!/x", 5)
