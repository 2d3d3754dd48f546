"""/tmp/perf-PID.map, as JIT compilers write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probee.base.errors import FormatError
from probee.symbols.perfmap import parse_perf_map

TEXT = """\
7f0000001000 20 LazyCompile:~add /srv/app.js:3
0x7f0000001020 0x10 Builtin:Call
7f0000001008 8 again
"""


def test_find() -> None:
    jit = parse_perf_map(TEXT)
    assert len(jit) == 3
    assert jit.find(0x7F0000001004) == ("LazyCompile:~add /srv/app.js:3", 4)
    assert jit.find(0x7F0000001008) == ("again", 0)
    assert jit.find(0x7F0000001010) == ("LazyCompile:~add /srv/app.js:3", 16)
    assert jit.find(0x7F000000102F) == ("Builtin:Call", 15)
    for address in (0, 0x7F0000000FFF, 0x7F0000001030):
        assert jit.find(address) is None


def test_last_line_of_overlapping_ones_is_right() -> None:
    jit = parse_perf_map("1000 40 old\n1000 20 new\n0ff0 20 newest\n")
    assert [jit.find(a) for a in (0x1008, 0x1018, 0x1030)] == [
        ("newest", 0x18),
        ("new", 0x18),
        ("old", 0x30),
    ]


def test_line_that_is_being_written() -> None:
    jit = parse_perf_map("1000 10 whole\n1010 10 par")
    assert (len(jit), jit.find(0x1010)) == (1, None)


@pytest.mark.parametrize("line", ["xyz 10 name", "1000 10", "1000 q name"])
def test_malformed(line: str) -> None:
    with pytest.raises(FormatError) as raised:
        parse_perf_map(f"1000 10 ok\n{line}\n", "/tmp/perf-1.map")
    assert str(raised.value) == f"/tmp/perf-1.map: 0xb: expected start, size and name, got {line!r}"


@given(st.text("01f x\n", max_size=40))
def test_any_text(text: str) -> None:
    try:
        jit = parse_perf_map(text)
    except FormatError:
        return
    assert len(jit) == sum(1 for line in text.split("\n")[:-1] if line.strip())
