"""Addresses as text: of the Internet, and of Ethernet."""

from __future__ import annotations

from socket import AF_INET, AF_INET6, inet_ntop

from ..spec.values import Inet, MacAddress
from .decode import BYTE_ORDER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..ctype.types import CType

_LENGTHS = {int(AF_INET): 4, int(AF_INET6): 16}


def render_inet(data: bytes) -> bytes:
    """`127.0.0.1` or `::1`; of another family `(family 5)`."""
    family = int.from_bytes(data[:4], BYTE_ORDER)
    length = _LENGTHS.get(family)
    if length is None:
        return b"(family %d)" % family
    return inet_ntop(family, data[4 : 4 + length]).encode()


def render_mac(data: bytes) -> bytes:
    """`18:C0:4D:08:2E:BB`"""
    return data.hex(":").upper().encode()


TEXTS: dict[type[CType], Callable[[bytes], bytes]] = {Inet: render_inet, MacAddress: render_mac}
"""By the class of the type."""
