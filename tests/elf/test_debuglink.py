"""Separate debug files: where they may be, and which is the right one; symbols kept in .gnu_debugdata."""

from __future__ import annotations

import lzma
import subprocess
from typing import TYPE_CHECKING
from zlib import crc32

import pytest

from builders.elf import ElfBuilder
from probee.base.errors import FeatureError, FormatError, TargetError
from probee.elf import minidebug
from probee.elf.consts import PF, SHF, SHT
from probee.elf.debuglink import (
    AltLink,
    DebugLink,
    debug_paths,
    is_debug_file_of,
    parse_alt_link,
    parse_debug_link,
)
from probee.elf.dynamic import Dynamic
from probee.elf.eh_frame import FrameTable, parse_frame_table
from probee.elf.file import Elf
from probee.elf.minidebug import parse_minidebug
from probee.elf.resolve import resolve_symbol

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def linked(link: bytes | None = None, build_id: bytes = b"", *, little: bool = True) -> Elf:
    built = ElfBuilder(little=little)
    if link is not None:
        built.section(".gnu_debuglink", data=link)
    if build_id:
        built.note("GNU", 3, build_id, section=".note.gnu.build-id")
    return Elf(built.build(), "/usr/bin/x")


@pytest.mark.parametrize("little", [True, False])
@pytest.mark.parametrize("name", ["x.debug", "xyz", "abcdefg"])
def test_link(name: str, little: bool) -> None:
    data = name.encode() + b"\0"
    data += bytes(-len(data) % 4) + (0x11223344).to_bytes(4, "little" if little else "big")
    assert parse_debug_link(linked(data, little=little)) == DebugLink(name, 0x11223344)


def test_alt_link() -> None:
    built = ElfBuilder()
    assert parse_alt_link(Elf(built.build())) is None
    built.section(".gnu_debugaltlink", data=b"/usr/lib/debug/.dwz/x.debug\0\1\2\0\3")
    assert parse_alt_link(Elf(built.build())) == AltLink("/usr/lib/debug/.dwz/x.debug", b"\1\2\0\3")


@pytest.mark.parametrize(
    "data", [b"", b"\0\0\0\0\0\0\0\0", b"abc", b"abc\0\1\2\3", b"abcd\0\1\2\3\4", b"a/b\0" * 2]
)
def test_malformed_link(data: bytes) -> None:
    with pytest.raises(FormatError, match=r"/usr/bin/x: \.gnu_debuglink\+0x0: expected a file name"):
        parse_debug_link(linked(data))


@pytest.mark.parametrize("data", [b"", b"x", b"x\0", b"\0id"])
def test_malformed_alt_link(data: bytes) -> None:
    built = ElfBuilder()
    built.section(".gnu_debugaltlink", data=data)
    with pytest.raises(FormatError, match="expected a file name and a build id"):
        parse_alt_link(Elf(built.build()))


def test_paths() -> None:
    link = b"x.debug\0" + bytes(4)
    by_id = "/usr/lib/debug/.build-id/ab/cdef.debug"
    by_link = ["/usr/bin/x.debug", "/usr/bin/.debug/x.debug", "/usr/lib/debug/usr/bin/x.debug"]
    assert debug_paths(linked()) == []
    assert debug_paths(linked(build_id=b"\xab\xcd\xef")) == [by_id]
    assert debug_paths(linked(link)) == by_link
    assert debug_paths(linked(link, b"\xab\xcd\xef")) == [by_id, *by_link]
    assert debug_paths(linked(link, b"\xab\xcd\xef"), ["/a", "/b"]) == [
        "/a/.build-id/ab/cdef.debug",
        "/b/.build-id/ab/cdef.debug",
        *by_link[:2],
        "/a/usr/bin/x.debug",
        "/b/usr/bin/x.debug",
    ]
    assert "/usr/bin/x" not in debug_paths(linked(b"x\0\0\0" + bytes(4))), "a file is not its own debug file"


