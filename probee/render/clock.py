"""strftime with parts of a second: `%f` microseconds, `%k` nanoseconds, `%l` milliseconds.

The formatted seconds are kept, because events of one second come together.
"""

from __future__ import annotations

import re
import time

UNKNOWN = b"(?)"
"""Shown for a time that the C library can't break down, and for the start of 1970 itself."""

ISO = "%Y-%m-%dT%H:%M:%S.%k"
"""How a time is shown that has no format of its own."""

_DIGITS = {"k": (9, 1), "f": (6, 1_000), "l": (3, 1_000_000)}


class Strftime:
    """Renders nanoseconds since 1970 in local time.

    `fractions=False` leaves `%f %k %l` to the C library, as the function `time()` does.
    """

    __slots__ = ("_formats", "_fractions", "_second", "_texts")

    def __init__(self, format: str, *, fractions: bool = True) -> None:
        # Formats of whole seconds, and between them the (digits, divisor) of a part of a second.
        self._formats = [""]
        self._fractions: list[tuple[int, int]] = []
        for part in re.findall(r"%[^%]|%%|[^%]+|%", format):
            if fractions and part[0] == "%" and part[1:] in _DIGITS:
                self._fractions.append(_DIGITS[part[1:]])
                self._formats.append("")
            else:
                self._formats[-1] += part
        self._second = -1
        self._texts: list[bytes] | None = None

    def render(self, nanoseconds: int) -> bytes:
        second, rest = divmod(nanoseconds, 1_000_000_000)
        if second != self._second:
            self._second, self._texts = second, self._render_second(second)
        if self._texts is None:
            return UNKNOWN
        text = self._texts[0]
        for (digits, divisor), following in zip(self._fractions, self._texts[1:], strict=True):
            text += b"%0*d%b" % (digits, rest // divisor, following)
        return text

    def _render_second(self, second: int) -> list[bytes] | None:
        if not second:
            return None
        try:
            local = time.localtime(second)
        except (OverflowError, OSError):
            return None
        return [time.strftime(f, local).encode("utf-8", "surrogateescape") for f in self._formats]
