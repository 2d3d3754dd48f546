"""CPython 3.11 to 3.13: where its frames are in a process, and what the frames that programs took stand for.

Nothing is read of a process: where a release keeps what, from 3.13 on its file says (`_Py_DebugOffsets`, made
for debuggers); of 3.11 and 3.12, whose releases agree with one another, a table does. The formats of code
objects are those of Objects/locations.md and PEP 393.
"""

from __future__ import annotations

import struct
from bisect import bisect_right

from ..base.errors import FormatError, KernelError
from ..base.record import record
from ..elf.consts import EM
from ..spec.python import (
    CODE_KEY,
    CODES,
    FIELDS,
    HEAD,
    NO_OFFSET,
    PROCESS,
    PROCESSES,
    TEXT,
    TEXT_FIRST,
    parse_frame,
)
from .frame import Frame
from .space import find_bias

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from collections.abc import Mapping as Dict

    from ..elf.file import Elf
    from ..spec.machine import MapHandle
    from .image import Image, ImageOpener
    from .maps import Mapping

LOOP = "_PyEval_EvalFrameDefault"
"""The function that runs Python's functions: one call of it may run several, that call each other."""

_RUNTIME, _VERSION = "_PyRuntime", "Py_Version"
_MACHINES = (EM.X86_64, EM.AARCH64)
_PID = struct.Struct("=I")

_OWNED_BY_C_STACK = 3
"""Owner of the frame that stands, from 3.12 on, where a call of the loop began."""

_SAME = {"thread_next": 8, "frame_instruction": 56, "code_texts": 112}
_KNOWN: dict[tuple[int, int], dict[str, int]] = {
    (3, 11): _SAME
    | {
        "interpreters": 40,
        "interpreter_next": 0,
        "interpreter_threads": 16,
        "thread_id": 160,
        "thread_frame": 56,
        "inner_frame": 8,
        "frame_code": 32,
        "frame_previous": 48,
        "frame_mark": 68,
        "mark": 1,
        "marks_only": 0,
        "code_first_line": 72,
        "code_bytes": 184,
        "ascii_head": 48,
        "other_head": 72,
    },
    (3, 12): _SAME
    | {
        "interpreters": 40,
        "interpreter_next": 0,
        "interpreter_threads": 72,
        "thread_id": 144,
        "thread_frame": 56,
        "inner_frame": 0,
        "frame_code": 0,
        "frame_previous": 8,
        "frame_mark": 70,
        "mark": _OWNED_BY_C_STACK,
        "marks_only": 1,
        "code_first_line": 68,
        "code_bytes": 192,
        "ascii_head": 40,
        "other_head": 56,
    },
}
"""Bytes from the start of each struct to the member, by release; checked against DWARF in a test."""

_COOKIE = b"xdebugpy"
_DEBUG_OFFSETS = {
    "interpreters": 40,
    "interpreter_next": 64,
    "interpreter_threads": 72,
    "thread_next": 168,
    "thread_id": 200,
    "thread_frame": 184,
    "frame_code": 240,
    "frame_previous": 232,
    "frame_instruction": 248,
    "frame_mark": 264,
    "code_texts": 280,
    "code_first_line": 312,
    "code_bytes": 344,
}
"""Where _Py_DebugOffsets of 3.13 has them, at the start of _PyRuntime."""

_FREE_THREADED = 16
_DEBUG_SIZE = 512
_DEBUG_REST = {
    "inner_frame": NO_OFFSET,
    "mark": _OWNED_BY_C_STACK,
    "marks_only": 1,
    "ascii_head": 40,
    "other_head": 56,
}


@record
class Python:
    """A CPython in a file: `runtime` is the virtual address of its state, `fields` are those of
    `spec.python`, of which the first is counted from there."""

    version: tuple[int, int]
    runtime: int
    fields: dict[str, int]

    def encode_at(self, bias: int) -> bytes:
        """What the programs are told of a process in which addresses are higher by `bias`."""
        moved = self.fields | {"interpreters": self.fields["interpreters"] + self.runtime + bias}
        return PROCESS.pack(*[moved[name] for name in FIELDS])


