"""The `config` block of a script."""

from __future__ import annotations

from ..base.errors import SourceError
from ..base.record import replace
from ..base.registry import near_misses
from ..base.source import Diagnostic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..funcs.unit import Options
    from . import tree

_COMPILED = ("max_strlen", "max_map_keys", "max_probes", "max_cat_bytes")
"""Numbers that the compiler needs. The others go to the run half as they are."""

_NAMES = """
cache_user_symbols cpp_demangle lazy_symbolication license log_size max_bpf_progs
missing_probes on_stack_limit perf_rb_pages print_maps_on_exit show_debug_info stack_mode str_trunc_trailer
unstable_dw_ustack unstable_import_statement unstable_tseries unstable_typeinfo use_blazesym
"""
_OTHERS = frozenset(_NAMES.split())

_RENAMED = {
    "strlen": "max_strlen",
    "no_cpp_demangle": "cpp_demangle",
    "cat_bytes_max": "max_cat_bytes",
    "map_keys_max": "max_map_keys",
}

MAX_STRLEN = 64 << 10
"""The longest text, in bytes."""


def configure(script: tree.Script, options: Options) -> Options:
    """`options` with what the script's `config` block says. Raises SourceError."""
    for setting in script.config:
        if setting.key in _COMPILED:
            options = replace(options, **{setting.key: _number(setting)})
        elif setting.key not in _OTHERS:
            raise _unknown(setting)
    return options


def _number(setting: tree.Setting) -> int:
    value = setting.value
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise _error(setting, f"{setting.key}: expected a number of at least 1")
    if setting.key == "max_strlen" and value > MAX_STRLEN:
        raise _error(setting, f"{setting.key}: expected at most {MAX_STRLEN}, got {value}")
    return value


def _unknown(setting: tree.Setting) -> SourceError:
    message = f"{setting.key}: not a known configuration option"
    if setting.key in _RENAMED:
        return _error(setting, message, f"it is called {_RENAMED[setting.key]} now")
    near = near_misses(setting.key, sorted((*_COMPILED, *_OTHERS)))
    return _error(setting, message, f"did you mean {' or '.join(near)}?" if near else None)


def _error(setting: tree.Setting, message: str, hint: str | None = None) -> SourceError:
    return SourceError([Diagnostic("ERROR", message, setting.span, hint)])
