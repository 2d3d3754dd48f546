"""Output as one JSON object a line, with bpftrace's members.

Text that is not UTF-8 has its odd bytes as `\\xNN`, so that every line is valid JSON. Integers that
a double can't hold are strings. Keys of maps are strings: tuples lose their parentheses, and all
keys lose their spaces.
"""

from __future__ import annotations

from json.encoder import encode_basestring

from ..base.errors import InternalError
from ..ctype.types import Array, Bool, Enum, Float, Int, Ptr, Struct, Void, strip_typedefs
from ..events.aggregate import Histogram, find_percentile
from ..events.batch import Column, compile_rows
from ..events.decode import Form, find_by_class, is_text, item_of
from ..spec.values import (
    Aggregate,
    Avg,
    Buffer,
    CgroupPath,
    Code,
    Hist,
    Inet,
    Ksym,
    LHist,
    MacAddress,
    Stack,
    Stats,
    Str,
    Timestamp,
    TSeries,
    Tuple,
    Username,
    Usym,
)
from .actions import each_text, open_failure
from .clock import Strftime
from .histogram import percentile_name
from .order import arrange, divide
from .output import Context
from .printf import compile_format
from .text import zero_value
from .value import compile_text, fields_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..base.source import Span
    from ..ctype.types import CType
    from ..events.batch import Batch
    from ..spec.bundle import EventLayout, Variable
    from .actions import Handler
    from .printf import RenderBatch
    from .sink import Sink

    Encode = Callable[[Any], str]


