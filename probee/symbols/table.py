"""Functions of one ELF file by address.

Rows of the symbol tables are sorted once, as numbers; names are read when they are asked for.
"""

from __future__ import annotations

import struct

from ..elf.consts import PF, PT, SHF, STB, STT
from .intervals import Intervals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..elf.file import Elf
    from ..elf.symbols import SymbolTable

# struct layout of a row, and where st_info, st_shndx, st_value and st_size stand in it; st_name is first.
_ROWS = {32: ("IIIBBH", (3, 5, 1, 2)), 64: ("IBBHQQ", (1, 3, 4, 5))}
_MOST_NAMES = 256

# As a linker would choose, and labels of hand-written assembly last.
_BINDS = {STB.GLOBAL: 0, STB.GNU_UNIQUE: 0, STB.WEAK: 1, STB.LOCAL: 2}
_LABEL = 3
_FUNCTIONS = (STT.FUNC, STT.GNU_IFUNC)
_RANKS = {bind << 4 | kind: rank for bind, rank in _BINDS.items() for kind in _FUNCTIONS} | {
    bind << 4 | STT.NOTYPE: _LABEL for bind in _BINDS
}


class FunctionTable:
    """Functions of `elf` and of its separate debug file, where there is one. Raises FormatError.

    A program of Go that was stripped has them in its own table.
    """

    def __init__(self, elf: Elf, debug: Elf | None = None) -> None:
        self._tables = [t for file in (elf, debug) if file is not None for t in file.symbol_tables]
        rows: list[tuple[int, int, int, int, int]] = []
        for number, table in enumerate(self._tables):
            rows += _read_rows(table, number)
        rows.sort()
        self._rows = rows
        starts = [row[0] for row in rows]
        self._intervals = Intervals(starts, _find_ends(elf, rows, starts))
        self._names: dict[int, str] = {}
        self._go = elf.go_table if elf.is_stripped and debug is None else None

    def __len__(self) -> int:
        return len(self._rows)

    def find(self, address: int) -> tuple[str, int] | None:
        """Name of the function around virtual `address`, and the offset in it in bytes; or None.

        Of functions in one another it is the innermost; of the names of one the plainest: global before
        weak before local, then the fewest leading underscores, then the shortest.
        """
        index = self._intervals.innermost(address)
        if index < 0:
            return self._go.find_name(address) if self._go is not None else None
        start, rank, _, _, _ = self._rows[index]
        if rank == _LABEL:
            return self._find_around_labels(address)
        return self._names.get(index) or self._read_name(index), address - start

    def _find_around_labels(self, address: int) -> tuple[str, int] | None:
        label = None
        for index in self._intervals.covering(address):
            start, rank, _, _, _ = self._rows[index]
            name = self._names.get(index) or self._read_name(index)
            if rank != _LABEL:
                return name, address - start
            # $x and $d only mark code and data of ARM.
            if label is None and name[:1] != "$":
                label = name, address - start
        return label

    def _read_name(self, index: int) -> str:
        """The plainest name of all rows that begin where row `index` does, of the best rank there."""
        rows, first = self._rows, index
        start, _, _, table, offset = rows[index]
        around = rows[max(index - 1, 0) : index + 2]
        if sum(row[0] == start for row in around) == 1:
            self._names[index] = _read_name(self._tables[table], offset)
            return self._names[index]
        while first and rows[first - 1][0] == start:
            first -= 1
        names = []
        for number in range(first, min(first + _MOST_NAMES, len(rows))):
            _, _, _, table, offset = row = rows[number]
            if row[:2] != rows[first][:2]:
                break
            names.append(_read_name(self._tables[table], offset))
        self._names[index] = min(names, key=_plainness)
        return self._names[index]


def _plainness(name: str) -> tuple[int, int, str]:
    return len(name) - len(name.lstrip("_")), len(name), name


def _read_rows(table: SymbolTable, number: int) -> Iterator[tuple[int, int, int, int, int]]:
    """(address, rank, size, number of the table, offset of the name) of each function and label of code."""
    elf = table.elf
    layout, (at_info, at_shndx, at_value, at_size) = _ROWS[elf.bits]
    code = {s.index for s in elf.sections if s.flags & SHF.EXECINSTR}
    for row in struct.iter_unpack(elf.order + layout, elf.contents(table.section)):
        rank = _RANKS.get(row[at_info])
        if rank is not None and row[at_shndx] in code:
            yield row[at_value], rank, row[at_size], number, row[0]


def _find_ends(elf: Elf, rows: list[tuple[int, int, int, int, int]], starts: list[int]) -> list[int]:
    """Where each ends: one without a size where the next begins, and the last with its segment."""
    ends = [row[0] + row[2] for row in rows]
    last = max([s.vaddr + s.memsz for s in elf.segments if s.type == PT.LOAD and s.flags & PF.X], default=0)
    following = last
    for index in range(len(rows) - 1, -1, -1):
        if index + 1 < len(rows) and starts[index + 1] != starts[index]:
            following = starts[index + 1]
        if not rows[index][2]:
            ends[index] = following
    return ends


def _read_name(table: SymbolTable, offset: int) -> str:
    name = table.read_name(offset)
    return (name.partition("@")[0] or name) if "@" in name else name
