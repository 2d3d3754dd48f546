"""Rows of rules against those of pyelftools, over files of this machine."""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path
from typing import Any

import pytest

from probee.elf.cfi import parse_unwind_table
from probee.elf.file import Elf
from probee.elf.unwind import FRAME_AT, OFFSET_AT, OFFSET_BITS, RETURN_AT, Kind

FILES = [
    "/bin/bash",
    "/usr/lib/x86_64-linux-gnu/libc.so.6",
    "/usr/lib/aarch64-linux-gnu/libc.so.6",
    "/lib64/ld-linux-x86-64.so.2",
    "/usr/bin/perl",
    "/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
]
SP, FP, RA = 7, 6, 16


@pytest.mark.needs("pyelftools", "x86_64")
def test_every_row_of_this_machines_files() -> None:
    from elftools.elf.elffile import ELFFile

    compared = 0
    for path in filter(lambda p: Path(p).exists(), FILES):
        table = parse_unwind_table(Elf(Path(path).read_bytes(), path))
        with open(path, "rb") as file:
            for entry in ELFFile(file).get_dwarf_info().EH_CFI_entries():
                if type(entry).__name__ != "FDE" or "S" in str(entry.cie.augmentation_dict):
                    continue
                rows = entry.get_decoded().table
                end = entry["initial_location"] + entry["address_range"]
                for row, after in zip(rows, [*[r["pc"] for r in rows[1:]], end], strict=True):
                    if row["pc"] < after:  # else another row says more of the same address
                        index = bisect_right(table.starts, row["pc"]) - 1
                        assert agrees(table.rules[index], row), f"{path}: {row['pc']:#x}: {row}"
                        compared += 1
    assert compared > 10_000


def agrees(rule: int, row: dict[Any, Any]) -> bool:
    """Whether a rule says of a place what the row does, or that it is not known."""
    kind = Kind(rule & 7)
    offset = rule >> OFFSET_AT & (1 << OFFSET_BITS) - 1
    offset -= (offset >> OFFSET_BITS - 1) << OFFSET_BITS
    back = row.get(RA)
    if kind is Kind.END:
        return back is not None and back.type == "UNDEFINED"
    if kind not in (Kind.SP, Kind.FP):
        # What one can say of a CFA by a followed register, whole words and plain rules, must be said.
        return row["cfa"].expr is not None or not _is_plain(row)
    saved = row.get(FP)
    return (
        row["cfa"].reg == (SP if kind is Kind.SP else FP)
        and row["cfa"].offset == offset * 8
        and (rule >> FRAME_AT & 0xFF)
        == (-saved.arg // 8 if saved is not None and saved.type == "OFFSET" else 0)
        and back is not None
        and rule >> RETURN_AT == -back.arg // 8
    )


def _is_plain(row: dict[Any, Any]) -> bool:
    cfa, saved, back = row["cfa"], row.get(FP), row.get(RA)
    if back is None or back.type != "OFFSET":
        return False
    fits = cfa.reg in (SP, FP) and cfa.offset % 8 == 0 and cfa.offset < 8 << OFFSET_BITS - 1
    return fits and (saved is None or (saved.type == "OFFSET" and saved.arg >= -8 * 0xFF))
