"""Every error probee raises on purpose.

    ProbeeError                 one clear message, and perhaps a hint
    ├── UsageError              the command line or an argument is wrong
    ├── SourceError             a script is wrong: one or more diagnostics with spans
    ├── FormatError             bytes are not what a format asks for: path, section, offset
    ├── TargetError             the script is right, the thing it names is not there
    ├── FeatureError            this kernel can't do it: feature and first version
    ├── KernelError             a system call failed: what was tried, errno
    │   ├── LoadError           the verifier refused a program: its log
    │   └── AttachError         a program could not be attached
    └── InternalError           "this is a bug in probee"

Messages are lower case, thing first, *expected* before *got*. Reasons are never guessed.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .source import Diagnostic, Span


class ProbeeError(Exception):
    """One clear message, with an optional `hint` that says what to do."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def render(self) -> str:
        """The message as printed on stderr, without a newline at the end."""
        lines = [f"ERROR: {self.message}"] if self.message else []
        return "\n".join([*lines, *([f"HINT: {self.hint}"] if self.hint else [])])


class UsageError(ProbeeError):
    """The command line, or an argument of the library, is wrong."""


class SourceError(ProbeeError):
    """A script is wrong. `diagnostics` holds at least one, in source order."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__(diagnostics[0].message, hint=diagnostics[0].hint)
        self.diagnostics = tuple(diagnostics)

    def render(self) -> str:
        return "\n".join(d.render() for d in self.diagnostics)


class FormatError(ProbeeError):
    """Bytes are not what their format asks for: `path: section+offset: message`."""

    def __init__(self, message: str, *, path: str = "", section: str = "", offset: int = 0) -> None:
        where = f"{section}+{offset:#x}" if section else f"{offset:#x}"
        super().__init__(f"{path}: {where}: {message}" if path else f"{where}: {message}")
        self.path, self.section, self.offset = path, section, offset


class TargetError(ProbeeError):
    """What a script names isn't there: a file, a symbol, a process. `span` points at the name."""

    def __init__(self, message: str, *, span: Span | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.span = span

    def render(self) -> str:
        return _render_at(self, self.span)


def _render_at(error: ProbeeError, span: Span | None) -> str:
    """The message, with a caret under what it is about."""
    if span is None:
        return ProbeeError.render(error)
    from .source import Diagnostic

    return Diagnostic("ERROR", error.message, span, error.hint).render()


class FeatureError(ProbeeError):
    """This kernel can't do what is asked. `span` points at what asks for it, where that is known."""

    def __init__(self, message: str, *, span: Span | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.span = span

    def render(self) -> str:
        return _render_at(self, self.span)


class KernelError(ProbeeError):
    """A system call failed: `what` was tried, and `errno`."""

    def __init__(self, what: str, errno: int, *, hint: str | None = None) -> None:
        super().__init__(f"{what}: {os.strerror(errno)}", hint=hint)
        self.errno = errno


class LoadError(KernelError):
    """The kernel refused a program. `log` is the verifier's whole log, `span` the user's line."""

    def __init__(
        self,
        what: str,
        errno: int,
        *,
        log: str = "",
        reason: str = "",
        span: Span | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(what, errno, hint=hint)
        self.log, self.reason, self.span = log, reason, span

    def render(self) -> str:
        from .source import Diagnostic

        text = f"{self.message}: {self.reason}" if self.reason else self.message
        return Diagnostic("ERROR", text, self.span, self.hint).render()


class AttachError(KernelError):
    """A program was loaded but could not be attached."""


class InternalError(ProbeeError):
    """A fault of ours."""

    def __init__(self, message: str) -> None:
        super().__init__(f"this is a bug in probee: {message}")
