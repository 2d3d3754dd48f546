"""Line tables (DWARF 5, section 6.2), versions 2 to 5: address ↔ file and line, and where bodies begin."""

from __future__ import annotations

from bisect import bisect_right
from enum import IntEnum
from functools import cached_property

from ..base.record import record
from .consts import AT, FORM
from .forms import Layout, read_sleb, read_uleb, read_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .file import Dwarf
    from .forms import Value
    from .section import DebugSection, DwarfError
    from .unit import Unit

    # Address, file number, line, column, whether a statement begins, whether a prologue ends.
    Row = tuple[int, int, int, int, bool, bool]


class LNS(IntEnum):
    """DW_LNS: standard operations of line number programs."""

    COPY = 0x01
    ADVANCE_PC = 0x02
    ADVANCE_LINE = 0x03
    SET_FILE = 0x04
    SET_COLUMN = 0x05
    NEGATE_STMT = 0x06
    SET_BASIC_BLOCK = 0x07
    CONST_ADD_PC = 0x08
    FIXED_ADVANCE_PC = 0x09
    SET_PROLOGUE_END = 0x0A


class LNE(IntEnum):
    """DW_LNE: extended operations of line number programs."""

    END_SEQUENCE = 0x01
    SET_ADDRESS = 0x02
    DEFINE_FILE = 0x03


class LNCT(IntEnum):
    """DW_LNCT: what is told of a file name."""

    PATH = 0x1
    DIRECTORY_INDEX = 0x2


@record
class Line:
    """A place in a source. Line and column are from 1, 0 when the compiler can't tell."""

    path: str
    line: int
    column: int
    address: int


@record
class Sequence:
    """Rows for the code from `low` up to `high`, in order of their addresses."""

    low: int
    high: int
    rows: tuple[Row, ...]


