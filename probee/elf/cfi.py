"""All of `.eh_frame` as rows of rules by which a stack is unwound: DWARF 5, section 6.4; Linux Standard Base,
"Exception Frames".

What compilers do is said by a few kinds of rules (`unwind` tells which); of registers only the frame pointer
and the return address are followed. Where a table says something else, the row says that it is not known.
"""

from __future__ import annotations

import struct
from array import array

from ..base.errors import FormatError
from ..base.reader import Reader
from ..base.record import record
from .consts import EM
from .unwind import WORD, Kind, encode_rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .file import Elf

_MOST_ENTRIES = 4_000_000
_PCREL_SDATA4 = 0x1B
"""DW_EH_PE: how nearly all pointers are written."""

_SAME = 0
_UNKNOWN = int(Kind.NONE)
_UNDEFINED = -1
_LOST = -2
"""Where a register is, beside words below the CFA: nowhere, or where no rule of ours can say."""

_AT_POINTER = -3
"""Where the frame pointer itself points: so save it functions that align their frames."""

_BREG0, _DEREF = 0x70, 0x06
_PLT_HEAD, _PLT_TAIL = b"\x77\x08\x80\x00\x3f\x1a", b"\x2a\x33\x24\x22"
"""DW_OP_breg7(8) breg16(0) lit15 and, a literal, ge lit3 shl plus: what linkers write of a PLT."""


@record
class _Numbers:
    """DWARF's numbers of the registers that are followed; `signal` are offsets, from the stack pointer, of
    stack pointer, frame pointer and program counter in the kernel's signal frame (None: rules say it)."""

    sp: int
    fp: int
    ra: int
    signal: tuple[int, int, int] | None = None


_MACHINES = {EM.X86_64: _Numbers(7, 6, 16, (160, 120, 168)), EM.AARCH64: _Numbers(31, 29, 30)}


@record
class _Common:
    """A common information entry."""

    encoding: int
    code_factor: int
    data_factor: int
    operations: bytes
    is_augmented: bool
    is_signal: bool


class Table:
    """Rows of one file: from address `starts[i]` on `rules[i]` holds. `low` and `high` are where code is."""

    def __init__(self, starts: array[int], rules: array[int]) -> None:
        self.starts, self.rules = starts, rules

    def __len__(self) -> int:
        return len(self.starts)


def parse_unwind_table(elf: Elf) -> Table:
    """The rows of `elf`, none where it has no frame tables. Raises FormatError."""
    numbers = _MACHINES.get(elf.machine)  # type: ignore[call-overload]
    section = elf.find_section(".eh_frame")
    if numbers is None or section is None or elf.bits != 64 or not elf.little:
        return Table(array("Q"), array("I"))
    return _Parser(elf, elf.contents(section), section.addr, numbers).run()