def find_python(elf: Elf) -> Python | None:
    """The CPython that is in a file; None where there is none, or one whose frames are not known."""
    runtime = next((symbol for symbol in elf.find_exports(_RUNTIME) if symbol.is_defined), None)
    if runtime is None or elf.bits != 64 or elf.machine not in _MACHINES:
        return None
    debug = _read(elf, runtime.value, _DEBUG_SIZE)
    if debug.startswith(_COOKIE):
        (version,) = struct.unpack_from("=Q", debug, len(_COOKIE))
        fields = {name: struct.unpack_from("=Q", debug, at)[0] for name, at in _DEBUG_OFFSETS.items()}
        release = version >> 24, version >> 16 & 0xFF
        if release != (3, 13) or debug[_FREE_THREADED]:
            return None
        return Python(release, runtime.value, fields | _DEBUG_REST)
    symbol = next((symbol for symbol in elf.find_exports(_VERSION) if symbol.is_defined), None)
    if symbol is None:
        return None
    number = int.from_bytes(_read(elf, symbol.value, 8), "little")
    release = number >> 24, number >> 16 & 0xFF
    known = _KNOWN.get(release)
    return Python(release, runtime.value, known) if known is not None else None


def _read(elf: Elf, address: int, size: int) -> bytes:
    """Bytes of a file at a virtual address. Raises FormatError."""
    at = elf.file_offset(address, code=False)
    data = elf.data[at : at + size] if at is not None else b""
    if len(data) < size:
        raise elf.error(f"expected {size} bytes of data at address {address:#x}")
    return bytes(data)


class Pythons:
    """The maps of `spec.python` in `maps`, handles by name: tells programs where CPython is in a process, and
    says what they found there."""

    def __init__(self, maps: Dict[str, MapHandle], images: ImageOpener) -> None:
        self._images = images
        self._processes, self._known = maps[PROCESSES], maps[CODES]
        self._text = maps[TEXT].view()
        self._pids: set[int] = set()
        self._found: dict[Image, Python | None] = {}
        self._codes: dict[int, Code] = {}

    def add(self, pid: int, mappings: Iterable[Mapping]) -> None:
        """Tell of what process `pid` has mapped."""
        for mapping in mappings:
            image = (
                self._images.open_mapping(pid, mapping) if mapping.is_executable and mapping.path else None
            )
            python = self._find(image) if image is not None else None
            bias = find_bias(mapping, image) if python is not None and image is not None else None
            if python is not None and bias is not None:
                try:
                    self._processes.update(_PID.pack(pid), python.encode_at(bias))
                except KernelError:
                    return  # full: its stacks are without functions of Python
                self._pids.add(pid)

    def _find(self, image: Image) -> Python | None:
        if image not in self._found:
            try:
                self._found[image] = find_python(image.elf)
            except FormatError:
                self._found[image] = None  # so that its stacks are native
        return self._found[image]

    def forget(self, pid: int) -> None:
        """Process `pid` has ended, or runs another program: its code objects are no more."""
        if pid not in self._pids:
            return
        self._pids.discard(pid)
        self._processes.delete(_PID.pack(pid))
        for key in [key for key, _ in self._known.items() if CODE_KEY.unpack(key)[1] == pid]:
            self._known.delete(key)

    def code(self, place: int) -> Code:
        """What was copied to `place` of the text."""
        code = self._codes.get(place)
        if code is None:
            code = self._codes[place] = parse_code(self._text[TEXT_FIRST + place :])
        return code

    def merge(self, found: Sequence[tuple[Frame, ...]], words: Sequence[int]) -> list[tuple[Frame, ...]]:
        """A native stack in which the functions of Python that `words` say, of the same moment, stand where
        the interpreter's loop ran them."""
        calls = [at for at, frames in enumerate(found) if is_loop(frames[-1].name)]
        groups, is_whole = self._group(words)
        # A call of the loop that has just begun has no frame yet, so that the outermost must agree, as long
        # as they are there; where callers are missing on one side, the innermost.
        skip = len(calls) - len(groups) if is_whole and len(calls) > len(groups) else 0
        merged = list(found)
        for at, group in zip(calls[skip:], groups, strict=False):
            outer = found[at][-1]
            if group:
                merged[at] = tuple([_placed(frame, outer) for frame in group])
        return merged + [tuple(group) for group in groups[len(calls) - skip :] if group]

    def _group(self, words: Sequence[int]) -> tuple[list[list[Frame]], bool]:
        """The frames that each call of the loop runs; and whether the last of them is whole."""
        groups: list[list[Frame]] = []
        is_last = True
        for word in words:
            if is_last:
                groups.append([])
            frame = parse_frame(word)
            is_last = frame.is_last
            if frame.is_function:
                groups[-1].append(self._frame(frame.place, frame.instruction))
        return groups, is_last

    def _frame(self, place: int, instruction: int) -> Frame:
        if place < 0:
            return Frame(0, "<python>", python=True)
        code = self.code(place)
        return Frame(0, code.name, 0, "", code.file, code.line(instruction), False, True)


