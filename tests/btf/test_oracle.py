"""The running kernel's BTF, type by type, against `bpftool btf dump`."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from probee.btf.consts import Kind
from probee.btf.file import Btf
from probee.ctype.types import Enum, Func, Struct

if TYPE_CHECKING:
    from collections.abc import Iterator

VMLINUX = Path("/sys/kernel/btf/vmlinux")
pytestmark = pytest.mark.needs("btf", "bpftool")
EVERY = 17
"""Types of which one is compared: they come in families, so a prime misses none of them."""


def dumped() -> Iterator[tuple[int, str, list[str]]]:
    """(id, first line, lines of its members) of every type."""
    command = ["bpftool", "btf", "dump", "file", str(VMLINUX), "format", "raw"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for block in re.split(r"\n(?=\[)", text.rstrip("\n")):
        first, *rest = block.split("\n")
        number, line = first[1:].split("] ", 1)
        yield int(number), line, [line.strip() for line in rest]


def field(line: str, name: str) -> int:
    found = re.search(rf"\b{name}=(-?\d+)", line)
    return int(found[1]) if found else 0


def quoted(line: str) -> str:
    found = re.search(r"'(.*?)'", line)
    return "" if found is None or found[1] == "(anon)" else found[1]


def test_every_type_is_what_bpftool_says() -> None:
    btf = Btf(VMLINUX.read_bytes(), str(VMLINUX))
    count, compared = 0, set()
    for number, line, rest in dumped():
        count += 1
        kind = Kind[line.split(" ", 1)[0]]
        assert btf.record(number).kind == kind
        assert btf.name(number) == quoted(line)
        if number % EVERY and kind in compared:
            continue
        compared.add(kind)
        check(btf, number, kind, line, rest)
    assert btf.end == count + 1
    assert {Kind.STRUCT, Kind.UNION, Kind.ENUM, Kind.ENUM64, Kind.FUNC, Kind.DATASEC} <= compared


def check(btf: Btf, number: int, kind: Kind, line: str, rest: list[str]) -> None:
    if kind == Kind.DATASEC:
        theirs = [(field(m, "type_id"), field(m, "offset"), field(m, "size")) for m in rest]
        assert [(v.id, v.offset, v.size) for v in btf.iter_variables(number)] == theirs
        return
    if kind == Kind.DECL_TAG:
        assert quoted(line) in [text for _, text in btf.iter_tags(field(line, "type_id"))]
        return
    found = btf.type(number)
    if kind in (Kind.STRUCT, Kind.UNION):
        assert isinstance(found, Struct)
        assert (found.size, found.kind) == (field(line, "size"), kind.name.lower())
        places = [(quoted(m), field(m, "bits_offset"), field(m, "bitfield_size")) for m in rest]
        assert [(m.name, m.offset_bits, m.bit_size) for m in found.members] == places
        assert [m.type for m in found.members] == [btf.resolve(field(m, "type_id")) for m in rest]
    elif kind in (Kind.ENUM, Kind.ENUM64):
        assert isinstance(found, Enum)
        assert list(found.values) == [(quoted(m), field(m, "val")) for m in rest]
        assert (found.size, found.signed) == (field(line, "size"), "encoding=SIGNED" in line)
    elif kind == Kind.FUNC_PROTO:
        assert isinstance(found, Func)
        assert found.variadic == (rest[-1:] == ["'(anon)' type_id=0"])
        theirs = [(quoted(m), btf.resolve(field(m, "type_id"))) for m in rest if field(m, "type_id")]
        assert list(found.params) == theirs
        assert found.returns == btf.resolve(field(line, "ret_type_id"))
    elif kind in (Kind.INT, Kind.FLOAT):
        assert found.size == field(line, "size")
