"""printf's format strings, parsed and checked against the types of their arguments.

Pure: the compile half asks what a call means, the run half how to render it. The syntax is
bpftrace's: `%[-+ #0][width][.precision][hh|h|l|ll|j|z|t|L]specifier` with the specifiers d i u o x
X c p s, for buffers r rx rh, for flags of the page allocator gr. A `*` for width or precision takes no
argument and stands for none. Without a length modifier integers are cut to 32 bits.
"""

from __future__ import annotations

import re

from ..base.record import record
from ..ctype.types import Bool, Enum, Int, Ptr, Typedef, Void
from .values import Buffer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..ctype.types import CType

MAX_WIDTH = 65535
"""The largest width and precision, in bytes of output."""

_CONVERSION = re.compile(
    r"%(-?)(\+?)( ?)(#?)(0?)(\*|\d+)?(?:\.(\*|\d+))?([hlLjzt]*)"
    r"([diouxXeEfFGaAcspn%]|gr|g|rh|rx|r)"
)

_NUMBERS = frozenset(("d", "i", "u", "o", "x", "X", "c", "p"))
_BUFFERS = frozenset(("r", "rx", "rh"))
FLAGS = "gr"
"""The specifier of the page allocator's flags."""

_LENGTH_BITS = {"hh": 8, "h": 16, "l": 64, "ll": 64, "j": 64, "z": 64, "t": 64}


@record
class Conversion:
    """One `%…` that takes an argument: characters `start` to `end` of the format.

    `flags` are those given, of "-+ #0" in this order; `width` and `precision` are None where none
    (or a `*`) is given; `specifier` is what follows the length modifier.
    """

    start: int
    end: int
    flags: str
    width: int | None
    precision: int | None
    length: str
    specifier: str

    @property
    def bits(self) -> int:
        """Bits that an integer argument is cut to."""
        return 64 if self.specifier in ("p", FLAGS) else _LENGTH_BITS.get(self.length, 32)

    @property
    def signed(self) -> bool:
        return self.specifier in ("d", "i")


@record
class Format:
    """A parsed format: `literals[0]`, conversion 0, `literals[1]`, … and a last literal."""

    literals: tuple[str, ...]
    conversions: tuple[Conversion, ...]


@record
class Fault:
    """What is wrong with a call; `conversion` is the culprit, None when it is the whole format."""

    message: str
    conversion: Conversion | None = None


def parse_format(text: str) -> Format:
    """Split a format into its literals and conversions. A `%` that starts none is text."""
    literals: list[str] = []
    conversions: list[Conversion] = []
    literal, at = "", 0
    for match in _CONVERSION.finditer(text):
        literal += text[at : match.start()]
        at = match.end()
        if match[9] == "%":
            literal += "%"
            continue
        literals.append(literal)
        literal = ""
        conversions.append(
            Conversion(
                match.start(),
                match.end(),
                "".join(match.group(1, 2, 3, 4, 5)),
                _parse_number(match[6]),
                _parse_number(match[7]),
                match[8],
                match[9],
            )
        )
    literals.append(literal + text[at:])
    return Format(tuple(literals), tuple(conversions))


def find_fault(form: Format, types: Sequence[CType]) -> Fault | None:
    """Why arguments of `types` can't be printed with a format, or None if they can."""
    supplied, expected = len(types), len(form.conversions)
    if supplied != expected:
        many = "not enough" if supplied < expected else "too many"
        return Fault(f"{many} arguments for format string ({supplied} supplied, {expected} expected)")
    for conversion, type in zip(form.conversions, types, strict=True):
        message = _find_misfit(conversion, type)
        if message:
            return Fault(message, conversion)
    return None


def _find_misfit(conversion: Conversion, type: CType) -> str | None:
    specifier = conversion.specifier
    while isinstance(type, Typedef):
        type = type.to
    if max(conversion.width or 0, conversion.precision or 0) > MAX_WIDTH:
        return f"expected a width and precision of at most {MAX_WIDTH}"
    if isinstance(type, Void):
        return f"unable to print none type for specifier: {specifier}"
    if specifier in _NUMBERS:
        fits = isinstance(type, (Int, Bool, Ptr, Enum))
    elif specifier == FLAGS:
        fits = isinstance(type, Int)
    elif specifier in _BUFFERS:
        fits = isinstance(type, Buffer)
    elif specifier == "s":
        fits = True
    else:
        return f"unsupported format specifier: {specifier}"
    return None if fits else f"unsupported format specifier for type '{type}': {specifier}"


def _parse_number(text: str | None) -> int | None:
    if text is None or text == "*":
        return None
    # Longer ones are past MAX_WIDTH however they go on; int() of a huge text takes its time.
    return int(text[:9])