def is_loop(name: str) -> bool:
    """Whether `name` is that of the interpreter's loop, or of a part that the compiler made of it."""
    return name == LOOP or name.startswith(f"{LOOP}.")


def _placed(frame: Frame, outer: Frame) -> Frame:
    return Frame(outer.address, frame.name, 0, outer.module, frame.file, frame.line, False, True)


# Code objects


class Code:
    """A code object. `first_line`: where its source begins."""

    def __init__(self, name: str, file: str, first_line: int, table: bytes) -> None:
        self.name, self.file, self.first_line = name, file, first_line
        self._table = table
        self._rows: tuple[list[int], list[int]] | None = None

    def line(self, instruction: int) -> int:
        """The line of an instruction (counted in code units, -1: before the first); 0 when it has none."""
        if instruction < 0:
            return self.first_line
        if self._rows is None:
            rows = list(iter_lines(self._table, self.first_line))
            self._rows = [start for start, _ in rows], [line for _, line in rows]
        starts, lines = self._rows
        at = bisect_right(starts, instruction) - 1
        return lines[at] if at >= 0 else 0


def parse_code(data: bytes | memoryview) -> Code:
    """The code object that a program copied to the start of `data`. What could not be read of it is empty."""
    first, name_size, name_kind, file_size, file_kind, table_size = HEAD.unpack_from(data)
    at = HEAD.size
    parts = []
    for size in (name_size, file_size, table_size):
        parts.append(bytes(data[at : at + size]))
        at += size + 7 & ~7
    name, file = _text(parts[0], name_kind), _text(parts[1], file_kind)
    return Code(name or "<python>", file, first, parts[2])


_ENCODINGS = {1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}
"""By the bytes of a character."""


def _text(data: bytes, kind: int) -> str:
    """Characters as a str object has them. A process may have been caught with half of them."""
    text = data.decode(_ENCODINGS.get(kind, "latin-1"), "surrogatepass" if kind == 2 else "replace")
    return text if text.strip("\0") else ""


_SHORT_LAST, _LINE_LAST, _NO_COLUMNS, _LONG = 9, 12, 13, 14
_ONE_LINE = 10


def iter_lines(table: bytes, first: int) -> Iterator[tuple[int, int]]:
    """(code unit, line) of each place where another entry of a table of lines begins; line 0: there is none.

    Where the table breaks off, the rest has no line.
    """
    line, unit, at = first, 0, 0
    while at < len(table) and table[at] & 0x80:
        kind, length = table[at] >> 3 & 15, (table[at] & 7) + 1
        at += 1
        known = True
        if kind <= _SHORT_LAST:
            at += 1
        elif kind <= _LINE_LAST:
            line += kind - _ONE_LINE
            at += 2
        elif kind <= _LONG:
            value, at = _varint(table, at)
            line += -(value >> 1) if value & 1 else value >> 1
            for _ in range(3 if kind == _LONG else 0):
                _, at = _varint(table, at)
        else:
            known = False
        if at > len(table):
            break
        yield unit, line if known else 0
        unit += length
    yield unit, 0


def _varint(table: bytes, at: int) -> tuple[int, int]:
    """A number in pieces of 6 bits, the lowest first, and where it ends: past the table when that breaks
    off."""
    value = shift = 0
    while at < len(table):
        value |= (table[at] & 0x3F) << shift
        shift += 6
        at += 1
        if not table[at - 1] & 0x40:
            return value, at
    return value, at + 1
