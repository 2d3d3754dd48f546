"""Filters that choose which socket of a group receives, classic and extended."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from probee.base.errors import KernelError, UsageError
from probee.isa.cbpf.insn import Op, Sock, encode_filter
from probee.isa.ebpf import encode, exit_, mov_imm
from probee.kernel.machine import Kernel
from probee.kernel.sockets import attach_filter, attach_program, detach_filter
from probee.spec.abi import ProgType
from probee.spec.bundle import Program

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.kernel


@pytest.fixture
def group() -> Iterator[list[socket.socket]]:
    """Two sockets that share a UDP port of the loopback address."""
    sockets: list[socket.socket] = []
    try:
        for number in range(2):
            one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sockets.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            one.settimeout(5)
            one.bind(("127.0.0.1", sockets[0].getsockname()[1] if number else 0))
        yield sockets
    finally:
        for one in sockets:
            one.close()


def send_all(group: list[socket.socket], texts: list[bytes]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for text in texts:
            sender.sendto(text, group[0].getsockname())


def test_a_classic_filter_chooses_by_content(group: list[socket.socket]) -> None:
    # What it returns is the number of the socket in the group; the packet begins at the payload.
    chosen = [Sock(Op.LD_B_ABS, 0, 0, 0), Sock(Op.AND_K, 0, 0, 1), Sock(Op.RET_A, 0, 0, 0)]
    attach_filter(group[0], encode_filter(chosen), reuseport=True)
    send_all(group, [bytes([n]) for n in range(23)])
    for number, one in enumerate(group):
        for expected in range(number, 23, 2):
            assert one.recv(16) == bytes([expected])


@pytest.mark.parametrize("number", [0, 1])
def test_a_program_chooses(group: list[socket.socket], number: int) -> None:
    program = Program("choose", ProgType.SOCKET_FILTER, encode([mov_imm(0, number), exit_()]))
    with Kernel() as kernel:
        loaded = kernel.load(program, {})
        attach_program(group[0], loaded.fd.number, reuseport=True)
        send_all(group, [bytes([n]) for n in range(23)])
        assert [group[number].recv(16)[0] for _ in range(23)] == list(range(23))
        group[1 - number].setblocking(False)
        with pytest.raises(BlockingIOError):
            group[1 - number].recv(16)


def test_wrong_filters(group: list[socket.socket]) -> None:
    with pytest.raises(UsageError, match="got 7 bytes"):
        attach_filter(group[0], bytes(7))
    with pytest.raises(KernelError, match="attach a classic filter to a socket: Invalid argument"):
        attach_filter(group[0], encode_filter([Sock(Op.LD_B_ABS, 0, 0, 0)]))
    with pytest.raises(KernelError, match="detach a socket's filter"):
        detach_filter(group[0])
