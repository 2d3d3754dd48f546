"""The compile half of each probe kind, one file each: spelling, program type, what its context offers.

    provider.py       what a probe kind is: `Provider`, `Point` (as written), `Site` (as resolved)
    special.py        begin, end, self, test, bench
    interval.py       a timer on one CPU
    perf.py           profile, software, hardware: every so many times that something happens
    uprobe.py         uprobe, uretprobe: functions of programs and libraries
    usdt.py           usdt: marks that programs and libraries carry
    user_files.py     files that attach points of both mean
    user_places.py    places in a program's code: by name, number, source line
    demangled.py      functions by the names that people wrote in C++, Rust and D
    binary.py         a program with its debug information, wherever that is
    traced.py         what debug information says of a place, when it is asked
    variables.py      arguments and variables at a place, and where they are
    kprobe.py         kprobe, kretprobe: functions of the kernel
    tracepoint.py     tracepoint: places in the kernel that were made to be traced
    rawtracepoint.py  rawtracepoint: the same, with the kernel's own arguments
    watchpoint.py     watchpoint: memory that is read, written, executed
    glob.py           patterns of names

A new kind is a file and a line in `_MODULES`; short names stand there too.
"""

from __future__ import annotations

from importlib import import_module

from ..base.registry import Registry, near_misses

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .provider import Provider

_MODULES = {
    "begin": "special",
    "end": "special",
    "self": "special",
    "test": "special",
    "bench": "special",
    "interval": "interval",
    "i": "interval",
    "profile": "perf",
    "p": "perf",
    "software": "perf",
    "s": "perf",
    "hardware": "perf",
    "h": "perf",
    "watchpoint": "watchpoint",
    "w": "watchpoint",
    "tracepoint": "tracepoint",
    "t": "tracepoint",
    "rawtracepoint": "rawtracepoint",
    "rt": "rawtracepoint",
    "kprobe": "kprobe",
    "k": "kprobe",
    "kretprobe": "kprobe",
    "kr": "kprobe",
    "uprobe": "uprobe",
    "u": "uprobe",
    "uretprobe": "uprobe",
    "ur": "uprobe",
    "usdt": "usdt",
    "U": "usdt",
}

_SHORT = 2
"""Letters of the longest short form. `u` is uprobe, `U` is usdt."""

_LATER = """
fentry f kfunc fexit fr kretfunc iter it
"""
LATER = frozenset(_LATER.split())
"""Spellings of the language's other probe kinds, which this version does not have."""


def _load(name: str) -> None:
    module = _MODULES.get(name)
    if module is not None:
        for provider in import_module(f".{module}", __name__).PROVIDERS:
            for spelling in (provider.name, *provider.aliases):
                if spelling not in PROVIDERS:
                    PROVIDERS.add(spelling, provider)


PROVIDERS: Registry[Provider] = Registry("probe kind", _load)


def find(name: str) -> Provider | None:
    """The probe kind called `name`: in any case, or as its short form in its own; None if there is none."""
    return PROVIDERS.find(name.lower() if len(name) > _SHORT else name)


def is_later(name: str) -> bool:
    """True for a probe kind of the language that this version does not have."""
    return (name.lower() if len(name) > _SHORT else name) in LATER


def find_near(name: str) -> list[str]:
    """Names of probe kinds that look like `name`, nearest first."""
    return near_misses(name, names())


def names() -> list[str]:
    """The names of all probe kinds that this version has."""
    return [name for name in _MODULES if len(name) > _SHORT]
