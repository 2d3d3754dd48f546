"""printf: a format and the types of its arguments become a function that renders whole batches.

What C's printf does, for the conversions that scripts have. Where Python's bytes `%` says the same,
the conversion is part of one format for the whole record, and the cut to 32 bits costs nothing: the
struct that unpacks the record takes only that half of a number. What differs goes through a
function of its own.
"""

from __future__ import annotations

from ..base.errors import InternalError
from ..ctype.types import Bool, Enum, Int, Ptr, strip_typedefs
from ..events.batch import Column, compile_rows
from ..events.decode import BYTE_ORDER, Form, integer_code, is_array, is_text, item_of
from ..spec.printf import FLAGS, find_fault, parse_format
from .value import compile_text, escape_buffer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..spec.bundle import EventLayout, Field
    from ..spec.printf import Conversion
    from .output import Context

    RenderBatch = Callable[[memoryview | bytes], bytes]
    RenderRows = Callable[[memoryview | bytes], list[bytes]]


def compile_format(
    layout: EventLayout,
    context: Context,
    *,
    format: str | None = None,
    line: str = "{}",
    scope: dict[str, Any] | None = None,
) -> RenderBatch:
    """A function from the view of a batch of `layout` to the text of all its records.

    `format` replaces the layout's own. `line` is Python around the text of one record, with names
    of `scope`: how JSON wraps it.
    """
    rows = compile_texts(layout, context, format=format, line=line, scope=scope)
    join = b"".join
    return lambda view: join(rows(view))


def compile_texts(
    layout: EventLayout,
    context: Context,
    *,
    format: str | None = None,
    line: str = "{}",
    scope: dict[str, Any] | None = None,
) -> RenderRows:
    """As `compile_format`, with a text for each record."""
    form = parse_format(layout.format if format is None else format)
    fault = find_fault(form, [field.type for field in layout.fields])
    if fault:
        raise InternalError(f"printf of event {layout.id}: {fault.message}")
    builder = _Builder(Form(True, context.trailer, context.boot_offset), context)
    pieces = [_literal(form.literals[0])]
    pairs = list(zip(form.conversions, layout.fields, strict=True))
    crowded = _crowded(layout.fields)
    for (conversion, field), literal in zip(pairs, form.literals[1:], strict=True):
        pieces.append(builder.add(conversion, field, alone=field.offset not in crowded))
        pieces.append(_literal(literal))
    template = b"".join(pieces)

    def row(names: list[str]) -> str:
        values = [v.format(v=n) for v, n in zip(builder.expressions, names, strict=True)]
        text = f"template % ({''.join(f'{v}, ' for v in values)})"
        return line.format(text)

    return compile_rows(
        layout, builder.columns, row, {"template": template, **builder.scope, **(scope or {})}
    )


def render_number(value: int, conversion: Conversion) -> bytes:
    """An integer, already cut to its width, by any of the conversions d i u o x X p."""
    flags, precision, specifier = conversion.flags, conversion.precision, conversion.specifier
    if specifier == "p":
        if not value:
            return _pad(b"(nil)", conversion)
        specifier, flags = "x", flags + "#"
    digits = b"" if precision == 0 and not value else _DIGITS[specifier](abs(value))
    digits = digits.rjust(precision or 0, b"0")
    if specifier == "o" and "#" in flags and not digits.startswith(b"0"):
        digits = b"0" + digits
    head = b"0" + specifier.encode() if specifier in "xX" and "#" in flags and value else b""
    if conversion.signed:
        head = b"-" if value < 0 else b"+" if "+" in flags else b" " if " " in flags else b""
    if "0" in flags and "-" not in flags and precision is None:
        digits = digits.rjust((conversion.width or 0) - len(head), b"0")
    return _pad(head + digits, conversion)


_DIGITS: dict[str, Callable[[int], bytes]] = {
    "d": b"%d".__mod__,
    "i": b"%d".__mod__,
    "u": b"%d".__mod__,
    "o": b"%o".__mod__,
    "x": b"%x".__mod__,
    "X": b"%X".__mod__,
}

_BUFFERS: dict[str, Callable[[bytes], bytes]] = {
    "r": escape_buffer,
    "rx": lambda data: b"".join([b"\\x%02x" % byte for byte in data]),
    "rh": lambda data: data.hex(" ").encode(),
}


