"""`import "path";` at the head of a script: what other files add to it.

A `.bt` file adds its probes, macros, functions and maps, and what it imports itself; a `.h` file and the C
text of scripts add types and constants; a folder adds what lies in it, but not in folders below. Paths are
relative to the script that imports. A file is taken once, whoever asks for it.
"""

from __future__ import annotations

import os

from ..base.errors import SourceError, TargetError
from ..base.record import replace
from ..base.source import Diagnostic, Source
from .cdefs import c_source
from .check_stmt import is_library
from .parser import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..base.source import Span
    from ..spec.target import Files
    from . import tree

_NOT_READ = (".bpf.c", ".bpf.o")


def merge_imports(
    script: tree.Script, files: Files | None, params: Sequence[str] = ()
) -> tuple[tree.Script, tuple[Source, ...]]:
    """`script` with what it imports, and the C text that comes before its own. Raises SourceError.

    Probes of what is imported come first, and run first where one place has several.
    """
    own = [statement for statement in script.imports if not is_library(statement)]
    if not own:
        return script, ()
    imported = _Imported(files, params)
    imported.add_all(script)
    if imported.diagnostics:
        raise SourceError(imported.diagnostics)
    whole = (*imported.scripts, script)
    merged = replace(
        script,
        imports=(),
        maps=tuple([decl for one in whole for decl in one.maps]),
        macros=tuple([macro for one in whole for macro in one.macros]),
        functions=tuple([function for one in whole for function in one.functions]),
        probes=tuple([probe for one in whole for probe in one.probes]),
    )
    return merged, tuple(imported.c_text)


class _Imported:
    """What has been imported so far, in order, and what went wrong."""

    def __init__(self, files: Files | None, params: Sequence[str]) -> None:
        self.scripts: list[tree.Script] = []
        self.c_text: list[Source] = []
        self.diagnostics: list[Diagnostic] = []
        self._files, self._params = files, params
        self._seen: set[str] = set()

    def add_all(self, script: tree.Script) -> None:
        """Import what `script` does, each before what comes after it."""
        folder = os.path.dirname(script.source.name)
        for statement in script.imports:
            if not is_library(statement):
                self._add(os.path.normpath(os.path.join(folder, statement.path)), statement.span)

    def _add(self, path: str, span: Span) -> None:
        try:
            found = self._files.find_imports(path) if self._files is not None else None
        except TargetError as error:
            self._error(error.message, span, error.hint)
            return
        if found is None:
            self._error("Unable to find suitable path for import", span, f"looked for {path}")
            return
        for file in found:
            if file not in self._seen:
                self._seen.add(file)
                self._read(file, span, listed=found != (path,))

    def _read(self, path: str, span: Span, *, listed: bool) -> None:
        """Import one file; of a folder's (`listed`) those that are of no use are passed over."""
        name = os.path.basename(path)
        if path.endswith(_NOT_READ):
            message = f"can't import {name}: programs in C are compiled by clang, which probee does without"
            self._error(
                message, span, "functions are written in the language: fn name($x : int32) : int32 { … }"
            )
        elif not path.endswith((".bt", ".h")):
            if not listed:
                self._error(f'unknown import type: "{name}"', span, "scripts (.bt) and headers of C (.h) are")
        else:
            text = self._files.read_header(path) if self._files is not None else None
            if text is None:
                self._error(f"error reading import '{path}'", span)
            elif path.endswith(".h"):
                self.c_text.append(Source(path, text))
            else:
                self._merge(parse(Source(path, text), self._params))

    def _merge(self, script: tree.Script) -> None:
        if script.config:
            self._error("invalid `config` within import", script.config[0].span)
        self.add_all(script)
        if script.c_definitions:
            self.c_text.append(c_source(script))
        self.scripts.append(script)

    def _error(self, message: str, span: Span, hint: str | None = None) -> None:
        self.diagnostics.append(Diagnostic("ERROR", message, span, hint))
