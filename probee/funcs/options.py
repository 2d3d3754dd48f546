"""A script's own options, given after `--`: getopt."""

from __future__ import annotations

from ..ctype.types import BOOL, INT64, UINT64, Bool, CType
from ..spec.values import Str
from .func import CallSite, Func, Param, func
from .text import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .func import Checking

    Option = bool | int | bytes


@func
class Getopt(Func):
    """the value of the option `--name=value` that follows `--`; its type is that of the default

    Without a default it is a truth: `--name`, `--name=false`.
    """

    name = "getopt"
    params = (
        Param("name", "text"),
        Param("default", "any", optional=True),
        Param("description", "text", optional=True),
    )

    def check(self, call: CallSite, to: Checking) -> CType:
        default = default_of(call)
        if default is None:
            message = "Second argument to 'getopt' must be a string literal, integer literal, or a boolean"
            to.error(f"{message} literal.", call.args[1].span)
            return BOOL
        if isinstance(default, bool):
            return BOOL
        if isinstance(default, bytes):
            return Str(to.max_strlen)
        return INT64 if default < 0 else UINT64

    def known(self, call: CallSite, to: Checking) -> Option | None:
        default = default_of(call)
        return None if default is None else to.find_option(decode(call.args[0].text), default)


def default_of(call: CallSite) -> Option | None:
    """What an option is that is not given; None where that is no constant."""
    if len(call.args) < 2:
        return False
    arg = call.args[1]
    if isinstance(arg.type, Bool):
        return None if arg.number is None else bool(arg.number)
    return arg.text if arg.text is not None else arg.number
