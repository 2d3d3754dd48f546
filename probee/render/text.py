"""Output as text, the way bpftrace prints it."""

from __future__ import annotations

from ..base.errors import InternalError
from ..events.aggregate import empty_value
from ..events.decode import Form, strip_typedefs
from ..spec.values import Aggregate, Hist, LHist, Tuple
from .clock import Strftime
from .histogram import render_histogram
from .order import arrange, divide
from .output import Context
from .printf import compile_format
from .value import compile_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..base.source import Span
    from ..ctype.types import CType
    from ..events.batch import Batch
    from ..spec.bundle import EventLayout, Variable
    from .printf import RenderBatch
    from .sink import Sink
    from .value import Render


class TextOutput:
    """Program output goes to `out`, what is said about the program to `err`."""

    def __init__(self, out: Sink, err: Sink, context: Context | None = None) -> None:
        self.context = context or Context()
        self.form = Form(True, self.context.trailer, self.context.boot_offset)
        self._out = out
        self._err = err
        self._batches: dict[int, RenderBatch] = {}
        self._values: dict[CType, Render] = {}

    def events(self, batch: Batch) -> None:
        render = self._batches.get(batch.layout.id)
        if render is None:
            render = self._batches[batch.layout.id] = self._compile(batch.layout)
        self._out.write(render(batch.view))

    def map(self, variable: Variable, entries: Any, top: int = 0, div: int = 0) -> None:
        name = variable.name.encode()
        if variable.key is None:
            self._scalar(name, variable.value, entries, div)
            return
        key_text = self._key_render(variable.key)
        is_histogram = isinstance(variable.value, (Hist, LHist))
        lines = []
        for key, value in arrange(variable.value, entries, top):
            label = b"%b[%b]:" % (name, key_text(key))
            if is_histogram:
                lines.append(b"%b\n%b\n" % (label, render_histogram(value, div)))
            else:
                text = self._render(variable.value)(divide(variable.value, value, div))
                lines.append(b"%b %b\n" % (label, text))
        self._out.write(b"".join(lines))

    def value(self, type: CType, value: Any) -> None:
        self._out.write(self._render(type)(value) + b"\n")

    def time(self, format: str) -> None:
        self._out.write(Strftime(format, fractions=False).render(self.context.clock()))

    def attached(self, count: int) -> None:
        self._say(f"Attached {count} probe{'' if count == 1 else 's'}")

    def lost(self, count: int) -> None:
        self._say(f"Lost {count} events")

    def warning(self, message: str, span: Span | None = None, hint: str | None = None) -> None:
        from ..base.source import Diagnostic

        self._say(Diagnostic("WARNING", message, span, hint).render())

    def end(self) -> None:
        self._out.write(b"\n\n")

    def flush(self) -> None:
        self._out.flush()
        self._err.flush()

    def _scalar(self, name: bytes, type: CType, value: Any, div: int) -> None:
        if isinstance(type, (Hist, LHist)):
            if value is not None:
                self._out.write(b"%b:\n%b\n" % (name, render_histogram(value, div)))
            return
        if value is None:
            value = zero_value(type, self.form)
        self._out.write(b"%b: %b\n" % (name, self._render(type)(divide(type, value, div))))

    def _compile(self, layout: EventLayout) -> RenderBatch:
        format = FORMATS.get(layout.kind)
        if format is None:
            raise InternalError(f"events of kind {layout.kind!r} are not printed")
        return compile_format(layout, self.context, format=format or layout.format)

    def _render(self, type: CType) -> Render:
        render = self._values.get(type)
        if render is None:
            render = self._values[type] = compile_text(type, self.context)
        return render

    def _key_render(self, key: CType) -> Render:
        render = self._render(key)
        key = strip_typedefs(key)
        if isinstance(key, Tuple) and not key.names:
            return lambda value: render(value)[1:-1]
        return render

    def _say(self, line: str) -> None:
        # What the program printed before is to be seen before, also where both are one terminal.
        self._out.flush()
        self._err.write(line.encode("utf-8", "backslashreplace") + b"\n")
        self._err.flush()


FORMATS = {"printf": "", "print_value": "%s\n"}
"""The format that events of a kind are printed with; "" stands for the layout's own."""


def zero_value(type: CType, form: Form) -> Any:
    """What a variable without keys shows that nothing was written to."""
    if isinstance(type, Aggregate):
        return empty_value(type)
    from ..events.decode import compile_value

    return compile_value(type, form)(bytes(type.size))
