"""What is shown of one address of a stack, and who tells it."""

from __future__ import annotations

from ..base.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    class Symbols(Protocol):
        """Names of addresses. An address has several frames where functions are inlined: innermost first."""

        def kernel(self, addresses: Sequence[int]) -> list[tuple[Frame, ...]]:
            """The frames of each address of the kernel: of a stack, of which all but the first are those
            that calls return to."""

        def user(
            self, pid: int, program: int, addresses: Sequence[int], python: Sequence[int] = ()
        ) -> list[tuple[Frame, ...]]:
            """The frames of each address of a stack of process `pid`, that program `program` took; functions
            of Python, of which `python` are the words (`spec.python`), in the place of the interpreter's."""

        def kernel_name(self, address: int) -> str:
            """The name of what is at an address of the kernel, "" when there is none."""

        def user_name(self, pid: int, program: int, address: int) -> str:
            """The name of what is at an address of a process, "" when there is none."""


@record
class Frame:
    """A function around an address. `name` is "" when it has none, `offset` is in bytes from its start.

    `module` is the file or the module of the kernel that it is of, "" when unknown. `file` and `line` are the
    source's, "" and 0 when unknown. `inlined`: its code is in the frame that follows. `python`: it is a
    function of Python, which the interpreter's code at `address` runs, 0 when that is not known.
    """

    address: int
    name: str = ""
    offset: int = 0
    module: str = ""
    file: str = ""
    line: int = 0
    inlined: bool = False
    python: bool = False


class Addresses:
    """Symbols where there is nobody to ask: addresses have no names."""

    def kernel(self, addresses: Sequence[int]) -> list[tuple[Frame, ...]]:
        return [(Frame(address),) for address in addresses]

    def user(
        self, pid: int, program: int, addresses: Sequence[int], python: Sequence[int] = ()
    ) -> list[tuple[Frame, ...]]:
        return [(Frame(address),) for address in addresses]

    def kernel_name(self, address: int) -> str:
        return ""

    def user_name(self, pid: int, program: int, address: int) -> str:
        return ""


ADDRESSES = Addresses()


class Named:
    """Symbols of a made-up machine: `names` of functions by their first address, which is one of a page;
    the same in every process. Who adds to them is heard at once."""

    PAGE = 0x1000

    def __init__(self, names: dict[int, str]) -> None:
        self._names = names

    def _frame(self, address: int) -> tuple[Frame, ...]:
        offset = address % self.PAGE
        name = self._names.get(address - offset, "")
        return (Frame(address, name, offset if name else 0),)

    def kernel(self, addresses: Sequence[int]) -> list[tuple[Frame, ...]]:
        return [self._frame(address) for address in addresses]

    def user(
        self, pid: int, program: int, addresses: Sequence[int], python: Sequence[int] = ()
    ) -> list[tuple[Frame, ...]]:
        return [self._frame(address) for address in addresses]

    def kernel_name(self, address: int) -> str:
        return self._frame(address)[0].name

    def user_name(self, pid: int, program: int, address: int) -> str:
        return self._frame(address)[0].name
