"""Loops that functions make: by may_goto where the kernel has it, else counted.

With may_goto the verifier walks a loop until nothing new comes up, so what changes in it must be unknown to
it from the start. Without, it walks every round, and every way through each: a loop of many rounds must not
have branches but its ends, and only so many rounds: of each end in each round it keeps a note, 8192 in all.
"""

from __future__ import annotations

from ..ir.types import U64
from .unit import GLOBALS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Block, Value
    from .emit import Emitter


class Rounds:
    """One loop: `start` its variables, `enter`, make the body, go `again`.

    It goes round `most` times at most, after which it goes to `over`; `ends` are the branches out of it.
    `what` it is for is said where a kernel can't follow it.
    """

    def __init__(self, to: Emitter, most: int, over: Block, what: str, *, ends: int = 1) -> None:
        self._to = to
        self._b = to.b
        self._most = most
        self._over = over
        self._by_kernel = to.unit.target.have("may_goto")
        if not self._by_kernel:
            to.spend(most * ends, what)
        self._head = to.b.new_block()
        self._name = f"rounds {id(self)}"

    def start(self, name: str, value: int) -> None:
        """Set variable `name`, which the loop changes."""
        self._b.write(name, self._hide(value) if self._by_kernel else self._b.const(value, U64))

    def _hide(self, value: int) -> Value:
        nothing = self._b.load(self._b.global_(GLOBALS, self._to.unit.zeros(8)), U64)
        return self._b.op("add", nothing, value) if value else nothing

    def enter(self) -> None:
        b = self._b
        if not self._by_kernel:
            b.write(self._name, b.const(0, U64))
        b.jump(self._head)
        b.place(self._head, sealed=False)
        if not self._by_kernel:
            body = b.new_block()
            b.branch(b.compare("ult", b.read(self._name, U64), self._most), body, self._over)
            b.place(body)

    def again(self) -> None:
        b = self._b
        if self._by_kernel:
            spent = b.new_block()
            b.go_round(self._head, spent)
            b.seal(self._head)
            b.place(spent)
            b.jump(self._over)
        else:
            b.write(self._name, b.op("add", b.read(self._name, U64), 1))
            b.jump(self._head)
            b.seal(self._head)
