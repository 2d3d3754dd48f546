"""Probes of a Python program: `probee.usdt.Provider("app").probe("request_done", int, str)`.

What comes back is a function. Each call of it is one hit of a real probe of this process, which any tracer
sees (bpftrace, bcc, perf, SystemTap, probee): by the path of the file that holds it, or by process id. As
long as no tracer is there, a call looks at 2 bytes of memory and returns.
"""

from __future__ import annotations

import os

from .base.errors import TargetError, UsageError
from .usdt.encode import encode_library, semaphore_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from .kernel.dynload import Library

    class Fire(Protocol):
        """A probe of this process: call it with its arguments."""

        __name__: str
        path: str
        """The file that holds the probe."""
        is_enabled: Callable[[], bool]
        """Whether a tracer is there, to be asked before arguments are made that cost something."""

        def __call__(self, *args: Any) -> None: ...


_LETTERS = {int: "q", bool: "q", str: "s", bytes: "s"}


class Provider:
    """A name under which this program has probes.

    `folder` is where the files of the probes are kept, one for each: PROVIDER.PROBE.so, the same for all
    processes that have the probe, so that a tracer can name one before any of them runs. Without it, they are
    temporary files, removed when the process ends, or, where those can't be executed, in memory.
    """

    def __init__(self, name: str, *, folder: str | None = None) -> None:
        self.name = name
        self._folder = folder
        self._probes: dict[str, tuple[tuple[type, ...], Fire]] = {}

    def probe(self, name: str, *types: type) -> Fire:
        """The probe `name`, whose arguments are of `types`: int (64 bits, signed), bool, str, bytes.

        Tracers read a str or bytes as the address of text that ends in NUL. Asked for again, it is the same
        probe. While a tracer is there, a call raises TypeError for arguments of other types.

        Raises UsageError for other types, more than 12 of them, and names that no tracer can spell;
        TargetError when the file can't be written or loaded; FeatureError on a CPU probee has no code for.
        """
        known = self._probes.get(name)
        if known is not None and known[0] != types:
            raise UsageError(f"probe {self.name}:{name} is there already, with other types")
        if known is None:
            known = self._probes[name] = types, self._define(name, types)
        return known[1]

    def _define(self, name: str, types: tuple[type, ...]) -> Fire:
        what = f"{self.name}:{name}"
        for kind in types:
            if kind not in _LETTERS:
                got = getattr(kind, "__name__", kind)
                raise UsageError(f"probe {what}: expected int, bool, str or bytes, got {got}")
        signs = [kind is int for kind in types]
        image = encode_library(self.name, name, signs, _machine(), page_size=os.sysconf("SC_PAGE_SIZE"))
        path, library = self._load(name, image)
        armed = library.memory(semaphore_name(self.name, name), "H")
        function = library.function(name, "".join([_LETTERS[kind] for kind in types]))
        return _make(what, types, path, armed, function)

    def _load(self, name: str, image: bytes) -> tuple[str, Library]:
        from .kernel.dynload import Library

        stem = f"{self.name}.{name}"
        if self._folder is not None:
            path = _keep(os.path.join(self._folder, f"{stem}.so"), image)
            return path, Library(path)
        path = _write_temporary(stem, image)
        try:
            return path, Library(path)
        except TargetError:
            # A file system mounted noexec, as /tmp may be.
            path = _write_memory(stem, image)
            return path, Library(path)


def _machine() -> int:
    """e_machine of the running interpreter."""
    with open("/proc/self/exe", "rb") as file:
        return int.from_bytes(file.read(20)[18:], "little")


def _make(
    what: str, types: tuple[type, ...], path: str, armed: memoryview, function: Callable[..., None]
) -> Fire:
    """The function that fires: one with just its parameters, since `*args` costs half as much again."""

    def fire(*values: Any) -> None:
        function(*[_convert(what, i, v, kind) for i, (v, kind) in enumerate(zip(values, types, strict=True))])

    scope: dict[str, Any] = {"armed": armed, "fire": fire}
    parameters = ", ".join([f"a{i}" for i in range(len(types))])
    positional = f"{parameters}, /" if parameters else ""
    exec(f"def probe({positional}):\n if armed[0]:\n  fire({parameters})", scope)
    made: Any = scope["probe"]
    made.__name__ = made.__qualname__ = what.partition(":")[2]
    made.__doc__ = f"Fire {what} of {path}."
    made.path, made.is_enabled = path, lambda: armed[0] != 0
    fired: Fire = made
    return fired


def _convert(what: str, index: int, value: Any, kind: type) -> Any:
    if kind is str and isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, kind):
        return value
    wanted, got = kind.__name__, type(value).__name__
    raise TypeError(f"probe {what}: argument {index}: expected {wanted}, got {got}")


# The files


def _keep(path: str, image: bytes) -> str:
    """Have `image` at `path`. One that is there already is left, since tracers may wait for it."""
    path = os.path.abspath(path)
    try:
        with open(path, "rb") as file:
            if file.read() == image:
                return path
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _failure(path, error) from error
    fresh = f"{path}.{os.getpid()}"
    try:
        with open(fresh, "wb") as file:
            file.write(image)
        os.rename(fresh, path)
    except OSError as error:
        raise _failure(path, error) from error
    return path


def _write_temporary(stem: str, image: bytes) -> str:
    import atexit
    from tempfile import mkstemp

    try:
        fd, path = mkstemp(prefix=f"{stem}.", suffix=".so")
        with open(fd, "wb") as file:
            file.write(image)
    except OSError as error:
        raise _failure(f"temporary file for probe {stem}", error) from error
    atexit.register(_remove, path, os.getpid())
    return path


def _remove(path: str, pid: int) -> None:
    # A child made by fork has the file from its parent, which still needs it.
    if os.getpid() == pid and os.path.exists(path):
        os.unlink(path)


def _write_memory(stem: str, image: bytes) -> str:
    """A file in memory; its descriptor stays open, since that is the file's only name."""
    fd = os.memfd_create(f"{stem}.so")
    os.write(fd, image)
    return f"/proc/{os.getpid()}/fd/{fd}"


def _failure(what: str, error: OSError) -> TargetError:
    return TargetError(f"{what}: {os.strerror(error.errno or 0).lower()}")
