"""Symbols of the kernel: the text of /proc/kallsyms, lines `ADDRESS TYPE name [module]`.

There are 120,000 lines and more, so they are kept as they are: addresses have leading zeros, so lines in the
order of their bytes are in the order of their addresses, and an address is looked up as text.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from ..base.errors import FormatError
from ..base.record import record

_DIGITS = 16
_LAST_SIZE = 4096
"""Bytes that the symbol with the highest address is taken to have: the text tells no sizes."""

# Of several names of one address: global code first, other code, then data.
_TYPE_ORDER = {letter: rank for rank, letter in enumerate(b"TtWwiI")}


@record
class KernelSymbol:
    """A symbol of the kernel or of a module ("" for the kernel itself). `type` is nm's letter."""

    address: int
    type: str
    name: str
    module: str = ""


class Kallsyms:
    """All symbols by address. Raises FormatError, with the offset of the line, for other text."""

    def __init__(self, text: bytes, path: str = "kallsyms") -> None:
        lines = text.split(b"\n")
        _check_lines(lines, path)
        # Symbols of per-CPU data are offsets, not addresses: they stand in the lower half.
        self._lines = sorted([line for line in lines if line[:1] >= b"8"])
        self.is_hidden = not self._lines and len(lines) > 1
        """Whether all addresses are 0: sysctl kernel.kptr_restrict, or no CAP_SYSLOG."""

    def __len__(self) -> int:
        return len(self._lines)

    def find(self, address: int) -> tuple[KernelSymbol, int] | None:
        """The symbol around `address` and the offset from it in bytes, or None."""
        # A blank follows the digits, and ! comes next: past all lines of this very address.
        index = bisect_right(self._lines, b"%016x!" % address) - 1
        if index < 0 or address >> 4 * _DIGITS:
            return None
        digits = self._lines[index][:_DIGITS]
        start = int(digits, 16)
        if index == len(self._lines) - 1 and address - start >= _LAST_SIZE:
            return None
        first = bisect_left(self._lines, digits)
        return _parse_line(min(self._lines[first : index + 1], key=_plainness)), address - start


def _check_lines(lines: list[bytes], path: str) -> None:
    at = 0
    for line in lines:
        if line and (len(line) < _DIGITS + 4 or line[_DIGITS] != 32 or line[_DIGITS + 2] != 32):
            raise FormatError(f"expected address, type and name, got {line[:80]!r}", path=path, offset=at)
        at += len(line) + 1


def _plainness(line: bytes) -> tuple[int, int, bytes]:
    """Of several names the first is shown: by type, then that with the fewest leading underscores."""
    name = line[_DIGITS + 3 :]
    return _TYPE_ORDER.get(line[_DIGITS + 1], len(_TYPE_ORDER)), len(name) - len(name.lstrip(b"_")), name


def _parse_line(line: bytes) -> KernelSymbol:
    text = line.decode("utf-8", "replace")
    name, _, module = text[_DIGITS + 3 :].partition("\t")
    return KernelSymbol(int(text[:_DIGITS], 16), text[_DIGITS + 1], name, module.strip("[]"))
