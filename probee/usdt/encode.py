"""The reverse of reading: a shared object that holds one probe, for programs that aren't compiled.

The probe is a function that does nothing: its first instruction is the place where tracers set their
breakpoint, its arguments are where the CPU's calling convention has them, and all that a tracer asks of a
compiled probe is there: the note, its base, the semaphore in memory that is written to. The function is
called NAME and the semaphore PROVIDER_NAME_semaphore, as <sys/sdt.h> has it; both are dynamic symbols.
"""

from __future__ import annotations

import re
import struct

from ..base.bits import align_up
from ..base.errors import FeatureError, UsageError
from ..base.record import record
from ..elf.consts import DT, EM, ET, NT, PF, PT, SHF, SHT, STB, STT, name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOST_ARGUMENTS = 12
"""As many as <sys/sdt.h> has macros for, and tracers read."""

_NAME = re.compile(r"[A-Za-z_][\w.-]{0,99}", re.ASCII)
_EHDR, _PHDR, _SHDR, _SYM = "<16sHHIQQQIHHHHHH", "<IIQQQQQQ", "<IIQQQQIIQQ", "<IBBHQQ"
_EHDR_SIZE, _PHDR_SIZE, _SHDR_SIZE, _SYM_SIZE = 64, 56, 64, 24


@record
class _Cpu:
    """How a CPU does nothing and returns, and where a function just entered has argument `n` (from 0)."""

    code: bytes
    operand: Callable[[int], str]


def _x86_64_operand(n: int) -> str:
    registers = ("%rdi", "%rsi", "%rdx", "%rcx", "%r8", "%r9")
    # The return address is on top of the stack.
    return registers[n] if n < len(registers) else f"{8 * (n - len(registers)) + 8}(%rsp)"


def _aarch64_operand(n: int) -> str:
    return f"x{n}" if n < 8 else f"[sp, {8 * (n - 8)}]"


# Both: nop, ret.
_CPUS = {
    EM.X86_64: _Cpu(b"\x90\xc3", _x86_64_operand),
    EM.AARCH64: _Cpu(b"\x1f\x20\x03\xd5\xc0\x03\x5f\xd6", _aarch64_operand),
}


@record
class _Section:
    """One section to be written; address and offset in the file are the same number."""

    name: str
    type: int
    flags: int
    offset: int
    data: bytes
    link: int = 0
    info: int = 0
    align: int = 8
    entsize: int = 0


def semaphore_name(provider: str, name: str) -> str:
    """The symbol of a probe's semaphore."""
    return f"{provider}_{name}_semaphore"


def encode_library(
    provider: str, name: str, signs: Sequence[bool], machine: int, *, page_size: int = 4096
) -> bytes:
    """A shared object with the probe `provider`:`name`, for CPU `machine` (`elf.consts.EM`).

    Its arguments are 64 bits each; `signs` tells which are signed. Raises UsageError for names that tracers
    can't spell and for too many arguments, FeatureError for other CPUs.
    """
    _check(provider, name, len(signs))
    cpu = _CPUS.get(EM(machine)) if machine in list(EM) else None
    if cpu is None:
        raise FeatureError(f"probee can't make probes for CPU {name_of(EM, machine)}")
    arguments = " ".join([f"{'-8' if s else '8'}@{cpu.operand(i)}" for i, s in enumerate(signs)])
    return _write(_lay_out(provider, name, arguments, cpu.code, page_size), machine)


def _check(provider: str, name: str, count: int) -> None:
    for what, text in (("provider", provider), ("probe", name)):
        if not _NAME.fullmatch(text):
            raise UsageError(f"{what} name {text!r}: expected letters, digits, '_', '-' and '.'")
    if count > MOST_ARGUMENTS:
        raise UsageError(f"probe {provider}:{name}: expected at most {MOST_ARGUMENTS} arguments, got {count}")


_SEGMENTS = 4
_HASH, _DYNSYM, _DYNSTR, _BASE, _TEXT, _DYNAMIC, _PROBES = range(1, 8)