class LineTable:
    """The line table at `offset` of `.debug_line`, of `unit`. Its program is run when it's needed."""

    def __init__(self, unit: Unit, section: DebugSection, offset: int) -> None:
        self._unit, self._section, self.offset = unit, section, offset
        self._asked = False
        self._parse_header()

    def _parse_header(self) -> None:
        reader = self._section.reader(self.offset)
        length, size = reader.read_u32(), 4
        if length == 0xFFFFFFFF:
            length, size = reader.read_u64(), 8
        self._end = reader.at - reader.start + length
        if self._end > self._section.size:
            raise reader.error(
                f"expected a table up to {self._section.size:#x}, got one up to {self._end:#x}"
            )
        self.version = reader.read_u16()
        if not 2 <= self.version <= 5:
            raise reader.error(f"expected version 2 to 5, got {self.version}")
        address_size = self._unit.layout.address_size
        if self.version == 5:
            address_size, _ = reader.read_struct("BB")
        header_length = reader.read_u64() if size == 8 else reader.read_u32()
        self._program = reader.at - reader.start + header_length
        self._step = reader.read_u8()
        self._most_operations = max(reader.read_u8(), 1) if self.version >= 4 else 1
        self._is_stmt = bool(reader.read_u8())
        self._line_base, self._line_range, self._opcode_base = reader.read_struct("bBB")
        self._lengths = reader.read_bytes(max(self._opcode_base - 1, 0))
        self._layout = Layout(self.version, size, address_size, self._section.elf.little)
        self._names_at = reader.at - reader.start
        if not self._names_at <= self._program <= self._end:
            raise reader.error(f"expected a program in this table, got one at {self._program:#x}")

    # Files

    def path(self, number: int) -> str:
        """Path of file number `number`, absolute where the compiler was told the folder; "" for none."""
        files, first = self.files, 0 if self.version == 5 else 1
        if not first <= number < first + len(files):
            return ""
        return files[number - first]

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Paths of all files. They are numbered from 1, since version 5 from 0."""
        data = self._section.take(self._names_at, self._program - self._names_at)
        try:
            folders, files = self._names_5(data) if self.version == 5 else self._names_2(data)
        except IndexError:
            raise self._error("expected names of folders and files", self._names_at) from None
        return tuple([self._join(folders, folder, name) for name, folder in files])

    def _join(self, folders: list[str], folder: int, name: str) -> str:
        if name.startswith("/"):
            return name
        base = self._unit.root.find_string(AT.COMP_DIR) or ""
        around = folders[folder] if folder < len(folders) else ""
        if not around.startswith("/"):
            around = f"{base}/{around}" if base and around else base or around
        return f"{around}/{name}" if around else name

    def _names_2(self, data: bytes) -> tuple[list[str], list[tuple[str, int]]]:
        """Folder 0 is that of the compiler, the others are in the table."""
        folders, files, at = [""], [], 0
        name, at = _string(data, at)
        while name:
            folders.append(name)
            name, at = _string(data, at)
        name, at = _string(data, at)
        while name:
            folder, at = read_uleb(data, at)
            _, at = read_uleb(data, at)  # time of the last change
            _, at = read_uleb(data, at)  # size
            files.append((name, folder))
            name, at = _string(data, at)
        return folders, files

    def _names_5(self, data: bytes) -> tuple[list[str], list[tuple[str, int]]]:
        rows, at = self._entries(data, 0)
        folders = [self._text(row.get(LNCT.PATH)) for row in rows]
        rows, _ = self._entries(data, at)
        return folders, [(self._text(row.get(LNCT.PATH)), _index(row)) for row in rows]

    def _entries(self, data: bytes, at: int) -> tuple[list[dict[int, tuple[int, Value]]], int]:
        form_count = data[at]
        at += 1
        forms = []
        for _ in range(form_count):
            kind, at = read_uleb(data, at)
            form, at = read_uleb(data, at)
            forms.append((kind, form))
        count, at = read_uleb(data, at)
        # Each entry takes a byte at least, or a few bytes could claim any number of them.
        if count > len(data) - at:
            raise IndexError
        rows = []
        for _ in range(count):
            row: dict[int, tuple[int, Value]] = {}
            for kind, form in forms:
                form, value, at = read_value(data, at, form, self._layout)
                row[kind] = form, value
            rows.append(row)
        return rows, at

    def _text(self, found: tuple[int, Value] | None) -> str:
        if found is None or found[0] == FORM.DATA16:
            return ""
        return self._unit.string(*found).decode("utf-8", "surrogateescape")

    # The program

    @cached_property
    def sequences(self) -> tuple[Sequence, ...]:
        """The whole table, in order of addresses. Code that a linker threw away is left out."""
        return tuple(sorted(self._iter_sequences(), key=lambda s: s.low))

    def _iter_sequences(self) -> Iterator[Sequence]:
        data = self._section.take(self._program, self._end - self._program)
        try:
            for rows, high in self._run(data):
                if 0 < rows[0][0] < high:
                    yield Sequence(rows[0][0], high, tuple(rows))
        except IndexError:
            raise self._error("expected operations of a line program", self._program) from None

    def find_sequence(self, address: int) -> Sequence | None:
        """The rows of the sequence with code at `address`, or None.

        Whoever asks once, as for one function, waits for the program only until it comes there.
        """
        if self._asked or "sequences" in self.__dict__:
            index = bisect_right(self.sequences, address, key=lambda s: s.low) - 1
            found = self.sequences[index] if index >= 0 else None
            return found if found is not None and address < found.high else None
        self._asked = True
        return next((s for s in self._iter_sequences() if s.low <= address < s.high), None)

    def find_row(self, address: int) -> Row | None:
        """The row that `address` belongs to, or None."""
        sequence = self.find_sequence(address)
        return _row_at(sequence, address) if sequence is not None else None

    def line_of(self, row: Row) -> Line:
        """A row with the path of its file."""
        return Line(self.path(row[1]), row[2], row[3], row[0])

    def _run(self, data: bytes) -> Iterator[tuple[list[Row], int]]:
        """Each sequence of rows, and the address after it."""
        base, opcode_base, line_range = self._line_base, self._opcode_base, self._line_range
        step, most = self._step, self._most_operations
        order, size = self._layout.order, len(data)
        if not line_range:
            raise self._error("expected a line range of at least 1, got 0", self.offset)
        at = 0
        while at < size:
            rows: list[Row] = []
            address = column = index = 0
            file = line = 1
            stmt, prologue_end, ended = self._is_stmt, False, False
            while not ended and at < size:
                op = data[at]
                at += 1
                if op >= opcode_base:
                    op -= opcode_base
                    advance = op // line_range
                    address += step * ((index + advance) // most)
                    index = (index + advance) % most
                    line += base + op % line_range
                    rows.append((address, file, line, column, stmt, prologue_end))
                    prologue_end = False
                elif op == LNS.COPY:
                    rows.append((address, file, line, column, stmt, prologue_end))
                    prologue_end = False
                elif op in (LNS.ADVANCE_PC, LNS.CONST_ADD_PC):
                    advance = (255 - opcode_base) // line_range
                    if op == LNS.ADVANCE_PC:
                        advance, at = read_uleb(data, at)
                    address += step * ((index + advance) // most)
                    index = (index + advance) % most
                elif op == LNS.ADVANCE_LINE:
                    advance, at = read_sleb(data, at)
                    line += advance
                elif op == LNS.SET_FILE:
                    file, at = read_uleb(data, at)
                elif op == LNS.SET_COLUMN:
                    column, at = read_uleb(data, at)
                elif op == LNS.NEGATE_STMT:
                    stmt = not stmt
                elif op == LNS.FIXED_ADVANCE_PC:
                    address += int.from_bytes(data[at : at + 2], order)
                    at, index = at + 2, 0
                elif op == LNS.SET_PROLOGUE_END:
                    prologue_end = True
                elif op:
                    for _ in range(self._lengths[op - 1]):
                        _, at = read_uleb(data, at)
                else:
                    length, at = read_uleb(data, at)
                    extended = data[at] if length else 0
                    if extended == LNE.SET_ADDRESS:
                        address = int.from_bytes(data[at + 1 : at + length], order)
                        index = 0
                    ended = extended == LNE.END_SEQUENCE
                    at += length
            if ended and rows:
                rows.sort(key=lambda row: row[0])
                yield rows, address

    def _error(self, message: str, at: int) -> DwarfError:
        return self._section.error(message, at)


def line_table(unit: Unit) -> LineTable | None:
    """The line table of a unit, None when it has none."""
    owner = unit.skeleton or unit
    offset = owner.find_offset(AT.STMT_LIST)
    section = owner.dwarf.find(".debug_line")
    if offset is None or section is None:
        return None
    tables = owner.dwarf.line_tables
    if offset not in tables:
        tables[offset] = LineTable(owner, section, offset)
    return tables[offset]


def find_line(dwarf: Dwarf, address: int) -> Line | None:
    """File and line of the code at `address`, or None."""
    unit = dwarf.addresses.find_unit(address)
    table = line_table(unit) if unit is not None else None
    row = table.find_row(address) if table is not None else None
    return table.line_of(row) if table is not None and row is not None else None


def find_line_addresses(dwarf: Dwarf, path: str, line: int, column: int = 0) -> list[Line]:
    """Where statements of `path`, line `line` (and column `column`, unless 0) begin, in order of addresses.

    `path` is the end of a path, in whole parts: "a.c" is "src/a.c", and not "data.c". Code of one line may be
    in many places: inlined, unrolled, split. Rows of one line that follow each other count once.
    """
    found: dict[int, Line] = {}
    for table in _iter_tables(dwarf):
        for row in _rows_of(table, path, line, column):
            found.setdefault(row[0], table.line_of(row))
    return [found[address] for address in sorted(found)]


def find_file_lines(dwarf: Dwarf, path: str) -> list[int]:
    """The lines of `path` (the end of a path) that statements are of, in order."""
    found: set[int] = set()
    for table in _iter_tables(dwarf):
        numbers = _numbers_of(table, path)
        for sequence in table.sequences if numbers else ():
            found.update([row[2] for row in sequence.rows if row[1] in numbers and row[4] and row[2]])
    return sorted(found)


def iter_source_files(dwarf: Dwarf) -> Iterator[str]:
    """Paths of all source files that line tables name."""
    for table in _iter_tables(dwarf):
        yield from table.files


def _iter_tables(dwarf: Dwarf) -> Iterator[LineTable]:
    """Each line table once: units may share one."""
    seen: set[int] = set()
    for unit in dwarf.iter_units():
        table = line_table(unit) if unit.root.has(AT.STMT_LIST) else None
        if table is not None and table.offset not in seen:
            seen.add(table.offset)
            yield table


def _numbers_of(table: LineTable, path: str) -> set[int]:
    first = 0 if table.version == 5 else 1
    return {n for n, file in enumerate(table.files, first) if _is_tail(path, file)}


def _rows_of(table: LineTable, path: str, line: int, column: int) -> Iterator[Row]:
    numbers = _numbers_of(table, path)
    for sequence in table.sequences if numbers else ():
        before = False
        for row in sequence.rows:
            hit = row[2] == line and row[1] in numbers and (not column or row[3] == column)
            if hit and not before and row[4]:
                yield row
            # A row that begins no statement continues what was before it.
            before = (hit and (before or row[4])) if row[4] or not hit else before


def find_body(unit: Unit, entry: int, end: int) -> int:
    """Where the body of a function begins, whose first range is `entry` to `end`: after its prologue.

    Where the compiler marks it (Clang), that is it; else it is the second line of the table. `entry` when the
    table knows no such place.
    """
    table = line_table(unit)
    sequence = table.find_sequence(entry) if table is not None else None
    second = entry
    for row in sequence.rows if sequence is not None else ():
        if entry <= row[0] < end:
            if row[5]:
                return row[0]
            if second == entry and row[0] > entry and row[2]:
                second = row[0]
    return second


def _row_at(sequence: Sequence, address: int) -> Row:
    return sequence.rows[bisect_right(sequence.rows, address, key=lambda row: row[0]) - 1]


def file_name(unit: Unit, number: int) -> str:
    """Path of file number `number` of a unit's line table, "" for none."""
    table = line_table(unit)
    return table.path(number) if table is not None else ""


def _is_tail(tail: str, path: str) -> bool:
    return path == tail or path.endswith(f"/{tail.removeprefix('./')}")


def _index(row: dict[int, tuple[int, Value]]) -> int:
    _, value = row.get(LNCT.DIRECTORY_INDEX, (0, 0))
    return value if isinstance(value, int) else 0


def _string(data: bytes, at: int) -> tuple[str, int]:
    end = data.find(b"\0", at)
    if end < 0:
        raise IndexError
    return data[at:end].decode("utf-8", "surrogateescape"), end + 1
