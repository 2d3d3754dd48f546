"""Output for other programs: maps as CSV, stacks as folded lines. All else that a script prints goes to
standard error, so that nothing else is in the table.

CSV is one table, `map,key,field,value`, a row a number: `field` is empty for plain values, `count`, `average`
and `total` for statistics, `2..3` for a bucket of a histogram (both included; `..-1` and `10..` are open),
`p50` for a percentile. Fields with a comma, a quote or a line break are quoted as RFC 4180 has it.

Folded lines are what flame graphs are drawn from: `outermost;…;innermost number`, for each entry of a map in
whose key there is a stack. Other parts of the key come first, then the stack of the process, then the
kernel's.
"""

from __future__ import annotations

from ..ctype.types import strip_typedefs
from ..events.aggregate import Histogram, find_percentile
from ..events.aggregate import Stats as StatsValue
from ..spec.values import Stack, Tuple
from .histogram import percentile_name
from .order import arrange, divide
from .text import TextOutput, zero_value
from .value import compile_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from ..ctype.types import CType
    from ..events.stack import Taken
    from ..spec.bundle import Variable
    from .output import Context
    from .sink import Sink

HEAD = b"map,key,field,value\n"


def quote(text: bytes) -> bytes:
    """A field of CSV."""
    if any(mark in text for mark in (b",", b'"', b"\n", b"\r")):
        return b'"%b"' % text.replace(b'"', b'""')
    return text


class CsvOutput(TextOutput):
    """Rows go to `out`, all else to `err`."""

    def __init__(self, out: Sink, err: Sink, context: Context | None = None) -> None:
        super().__init__(err, err, context)
        out.write(HEAD)
        self._rows = out

    def map(self, variable: Variable, entries: Any, top: int = 0, div: int = 0, *percentiles: int) -> None:
        name, type = variable.name.encode(), variable.value
        if variable.key is None:
            value = zero_value(type, self.form) if entries is None else entries
            self._write(b"%b," % quote(name), type, value, div, percentiles)
            return
        key_text = self._key_render(variable.key)
        for key, value in arrange(type, entries, top):
            begin = b"%b,%b" % (quote(name), quote(key_text(key)))
            self._write(begin, type, value, div, percentiles)

    def _write(self, begin: bytes, type: CType, value: Any, div: int, percentiles: tuple[int, ...]) -> None:
        for field, text in self._fields(type, value, div):
            self._rows.write(b"%b,%b,%b\n" % (begin, field, quote(text)))
        if isinstance(value, Histogram):
            for wanted in percentiles:
                found = find_percentile(value, wanted)
                self._rows.write(b"%b,%b,%d\n" % (begin, percentile_name(wanted).encode(), found))

    def _fields(self, type: CType, value: Any, div: int) -> Iterator[tuple[bytes, bytes]]:
        if isinstance(value, Histogram):
            for low, high, count in value.buckets:
                first = b"" if low is None else b"%d" % low
                last = b"" if high is None else b"%d" % (high - 1)
                yield b"%b..%b" % (first, last), b"%d" % (count // (div or 1))
        elif isinstance(value, StatsValue):
            shown = divide(type, value, div)
            yield b"count", b"%d" % shown.count
            yield b"average", b"%d" % shown.average
            yield b"total", b"%d" % shown.total
        else:
            yield b"", self._render(type)(divide(type, value, div))

    def end(self) -> None:
        """Nothing marks the end."""

    def flush(self) -> None:
        super().flush()
        self._rows.flush()


class FoldedOutput(TextOutput):
    """Folded stacks go to `out`, all else to `err`."""

    def __init__(self, out: Sink, err: Sink, context: Context | None = None) -> None:
        super().__init__(err, err, context)
        self._folded = out

    def map(self, variable: Variable, entries: Any, top: int = 0, div: int = 0, *percentiles: int) -> None:
        fold = _compile_fold(variable.key, self.context) if variable.key is not None else None
        if fold is None or isinstance(zero_value(variable.value, self.form), (Histogram, StatsValue)):
            super().map(variable, entries, top, div, *percentiles)
            return
        render = self._render(variable.value)
        for key, value in arrange(variable.value, entries, top):
            self._folded.write(b"%b %b\n" % (fold(key), render(divide(variable.value, value, div))))

    def flush(self) -> None:
        super().flush()
        self._folded.flush()

    def end(self) -> None:
        """Nothing marks the end."""


def _compile_fold(key: CType, context: Context) -> Callable[[Any], bytes] | None:
    """A function from a key to its folded frames; None for keys without a stack."""
    key = strip_typedefs(key)
    items = key.items if isinstance(key, Tuple) else (key,)
    if not any(isinstance(item, Stack) for item in items):
        return None
    # In this order: what the stacks are of, the process's, the kernel's.
    order = sorted(range(len(items)), key=lambda i: _depth(items[i]))
    parts = [(i, _compile_part(items[i], context)) for i in order]
    whole = isinstance(key, Tuple)

    def fold(value: Any) -> bytes:
        values = list(value.values()) if isinstance(value, dict) else value if whole else (value,)
        texts = [part(values[i]) for i, part in parts]
        return b";".join([text for text in texts if text])

    return fold


def _depth(type: CType) -> int:
    type = strip_typedefs(type)
    return 0 if not isinstance(type, Stack) else 2 if type.kernel else 1


def _compile_part(type: CType, context: Context) -> Callable[[Any], bytes]:
    type = strip_typedefs(type)
    if not isinstance(type, Stack):
        render = compile_text(type, context)
        return lambda value: render(value).replace(b";", b":").replace(b"\n", b" ")
    symbols, is_kernel = context.symbols(), type.kernel
    mark = "_[k]" if is_kernel else ""

    def fold(stack: Taken) -> bytes:
        if is_kernel:
            found = symbols.kernel(stack.frames)
        else:
            found = symbols.user(stack.pid, stack.program, stack.frames, stack.python)
        names = [f"{frame.name or hex(frame.address)}{mark}" for frames in found for frame in frames]
        text = ";".join([name.replace(";", ":") for name in reversed(names)])
        return text.encode("utf-8", "surrogateescape")

    return fold


TABLES: dict[str, Callable[[Sink, Sink, Context], TextOutput]] = {"csv": CsvOutput, "folded": FoldedOutput}
"""Output by the name of its format."""
