"""Functions by their frame tables: built here, and as readelf decodes real ones."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from builders.eh_frame import HEADER, TEXT, framed
from builders.elf import ElfBuilder
from probee.base.errors import FormatError
from probee.elf.consts import PT
from probee.elf.eh_frame import FrameTable, find_function, parse_frame_table
from probee.elf.file import Elf

FUNCTIONS = [(TEXT, 0x10), (TEXT + 0x10, 0x20), (TEXT + 0x100, 0x30)]


@pytest.mark.parametrize("little", [True, False])
@pytest.mark.parametrize(
    ("augmentation", "encoding"),
    [(b"zR", 0x1B), (b"zR", 0x0B), (b"zPLR", 0x1B), (b"zRS", 0x1B), (b"zR", 0x00), (b"", 0x00)],
)
def test_functions(augmentation: bytes, encoding: int, little: bool) -> None:
    elf = Elf(framed(FUNCTIONS, little=little, augmentation=augmentation, encoding=encoding).build())
    table = parse_frame_table(elf)
    assert table.starts == tuple(start for start, _ in FUNCTIONS)
    for start, size in FUNCTIONS:
        assert find_function(elf, table, start) == (start, size)
        assert find_function(elf, table, start + size - 1) == (start, size)
    assert find_function(elf, table, TEXT - 1) is None
    assert find_function(elf, table, TEXT + 0x30) is None, "between two functions"
    assert find_function(elf, table, TEXT + 0x130) is None


def test_no_table() -> None:
    elf = Elf(ElfBuilder().build())
    assert parse_frame_table(elf) == FrameTable()
    assert find_function(elf, FrameTable(), TEXT) is None


def header(data: bytes) -> Elf:
    built = ElfBuilder()
    built.section(".eh_frame_hdr", data=data, address=HEADER)
    built.segment(PT.GNU_EH_FRAME, ".eh_frame_hdr")
    return Elf(built.build())


def test_table_that_was_left_out() -> None:
    assert parse_frame_table(header(bytes([1, 0xFF, 0xFF, 0xFF]))) == FrameTable()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\1", "expected 4 bytes, got 1"),
        (bytes([2, 0x1B, 3, 0x3B]), "expected version 1, got 2"),
        (bytes([1, 0x1B, 3, 0x1B]), "expected encodings 03 and 3b, got 03 and 1b"),
        (bytes([1, 0x05, 3, 0x3B]), "expected a pointer encoding, got 05"),
        (bytes([1, 0x1B, 3, 0x3B]) + bytes(4) + b"\xff" * 4, "expected 34359738360 bytes, got 0"),
        (bytes([1, 0x1B, 3, 0x3B]) + bytes(4) + b"\2\0\0\0" + b"\1" + bytes(15), "expected a sorted table"),
    ],
)
def test_malformed_table(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        parse_frame_table(header(data))


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (0, b"\0\0\0\0", "expected an entry of at least 4 bytes, got 0x0"),
        (4, b"\1\0\0\0", "expected a common entry, got a frame description one"),
        (9, b"eh\0", "expected an augmentation that begins with z, got b'eh'"),
        (10, b"Q", "expected an augmentation of RPLSB, got 'Q'"),
        (21, b"\0\0\0\0", "expected a frame description entry, got a common one"),
        (21, b"\xff\0\0\0", "expected an entry at address"),
    ],
)
def test_malformed_entries(at: int, value: bytes, message: str) -> None:
    built = framed(FUNCTIONS)
    frames = next(s for s in built.sections if s.name == ".eh_frame")
    frames.data = frames.data[:at] + value + frames.data[at + len(value) :]
    elf = Elf(built.build())
    table = parse_frame_table(elf)
    with pytest.raises(FormatError, match=message):
        find_function(elf, table, TEXT)


@pytest.mark.needs("binutils")
@pytest.mark.parametrize("path", [Path("/bin/ls"), Path(sys.executable)], ids=lambda path: path.name)
def test_as_readelf_says(path: Path) -> None:
    elf = Elf(path.read_bytes(), str(path))
    shown = subprocess.run(
        ["readelf", "-wf", path],
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
        check=True,
    ).stdout
    # The section's name tells .eh_frame from .debug_frame, which is not in the table.
    shown = shown.partition(".debug_frame")[0]
    ranges = re.findall(r"FDE .*pc=([0-9a-f]+)\.\.([0-9a-f]+)", shown)
    expected = sorted((int(start, 16), int(end, 16) - int(start, 16)) for start, end in ranges)
    table = parse_frame_table(elf)
    assert len(table.starts) == len(expected)
    step = len(expected) // 500 + 1
    for start, size in expected[::step]:
        assert find_function(elf, table, start) == (start, size)
