"""Shared objects loaded into this process, to call their functions and to look at their memory.

They stay loaded until the process ends, as ctypes does it: a tracer may have a breakpoint in one at any time.
"""

from __future__ import annotations

import ctypes

from ..base.errors import TargetError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Library:
    """The shared object at `path`. Raises TargetError with the loader's reason when it can't be loaded."""

    def __init__(self, path: str) -> None:
        try:
            # PyDLL: calls keep the interpreter's lock, since to give it up and get it back costs more.
            self._library = ctypes.PyDLL(path)
        except OSError as error:
            raise TargetError(f"{path}: {error}") from error

    def function(self, name: str, kinds: str) -> Callable[..., None]:
        """The exported function `name`, which returns nothing.

        `kinds` has a letter for each parameter: `q` for a 64-bit integer, which takes an int and drops the
        bits past 64, `s` for the address of bytes that end in NUL, which takes bytes.
        """
        function = self._find(name)
        function.argtypes = tuple([_TYPES[kind] for kind in kinds])
        function.restype = None
        return function

    def memory(self, name: str, layout: str) -> memoryview:
        """The exported variable `name`, of a `struct` letter: item 0 of the view is always its value."""
        kind = ctypes.c_char * ctypes.sizeof(_TYPES[layout])
        try:
            place = kind.in_dll(self._library, name)
        except ValueError as error:
            raise TargetError(str(error)) from error
        return memoryview(place).cast("B").cast(layout)  # type: ignore[call-overload, no-any-return]

    def _find(self, name: str) -> ctypes._NamedFuncPointer:
        try:
            return self._library[name]
        except AttributeError as error:
            raise TargetError(str(error)) from error


_TYPES: dict[str, Any] = {"q": ctypes.c_int64, "s": ctypes.c_char_p, "H": ctypes.c_uint16}