def test_the_right_file() -> None:
    debug = linked(build_id=b"one")
    crc = crc32(debug.data).to_bytes(4, "little")
    assert is_debug_file_of(linked(build_id=b"one"), debug)
    assert not is_debug_file_of(linked(build_id=b"two"), debug)
    assert not is_debug_file_of(linked(b"y\0\0\0" + crc, b"two"), debug), "the build id counts more"
    assert is_debug_file_of(linked(b"y\0\0\0" + crc), debug)
    assert not is_debug_file_of(linked(b"y\0\0\0" + bytes(4)), debug)
    assert not is_debug_file_of(linked(), debug)


SOURCE = "static int hidden(void) { return 1; }\nint main(void) { return hidden(); }\n"


@pytest.mark.needs("cc", "binutils")
def test_split_by_objcopy(cc: Callable[..., Path], tmp_path: Path) -> None:
    path = cc(SOURCE, "-g", "-Wl,--build-id=none")
    debug_path = tmp_path / "target.debug"
    expected = resolve_symbol(Elf(path.read_bytes()), "hidden")
    subprocess.run(["objcopy", "--only-keep-debug", path, debug_path], check=True)
    subprocess.run(["objcopy", "--strip-all", f"--add-gnu-debuglink={debug_path}", path], check=True)
    elf, debug = Elf(path.read_bytes(), str(path)), Elf(debug_path.read_bytes(), str(debug_path))
    assert str(debug_path) in debug_paths(elf)
    assert is_debug_file_of(elf, debug)
    assert (debug.interp, debug.dynamic, parse_frame_table(debug)) == (None, Dynamic(), FrameTable())
    assert not is_debug_file_of(elf, Elf(debug_path.read_bytes() + b"\0"))
    with pytest.raises(TargetError):
        resolve_symbol(elf, "hidden")
    assert resolve_symbol(elf, "hidden", debug=debug).file_offset == expected.file_offset


# .gnu_debugdata


def with_minidebug(data: bytes) -> Elf:
    built = ElfBuilder()
    built.section(".text", data=bytes(64), address=0x1000, flags=SHF.ALLOC | SHF.EXECINSTR)
    built.load(".text", flags=PF.R | PF.X)
    built.symbol("exported", 0x1000, 8, table=".dynsym")
    built.section(".gnu_debugdata", data=data)
    return Elf(built.build(), "/bin/x")


def inner() -> bytes:
    built = ElfBuilder()
    built.section(".text", SHT.NOBITS, address=0x1000, flags=SHF.ALLOC | SHF.EXECINSTR, size=64)
    built.symbol("secret", 0x1010, 8)
    built.section(".gnu_debugdata", data=b"never looked at")
    return built.build()


def test_minidebug() -> None:
    elf = with_minidebug(lzma.compress(inner()))
    assert not elf.is_stripped
    assert [s.name for s in elf.iter_functions()] == ["secret", "exported"]
    code = elf.find_section(".text")
    assert code is not None
    assert resolve_symbol(elf, "secret", 2).file_offset == code.offset + 0x12
    assert resolve_symbol(elf, "exported").file_offset == code.offset
    with pytest.raises(TargetError) as raised:
        resolve_symbol(elf, "secrets")
    assert raised.value.message == "no function secrets in /bin/x"


def test_exports_need_no_decompression() -> None:
    elf = with_minidebug(b"this is not xz")
    assert resolve_symbol(elf, "exported").address == 0x1000
    with pytest.raises(FormatError):
        resolve_symbol(elf, "secret")


def test_no_minidebug() -> None:
    assert parse_minidebug(linked()) is None


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected a whole xz stream of at most 64 MiB"),
        (b"this is not xz", "expected xz data: Input format not supported by decoder"),
        (lzma.compress(inner())[:-1], "expected a whole xz stream of at most 64 MiB"),
        (lzma.compress(b"not ELF"), r"/bin/x\[\.gnu_debugdata\]: 0x0: expected an ELF file"),
    ],
)
def test_malformed_minidebug(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        parse_minidebug(with_minidebug(data))


def test_minidebug_that_grows_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minidebug, "_MOST_BYTES", 1 << 20)
    with pytest.raises(FormatError, match="expected a whole xz stream of at most 1 MiB"):
        parse_minidebug(with_minidebug(lzma.compress(bytes(2 << 20))))


def test_python_without_lzma(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "lzma", None)
    with pytest.raises(FeatureError, match="this Python has no lzma module"):
        parse_minidebug(with_minidebug(b""))