def quote(text: bytes | str) -> str:
    """A JSON string."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    quoted: str = encode_basestring(text)
    return quoted


def encode_number(value: int) -> str:
    """An integer, in quotes when readers that use doubles would change it."""
    return str(value) if int(float(value)) == value else f'"{value}"'


def encode_histogram(histogram: Histogram, div: int = 0) -> str:
    """The buckets from the first that counted to the last; `max` is included."""
    div = div if div and isinstance(histogram.type, Hist) else 1
    buckets = []
    for low, high, count in histogram.buckets:
        minimum = "" if low is None else f'"min": {encode_number(low)}, '
        maximum = "" if high is None else f'"max": {encode_number(high - 1)}, '
        buckets.append(f'{{{minimum}{maximum}"count": {count // div}}}')
    return f"[{','.join(buckets)}]"


def encode_percentiles(histogram: Histogram, percentiles: tuple[int, ...]) -> str:
    """`{"p50": 96, "p99.9": 250}`"""
    found = [f'"{percentile_name(p)}": {encode_number(find_percentile(histogram, p))}' for p in percentiles]
    return f"{{{', '.join(found)}}}"


def compile_json(type: CType, context: Context) -> Encode:
    """A function from a value of `type`, in raw form, to its JSON."""
    type = strip_typedefs(type)
    if is_text(type):
        return quote
    make = find_by_class(_ENCODERS, type)
    if make is None:
        raise InternalError(f"no JSON for {type}")
    return make(type, context)


def _number(type: CType, context: Context) -> Encode:
    return encode_number


def _float(type: Float, context: Context) -> Encode:
    from math import isfinite

    from ..events.floats import show_float

    def encode(value: float) -> str:
        text = show_float(value, type.size)
        return text if isfinite(value) else quote(text.encode())

    return encode


def _quoted_text(type: CType, context: Context) -> Encode:
    render = compile_text(type, context)
    return lambda value: quote(render(value))


def _array(type: Array, context: Context) -> Encode:
    encode = compile_json(type.of, context)
    return lambda values: f"[{','.join([encode(v) for v in values])}]"


def _tuple(type: Tuple, context: Context) -> Encode:
    if type.names:
        return _object(type, context)
    encoders = [compile_json(item, context) for item in type.items]
    return lambda values: f"[{','.join([e(v) for e, v in zip(encoders, values, strict=True)])}]"


def _object(type: Struct | Tuple, context: Context) -> Encode:
    fields = [(name, quote(name), compile_json(t, context)) for name, t in fields_of(type)]

    def encode(values: dict[str, Any]) -> str:
        return f"{{{', '.join([f'{label}: {text(values[name])}' for name, label, text in fields])}}}"

    return encode


def _stats(type: Stats, context: Context) -> Encode:
    def encode(value: Any) -> str:
        return (
            f'{{"count": {encode_number(value.count)}, "average": {encode_number(value.average)}, '
            f'"total": {encode_number(value.total)}}}'
        )

    return encode


_ENCODERS: dict[type, Callable[[Any, Context], Encode]] = {
    Void: lambda type, context: lambda _: "null",
    Float: _float,
    Int: _number,
    Ptr: _number,
    Enum: _number,
    Bool: lambda type, context: lambda value: "true" if value else "false",
    Str: lambda type, context: quote,
    Buffer: lambda type, context: lambda data: f"[{','.join(map(str, data))}]",
    Timestamp: _quoted_text,
    Username: _quoted_text,
    CgroupPath: _quoted_text,
    Code: _quoted_text,
    Inet: _quoted_text,
    MacAddress: _quoted_text,
    Stack: _quoted_text,
    Ksym: _quoted_text,
    Usym: _quoted_text,
    Tuple: _tuple,
    Array: _array,
    Struct: _object,
    Aggregate: _number,
    Stats: _stats,
    Hist: lambda type, context: encode_histogram,
    LHist: lambda type, context: encode_histogram,
}


class JsonOutput:
    """Everything goes to `out`."""

    def __init__(self, out: Sink, context: Context | None = None) -> None:
        self.context = context or Context()
        self.form = Form(True, self.context.trailer, self.context.boot_offset)
        self._out = out
        self._handlers: dict[int, Handler] = {}

    def events(self, batch: Batch) -> None:
        handle = self._handlers.get(batch.layout.id)
        if handle is None:
            handle = self._handlers[batch.layout.id] = self._compile(batch.layout)
        handle(batch)

    def _compile(self, layout: EventLayout) -> Handler:
        make = _ACTIONS.get(layout.kind)
        if make is not None:
            return each_text(layout, self.context, make(self, layout))
        compile = _COMPILERS.get(layout.kind)
        if compile is None:
            raise InternalError(f"events of kind {layout.kind!r} are not printed")
        render, write = compile(layout, self.context, self.form), self._out.write
        return lambda batch: write(render(batch.view))

    def _message(self, layout: EventLayout) -> Callable[[bytes], None]:
        if layout.kind == "warnf" and not self.context.warnings:
            return lambda text: None
        head, where = f'{{"type": "{layout.kind}", "msg": ', _place(layout.span)
        return lambda text: self._line(f"{head}{quote(text)}{where}}}")

    def _cat(self, layout: EventLayout) -> Callable[[bytes], None]:
        def show(path: bytes) -> None:
            try:
                data = self.context.read_file(path, layout.numbers[0])
            except OSError as error:
                self.warning(open_failure(path, error), layout.span)
            else:
                self._line(f'{{"type": "cat", "data": {quote(data)}}}')

        return show

    def _join(self, layout: EventLayout) -> Callable[[bytes], None]:
        return lambda text: self._line(f'{{"type": "join", "data": {quote(text)}}}')

    def _system(self, layout: EventLayout) -> Callable[[bytes], None]:
        def run(command: bytes) -> None:
            if self.context.is_over():
                return
            self._line(f'{{"type": "syscall", "data": {quote(self.context.run_command(command))}}}')

        return run

    def map(self, variable: Variable, entries: Any, top: int = 0, div: int = 0, *percentiles: int) -> None:
        type = variable.value
        more = ""
        if isinstance(type, TSeries):
            self._series(variable, entries)
            return
        if variable.key is None:
            is_histogram = isinstance(type, (Hist, LHist))
            if entries is None and is_histogram:
                return
            value = zero_value(type, self.form) if entries is None else entries
            data = self._encode(type, value, div)
            if percentiles:
                more = encode_percentiles(value, percentiles)
        elif not entries:
            return
        else:
            key_text = _compile_key(variable.key, self.context)
            shown = arrange(type, entries, top)
            members = [f"{key_text(k)}: {self._encode(type, v, div)}" for k, v in shown]
            data = f"{{{', '.join(members)}}}"
            if percentiles:
                found = [f"{key_text(k)}: {encode_percentiles(v, percentiles)}" for k, v in shown]
                more = f"{{{', '.join(found)}}}"
        name = quote(variable.name)
        if more:
            more = f', "percentiles": {{{name}: {more}}}'
        kind = find_by_class(_MAP_KINDS, type) or "map"
        self._line(f'{{"type": "{kind}", "data": {{{name}: {data}}}{more}}}')

    def _series(self, variable: Variable, entries: Any) -> None:
        from .tseries import encode_series, split_series

        data = [(k, encode_series(variable.value, span)) for k, span in split_series(variable, entries)]
        if not data:
            return
        text = data[0][1]
        if variable.key is not None:
            key_text = _compile_key(variable.key, self.context)
            text = f"{{{', '.join([f'{key_text(key)}: {series}' for key, series in data])}}}"
        self._line(f'{{"type": "tseries", "data": {{{quote(variable.name)}: {text}}}}}')

    def value(self, type: CType, value: Any) -> None:
        self._line(f'{{"type": "value", "data": {compile_json(type, self.context)(value)}}}')

    def time(self, format: str) -> None:
        text = Strftime(format, fractions=False).render(self.context.clock())
        self._line(f'{{"type": "time", "data": {quote(text)}}}')

    def attached(self, count: int) -> None:
        self._line(f'{{"type": "attached_probes", "count": {count}, "data": {{"probes": {count}}}}}')

    def lost(self, count: int) -> None:
        self._line(f'{{"type": "lost_events", "count": {count}, "data": {{"events": {count}}}}}')

    def warning(self, message: str, span: Span | None = None, hint: str | None = None) -> None:
        text = f"{message}\nHINT: {hint}" if hint else message
        self._line(f'{{"type": "runtime_error", "msg": {quote(text)}{_place(span)}}}')

    def failure(self, message: str, helper: str, result: int, span: Span | None = None) -> None:
        what = f'"msg": {quote(message)}, "helper": {quote(helper)}, "retcode": {result}'
        self._line(f'{{"type": "helper_error", {what}{_place(span)}}}')

    def end(self) -> None:
        """Nothing marks the end."""

    def flush(self) -> None:
        self._out.flush()

    def _encode(self, type: CType, value: Any, div: int) -> str:
        if isinstance(value, Histogram):
            return encode_histogram(value, div)
        return compile_json(type, self.context)(divide(type, value, div))

    def _line(self, text: str) -> None:
        self._out.write(text.encode() + b"\n")


_ACTIONS: dict[str, Callable[[JsonOutput, EventLayout], Callable[[bytes], None]]] = {
    "errorf": JsonOutput._message,
    "warnf": JsonOutput._message,
    "cat": JsonOutput._cat,
    "join": JsonOutput._join,
    "system": JsonOutput._system,
}


def _place(span: Span | None) -> str:
    """The members that say where in the script something is."""
    if span is None:
        return ""
    return f', "filename": {quote(span.source.name)}, "line": {span.line}, "col": {span.column}'


_MAP_KINDS: dict[type, str] = {Hist: "hist", LHist: "hist", Stats: "stats", Avg: "stats"}


def _compile_key(type: CType, context: Context) -> Encode:
    render = compile_text(type, context)
    type = strip_typedefs(type)
    if isinstance(type, Tuple) and not type.names:
        return lambda key: quote(render(key)[1:-1].replace(b" ", b""))
    return lambda key: quote(render(key).replace(b" ", b""))


def _quote_bytes(text: bytes) -> bytes:
    quoted: bytes = encode_basestring(text.decode("utf-8", "backslashreplace")).encode()
    return quoted


def _compile_printf(layout: EventLayout, context: Context, form: Form) -> RenderBatch:
    scope = {"line": b'{"type": "printf", "data": %b}\n', "quote": _quote_bytes}
    return compile_format(layout, context, line="line % quote({})", scope=scope)


def _compile_print(layout: EventLayout, context: Context, form: Form) -> RenderBatch:
    (field,) = layout.fields
    item = item_of(field.type, form)
    scope = {
        "encode": compile_json(field.type, context),
        "convert": item.convert,
        "line": '{{"type": "value", "data": {}}}\n'.format,
    }
    value = "convert({})" if item.convert else "{}"
    rows = compile_rows(
        layout,
        [Column(field.offset, field.type.size, item.code)],
        lambda names: f"line(encode({value.format(*names)}))",
        scope,
    )
    return lambda view: "".join(rows(view)).encode()


_COMPILERS: dict[str, Callable[[EventLayout, Context, Form], RenderBatch]] = {
    "printf": _compile_printf,
    "print_value": _compile_print,
}
