"""The text of /proc/kallsyms."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probee.base.errors import FormatError
from probee.symbols.kallsyms import Kallsyms, KernelSymbol

TEXT = b"""\
0000000000000000 A fixed_percpu_data
ffffffff81000000 T _stext
ffffffff81000000 t local_alias
ffffffff81001000 t vfs_read.cold
ffffffff81001100 d data_alias
ffffffff81001100 W weak
ffffffff81001100 T vfs_read
ffffffffc0000040 t helper\t[nf_tables]
ffffffffc0000000 t init\t[nf_tables]
"""


def test_find() -> None:
    symbols = Kallsyms(TEXT)
    assert len(symbols) == 8
    assert not symbols.is_hidden
    assert symbols.find(0xFFFFFFFF81000004) == (KernelSymbol(0xFFFFFFFF81000000, "T", "_stext"), 4)
    assert symbols.find(0xFFFFFFFF81001000) == (KernelSymbol(0xFFFFFFFF81001000, "t", "vfs_read.cold"), 0)
    assert symbols.find(0xFFFFFFFF81001101) == (KernelSymbol(0xFFFFFFFF81001100, "T", "vfs_read"), 1)
    assert symbols.find(0xFFFFFFFFC0000007) == (
        KernelSymbol(0xFFFFFFFFC0000000, "t", "init", "nf_tables"),
        7,
    )


def test_not_there() -> None:
    symbols = Kallsyms(TEXT)
    for address in (0, 8, 0xFFFFFFFF80FFFFFF, 0xFFFFFFFFC0001040, (1 << 64) - 1, 1 << 64):
        assert symbols.find(address) is None
    assert symbols.find(0xFFFFFFFFC000103F) is not None
    assert Kallsyms(b"").find(0xFFFFFFFF81000000) is None


def test_hidden() -> None:
    assert Kallsyms(b"0000000000000000 T _stext\n0000000000000000 t x\t[m]\n").is_hidden
    assert not Kallsyms(b"").is_hidden


@pytest.mark.parametrize("line", [b"x", b"ffffffff81000000_t name", b"ffffffff81000000 t_name"])
def test_malformed(line: bytes) -> None:
    with pytest.raises(FormatError) as raised:
        Kallsyms(b"ffffffff81000000 T a\n" + line)
    assert str(raised.value) == f"kallsyms: 0x15: expected address, type and name, got {line!r}"


@given(
    st.lists(st.tuples(st.integers(0, 50), st.sampled_from("TtDa")), min_size=1, max_size=12),
    st.integers(0, 60),
)
def test_nearest_below(rows: list[tuple[int, str]], at: int) -> None:
    base = 0xFFFFFFFF81000000
    text = "".join(f"{base + n:016x} {kind} s{i}\n" for i, (n, kind) in enumerate(rows))
    found = Kallsyms(text.encode()).find(base + at)
    below = [n for n, _ in rows if n <= at]
    if not below:
        assert found is None
        return
    assert found is not None
    symbol, offset = found
    kinds = {kind for n, kind in rows if n == max(below)}
    assert (symbol.address, offset) == (base + max(below), at - max(below))
    assert symbol.type == next((kind for kind in "Tt" if kind in kinds), symbol.type)


def test_this_kernel() -> None:
    text = Path("/proc/kallsyms").read_bytes()
    symbols = Kallsyms(text)
    if symbols.is_hidden:
        return
    line = next(line for line in text.splitlines() if line.endswith(b" T vfs_read"))
    found = symbols.find(int(line.split()[0], 16) + 1)
    assert found is not None
    assert (found[0].type, found[1]) == ("T", 1)


def test_of_names_of_one_address_the_plainest_is_shown() -> None:
    symbols = Kallsyms(
        b"ffffffff81000000 T __x64_sys_read\nffffffff81000000 T _read\nffffffff81000000 T read\n"
        b"ffffffff81000000 t a\nffffffff81000000 W b\n"
    )
    found = symbols.find(0xFFFFFFFF81000004)
    assert found is not None
    assert (found[0].name, found[1]) == ("read", 4)
