"""What a program did that no verifier would have let pass."""

from __future__ import annotations

from ..base.errors import ProbeeError


class Fault(ProbeeError):
    """A program went wrong at run time. `slot` and `text` are the instruction's, once known."""

    def __init__(self, reason: str, *, hint: str | None = None) -> None:
        super().__init__(reason, hint=hint)
        self.reason = reason
        self.program = ""
        self.slot = -1
        self.text = ""

    def at(self, program: str, slot: int, text: str) -> Fault:
        """This fault with its place, unless it has one already."""
        if self.slot < 0:
            self.program, self.slot, self.text = program, slot, text
            self.message = f"{program}: insn {slot}: {text}: {self.reason}"
            self.args = (self.message,)
        return self


class BudgetFault(Fault):
    """A program ran for more instructions than it was given."""
