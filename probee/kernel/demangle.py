"""Names of C++, by the function that the C++ run-time library has for its own error messages."""

from __future__ import annotations

import ctypes
import functools

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_LIBRARIES = ("libstdc++.so.6", "libc++abi.so.1")

_LONGEST = 8192
"""Bytes of a name that is handed over: the library needs stack in proportion."""


def demangle_cpp(name: str) -> str | None:
    """What `name` (of the Itanium C++ ABI) stands for; None if it is not mangled, or without a library."""
    demangle = _find_demangler()
    if demangle is None or len(name) > _LONGEST or "\0" in name:
        return None
    status = ctypes.c_int()
    text = demangle(name.encode("utf-8", "surrogateescape"), None, None, ctypes.byref(status))
    if not text:
        return None
    try:
        return ctypes.string_at(text).decode("utf-8", "surrogateescape")
    finally:
        _free(text)


@functools.cache
def _find_demangler() -> Callable[..., int | None] | None:
    for library in _LIBRARIES:
        try:
            function = ctypes.CDLL(library)["__cxa_demangle"]
        except (OSError, AttributeError):  # not installed
            continue
        function.restype = ctypes.c_void_p
        function.argtypes = (ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
        return function
    return None


_free = ctypes.CDLL(None)["free"]
_free.restype, _free.argtypes = None, (ctypes.c_void_p,)
