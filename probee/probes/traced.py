"""What debug information says of a place in a program's code: arguments, variables, types, what is returned.

Promises: nothing is read before it is asked for, so that a script that only counts calls costs nothing; what
can't be read says why, by name, and is never wrong in silence.
"""

from __future__ import annotations

from functools import cached_property

from ..base.errors import TargetError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ctype.types import CType, Struct
    from ..dwarf.functions import Function
    from .binary import Binary
    from .variables import Named


class Traced:
    """The code at `address` of `binary`, in `function` by name ("" where that isn't known).

    Each question raises TargetError where there is no debug information to answer it, FormatError where that
    is malformed.
    """

    def __init__(self, binary: Binary, address: int, function: str = "") -> None:
        self._binary, self.address, self._name = binary, address, function

    @property
    def path(self) -> str:
        """The file's path."""
        return self._binary.path

    @property
    def machine(self) -> int:
        """ELF's number of the CPU."""
        return self._binary.elf.machine

    @cached_property
    def function(self) -> Function:
        """The function around the place."""
        from ..dwarf.search import find_function_at

        dwarf = self._binary.need_dwarf()
        function = find_function_at(dwarf, self.address)
        if function is None:
            what = self._name or f"the code at {self.address:#x}"
            raise TargetError(
                f"{dwarf.elf.path} has no debug information of {what}",
                hint="it was compiled without -g, or written in assembly",
            )
        return function

    @cached_property
    def is_known(self) -> bool:
        """Whether there is debug information of the place."""
        from ..dwarf.search import find_function_at

        dwarf = self._binary.dwarf
        return dwarf is not None and find_function_at(dwarf, self.address) is not None

    @cached_property
    def variables(self) -> dict[str, Named]:
        """Parameters, at places inside of a function also its variables, by their names."""
        from .variables import find_variables

        return find_variables(self.function, self._binary.elf, self.address)

    @cached_property
    def context(self) -> Struct:
        """All of `variables` as one record."""
        from .variables import make_record

        return make_record(self.variables)

    @cached_property
    def returned(self) -> Named:
        """What the function returns, and where that is right after it has returned."""
        from .variables import find_returned

        return find_returned(self.function, self.machine)

    def find_type(self, kind: str, name: str) -> CType | None:
        """The "struct", "union" or "enum" of that name, with kind "typedef" any type called so; or None."""
        dwarf = self._binary.dwarf
        if dwarf is None:
            return None
        from ..dwarf.search import find_type

        return find_type(dwarf, kind, name, self.address)

    def find_enumerator(self, name: str) -> tuple[CType, int] | None:
        """The enum that has a constant called `name`, and its value; or None."""
        dwarf = self._binary.dwarf
        if dwarf is None:
            return None
        from ..dwarf.search import find_enumerator

        return find_enumerator(dwarf, name, self.address)
