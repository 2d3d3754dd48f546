"""The protocol of a machine that runs bundles: the kernel satisfies it, and so does the VM."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Protocol

    from .bundle import Link, Map, Program

    class MapHandle(Protocol):
        """A live map. Keys and values are bytes; a per-CPU value is one bytes object a CPU."""

        spec: Map

        def find(self, key: bytes) -> bytes | None:
            """The value at `key`, or None."""

        def find_percpu(self, key: bytes) -> list[bytes] | None:
            """The values of every possible CPU at `key`, or None."""

        def items(self) -> Iterator[tuple[bytes, bytes]]:
            """Every entry; one changed meanwhile may be seen or not, none twice."""

        def items_percpu(self) -> Iterator[tuple[bytes, list[bytes]]]: ...

        def update(self, key: bytes, value: bytes, flags: int = 0) -> None:
            """Set an entry (of a per-CPU map: `value` is all CPUs' values, each 8-byte aligned)."""

        def delete(self, key: bytes) -> bool:
            """Remove an entry; False if there was none."""

        def clear(self) -> None:
            """Remove every entry."""

        def view(self) -> memoryview:
            """Writable live memory of an array map made with MapFlag.MMAPABLE."""

        def close(self) -> None: ...

    class RingHandle(Protocol):
        """The consumer's end of a ring buffer."""

        def producer(self) -> int:
            """Position up to which programs have reserved records, in bytes since the start."""

        def read(self, until: int | None = None) -> list[memoryview | bytes]:
            """Records (headers cut off, discarded ones left out) from the consumer's position up to the
            first one not yet submitted or position `until`; valid until `release`."""

        def position(self) -> int:
            """The consumer's position after the records that `read` gave."""

        def release(self) -> None:
            """Give the room of the records read so far back to programs."""

        def close(self) -> None: ...

    class ProgramHandle(Protocol):
        spec: Program

        def test_run(self, data: bytes = b"", context: bytes = b"") -> int:
            """Run once now; the program's return value."""

        def close(self) -> None: ...

    class LinkHandle(Protocol):
        def close(self) -> None: ...

    class Machine(Protocol):
        """Makes specs live. Whatever it returns is closed by its caller, or by `close` of the machine."""

        cpus: int  # possible CPUs: highest number + 1

        def create_map(self, spec: Map) -> MapHandle: ...

        def load(self, spec: Program, maps: dict[str, MapHandle], btf: bytes = b"") -> ProgramHandle: ...

        def attach(self, link: Link, program: ProgramHandle) -> LinkHandle: ...

        def attach_all(self, links: Sequence[Link], program: ProgramHandle) -> Sequence[LinkHandle]:
            """`attach` for all links of one program; there may be fewer handles than links."""

        def open_ring(self, ring: MapHandle) -> RingHandle: ...

        def wait(self, rings: list[RingHandle], timeout: float) -> bool:
            """Sleep until a ring has records or `timeout` seconds passed; True if woken by a ring."""

        def close(self) -> None: ...
