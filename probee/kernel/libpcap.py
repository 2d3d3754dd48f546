"""libpcap's compiler of filter expressions, where that library is installed."""

from __future__ import annotations

import ctypes
import ctypes.util

from ..base.errors import FeatureError, UsageError

SNAPSHOT = 262144
"""What a filter returns to keep a packet: as tcpdump has it."""

_NETMASK_UNKNOWN = 0xFFFFFFFF


class _Program(ctypes.Structure):
    """struct bpf_program"""

    _fields_ = (("length", ctypes.c_uint), ("insns", ctypes.c_void_p))


def compile_filter(expression: str, *, link: str = "EN10MB", optimise: bool = True) -> bytes:
    """An array of struct sock_filter for an expression as in pcap-filter(7).

    `link` is the name of the link layer's header. Raises FeatureError without libpcap, UsageError
    with libpcap's own words for an expression it doesn't take.
    """
    name = ctypes.util.find_library("pcap")
    if name is None:
        raise FeatureError("compiling filter expressions needs libpcap", hint="apt install libpcap0.8")
    library = ctypes.CDLL(name)
    library.pcap_open_dead.restype = ctypes.c_void_p
    library.pcap_geterr.restype = ctypes.c_char_p
    number = library.pcap_datalink_name_to_val(link.encode())
    if number < 0:
        raise UsageError(f"libpcap knows no link layer {link!r}", hint="EN10MB is Ethernet, RAW is IP itself")
    handle = ctypes.c_void_p(library.pcap_open_dead(number, SNAPSHOT))
    program = _Program()
    text = expression.encode()
    try:
        if library.pcap_compile(handle, ctypes.byref(program), text, int(optimise), _NETMASK_UNKNOWN):
            raise UsageError(f"{expression}: {library.pcap_geterr(handle).decode()}")
        code = ctypes.string_at(program.insns, 8 * program.length)
        library.pcap_freecode(ctypes.byref(program))
        return code
    finally:
        library.pcap_close(handle)
