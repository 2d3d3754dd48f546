"""What was set for the run: config; and what stdlib's macros ask of the machine and the mode."""

from __future__ import annotations

from ..ctype.types import BOOL, INT64, CType
from ..spec.values import Str, Tuple
from .emit import Place
from .func import CallSite, Func, func
from .text import store_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .emit import Emitter
    from .func import Checking

_NAMES = """
cpp_demangle lazy_symbolication print_maps_on_exit use_blazesym show_debug_info
log_size max_bpf_progs max_cat_bytes max_map_keys max_probes max_strlen on_stack_limit perf_rb_pages
str_trunc_trailer unstable_import_statement unstable_tseries unstable_typeinfo unstable_dw_ustack
missing_probes stack_mode license
"""


@func
class Config(Func):
    """a record of all settings, by name: `config.max_strlen`"""

    name = "config"

    def check(self, call: CallSite, to: Checking) -> CType:
        names = tuple([name for name in _NAMES.split() if name in to.settings])
        return Tuple(tuple([_type_of(to.settings[name]) for name in names]), names)

    def known_field(self, call: CallSite, name: str, to: Checking) -> int | bytes:
        value = to.settings[name]
        return value.encode() if isinstance(value, str) else int(value)

    def lower_into(self, call: CallSite, to: Emitter, place: Place) -> None:
        type = place.type
        assert isinstance(type, Tuple)
        for name, inner, offset in zip(type.names, type.items, type.offsets, strict=True):
            value = to.unit.settings[name]
            if isinstance(value, str):
                part = Place(place.pointer, place.offset + offset, inner, place.clean)
                store_text(to.b, part, value.encode())
            else:
                to.b.store(place.pointer, int(value), inner.size, place.offset + offset)


def _type_of(value: str | int | bool) -> CType:
    if isinstance(value, bool):
        return BOOL
    return INT64 if isinstance(value, int) else Str(len(value.encode()) + 1)


@func
class SafeMode(Func):
    """true unless the script may change the traced system"""

    name = "__builtin_safe_mode"

    def check(self, call: CallSite, to: Checking) -> CType:
        return BOOL

    def known(self, call: CallSite, to: Checking) -> int:
        return int(not to.unsafe)


@func
class Arch(Func):
    """the CPU's name, as uname gives it"""

    name = "__builtin_arch"

    def check(self, call: CallSite, to: Checking) -> CType:
        return Str(len(self.known(call, to)) + 1)

    def known(self, call: CallSite, to: Checking) -> bytes:
        return to.target.machine.encode() if to.target is not None else b""
