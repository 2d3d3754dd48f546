"""What can be made to happen to a script, as data: probes that fire, and time that passes.

Times are in nanoseconds, but for `sleep`. Arguments are numbers, `text`, or bytes; for text and bytes the
probe gets a pointer to memory that holds them.
"""

from __future__ import annotations

from ..base.errors import UsageError
from ..base.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypedDict, Unpack

    Argument = int | str | bytes

    class Who(TypedDict, total=False):
        """Who runs, where and when: the fields of `Trigger` of those names."""

        pid: int
        tid: int | None
        comm: str
        uid: int
        gid: int
        cpu: int
        after: int | None
        times: int

    class Around(Who, total=False):
        """And what else is there."""

        memory: Mapping[int, str | bytes]
        registers: Mapping[str, int]
        stack: Sequence[str | int]
        kernel_stack: Sequence[str | int]


_LONGEST = 1_000_000_000
_WORD = 1 << 32
_LONG = 1 << 64


@record
class Trigger:
    """A probe fires `times` times, each time `after` nanoseconds from what was before (None: the step).

    `probe`: the full name of a probe of the script (`uprobe:libc:malloc`), in which the path or the library
    may be left out (`uprobe:malloc`). `args`: what argN are; `returns`: what retval is. `registers`: others,
    by name. `memory`: bytes at addresses. `stack`: what `ustack` is, `kernel_stack` what `kstack` is, the
    innermost first: names of functions ("main", "main+12") or addresses. `context`: the whole context
    instead of registers. `tid` None stands for `pid`.
    """

    probe: str
    args: tuple[Argument, ...] = ()
    returns: Argument = 0
    pid: int = 1000
    tid: int | None = None
    comm: str = "program"
    uid: int = 0
    gid: int = 0
    cpu: int = 0
    after: int | None = None
    times: int = 1
    memory: tuple[tuple[int, bytes], ...] = ()
    registers: tuple[tuple[str, int], ...] = ()
    context: bytes = b""
    stack: tuple[str | int, ...] = ()
    kernel_stack: tuple[str | int, ...] = ()

    def __post_init__(self) -> None:
        if ":" not in self.probe:
            raise UsageError(f"expected a probe such as 'uprobe:malloc', got {self.probe!r}")
        for name, value in [*((f"arg{n}", v) for n, v in enumerate(self.args)), ("returns", self.returns)]:
            if not isinstance(value, (str, bytes)):
                _check(f"{self.probe}: {name}", value, -_LONG // 2, _LONG, "a number, text or bytes")
        limits = {"pid": _WORD, "uid": _WORD, "gid": _WORD, "cpu": _WORD, "tid": _WORD, "after": _LONG // 2}
        for name, end in limits.items():
            if getattr(self, name) is not None:
                _check(f"{self.probe}: {name}", getattr(self, name), 0, end)
        _check(f"{self.probe}: times", self.times, 1, _WORD)
        for name, number in self.registers:
            _check(f"{self.probe}: {name}", number, -_LONG // 2, _LONG)
        for place in (*self.stack, *self.kernel_stack):
            if not isinstance(place, str):
                _check(f"{self.probe}: stack", place, 0, _LONG, "a name or an address")
        for address, _ in self.memory:
            _check(f"{self.probe}: memory", address, 0, _LONG, "an address")


@record
class Sleep:
    """Time passes, and timers of the script that are due in it fire: interval, and profile on each CPU."""

    nanoseconds: int

    def __post_init__(self) -> None:
        _check("sleep", self.nanoseconds, 0, _LONG // 2)


def _check(what: str, value: object, low: int, end: int, expected: str = "a number") -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise UsageError(f"{what}: expected {expected}, got {value!r}")
    if not low <= value < end:
        raise UsageError(f"{what}: expected {expected} from {low} to {end - 1}, got {value}")


def text(value: str) -> bytes:
    """Text as programs keep it: UTF-8 and a NUL. An argument that is a `str` is the same."""
    return value.encode("utf-8", "surrogateescape") + b"\0"


def event(
    probe: str,
    args: Sequence[Argument] = (),
    returns: Argument = 0,
    *,
    memory: Mapping[int, str | bytes] | None = None,
    registers: Mapping[str, int] | None = None,
    context: bytes = b"",
    stack: Sequence[str | int] = (),
    kernel_stack: Sequence[str | int] = (),
    **who: Unpack[Who],
) -> Trigger:
    """Any probe by its full name. Raises UsageError for values that don't fit, as all of these do."""
    pieces = [
        (address, text(data) if isinstance(data, str) else bytes(data))
        for address, data in (memory or {}).items()
    ]
    named = tuple((registers or {}).items())
    return Trigger(
        probe,
        tuple(args),
        returns,
        memory=tuple(pieces),
        registers=named,
        context=context,
        stack=tuple(stack),
        kernel_stack=tuple(kernel_stack),
        **who,
    )


def uprobe(function: str, args: Sequence[Argument] = (), **around: Unpack[Around]) -> Trigger:
    """A function is called: `malloc`, or with the program's path or library before it, `libc:malloc`."""
    return event(f"uprobe:{function}", args, **around)


def uretprobe(function: str, returns: Argument = 0, **around: Unpack[Around]) -> Trigger:
    """A function returns."""
    return event(f"uretprobe:{function}", returns=returns, **around)


def interval(period: str, **around: Unpack[Around]) -> Trigger:
    """The timer `interval:PERIOD` goes off, whatever the clock says: `s:1`. See also `sleep`."""
    return event(f"interval:{period}", **around)


def profile(period: str, **around: Unpack[Around]) -> Trigger:
    """The timer `profile:PERIOD` goes off on one CPU: `hz:99`."""
    return event(f"profile:{period}", **around)


def software(name: str, **around: Unpack[Around]) -> Trigger:
    """The kernel's counter of `software:NAME` is full: `page-faults:1`."""
    return event(f"software:{name}", **around)


def hardware(name: str, **around: Unpack[Around]) -> Trigger:
    """The CPU's counter of `hardware:NAME` is full: `cache-misses:1000`."""
    return event(f"hardware:{name}", **around)


def sleep(seconds: float) -> Sleep:
    """Let time pass, and the timers fire that are due in it."""
    if not 0 <= seconds <= _LONGEST:
        raise UsageError(f"sleep: expected 0 to {_LONGEST} seconds, got {seconds}")
    return Sleep(round(seconds * 1_000_000_000))
