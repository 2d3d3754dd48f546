"""probee: trace Linux with eBPF from Python, with nothing to compile.

    import probee
    for event in probee.run('uprobe:libc:fopen { printf("%s", str(arg0)); }', pid=1234):
        print(event.probe, event.args)

Names are imported when they are first used, so that `import probee` costs nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .base.errors import (
        AttachError,
        FeatureError,
        KernelError,
        LoadError,
        ProbeeError,
        SourceError,
        TargetError,
    )
    from .library import Event, Run, run

__version__ = "0.1.0"

__all__ = [
    "AttachError",
    "Event",
    "FeatureError",
    "KernelError",
    "LoadError",
    "ProbeeError",
    "Run",
    "SourceError",
    "TargetError",
    "run",
]

_HOME = {
    **dict.fromkeys(("Event", "Run", "run"), "library"),
    **dict.fromkeys([n for n in __all__ if n.endswith("Error")], "base.errors"),
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    if name in ("testing", "usdt"):
        from importlib import import_module

        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