class _Parser:
    def __init__(self, elf: Elf, data: bytes, address: int, numbers: _Numbers) -> None:
        self._elf, self._data, self._address, self._numbers = elf, data, address, numbers
        self._commons: dict[int, _Common] = {}
        self._programs: dict[tuple[int, bytes], tuple[tuple[int, int], ...]] = {}

    def run(self) -> Table:
        pieces = []
        data, at, count = self._data, 0, 0
        unpack = struct.Struct("<II").unpack_from
        while at + 8 <= len(data) and count < _MOST_ENTRIES:
            length, distance = unpack(data, at)
            if length == 0:
                break
            if length == 0xFFFFFFFF or length < 4 or at + 4 + length > len(data):
                raise self._error(f"expected an entry of at least 4 bytes, got {length:#x}", at)
            if distance:
                pieces.append(self._entry(at, at + 4 + length, at + 4 - distance))
            at += 4 + length
            count += 1
        return _join(sorted(pieces))

    def _error(self, message: str, at: int) -> FormatError:
        return self._elf.error(message, section=".eh_frame", at=at)

    def _entry(self, at: int, end: int, common_at: int) -> tuple[int, int, tuple[tuple[int, int], ...]]:
        """First address, end, and (distance from the first, rule) of each row of an entry."""
        common = self._commons.get(common_at)
        if common is None:
            common = self._commons[common_at] = self._common(common_at)
        data = self._data
        if common.encoding == _PCREL_SDATA4 and at + 16 <= end:
            start, size = struct.unpack_from("<iI", data, at + 8)
            start += self._address + at + 8
            body = at + 16
        else:
            start, size, body = self._pointers(common.encoding, at + 8, end)
        if common.is_augmented:
            skip = data[body] if body < end else 0x80
            if skip >= 0x80:
                raise self._error("expected an augmentation of less than 128 bytes", at)
            body += 1 + skip
        key = common_at, data[body:end]
        rows = self._programs.get(key)
        if rows is None:
            rows = self._programs[key] = _Run(self._elf, common, self._numbers).run(key[1])
        return start, start + size, rows

    def _pointers(self, encoding: int, at: int, end: int) -> tuple[int, int, int]:
        layouts = {0x00: "Q", 0x03: "I", 0x04: "Q", 0x0B: "i", 0x0C: "q"}
        layout = layouts.get(encoding & 0x0F)
        if layout is None or encoding & 0x70 not in (0, 0x10):
            raise self._error(f"expected a pointer encoding, got {encoding:02x}", at)
        pair = struct.Struct("<" + layout * 2)
        if at + pair.size > end:
            raise self._error("expected two pointers", at)
        start, size = pair.unpack_from(self._data, at)
        if encoding & 0x70:
            start += self._address + at
        return start & (1 << 64) - 1, size, at + pair.size

    def _common(self, at: int) -> _Common:
        if at < 0 or at + 8 > len(self._data):
            raise self._error(f"expected a common entry at {at:#x}", 0)
        length, distance = struct.unpack_from("<II", self._data, at)
        if distance or at + 4 + length > len(self._data):
            raise self._error("expected a common entry, got a frame description one", at)
        data = self._data[at + 8 : at + 4 + length]
        reader = Reader(data, path=self._elf.path, section=".eh_frame", little=True)
        version, augmentation = reader.read_u8(), reader.read_string()
        code_factor, data_factor = reader.read_uleb(), reader.read_sleb()
        _ = reader.read_u8() if version == 1 else reader.read_uleb()
        encoding, is_signal = 0, False
        if augmentation[:1] == b"z":
            size = reader.read_uleb()
            extra = Reader(reader.read_bytes(size), path=self._elf.path, section=".eh_frame", little=True)
            for letter in augmentation[1:].decode("latin-1"):
                if letter == "R":
                    encoding = extra.read_u8()
                elif letter == "L":
                    extra.read_u8()
                elif letter == "P":
                    width = {0x00: 8, 0x03: 4, 0x04: 8, 0x0B: 4, 0x0C: 8}.get(extra.read_u8() & 0x0F, 0)
                    extra.read_bytes(width)
                elif letter == "S":
                    is_signal = True
                elif letter not in "BG":
                    raise self._error(f"expected an augmentation of RPLSBG, got {letter}", at)
        rest = reader.read_bytes(reader.left)
        return _Common(encoding, code_factor, data_factor, rest, augmentation[:1] == b"z", is_signal)


def _join(pieces: list[tuple[int, int, tuple[tuple[int, int], ...]]]) -> Table:
    """One table of all entries; between them nothing is known."""
    starts, rules = array("Q"), array("I")
    end, last = -1, -1
    for start, stop, rows in pieces:
        if start < end or start <= 0 or stop >> 64:
            continue  # of code that the linker dropped, or told twice
        if start != end and end >= 0 and last != _UNKNOWN:
            starts.append(end)
            rules.append(_UNKNOWN)
            last = _UNKNOWN
        for distance, rule in rows:
            if rule != last and start + distance < stop:
                starts.append(start + distance)
                rules.append(rule)
                last = rule
        end = stop
    if end >= 0:
        starts.append(end)
        rules.append(_UNKNOWN)
    return Table(starts, rules)


