"""What the running kernel was built with, where it tells: /proc/config.gz or /boot/config-RELEASE."""

from __future__ import annotations

import os
import re

from ..base.errors import FormatError

PATHS = ("/proc/config.gz", f"/boot/config-{os.uname().release}")
"""Where it may be written down, the surest first."""

_GZIP = 16 + 15  # window bits of zlib for a gzip member


def find_config(name: str) -> str | None:
    """ "y", "m", a value, or "n" for the option `name` ("CONFIG_KPROBES"); None where nobody tells."""
    text = _read()
    if text is None:
        return None
    found = re.search(rf"^{name}=(.*)$", text, re.M)
    return found.group(1) if found else "n"


def _read() -> str | None:
    for path in PATHS:
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError:
            continue
        return (_inflate(path, data) if path.endswith(".gz") else data).decode("ascii", "replace")
    return None


def _inflate(path: str, data: bytes) -> bytes:
    import zlib

    try:
        return zlib.decompress(data, _GZIP)
    except zlib.error as error:
        raise FormatError("expected a gzip member", path=path) from error
