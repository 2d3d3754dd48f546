"""The format language of bpf_trace_printk, bpf_snprintf and their kin (kernel's `bpf_bprintf_prepare`)."""

from __future__ import annotations

import errno
import re

from ..base.bits import signed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SPEC = re.compile(rb"%(?P<flags>[-+ 0#]*)(?P<width>\d*)(?P<size>hh|h|ll|l|)(?P<kind>[diuxXcsp%])|%")


def render_format(
    template: bytes, values: Sequence[int], find_text: Callable[[int], bytes | None]
) -> bytes | int:
    """The text of `template` with `values`; a negative errno for what the kernel refuses.

    `find_text` gives the string at an address, for %s.
    """
    out: list[bytes] = []
    at = used = 0
    for spec in _SPEC.finditer(template):
        out.append(template[at : spec.start()])
        at = spec.end()
        kind = spec["kind"]
        if kind is None:
            return -errno.EINVAL
        if kind == b"%":
            out.append(b"%")
            continue
        if used == len(values):
            return -errno.EINVAL
        text = _render_value(spec, values[used], find_text)
        used += 1
        if text is None:
            return -errno.EFAULT
        out.append(text)
    out.append(template[at:])
    return b"".join(out)


def _render_value(
    spec: re.Match[bytes], value: int, find_text: Callable[[int], bytes | None]
) -> bytes | None:
    kind, flags, width = spec["kind"], spec["flags"].decode(), spec["width"].decode()
    if kind == b"s":
        found = find_text(value)
        return None if found is None else (f"%{flags}{width}s" % found.decode("latin-1")).encode("latin-1")
    if kind == b"c":
        return bytes([value & 0xFF]).rjust(int(width or 0))
    if kind == b"p":
        return b"%016x" % value
    bits = {b"hh": 8, b"h": 16, b"": 32, b"l": 64, b"ll": 64}[spec["size"]]
    number = signed(value, bits) if kind in b"di" else value & (1 << bits) - 1
    letter = "d" if kind == b"u" else kind.decode()
    return (f"%{flags}{width}{letter}" % number).encode()
