"""Output as text, the way bpftrace prints it."""

from __future__ import annotations

from ..base.errors import InternalError
from ..base.source import render_expansions, render_location
from ..ctype.types import strip_typedefs
from ..events.aggregate import empty_value
from ..events.decode import Form
from ..spec.values import Aggregate, Hist, LHist, TSeries, Tuple
from .actions import SEVERITIES, each_text, open_failure
from .clock import Strftime
from .histogram import render_histogram
from .order import arrange, divide
from .output import Context
from .printf import compile_format
from .value import compile_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..base.source import Span
    from ..ctype.types import CType
    from ..events.batch import Batch
    from ..spec.bundle import EventLayout, Variable
    from .actions import Handler
    from .sink import Sink
    from .value import Render


class TextOutput:
    """Program output goes to `out`, what is said about the program to `err`."""

    def __init__(self, out: Sink, err: Sink, context: Context | None = None) -> None:
        self.context = context or Context()
        self.form = Form(True, self.context.trailer, self.context.boot_offset)
        self._out = out
        self._err = err
        self._handlers: dict[int, Handler] = {}
        self._values: dict[CType, Render] = {}

    def events(self, batch: Batch) -> None:
        handle = self._handlers.get(batch.layout.id)
        if handle is None:
            handle = self._handlers[batch.layout.id] = self._compile(batch.layout)
        handle(batch)

    def map(self, variable: Variable, entries: Any, top: int = 0, div: int = 0, *percentiles: int) -> None:
        name = variable.name.encode()
        if isinstance(variable.value, TSeries):
            self._series(name, variable, entries)
            return
        if variable.key is None:
            self._scalar(name, variable.value, entries, div, percentiles)
            return
        key_text = self._key_render(variable.key)
        is_histogram = isinstance(variable.value, (Hist, LHist))
        lines = []
        for key, value in arrange(variable.value, entries, top):
            label = b"%b[%b]:" % (name, key_text(key))
            if is_histogram:
                lines.append(b"%b\n%b\n" % (label, render_histogram(value, div, percentiles)))
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

    def failure(self, message: str, helper: str, result: int, span: Span | None = None) -> None:
        self.warning(f"{message}\nAdditional Info - helper: {helper}, retcode: {result}", span)

    def end(self) -> None:
        self._out.write(b"\n\n")

    def flush(self) -> None:
        self._out.flush()
        self._err.flush()

    def _scalar(self, name: bytes, type: CType, value: Any, div: int, percentiles: tuple[int, ...]) -> None:
        if isinstance(type, (Hist, LHist)):
            if value is not None:
                self._out.write(b"%b:\n%b\n" % (name, render_histogram(value, div, percentiles)))
            return
        if value is None:
            value = zero_value(type, self.form)
        self._out.write(b"%b: %b\n" % (name, self._render(type)(divide(type, value, div))))

    def _series(self, name: bytes, variable: Variable, entries: Any) -> None:
        from .tseries import render_series, split_series

        key_text = self._key_render(variable.key) if variable.key is not None else None
        for key, span in split_series(variable, entries):
            label = name if key_text is None else b"%b[%b]" % (name, key_text(key))
            self._out.write(b"%b:\n%b\n" % (label, render_series(variable.value, span)))

    def _compile(self, layout: EventLayout) -> Handler:
        make = _ACTIONS.get(layout.kind)
        if make is not None:
            return each_text(layout, self.context, make(self, layout))
        format = FORMATS.get(layout.kind)
        if format is None:
            raise InternalError(f"events of kind {layout.kind!r} are not printed")
        render, write = compile_format(layout, self.context, format=format or layout.format), self._out.write
        return lambda batch: write(render(batch.view))

    def _message(self, layout: EventLayout) -> Callable[[bytes], None]:
        """errorf and warnf: the place of the call and what it says, without the line it is in."""
        if layout.kind == "warnf" and not self.context.warnings:
            return lambda text: None
        where = f"{render_location(layout.span)}: " if layout.span else ""
        head = f"{where}{SEVERITIES[layout.kind]}: "
        tail = "".join(["\n" + line for line in render_expansions(layout.span, SEVERITIES[layout.kind])])
        return lambda text: self._say(head + text.decode("utf-8", "backslashreplace") + tail)

    def _cat(self, layout: EventLayout) -> Callable[[bytes], None]:
        read, (limit,) = self.context.read_file, layout.numbers

        def show(path: bytes) -> None:
            try:
                self._out.write(read(path, limit))
            except OSError as error:
                self._say(f"ERROR: {open_failure(path, error)}")

        return show

    def _join(self, layout: EventLayout) -> Callable[[bytes], None]:
        return lambda text: self._out.write(text + b"\n")

    def _system(self, layout: EventLayout) -> Callable[[bytes], None]:
        def run(command: bytes) -> None:
            if self.context.is_over():
                return  # commands may wait by the thousand
            self._out.flush()  # what the command itself writes, to stderr say, comes after
            self._out.write(self.context.run_command(command) + b"\n")

        return run

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


_ACTIONS: dict[str, Callable[[TextOutput, EventLayout], Callable[[bytes], None]]] = {
    "errorf": TextOutput._message,
    "warnf": TextOutput._message,
    "cat": TextOutput._cat,
    "join": TextOutput._join,
    "system": TextOutput._system,
}

FORMATS = {"printf": "", "print_value": "%s\n"}
"""The format that events of a kind are printed with; "" stands for the layout's own."""


def zero_value(type: CType, form: Form) -> Any:
    """What a variable without keys shows that nothing was written to."""
    if isinstance(type, Aggregate):
        return empty_value(type)
    from ..events.decode import compile_value

    return compile_value(type, form)(bytes(type.size))
