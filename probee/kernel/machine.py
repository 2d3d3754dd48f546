"""The kernel as a machine: makes maps, programs and rings live, and waits for them.

`Kernel` has all of `spec.machine.Machine` but `attach`, which belongs to the layer above: each kind of
probe is attached by its own file of `probee.attach`, and `attach.machine.LiveMachine` is the whole.
"""

from __future__ import annotations

import select

from ..base.errors import InternalError
from .cpus import possible_cpus
from .maps import KernelMap, create_map
from .programs import load_btf, load_program
from .ring import KernelRing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol, Self, TypeVar

    from ..spec.bundle import Map, Program
    from ..spec.machine import MapHandle, RingHandle
    from .fd import Fd
    from .programs import KernelProgram

    class Closeable(Protocol):
        def close(self) -> None: ...

    T = TypeVar("T", bound=Closeable)


class Kernel:
    """Makes specs live; `close` ends whatever it made and was not closed before. A context manager.

    `verbose` keeps the verifier's log of accepted programs, in `KernelProgram.log`; `log_size`, unless 0, is
    the most bytes that a log may have.
    """

    def __init__(self, *, verbose: bool = False, log_size: int = 0) -> None:
        possible = possible_cpus()
        self.cpus = possible[-1] + 1
        self._slots = len(possible)
        self._verbose = verbose
        self._log_size = log_size
        self._made: list[Closeable] = []
        self._btf: tuple[bytes, Fd] | None = None
        self._epoll: select.epoll | None = None
        self._polled: list[RingHandle] = []
        self._watched: set[int] = set()

    def create_map(self, spec: Map) -> KernelMap:
        """Make a map. Raises KernelError."""
        return self._own(create_map(spec, self._slots))

    def load(self, spec: Program, maps: dict[str, MapHandle], btf: bytes = b"") -> KernelProgram:
        """Load a program with the maps it names. Raises LoadError, with the verifier's log."""
        debug = self._load_btf(btf) if btf else None
        return self._own(load_program(spec, maps, debug, verbose=self._verbose, log_size=self._log_size))

    def open_ring(self, ring: MapHandle) -> KernelRing:
        """The consumer's end of a map of type RINGBUF."""
        if not isinstance(ring, KernelMap):
            raise InternalError(f"map {ring.spec.name} is not one of this machine")
        return self._own(KernelRing(ring))

    def watch(self, fd: int) -> None:
        """End every `wait` as soon as `fd` is readable: a signal's wake-up fd, a pidfd."""
        self._watched.add(fd)
        self._forget_poll()

    def unwatch(self, fd: int) -> None:
        """Undo `watch`, before `fd` is closed."""
        self._watched.discard(fd)
        self._forget_poll()

    def wait(self, rings: list[RingHandle], timeout: float) -> bool:
        """Sleep until a ring has records, a watched fd is readable, or `timeout` seconds passed.

        True if a ring has records. Python repeats a wait that a signal interrupts once the
        signal's handler has returned, so whoever wants signals to end it watches their wake-up fd.
        """
        if self._epoll is None or self._polled != rings:
            self._epoll = self._make_poll(rings)
        return any(fd not in self._watched for fd, _ in self._epoll.poll(timeout))

    def close(self) -> None:
        """Close what was made, the last first, and stop waiting. May be called twice."""
        while self._made:
            self._made.pop().close()
        if self._btf is not None:
            self._btf[1].close()
            self._btf = None
        self._forget_poll()
        self._watched.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _own(self, thing: T) -> T:
        """Close `thing` with the machine."""
        self._made.append(thing)
        return thing

    def _load_btf(self, btf: bytes) -> Fd:
        """The descriptor of a bundle's BTF, loaded once."""
        if self._btf is None or self._btf[0] != btf:
            if self._btf is not None:
                self._btf[1].close()
            self._btf = (btf, load_btf(btf))
        return self._btf[1]

    def _make_poll(self, rings: list[RingHandle]) -> select.epoll:
        self._forget_poll()
        poll = select.epoll()
        for fd in self._watched:
            poll.register(fd, select.EPOLLIN)
        for ring in rings:
            if isinstance(ring, KernelRing):
                poll.register(ring.fd.number, select.EPOLLIN)
        self._polled = list(rings)
        return poll

    def _forget_poll(self) -> None:
        if self._epoll is not None:
            self._epoll.close()
            self._epoll = None
