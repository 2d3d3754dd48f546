"""Control groups: cgroup_path cgroupid."""

from __future__ import annotations

from ..ctype.types import UINT64, CType
from ..ir.types import U64
from ..spec.values import CgroupPath
from .func import CallSite, Func, Param, func
from .text import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ir.nodes import Value
    from .emit import Emitter
    from .func import Checking


@func
class CgroupPathFunc(Func):
    """where the cgroup of an id is, for printing

    `filter` is a pattern of the name of the hierarchy ("unified" of version 2).
    """

    name = "cgroup_path"
    params = (Param("id", "int"), Param("filter", "text", optional=True))

    def check(self, call: CallSite, to: Checking) -> CType:
        return CgroupPath(decode(call.args[1].text) if len(call.args) > 1 else "")

    def lower(self, call: CallSite, to: Emitter) -> Value:
        return to.b.ext(to.value(call.args[0]), U64)


@func
class CgroupId(Func):
    """id of the cgroup (of version 2) at a path, when the script is compiled"""

    name = "cgroupid"
    params = (Param("path", "text"),)

    def check(self, call: CallSite, to: Checking) -> CType:
        if self.known(call, to) is None:
            path = decode(call.args[0].text)
            to.error(f"cgroupid: there is no cgroup at {path}", call.args[0].span)
        return UINT64

    def known(self, call: CallSite, to: Checking) -> int | None:
        files = to.target.files if to.target is not None else None
        return files.find_cgroup(decode(call.args[0].text)) if files is not None else None
