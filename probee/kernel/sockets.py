"""Filters on sockets: SO_ATTACH_FILTER and its kin (socket(7)).

A classic filter is an array of struct sock_filter, as `probee.isa.cbpf.insn.encode_filter` makes
it; the kernel checks it and keeps a copy. An extended one is the descriptor of a loaded program. Both
need no privilege beyond owning the socket (and, for an extended one, what it took to load it).
"""

from __future__ import annotations

import struct
from enum import IntEnum

from ..base.errors import KernelError, UsageError
from .syscall import address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Socket(Protocol):
        def setsockopt(self, level: int, option: int, value: int | bytes, /) -> None: ...


class SocketOption(IntEnum):
    """Options of level SOL_SOCKET (include/uapi/asm-generic/socket.h)."""

    ATTACH_FILTER = 26
    DETACH_FILTER = 27
    LOCK_FILTER = 44
    ATTACH_BPF = 50
    ATTACH_REUSEPORT_CBPF = 51
    ATTACH_REUSEPORT_EBPF = 52


SOL_SOCKET = 1
_SOCK_FPROG = struct.Struct("@HP")
_SOCK_FILTER = 8


def attach_filter(socket: Socket, code: bytes, *, reuseport: bool = False) -> None:
    """Let a socket receive what a classic filter keeps; `reuseport`: let it choose the group's socket.

    Raises UsageError for no whole number of instructions, KernelError for what the kernel refuses.
    """
    if not code or len(code) % _SOCK_FILTER:
        raise UsageError(f"expected a filter of 8 bytes an instruction, got {len(code)} bytes")
    kept = bytearray(code)
    program = _SOCK_FPROG.pack(len(code) // _SOCK_FILTER, address(kept))
    option = SocketOption.ATTACH_REUSEPORT_CBPF if reuseport else SocketOption.ATTACH_FILTER
    _set(socket, option, program, "attach a classic filter to a socket")


def attach_program(socket: Socket, fd: int, *, reuseport: bool = False) -> None:
    """Let a loaded SOCKET_FILTER program filter a socket. Raises KernelError."""
    option = SocketOption.ATTACH_REUSEPORT_EBPF if reuseport else SocketOption.ATTACH_BPF
    _set(socket, option, fd, "attach a program to a socket")


def detach_filter(socket: Socket) -> None:
    """Take the filter away, classic or extended. Raises KernelError when there is none."""
    _set(socket, SocketOption.DETACH_FILTER, 0, "detach a socket's filter")


def _set(socket: Socket, option: SocketOption, value: int | bytes, what: str) -> None:
    try:
        socket.setsockopt(SOL_SOCKET, option, value)
    except OSError as error:
        raise KernelError(what, error.errno or 0) from None
