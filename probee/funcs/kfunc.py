"""Functions that the kernel has for programs: kfunc_exist kfunc_allowed."""

from __future__ import annotations

from ..ctype.types import BOOL, CType
from .func import CallSite, Func, Param, func
from .text import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .func import Checking


class _OfKfunc(Func):
    params = (Param("kfunc", "any"),)

    def check(self, call: CallSite, to: Checking) -> CType:
        if call.args[0].text is None:
            to.error(f"{self.name}() accepts a string literal only", call.args[0].span)
        return BOOL

    def known(self, call: CallSite, to: Checking) -> bool:
        name, types = decode(call.args[0].text or b""), to.target.types if to.target is not None else None
        return types is not None and types.find_function(name) is not None and self._allows(name, to)

    def _allows(self, name: str, to: Checking) -> bool:
        raise AssertionError(self.name)


@func
class KfuncExist(_OfKfunc):
    """true if the kernel has a function of this name"""

    name = "kfunc_exist"

    def _allows(self, name: str, to: Checking) -> bool:
        return True


@func
class KfuncAllowed(_OfKfunc):
    """true if programs of this probe's kind may call the kernel's function of this name"""

    name = "kfunc_allowed"

    def _allows(self, name: str, to: Checking) -> bool:
        names = to.target.names if to.target is not None else None
        kinds = {provider.program_type for provider in to.providers}
        return names is not None and all(names.allows_kfunc(name, kind) for kind in kinds)
