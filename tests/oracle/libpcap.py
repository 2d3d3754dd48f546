"""libpcap by ctypes: its compiler, its interpreter and its printer."""

from __future__ import annotations

import ctypes
import ctypes.util
from functools import cache

from probee.isa.cbpf.insn import Sock, decode_filter, encode_filter

EN10MB = 1


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint), ("insns", ctypes.c_void_p))


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(ctypes.util.find_library("pcap"))
    library.pcap_open_dead.restype = ctypes.c_void_p
    library.pcap_geterr.restype = ctypes.c_char_p
    library.bpf_image.restype = ctypes.c_char_p
    library.bpf_filter.restype = ctypes.c_uint
    return library


def compile_filter(expression: str, *, optimise: bool = True, link: int = EN10MB) -> list[Sock]:
    """What pcap_compile makes of a filter expression."""
    library = _library()
    handle = ctypes.c_void_p(library.pcap_open_dead(link, 262144))
    program = _Program()
    failed = library.pcap_compile(
        handle, ctypes.byref(program), expression.encode(), int(optimise), 0xFFFFFFFF
    )
    if failed:
        raise ValueError(library.pcap_geterr(handle).decode())
    insns = decode_filter(ctypes.string_at(program.insns, 8 * program.length))
    library.pcap_freecode(ctypes.byref(program))
    library.pcap_close(handle)
    return insns


def run_filter(insns: list[Sock], packet: bytes, length: int | None = None) -> int:
    """What libpcap's own interpreter returns; `packet` may be the captured part of `length` bytes."""
    wire = len(packet) if length is None else length
    verdict: int = _library().bpf_filter(encode_filter(insns), packet, wire, len(packet))
    return verdict


def render_sock(insn: Sock, index: int) -> str:
    """The line tcpdump -d prints."""
    library = _library()
    text: bytes = library.bpf_image(ctypes.c_char_p(encode_filter([insn])), index)
    return text.decode()
