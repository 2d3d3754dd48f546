"""Memory of the traced system, by the space that an address belongs to."""

from __future__ import annotations

from ..base.record import record
from ..ctype.types import UINT64, CType, Int, Ptr, Typedef
from ..ir.types import U64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Value
    from .emit import Emitter


@record
class KernelAddress(Int):
    """A number that is the address of a `to` in the kernel, as long as it is in no variable."""

    to: CType = UINT64

    @property
    def pointer(self) -> Ptr:
        return Ptr(self.to, "kernel")


def reader_of(type: CType, default: str) -> str:
    """The helper that reads memory at an address of `type`; with `_str` after it, the one that reads text.

    `default` is the space ("user" or "kernel") of an address that does not tell its own.
    """
    while isinstance(type, Typedef):
        type = type.to
    if isinstance(type, KernelAddress):
        type = type.pointer
    space = type.space if isinstance(type, Ptr) else ""
    return f"probe_read_{space or default}"


def at_most(to: Emitter, value: Value, most: int) -> Value:
    """`value` without a sign, `most` where it is larger. To be used at once, while the verifier knows it."""
    b, name = to.b, "at most"
    b.write(name, b.ext(value, U64))
    over, done = b.new_block(), b.new_block()
    b.branch(b.compare("ult", b.read(name, U64), most), done, over)
    b.place(over)
    b.write(name, b.const(most, U64))
    b.jump(done)
    b.place(done)
    return b.read(name, U64)
