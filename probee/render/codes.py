"""Numbers that stand for something, by name: errors, signals, system calls."""

from __future__ import annotations

import os
import signal

from ..arch.syscalls import syscall_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .value import Render

_MOST_ERRORS = 134
_REALTIME = 34


def compile_code(kind: str, machine: str) -> Render:
    """A function from a number to its name; `kind` as in spec.values.Code, `machine` the traced CPU."""
    if kind == "syscall":
        names = syscall_names(machine)
        return lambda number: names.get(number, "Unknown syscall").encode()
    find = {"errno": find_error, "signal": find_signal}[kind]
    return lambda number: find(number).encode()


def find_error(number: int) -> str:
    """The text of an errno, which may be negative, as functions of the kernel return it."""
    text = os.strerror(abs(number)) if abs(number) < _MOST_ERRORS else ""
    return "Unknown error" if text.startswith("Unknown error") or not text else text


def find_signal(number: int) -> str:
    if not 0 <= number <= 64:
        return "N/A"
    if number >= _REALTIME:
        return f"Real-time signal {number - _REALTIME}"
    # The C library keeps the two before SIGRTMIN to itself.
    text = signal.strsignal(number) if number in _SIGNALS else None
    return text or f"Unknown signal {number}"


_SIGNALS = frozenset(map(int, signal.Signals))
