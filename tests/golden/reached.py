"""Where the sources complain, and which of these places were reached."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import probee
from probee.base.source import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(probee.__file__).parent
ROOMS = ("bt", "funcs", "probes")
COMPLAINTS = frozenset(
    ("Diagnostic", "error", "warn", "warn_once", "wrong", "misspelled", "unexpected", "_at", "_bad_token")
    + ("_complain", "_error", "_literal_error", "_unknown", "_wrong")
)
"""What is called to complain."""


class Recorder:
    """Keeps, while it is entered, which lines of ROOMS were running when something was said."""

    def __init__(self) -> None:
        self.lines: set[tuple[str, int]] = set()

    def __enter__(self) -> Recorder:
        for _ in range(20):  # until the class has the constructor it keeps
            Diagnostic("ERROR", "")
        self._made = Diagnostic.__init__
        record, made = self.lines, self._made

        def construct(self: Diagnostic, *args: Any, **kwargs: Any) -> None:
            made(self, *args, **kwargs)
            frame = sys._getframe(1)
            while frame is not None:
                record.add((frame.f_code.co_filename, frame.f_lineno))
                frame = frame.f_back  # type: ignore[assignment]

        Diagnostic.__init__ = construct  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        Diagnostic.__init__ = self._made  # type: ignore[method-assign]


def iter_places() -> Iterator[tuple[str, str, int, int]]:
    """Every call that complains: the file, the text of the call on one line, its first and last line."""
    for room in ROOMS:
        for path in sorted((ROOT / room).glob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and _name(node.func) in COMPLAINTS:
                    text = " ".join(ast.unparse(node).split())
                    yield str(path), text, node.lineno, node.end_lineno or node.lineno


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def find_unreached(lines: set[tuple[str, int]]) -> list[str]:
    """The calls of which no line was running: `funcs/str.py: to.error(…)`."""
    return [
        f"{Path(path).relative_to(ROOT)}: {text}"
        for path, text, first, last in iter_places()
        if not any((path, line) in lines for line in range(first, last + 1))
    ]
