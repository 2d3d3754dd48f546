"""What Go knows of who runs: goid."""

from __future__ import annotations

from ..ctype.types import UINT64, CType
from .func import CallSite, Func, func

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Value
    from .emit import Emitter
    from .func import Checking


@func
class Goid(Func):
    """number of the goroutine that runs, at a function of Go"""

    name = "goid"

    def check(self, call: CallSite, to: Checking) -> CType:
        for site in to.sites:
            if site.goroutine is None:
                message = f"it is not known where goid is at {site.probe}"
                hint = "goid needs a uprobe or uretprobe at a function of Go 1.17 or later, not in assembly"
                to.error(message, call.span, hint)
                break
        return UINT64

    def lower(self, call: CallSite, to: Emitter) -> Value:
        from .usdt import read_argument

        assert to.site.goroutine is not None
        return read_argument(to, to.site.goroutine)
