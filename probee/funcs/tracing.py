"""What only programs of the kernel's tracing kind can ask: path skboutput socket_cookie."""

from __future__ import annotations

from ..ctype.types import UINT32, UINT64, CType
from ..spec.abi import ProgType
from ..spec.values import Str
from .func import CallSite, Func, Param, func

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..probes.provider import Provider
    from .func import Checking


class _OfTracing(Func):
    """Something that needs pointers the kernel vouches for."""

    type: CType

    def check(self, call: CallSite, to: Checking) -> CType:
        self._check_probe(call, to)
        return self.type

    def _check_probe(self, call: CallSite, to: Checking) -> None:
        for provider in to.providers:
            if not self._suits(provider):
                to.error(self._refusal(provider.name), call.span)
                break

    def _suits(self, provider: Provider) -> bool:
        return provider.program_type == ProgType.TRACING

    def _refusal(self, kind: str) -> str:
        return f"{self.name}() can not be used with '{kind}' probes"


@func
class Path(_OfTracing):
    """the path of a struct path; only in functions that the kernel allows it in"""

    name = "path"
    params = (Param("path", "any"), Param("size", "number", optional=True))

    def check(self, call: CallSite, to: Checking) -> CType:
        self._check_probe(call, to)
        size = call.args[1].number if len(call.args) > 1 else None
        return Str(to.max_strlen if size is None else max(min(size, to.max_strlen), 1))

    def _suits(self, provider: Provider) -> bool:
        return provider.name in ("fentry", "fexit", "iter")

    def _refusal(self, kind: str) -> str:
        return "The path function can only be used with 'fentry', 'fexit', 'iter' probes"


@func
class Skboutput(_OfTracing):
    """write the packet of a struct sk_buff to a pcap file; 0, or an error"""

    name, type = "skboutput", UINT32
    params = (Param("path", "text"), Param("skb", "any"), Param("length", "int"), Param("offset", "int"))


@func
class SocketCookie(_OfTracing):
    """the number that the kernel gives a struct sock for its life"""

    name, type = "socket_cookie", UINT64
    params = (Param("sock", "any"),)
