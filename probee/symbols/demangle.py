"""Names as a person wrote them: C++ (Itanium ABI), Rust (legacy and v0), D; other names stay as they are."""

from __future__ import annotations

MANGLED = ("_Z", "_R", "_D")
"""How mangled names begin."""


def demangle(name: str) -> str:
    """What the mangled `name` stands for; `name` itself when it isn't mangled, or there is nothing to ask.

    C++ is the run-time library's business: without it, as in a container with no C++, its names stay mangled.
    """
    if name.startswith("_Z"):
        from .rust_legacy import demangle as demangle_legacy

        return demangle_legacy(name) or _demangle_cpp(name) or name
    if name.startswith("_R"):
        from .rust_v0 import demangle as demangle_v0

        return demangle_v0(name) or name
    if name.startswith("_D"):
        from .dlang import demangle as demangle_d

        return demangle_d(name) or name
    return name


def _demangle_cpp(name: str) -> str | None:
    from ..kernel.demangle import demangle_cpp

    return demangle_cpp(name)