def _lay_out(provider: str, name: str, arguments: str, code: bytes, page_size: int) -> list[_Section]:
    """The sections, from number 1 on: what is executed in the first page, what is written to after it."""
    symbols = (name, semaphore_name(provider, name))
    strings = "\0".join(("", *symbols, "")).encode()
    # One bucket, whose chain goes through both symbols.
    hashes = struct.pack("<2I1I3I", 1, 3, 1, 0, 2, 0)
    at = _EHDR_SIZE + _SEGMENTS * _PHDR_SIZE
    hash_at = at
    symbols_at = align_up(hash_at + len(hashes), 8)
    strings_at = symbols_at + 3 * _SYM_SIZE
    base_at = strings_at + len(strings)
    code_at = align_up(base_at + 1, 16)
    dynamic_at = align_up(code_at + len(code), page_size)
    dynamic = b"".join(
        struct.pack("<QQ", *entry)
        for entry in (
            (DT.HASH, hash_at),
            (DT.STRTAB, strings_at),
            (DT.SYMTAB, symbols_at),
            (DT.STRSZ, len(strings)),
            (DT.SYMENT, _SYM_SIZE),
            (DT.NULL, 0),
        )
    )
    semaphore_at = dynamic_at + len(dynamic)
    rows = bytes(_SYM_SIZE) + _encode_symbol(1, STT.FUNC, _TEXT, code_at, len(code))
    rows += _encode_symbol(2 + len(name), STT.OBJECT, _PROBES, semaphore_at, 2)
    note = _encode_note((code_at, base_at, semaphore_at), (provider, name, arguments))
    read, write = SHF.ALLOC, SHF.ALLOC | SHF.WRITE
    return [
        _Section(".hash", SHT.HASH, read, hash_at, hashes, link=_DYNSYM, entsize=4),
        _Section(".dynsym", SHT.DYNSYM, read, symbols_at, rows, _DYNSTR, info=1, entsize=_SYM_SIZE),
        _Section(".dynstr", SHT.STRTAB, read, strings_at, strings, align=1),
        _Section(".stapsdt.base", SHT.PROGBITS, read, base_at, b"\0", align=1),
        _Section(".text", SHT.PROGBITS, SHF.ALLOC | SHF.EXECINSTR, code_at, code, align=16),
        _Section(".dynamic", SHT.DYNAMIC, write, dynamic_at, dynamic, _DYNSTR, entsize=16),
        _Section(".probes", SHT.PROGBITS, write, semaphore_at, bytes(2), align=2),
        _Section(".note.stapsdt", SHT.NOTE, 0, semaphore_at + 4, note, align=4),
    ]


def _encode_symbol(name: int, kind: int, section: int, value: int, size: int) -> bytes:
    return struct.pack(_SYM, name, STB.GLOBAL << 4 | kind, 0, section, value, size)


def _encode_note(addresses: tuple[int, int, int], strings: tuple[str, str, str]) -> bytes:
    owner = b"stapsdt\0"
    desc = struct.pack("<QQQ", *addresses) + "\0".join((*strings, "")).encode()
    return struct.pack("<III", len(owner), len(desc), NT.STAPSDT) + owner + desc + bytes(-len(desc) % 4)


def _write(sections: list[_Section], machine: int) -> bytes:
    names = "\0".join(["", *[s.name for s in sections], ".shstrtab", ""]).encode()
    end = sections[-1].offset + len(sections[-1].data)
    sections = [*sections, _Section(".shstrtab", SHT.STRTAB, 0, end, names, align=1)]
    headers_at = align_up(end + len(names), 8)
    data = bytearray(headers_at)
    ident = b"\x7fELF\2\1\1".ljust(16, b"\0")
    counts = (_EHDR_SIZE, _PHDR_SIZE, _SEGMENTS, _SHDR_SIZE, len(sections) + 1, len(sections))
    header = struct.pack(_EHDR, ident, ET.DYN, machine, 1, 0, _EHDR_SIZE, headers_at, 0, *counts)
    data[: _EHDR_SIZE + _SEGMENTS * _PHDR_SIZE] = header + _encode_segments(sections)
    data += bytes(_SHDR_SIZE)
    for s in sections:
        data[s.offset : s.offset + len(s.data)] = s.data
        address = s.offset if s.flags & SHF.ALLOC else 0
        row = (s.type, s.flags, address, s.offset, len(s.data), s.link, s.info, s.align, s.entsize)
        data += struct.pack(_SHDR, names.index(s.name.encode() + b"\0"), *row)
    return bytes(data)


def _encode_segments(sections: list[_Section]) -> bytes:
    text, dynamic, probes = [sections[number - 1] for number in (_TEXT, _DYNAMIC, _PROBES)]
    code_end = text.offset + len(text.data)
    data_size = probes.offset + len(probes.data) - dynamic.offset
    rows = (
        (PT.LOAD, PF.R | PF.X, 0, code_end, dynamic.offset),
        (PT.LOAD, PF.R | PF.W, dynamic.offset, data_size, dynamic.offset),
        (PT.DYNAMIC, PF.R | PF.W, dynamic.offset, len(dynamic.data), 8),
        # Without it, the loader makes all stacks executable.
        (PT.GNU_STACK, PF.R | PF.W, 0, 0, 16),
    )
    return b"".join(
        struct.pack(_PHDR, kind, flags, at, at, at, size, size, align)
        for kind, flags, at, size, align in rows
    )
