"""Names of addresses, found when they are shown: ksym usym. And addresses of names: uaddr."""

from __future__ import annotations

from ..arch import find as find_arch
from ..base.errors import SourceError
from ..base.source import Diagnostic
from ..ctype.types import UINT8, UINT16, UINT32, UINT64, CType, Int, Ptr
from ..elf.consts import ET
from ..ir.types import U64
from ..spec.bundle import UprobeLink
from ..spec.values import Ksym, Usym
from .func import CallSite, Func, Param, func
from .process import current_ids
from .text import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..elf.file import Elf
    from ..elf.symbols import Symbol
    from ..ir.nodes import Value
    from .emit import Emitter, Place
    from .func import Checking


def _check_address(call: CallSite, to: Checking) -> None:
    if not isinstance(call.args[0].type, (Int, Ptr, Ksym)):
        to.error(f"{call.name}() expects an integer or pointer argument", call.args[0].span)


@func
class KernelSymbol(Func):
    """the name of what is at an address of the kernel"""

    name = "ksym"
    params = (Param("address", "any"),)

    def check(self, call: CallSite, to: Checking) -> CType:
        _check_address(call, to)
        return Ksym()

    def lower(self, call: CallSite, to: Emitter) -> Value:
        return to.b.ext(to.value(call.args[0]), U64)


@func
class UserSymbol(Func):
    """the name of what is at an address of the current process"""

    name = "usym"
    params = (Param("address", "any"),)

    def check(self, call: CallSite, to: Checking) -> CType:
        _check_address(call, to)
        return Usym()

    def lower_into(self, call: CallSite, to: Emitter, place: Place) -> None:
        b = to.b
        b.store(place.pointer, b.ext(to.value(call.args[0]), U64), 8, place.offset)
        b.store(place.pointer, b.op("lshr", current_ids(to), 32), 4, place.offset + 8)
        b.store(place.pointer, to.program_number, 4, place.offset + 12)


_WORDS: dict[int, Int] = {1: UINT8, 2: UINT16, 4: UINT32}


@func
class UserAddress(Func):
    """the address, in the current process, of a variable or function of the traced file"""

    name = "uaddr"
    params = (Param("symbol", "text"),)

    def check(self, call: CallSite, to: Checking) -> CType:
        symbols = []
        for site in to.sites:
            if not isinstance(site.link, UprobeLink):
                hint = "uaddr() works in uprobe, uretprobe and usdt probes"
                to.error("uaddr() can only be used with uprobes", call.span, hint)
                return Ptr(UINT64, "user")
            elf = to.open_elf(site.link.path)
            found = _find(elf, decode(call.args[0].text))
            if found is None:
                message = f"Could not resolve symbol: {site.link.path}:{decode(call.args[0].text)}"
                to.error(message, call.span)
                return Ptr(UINT64, "user")
            symbols.append(found)
        sizes = {symbol.size for symbol in symbols}
        size = sizes.pop() if len(sizes) == 1 else 8
        return Ptr(_WORDS.get(size, UINT64), "user")

    def lower(self, call: CallSite, to: Emitter) -> Value:
        b, link = to.b, to.site.link
        assert isinstance(link, UprobeLink)
        files = to.unit.target.files
        assert files is not None
        elf = files.open_elf(link.path)
        symbol = _find(elf, decode(call.args[0].text))
        assert symbol is not None
        if elf.header.type == ET.EXEC:
            return b.const(symbol.value, U64)
        if link.ret:
            message = f"uaddr() in a uretprobe: {link.path} is loaded at another address in each process"
            hint = "keep the address in a map in a uprobe of the same function"
            raise SourceError([Diagnostic("ERROR", message, call.span, hint)])
        # Where the probe stands in the process, less where it stands in the file, is how far that was moved.
        arch = find_arch(to.unit.target.machine)
        here = b.load(b.context(), U64, arch.register(arch.instruction_pointer).offset)
        return b.op("add", here, symbol.value - (elf.address_of(link.offset) or 0))


def _find(elf: Elf, name: str) -> Symbol | None:
    """The symbol `name`, of several a global one first."""
    found = [symbol for symbol in elf.find_symbols(name) if symbol.is_defined]
    return min(found, key=lambda symbol: symbol.is_local, default=None)
