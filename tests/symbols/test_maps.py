"""The text of /proc/PID/maps."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probee.base.errors import FormatError
from probee.symbols.maps import Mapping, parse_maps

TEXT = """\
55d0c0000000-55d0c0002000 r--p 00000000 fd:01 1234                       /usr/bin/x
55d0c0002000-55d0c0005000 r-xp 00002000 fd:01 1234                       /usr/bin/x
55d0c1000000-55d0c1021000 rw-p 00000000 00:00 0                          [heap]
7f0000000000-7f0000001000 rwxp 00000000 00:00 0 
7f0000002000-7f0000003000 r-xs 00001000 00:01 77                         /memfd:jit (deleted)
7f0000003000-7f0000004000 r-xp 00000000 fd:01 78                         /tmp/a b\\012c
7ffc00000000-7ffc00002000 r-xp 00000000 00:00 0                          [vdso]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
"""  # noqa: W291


def test_fields() -> None:
    maps = parse_maps(TEXT).mappings
    assert maps[1] == Mapping(0x55D0C0002000, 0x55D0C0005000, "r-xp", 0x2000, "fd:01", 1234, "/usr/bin/x")
    assert [m.path for m in maps[2:]] == [
        "[heap]", "", "/memfd:jit (deleted)", "/tmp/a b\nc", "[vdso]", "[vsyscall]",
    ]  # fmt: skip
    assert [m.is_executable for m in maps] == [False, True, False, True, True, True, True, True]


def test_files() -> None:
    maps = parse_maps(TEXT).mappings
    assert [m.file for m in maps[1:7]] == ["/usr/bin/x", "", "", "/memfd:jit", "/tmp/a b\nc", ""]
    assert [m.path for m in maps if m.is_deleted] == ["/memfd:jit (deleted)"]


def test_paths_of_no_file() -> None:
    lines = (
        "1000-2000 r-xp 0 00:0e 9 anon_inode:bpf-map",
        "1000-2000 rw-s 0 00:01 0 /SYSV00000000 (deleted)",
    )
    assert [parse_maps(line).mappings[0].file for line in lines] == ["", ""]


def test_find() -> None:
    maps = parse_maps(TEXT)
    for address, index in (
        (0x55D0C0000000, 0),
        (0x55D0C0001FFF, 0),
        (0x55D0C0002000, 1),
        (0x7FFC00000800, 6),
    ):
        assert maps.find(address) is maps.mappings[index]
    for address in (0, 0x55D0C0005000, 0x7F0000001000, 1 << 64):
        assert maps.find(address) is None
    assert parse_maps("").find(0) is None


def test_this_process() -> None:
    maps = parse_maps(Path("/proc/self/maps").read_text())
    assert any(m.path == "[vdso]" for m in maps.mappings)
    assert all(m.start < m.end for m in maps.mappings)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x\n", "maps: 0x0: expected a mapping, got 'x'"),
        ("1-2 r-xp 0 0:0 0\n1-3 r-x 0 0:0 0", "maps: 0x11: expected a mapping, got '1-3 r-x 0 0:0 0'"),
        ("1-3 r-xp 0 0:0 0\n2-3 r-xp 0 0:0 0", "maps: 0x11: expected mappings in ascending order"),
    ],
)
def test_malformed(text: str, message: str) -> None:
    with pytest.raises(FormatError) as raised:
        parse_maps(text)
    assert str(raised.value) == message


@given(st.text("0123abf-rwxp: /\n[]", max_size=60))
def test_any_text(text: str) -> None:
    try:
        maps = parse_maps(text)
    except FormatError:
        return
    assert len(maps.mappings) == sum(1 for line in text.split("\n") if line)
