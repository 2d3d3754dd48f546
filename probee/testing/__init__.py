"""Run a script on made-up events, and look at what it prints and keeps. Needs neither root nor Linux.

    from probee import testing
    result = testing.run(script, [testing.uprobe("malloc", args=[16]), testing.interval("s:1")])
    assert result.maps["@bytes"] == 16

    triggers.py   what can be made to happen: `uprobe`, `interval`, `sleep`, …
    lines.py      the same as lines of JSON: `parse_events`
    files.py      the made-up machine: programs that have every function a script asks for
    types.py      the types of its kernel, as C text declares them
    play.py       a compiled script on the VM, one trigger at a time
    runs.py       `run` and `Result`

Names are imported when they are first used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..library import Event
    from .lines import parse_events
    from .runs import Result, run
    from .triggers import (
        Sleep,
        Trigger,
        event,
        hardware,
        interval,
        profile,
        sleep,
        software,
        text,
        uprobe,
        uretprobe,
    )

__all__ = [
    "Event",
    "Result",
    "Sleep",
    "Trigger",
    "event",
    "hardware",
    "interval",
    "parse_events",
    "profile",
    "run",
    "sleep",
    "software",
    "text",
    "uprobe",
    "uretprobe",
]

_HOME = {"Event": "..library", "Result": ".runs", "run": ".runs", "parse_events": ".lines"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME.get(name, ".triggers"), __name__), name)
