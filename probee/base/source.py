"""Source text, spans in it, and diagnostics with a caret.

A `Span` is a pair of offsets into one `Source`; line and column are computed only when shown.
Printed form: `name:LINE:C1-C2: ERROR: message`, the source line, a `~~~` underline, and a
`HINT:` line where there is a likely mend. Lines and columns count from 1, tabs show as 4 spaces.
"""

from __future__ import annotations

from .record import record


class Source:
    """One text a person wrote, with the name it is called by in messages."""

    __slots__ = ("name", "text", "_starts")

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self._starts: list[int] | None = None

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1, of a character offset."""
        starts = self._line_starts()
        low, high = 0, len(starts)
        while high - low > 1:
            middle = (low + high) // 2
            if starts[middle] <= offset:
                low = middle
            else:
                high = middle
        return low + 1, offset - starts[low] + 1

    def line(self, number: int) -> str:
        """The text of line `number` (from 1), without its newline."""
        starts = self._line_starts()
        if not 0 < number <= len(starts):
            return ""
        return self.text[starts[number - 1] : starts[number] - 1 if number < len(starts) else None]

    def _line_starts(self) -> list[int]:
        if self._starts is None:
            starts = [0]
            at = self.text.find("\n")
            while at >= 0:
                starts.append(at + 1)
                at = self.text.find("\n", at + 1)
            self._starts = starts
        return self._starts


@record
class Span:
    """Characters `start` (included) to `end` (excluded) of `source`."""

    source: Source
    start: int
    end: int

    def __repr__(self) -> str:
        line, column = self.source.position(self.start)
        return f"<{self.source.name}:{line}:{column}>"

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    @property
    def line(self) -> int:
        return self.source.position(self.start)[0]

    @property
    def column(self) -> int:
        return self.source.position(self.start)[1]

    def to(self, other: Span) -> Span:
        """The span from the start of this one to the end of `other`."""
        return Span(self.source, self.start, max(self.end, other.end))


@record
class Expanded(Span):
    """A span of a macro's text, as it came to be where the macro is used, at `by`."""

    by: Span


@record
class Diagnostic:
    """One message about a place in a source: `severity` is "ERROR" or "WARNING". `notes` are messages about
    other places that have to do with it."""

    severity: str
    message: str
    span: Span | None = None
    hint: str | None = None
    notes: tuple[tuple[str, Span], ...] = ()

    def render(self) -> str:
        """The message as a person reads it, without a newline at the end."""
        lines = []
        if self.span is None:
            lines.append(f"{self.severity}: {self.message}")
        else:
            lines.append(f"{render_location(self.span)}: {self.severity}: {self.message}")
            lines += _excerpt(self.span)
        for message, place in self.notes:
            lines.append(f"{render_location(place)}: {self.severity}: {message}")
            lines += _excerpt(place)
        if self.hint:
            lines.append(f"HINT: {self.hint}")
        lines += render_expansions(self.span, self.severity)
        return "\n".join(lines)


def render_location(span: Span) -> str:
    """Where a span is: `name:line:first-last` in columns, or `name:line-line`."""
    first_line, first_column = span.source.position(span.start)
    last_line, last_column = span.source.position(max(span.end - 1, span.start))
    if first_line != last_line:
        return f"{span.source.name}:{first_line}-{last_line}"
    return f"{span.source.name}:{first_line}:{first_column}-{last_column + 1}"


def render_expansions(span: Span | None, severity: str) -> list[str]:
    """Lines that tell of the calls which the text at `span` came from, the innermost first."""
    lines = []
    while isinstance(span, Expanded):
        span = span.by
        lines.append(f"{render_location(span)}: {severity}: expanded from")
        lines += _excerpt(span)
    return lines


def _excerpt(span: Span) -> list[str]:
    first_line, first_column = span.source.position(span.start)
    last_line, last_column = span.source.position(max(span.end - 1, span.start))
    if first_line != last_line:
        return [span.source.line(n).replace("\t", "    ") for n in range(first_line, last_line + 1)]
    text = span.source.line(first_line)
    before = text[: first_column - 1].replace("\t", "    ")
    marked = text[first_column - 1 : last_column].replace("\t", "    ")
    return [text.replace("\t", "    "), " " * len(before) + "~" * max(len(marked), 1)]