class _Run:
    """The operations of one entry."""

    def __init__(self, elf: Elf, common: _Common, numbers: _Numbers) -> None:
        self._elf, self._common, self._n = elf, common, numbers
        self._cfa: tuple[int, int] | bytes = (numbers.sp, 0)
        self._saved: dict[int, int] = {}
        self._initial: dict[int, int] = {}
        self._kept: list[tuple[tuple[int, int] | bytes, dict[int, int]]] = []

    def run(self, operations: bytes) -> tuple[tuple[int, int], ...]:
        self._do(self._common.operations)
        self._initial = dict(self._saved)
        return tuple(self._do(operations))

    def _do(self, operations: bytes) -> list[tuple[int, int]]:
        reader = Reader(operations, path=self._elf.path, section=".eh_frame", little=True)
        at, rows = 0, []
        common = self._common
        while reader.left:
            code = reader.read_u8()
            high, low = code & 0xC0, code & 0x3F
            if high == 0x40 or 0x02 <= code <= 0x04:
                step = low if high else (reader.read_u8, reader.read_u16, reader.read_u32)[code - 2]()
                rows.append((at, self._rule()))
                at += step * common.code_factor
            elif high == 0x80:
                self._saved[low] = self._words(reader.read_uleb() * common.data_factor)
            elif high == 0xC0:
                self._restore(low)
            else:
                self._other(code, reader)
        rows.append((at, self._rule()))
        return rows

    def _words(self, offset: int) -> int:
        """Words below the CFA, of an offset in bytes from it."""
        return -offset // WORD if offset < 0 and not offset % WORD else _LOST

    def _restore(self, register: int) -> None:
        if register in self._initial:
            self._saved[register] = self._initial[register]
        else:
            self._saved.pop(register, None)

    def _other(self, code: int, reader: Reader) -> None:
        factor = self._common.data_factor
        if code == 0x00 or code == 0x2D:  # nop, AARCH64_negate_ra_state: the walk strips signatures anyway
            return
        if code == 0x0A:
            self._kept.append((self._cfa, dict(self._saved)))
        elif code == 0x0B:
            if not self._kept:
                raise reader.error("expected a state that was remembered")
            self._cfa, self._saved = self._kept.pop()
        elif code == 0x0C:
            self._cfa = (reader.read_uleb(), reader.read_uleb())
        elif code == 0x12:
            self._cfa = (reader.read_uleb(), reader.read_sleb() * factor)
        elif code == 0x0D:
            self._cfa = (reader.read_uleb(), self._cfa_offset())
        elif code == 0x0E:
            self._cfa = (self._cfa_register(), reader.read_uleb())
        elif code == 0x13:
            self._cfa = (self._cfa_register(), reader.read_sleb() * factor)
        elif code == 0x0F:
            self._cfa = bytes(reader.read_bytes(reader.read_uleb()))
        elif code == 0x05:
            register = reader.read_uleb()
            self._saved[register] = self._words(reader.read_uleb() * factor)
        elif code == 0x11:
            register = reader.read_uleb()
            self._saved[register] = self._words(reader.read_sleb() * factor)
        elif code == 0x06:
            self._restore(reader.read_uleb())
        elif code == 0x07:
            self._saved[reader.read_uleb()] = _UNDEFINED
        elif code == 0x08:
            self._saved.pop(reader.read_uleb(), None)
        elif code in (0x09, 0x14):
            register, _ = reader.read_uleb(), reader.read_uleb()
            self._saved[register] = _LOST
        elif code == 0x15:
            register, _ = reader.read_uleb(), reader.read_sleb()
            self._saved[register] = _LOST
        elif code in (0x10, 0x16):
            register = reader.read_uleb()
            operations = bytes(reader.read_bytes(reader.read_uleb()))
            self._saved[register] = _LOST if code == 0x16 else self._saved_by(operations)
        elif code == 0x2E:
            reader.read_uleb()  # GNU_args_size: what a function has pushed for those that it calls
        else:
            raise reader.error(f"expected an operation of a frame table, got {code:#04x}")

    def _cfa_register(self) -> int:
        return -1 if isinstance(self._cfa, bytes) else self._cfa[0]

    def _cfa_offset(self) -> int:
        return 0 if isinstance(self._cfa, bytes) else self._cfa[1]

    def _saved_by(self, operations: bytes) -> int:
        """Where an expression says that a register was saved."""
        return _AT_POINTER if operations == bytes((_BREG0 + self._n.fp, 0)) else _LOST

    def _rule(self) -> int:
        n, saved = self._n, self._saved
        frame, back = saved.get(n.fp, _SAME), saved.get(n.ra, _SAME)
        if self._common.is_signal and n.signal is not None:
            return self._signal_rule()
        if back == _UNDEFINED:
            return encode_rule(Kind.END)
        if frame == _UNDEFINED:
            frame = _SAME
        if back < 0:
            return _UNKNOWN
        if isinstance(self._cfa, bytes):
            return self._expression_rule(self._cfa, frame, back)
        if frame < 0:
            return _UNKNOWN
        register, offset = self._cfa
        if offset % WORD or register not in (n.sp, n.fp):
            return _UNKNOWN
        return encode_rule(Kind.SP if register == n.sp else Kind.FP, offset // WORD, frame, back)

    def _expression_rule(self, text: bytes, frame: int, back: int) -> int:
        if frame >= 0 and text[:6] == _PLT_HEAD and text[7:] == _PLT_TAIL and 0x30 <= text[6] < 0x40:
            return encode_rule(Kind.PLT, text[6] - 0x30, frame, back)
        if (
            frame == _AT_POINTER
            and text[:1] == bytes((_BREG0 + self._n.fp,))
            and text[-1:] == bytes((_DEREF,))
        ):
            reader = Reader(text[1:-1], path=self._elf.path, section=".eh_frame", little=True)
            offset = reader.read_sleb()
            if not reader.left and not offset % WORD:
                return encode_rule(Kind.FP_VALUE, offset // WORD, 0, back)
        return _UNKNOWN

    def _signal_rule(self) -> int:
        """`DW_OP_breg7(160) deref` and its like: the same in all, since the kernel's frame is its
        interface."""
        signal = self._n.signal
        assert signal is not None
        wanted = bytes((_BREG0 + self._n.sp,)) + _sleb(signal[0]) + bytes((_DEREF,))
        return encode_rule(Kind.SIGNAL) if self._cfa == wanted else _UNKNOWN


def _sleb(value: int) -> bytes:
    out = bytearray()
    while True:
        byte = value & 0x7F
        value >>= 7
        if value in (0, -1) and (byte & 0x40 != 0) == (value < 0):
            out.append(byte)
            return bytes(out)
        out.append(byte | 0x80)
