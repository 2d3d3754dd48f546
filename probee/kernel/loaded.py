"""Programs that are loaded now: found by id, name or pin, with their instructions and source lines.

What the kernel gives (BPF_OBJ_GET_INFO_BY_FD) is the program after the verifier's rewriting, so it
holds instructions of the kernel's own; maps are named by their ids, helpers by the distance of
their address from `__bpf_call_base`. Needs CAP_SYS_ADMIN, a pin only read access.
"""

from __future__ import annotations

import errno
import os
import struct

from ..base.errors import FormatError, TargetError
from ..base.record import record
from .abi import Cmd
from .fd import Fd
from .syscall import address, bpf, check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_INFO_SIZE = 232
_BTF_INFO = struct.Struct("=QIIQII")
_INFO_BY_FD = struct.Struct("=IIQ")
_OBJ_GET = struct.Struct("=QII")
_LINE = struct.Struct("=IIII")
_NAME = slice(64, 80)


@record
class Line:
    """From instruction slot `slot` on, the code is for `text`, line `number` of `file`."""

    slot: int
    file: str
    number: int
    text: str


@record
class Loaded:
    """A loaded program: its numbers, its code (8 bytes a slot) and where the code comes from."""

    id: int
    type: int
    name: str
    tag: str
    code: bytes
    maps: tuple[int, ...]
    lines: tuple[Line, ...]


def open_by_id(number: int) -> Fd:
    """A descriptor of the program of that id. Raises TargetError, KernelError."""
    result = bpf(Cmd.PROG_GET_FD_BY_ID, bytearray(struct.pack("=III", number, 0, 0)))
    if result == -errno.ENOENT:
        raise TargetError(f"no program of id {number} is loaded")
    return Fd(check(f"open the program of id {number}", result))


def open_pin(path: str) -> Fd:
    """A descriptor of the program pinned at `path`. Raises KernelError."""
    name = bytearray(os.fsencode(path) + b"\0")
    return Fd(check(f"open {path}", bpf(Cmd.OBJ_GET, bytearray(_OBJ_GET.pack(address(name), 0, 0)))))


def iter_ids() -> Iterator[int]:
    """Ids of all loaded programs, in rising order. Raises KernelError."""
    number = 0
    while True:
        attr = bytearray(struct.pack("=III", number, 0, 0))
        result = bpf(Cmd.PROG_GET_NEXT_ID, attr)
        if result == -errno.ENOENT:
            return
        check("list the loaded programs", result)
        number = struct.unpack_from("=4xI", attr)[0]
        yield number


def open_by_name(name: str) -> Fd:
    """A descriptor of the only program of that name. Raises TargetError where none or several have it."""
    found: list[int] = []
    for number in iter_ids():
        with open_by_id(number) as fd:
            info = _read_info(fd.number, bytearray(_INFO_SIZE))
            if _text(info[_NAME]) == name[:15]:
                found.append(number)
    if len(found) == 1:
        return open_by_id(found[0])
    if not found:
        raise TargetError(f"no program called {name} is loaded")
    listed = ", ".join(map(str, found))
    raise TargetError(f"{len(found)} programs are called {name}", hint=f"choose one by its id: {listed}")


def read_program(fd: int) -> Loaded:
    """What the kernel tells of a program. Raises KernelError."""
    info = _read_info(fd, bytearray(_INFO_SIZE))
    kind, number, tag, _, size = struct.unpack_from("=II8sII", info)
    (count,) = struct.unpack_from("=I", info, 52)
    lines, record_size = struct.unpack_from("=I", info, 148)[0], struct.unpack_from("=I", info, 172)[0]
    (btf,) = struct.unpack_from("=I", info, 128)
    code, maps = bytearray(size), bytearray(4 * count)
    sources = bytearray(lines * record_size)
    asked = bytearray(_INFO_SIZE)
    struct.pack_into("=I", asked, 20, size)
    struct.pack_into("=Q", asked, 32, address(code))
    struct.pack_into("=I", asked, 52, count)
    struct.pack_into("=Q", asked, 56, address(maps))
    struct.pack_into("=I", asked, 148, lines)
    struct.pack_into("=Q", asked, 152, address(sources))
    struct.pack_into("=I", asked, 172, record_size)
    _read_info(fd, asked)
    found = _read_lines(btf, sources, record_size) if btf and lines else ()
    ids = struct.unpack(f"={count}I", maps)
    return Loaded(number, kind, _text(info[_NAME]), tag.hex(), bytes(code), ids, found)


def _read_info(fd: int, info: bytearray) -> bytearray:
    attr = bytearray(_INFO_BY_FD.pack(fd, len(info), address(info)))
    check("ask about a program", bpf(Cmd.OBJ_GET_INFO_BY_FD, attr))
    return info


def _text(data: bytes | bytearray) -> str:
    return bytes(data).partition(b"\0")[0].decode("utf-8", "replace")


def _read_lines(btf: int, records: bytearray, size: int) -> tuple[Line, ...]:
    """The source lines of line_info, whose texts are in the program's BTF."""
    strings = _read_strings(btf)
    lines = []
    for at in range(0, len(records), size):
        slot, file, text, place = _LINE.unpack_from(records, at)
        lines.append(Line(slot, _string(strings, file), place >> 10, _string(strings, text).strip()))
    return tuple(lines)


def _read_strings(btf: int) -> bytes:
    """The string section of a loaded BTF."""
    with Fd(
        check("open debug information", bpf(Cmd.BTF_GET_FD_BY_ID, bytearray(struct.pack("=III", btf, 0, 0))))
    ) as fd:
        info = _read_info(fd.number, bytearray(_BTF_INFO.size))
        data = bytearray(_BTF_INFO.unpack(info)[1])
        _read_info(fd.number, bytearray(_BTF_INFO.pack(address(data), len(data), 0, 0, 0, 0)))
    if len(data) < 24:
        raise FormatError(f"expected a header of 24 bytes, got {len(data)}", section="BTF")
    header, offset, size = struct.unpack_from("=4xI8xII", data)
    return bytes(data[header + offset : header + offset + size])


def _string(strings: bytes, at: int) -> str:
    return _text(strings[at : strings.find(b"\0", at) + 1])