class _Builder:
    """Collects what one format needs: a column and an expression over `{v}` per conversion."""

    def __init__(self, form: Form, context: Context) -> None:
        self.form = form
        self.context = context
        self.columns: list[Column] = []
        self.expressions: list[str] = []
        self.scope: dict[str, Any] = {"trailer": form.trailer}

    def add(self, conversion: Conversion, field: Field, *, alone: bool) -> bytes:
        """Take in a conversion of `field`; its piece of the template.

        `alone`: no other conversion is of the same bytes, so a part of them may be unpacked.
        """
        type = strip_typedefs(field.type)
        specifier = conversion.specifier
        if specifier in _BUFFERS:
            return self._add_function(field, _BUFFERS[specifier], conversion)
        if specifier != "s":
            return self._add_number(conversion, field, alone)
        if is_text(type):
            self._column(field, f"{type.size}s")
            full = "{v}" if is_array(type) else "{v} + trailer"
            self.expressions.append(f"({{v}}[:end] if (end := {{v}}.find(0)) >= 0 else {full})")
            return _template(conversion, "b", "-", precision=True)
        if isinstance(type, Int) and type.bytes <= 8 and conversion.precision is None:
            self._column(field, integer_code(type.bytes, type.signed))
            self.expressions.append("{v}")
            return _template(conversion, "d", "-")
        return self._add_function(field, compile_text(type, self.context), conversion)

    def _add_number(self, conversion: Conversion, field: Field, alone: bool) -> bytes:
        value = self._integer(conversion, field, alone)
        specifier = conversion.specifier
        if specifier == "c":
            self.expressions.append(value)
            return _template(conversion, "c", "-")
        if specifier == FLAGS:
            from .gfp import render_gfp

            self.expressions.append(f"{self._name('flags', render_gfp)}({value})")
            return _template(conversion, "b", "-")
        is_plain = conversion.precision is None and "#" not in conversion.flags and specifier != "p"
        if is_plain:
            self.expressions.append(value)
            kept = "-+ 0" if conversion.signed else "-0"
            return _template(conversion, specifier if specifier in "oxX" else "d", kept)
        name = self._name("number", lambda number: render_number(number, conversion))
        self.expressions.append(f"{name}({value})")
        return b"%b"

    def _integer(self, conversion: Conversion, field: Field, alone: bool) -> str:
        """Add the column of an integer; the expression of its value, cut to the conversion."""
        type = strip_typedefs(field.type)
        if isinstance(type, Bool):
            self._column(field, "?")
            return "{v}"
        if not isinstance(type, (Int, Enum, Ptr)):
            raise InternalError(f"%{conversion.specifier} of {type}")
        size, is_signed = type.size, not isinstance(type, Ptr) and type.signed
        bits = 8 if conversion.specifier == "c" else conversion.bits
        width = bits // 8
        if alone and size >= width:
            offset = field.offset + (size - width if BYTE_ORDER == "big" else 0)
            self.columns.append(Column(offset, width, integer_code(width, conversion.signed)))
            return "{v}"
        self._column(field, integer_code(size, is_signed))
        mask = (1 << bits) - 1
        if size < width:
            return f"({{v}} & {mask})" if is_signed and not conversion.signed else "{v}"
        if not conversion.signed:
            return f"({{v}} & {mask})"
        middle = 1 << (bits - 1)
        return f"((({{v}} + {middle}) & {mask}) - {middle})"

    def _add_function(self, field: Field, render: Callable[[Any], bytes], conversion: Conversion) -> bytes:
        item = item_of(field.type, self.form)
        self._column(field, item.code)
        name = self._name("render", render)
        convert = item.convert
        value = "{v}" if convert is None else f"{self._name('convert', convert)}({{v}})"
        self.expressions.append(f"{name}({value})")
        return _template(conversion, "b", "-", precision=conversion.specifier == "s")

    def _column(self, field: Field, code: str) -> None:
        self.columns.append(Column(field.offset, field.type.size, code))

    def _name(self, stem: str, thing: object) -> str:
        name = f"{stem}{len(self.scope)}"
        self.scope[name] = thing
        return name


def _crowded(fields: tuple[Field, ...]) -> set[int]:
    """Offsets that more than one field is at."""
    offsets = [field.offset for field in fields]
    return {offset for offset in offsets if offsets.count(offset) > 1}


def _literal(text: str) -> bytes:
    return text.replace("%", "%%").encode("utf-8", "surrogateescape")


def _template(conversion: Conversion, code: str, kept: str, *, precision: bool = False) -> bytes:
    """Python's spelling of a conversion, with the flags of `kept`."""
    flags = "".join([flag for flag in conversion.flags if flag in kept])
    width = "" if conversion.width is None else str(conversion.width)
    cut = f".{conversion.precision}" if precision and conversion.precision is not None else ""
    return f"%{flags}{width}{cut}{code}".encode()


def _pad(text: bytes, conversion: Conversion) -> bytes:
    width = conversion.width or 0
    return text.ljust(width) if "-" in conversion.flags else text.rjust(width)
