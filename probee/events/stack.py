"""Stacks and symbols of records, taken apart."""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..spec.values import Stack

_HEAD = struct.Struct("=HHI")
_BUILD_ID = struct.Struct("=i20sQ")
_USYM = struct.Struct("=QII")
_ADDRESS = 8

NOWHERE = (1 << 64) - 1
"""Stands after the last frame of a stack whose other callers could not be found."""


class Taken(tuple):  # type: ignore[type-arg]
    """A stack: its frames, which are addresses, in mode "build_id" (status, build id, offset); then the id
    of its process (0: the kernel's), the number of the program that took it, and whether callers are
    missing, which could not be found; last, where they were asked for, the words of `spec.python`. Stacks
    are in order of frames."""

    __slots__ = ()

    @property
    def frames(self) -> tuple[Any, ...]:
        frames: tuple[Any, ...] = self[0]
        return frames

    @property
    def pid(self) -> int:
        pid: int = self[1]
        return pid

    @property
    def program(self) -> int:
        program: int = self[2]
        return program

    @property
    def is_cut(self) -> bool:
        is_cut: bool = self[3]
        return is_cut

    @property
    def python(self) -> tuple[int, ...]:
        return self[4] if len(self) > 4 else ()


def compile_stack(type: Stack) -> Callable[[bytes], Taken]:
    """A function from the bytes of a stack of `type` to the stack."""
    most, head = type.limit, _HEAD.unpack_from
    if type.mode == "build_id":

        def take_ids(data: bytes) -> Taken:
            count, program, pid = head(data)
            body = data[_HEAD.size : _HEAD.size + min(count, most) * _BUILD_ID.size]
            return Taken((tuple(_BUILD_ID.iter_unpack(body)), pid, program, False))

        return take_ids

    def take(data: bytes) -> Taken:
        count, program, pid = head(data)
        body = data[_HEAD.size : _HEAD.size + min(count, most) * _ADDRESS]
        frames = tuple(memoryview(body).cast("Q"))
        if frames and frames[-1] == NOWHERE:
            return Taken((frames[:-1], pid, program, True))
        return Taken((frames, pid, program, False))

    def take_python(data: bytes) -> Taken:
        words = memoryview(data)[_HEAD.size + most * _ADDRESS :][: most * _ADDRESS].cast("Q").tolist()
        count = words.index(0) if 0 in words else most
        return Taken((*take(data), tuple(words[:count])))

    return take_python if type.python else take


def split_usym(data: bytes) -> tuple[int, int, int]:
    """Address, id of the process, number of the program."""
    address, pid, program = _USYM.unpack(data)
    return address, pid, program
