"""What there is to trace in the running kernel, as `spec.target.Names`: tracepoints and functions.

Nothing is read before it is asked for: the lists are long.
"""

from __future__ import annotations

import os
from functools import cached_property

from ..base.errors import FeatureError
from .config import find_config
from .procfs import read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..spec.abi import ProgType

TRACEFS = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
"""Where tracefs may be mounted."""

_KALLSYMS = "/proc/kallsyms"
_CODE = (b" T ", b" t ", b" W ", b" w ")


class LiveNames:
    """The running kernel's. `evidence` says which kernel and modules the answers are about.

    `traceable` is a file that lists the functions that can be traced, instead of the kernel's own list.
    """

    def __init__(self, traceable: str | None = None) -> None:
        self._asked = False
        self._traceable = traceable

    @property
    def evidence(self) -> tuple[str, ...]:
        """What the answers hold for; () as long as nothing was asked."""
        return self._state() if self._asked else ()

    def holds(self, evidence: tuple[str, ...]) -> bool:
        """True when answers with that `evidence` would be the same now."""
        return not evidence or evidence == self._state()

    def _state(self) -> tuple[str, ...]:
        state = _read_state()
        return state if self._traceable is None else (*state, self._traceable, _mark(self._traceable))

    def find_format(self, category: str, event: str) -> str | None:
        self._asked = True
        return read_text(f"{find_tracefs()}/events/{category}/{event}/format")

    def iter_tracepoints(self) -> Iterator[tuple[str, str]]:
        self._asked = True
        events = f"{find_tracefs()}/events"
        for category in sorted(os.listdir(events)):
            folder = f"{events}/{category}"
            if os.path.isdir(folder):
                for event in sorted(os.listdir(folder)):
                    # Other files there, and ftrace's own events, have no id to attach by.
                    if os.path.exists(f"{folder}/{event}/id"):
                        yield category, event

    def have_function(self, name: str, module: str) -> bool:
        self._asked = True
        if self._traceable is not None:
            return any(name == n and module in ("", m) for n, m in self.iter_functions())
        end = f"{name}\t[{module}]\n" if module else f"{name}\n"
        return any(kind + end.encode() in self._symbols for kind in _CODE) or (
            not module and any(kind + f"{name}\t[".encode() in self._symbols for kind in _CODE)
        )

    def iter_functions(self) -> Iterator[tuple[str, str]]:
        self._asked = True
        path = self._traceable or f"{find_tracefs()}/available_filter_functions"
        for line in (read_text(path) or "").splitlines():
            name, _, rest = line.partition(" ")
            # Weak functions that were replaced leave places without a name.
            if not name.startswith("__ftrace_invalid_address__"):
                yield name, rest.partition("[")[2].rstrip("]")

    def find_address(self, symbol: str) -> int | None:
        self._asked = True
        end = f" {symbol}\n".encode()
        at = self._symbols.find(end)
        if at < 0:
            return None
        start = self._symbols.rfind(b"\n", 0, at) + 1
        address = int(self._symbols[start : self._symbols.index(b" ", start)], 16)
        if not address and self._hides_addresses:
            hint = "it takes CAP_SYSLOG, and a kernel.kptr_restrict below 2"
            raise FeatureError("this kernel keeps the addresses of its symbols back", hint=hint)
        return address

    @cached_property
    def _hides_addresses(self) -> bool:
        """Whether every symbol is said to be at 0; those of per-CPU variables may be."""
        return self._symbols.startswith(b"0000000000000000 ") and not any(
            line[:16].strip(b"0") for line in self._symbols[:1_000_000].splitlines()
        )

    def allows_kfunc(self, name: str, kind: ProgType) -> bool:
        """Whether programs of a kind may call the kernel's function `name`."""
        from .kfuncs import allows_kfunc

        return allows_kfunc(name, kind)

    def have_module(self, name: str) -> bool:
        self._asked = True
        return os.path.isdir(f"/sys/module/{name}")

    @cached_property
    def _symbols(self) -> bytes:
        with open(_KALLSYMS, "rb") as file:
            return file.read()


def find_tracefs() -> str:
    """Where tracefs is mounted. Raises FeatureError."""
    for path in TRACEFS:
        if os.access(f"{path}/events", os.R_OK):
            return path
    if "tracefs" in (read_text("/proc/filesystems") or ""):
        hint = f"as root: mount -t tracefs tracefs {TRACEFS[0]}"
        raise FeatureError("tracefs can't be read: it is not mounted, or not for this user", hint=hint)
    built = ": it was built without CONFIG_TRACING" if find_config("CONFIG_TRACING") == "n" else ""
    raise FeatureError(f"this kernel has no tracefs{built}")


def _mark(path: str) -> str:
    """Changes when the file does."""
    try:
        facts = os.stat(path)
    except OSError:
        return ""
    return f"{facts.st_ino} {facts.st_size} {facts.st_mtime_ns}"


def _read_state() -> tuple[str, ...]:
    """This boot, and the modules that are loaded."""
    boot = (read_text("/proc/sys/kernel/random/boot_id") or "").strip()
    modules = (read_text("/proc/modules") or "").splitlines()
    return (boot, *sorted([line.split(" ", 1)[0] for line in modules]))
