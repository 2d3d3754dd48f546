"""What can be set: by the `config` block of a script, or by the environment, which wins.

Every setting has a kind, which says what values it takes and what is said of others; names may be written as
those of the environment are (`BPFTRACE_MAX_STRLEN`).
"""

from __future__ import annotations

from ..base.bits import align_up
from ..base.errors import SourceError, UsageError
from ..base.record import record, replace
from ..base.registry import near_misses
from ..base.source import Diagnostic
from ..spec.values import MODES
from .literals import LiteralError, parse_integer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..base.source import Span
    from ..funcs.unit import Options
    from ..spec.asked import Asked
    from . import tree

    Value = str | int | bool

PREFIX = "bpftrace_"
"""What stands before the name of a setting in the environment, in upper case there."""

MAX_STRLEN = 64 << 10
"""The longest text, in bytes."""

LICENSES = ("Dual MIT/GPL", "Dual BSD/GPL", "Dual MPL/GPL", "GPL and additional rights", "GPL v2", "GPL")
_LICENSING = "https://docs.kernel.org/bpf/bpf_licensing.html#using-bpf-programs-in-the-linux-kernel"

_HUNDRED = 100_000
_TRUE = ("1", "true", "on", "yes")
_FALSE = ("0", "false", "off", "no")


@record
class Configured:
    """The settings of one run: `options` is what the compiler heeds, `values` has all by name, `chosen` names
    those that somebody chose."""

    options: Options
    values: dict[str, Value]
    chosen: frozenset[str]
    warnings: tuple[Diagnostic, ...]


class _Refused(Exception):
    """A value that a setting does not take."""


def _number(value: Value) -> int:
    if isinstance(value, int):
        return int(value)
    try:
        return parse_integer(value)[0]
    except LiteralError:
        raise _Refused(f"expecting a number, got {value}") from None


def _count(value: Value) -> int:
    number = _number(value)
    if number < 1:
        raise _Refused("expected a number of at least 1")
    return number


def _strlen(value: Value) -> int:
    number = _count(value)
    if number > MAX_STRLEN:
        raise _Refused(f"expected at most {MAX_STRLEN}, got {number}")
    return number


def _truth(value: Value) -> bool:
    if isinstance(value, int):
        return value != 0
    if value.lower() not in (*_TRUE, *_FALSE):
        raise _Refused("Invalid bool value: valid values are true, false, 1 or 0.")
    return value.lower() in _TRUE


def _text(value: Value) -> str:
    return str(value)


def _percentiles(value: Value) -> str:
    """Numbers of percent, a comma between: "50,99.9"."""
    for text in str(value).split(","):
        whole, _, fraction = text.strip().partition(".")
        is_number = whole.isdecimal() and (not fraction or fraction.isdecimal()) and len(fraction) <= 3
        if not is_number or int(whole) * 1000 + int(fraction.ljust(3, "0")) > _HUNDRED:
            raise _Refused(f"expected percentiles such as 50,99.9, got {text.strip()}")
    return str(value).replace(" ", "")


def _choice(known: tuple[str, ...], message: str) -> Callable[[Value], str]:
    def choose(value: Value) -> str:
        name = str(value).lower()
        if name not in known:
            raise _Refused(message)
        return name

    return choose


def _unstable(value: Value) -> str:
    name = str(value).lower()
    if name in ("enable", "warn", "error"):
        return name
    if isinstance(value, int) or name in (*_TRUE, *_FALSE):
        return "enable" if _truth(value) else "error"
    raise _Refused("Invalid value for unstable config: valid values are enable, warn, and error.")


def _symbol_cache(value: Value) -> str:
    name = {"1": "", "true": "", "0": "none", "false": "none"}.get(str(value).lower(), str(value).lower())
    if name not in ("", "per_pid", "per_program", "none"):
        known = "valid values are PER_PID, PER_PROGRAM, and NONE."
        raise _Refused(f"Invalid value for cache_user_symbols: {known}")
    return name


def _license(value: Value) -> str:
    if value not in LICENSES:
        known = f"Valid values: {', '.join(LICENSES)}"
        about = f"Read more about BPF programs and licensing: {_LICENSING}"
        raise _Refused(f"Invalid value for license. Found: {value}. {known}. {about}")
    return str(value)


_MISSING = _choice(
    ("error", "warn", "ignore"),
    "Invalid value for missing_probes: valid values are ignore, warn, and error.",
)
_STACK_MODE = _choice(
    MODES, "Invalid value for stack_mode: valid values are bpftrace, raw, perf, and build_id."
)

SETTINGS: dict[str, tuple[Callable[[Value], Value], Value]] = {
    "cache_user_symbols": (_symbol_cache, ""),
    "cpp_demangle": (_truth, True),
    "dummy_ts_map": (_text, ""),
    "lazy_symbolication": (_truth, True),
    "license": (_license, "GPL"),
    "log_size": (_number, 1_000_000),
    "max_bpf_progs": (_number, 1024),
    "max_cat_bytes": (_count, 10240),
    "max_map_keys": (_count, 4096),
    "max_probes": (_count, 1024),
    "max_strlen": (_strlen, 1024),
    "missing_probes": (_MISSING, "error"),
    "on_stack_limit": (_number, 32),
    "perf_rb_pages": (_number, 0),
    "percentiles": (_percentiles, ""),
    "print_maps_on_exit": (_truth, True),
    "show_debug_info": (_truth, True),
    "stack_mode": (_STACK_MODE, "bpftrace"),
    "str_trunc_trailer": (_text, ".."),
    "unstable_dw_ustack": (_unstable, "warn"),
    "unstable_import_statement": (_unstable, "error"),
    "unstable_tseries": (_unstable, "warn"),
    "unstable_typeinfo": (_unstable, "error"),
    "use_blazesym": (_truth, True),
}
"""Name → what makes a value of what was written, and the value when nothing is said."""

_COMPILED = ("max_strlen", "max_map_keys", "max_probes", "max_cat_bytes", "stack_mode")
"""Settings that are options of the compiler by the same name."""

_RENAMED = {
    "strlen": "max_strlen",
    "no_cpp_demangle": "cpp_demangle",
    "cat_bytes_max": "max_cat_bytes",
    "map_keys_max": "max_map_keys",
}
_DEPRECATED = frozenset(
    {
        "symbol_source",
        "max_type_res_iterations",
        "unstable_addr",
        "unstable_import",
        "unstable_macro",
        "unstable_map_decl",
    }
)
_ENVIRONMENT_ONLY = frozenset({"btf", "kernel_build", "kernel_source", "vmlinux", "dummy_ts_map"})


def configure(script: tree.Script, options: Options, asked: Asked, page_size: int = 4096) -> Configured:
    """What holds for a script. Raises SourceError for its `config`, UsageError for the environment's."""
    chosen: dict[str, Value] = {}
    warnings: list[Diagnostic] = []
    for setting in script.config:
        name = _find_name(setting, warnings)
        if name:
            chosen[name] = _convert(name, setting)
    for name, text in asked.settings:
        if name not in SETTINGS:
            continue  # others read more of the environment than that
        try:
            chosen[name] = SETTINGS[name][0](text)
        except _Refused as refused:
            raise UsageError(_say(name, str(refused))) from None
    compiled = {name: value for name, value in chosen.items() if name in _COMPILED}
    pages = chosen.get("perf_rb_pages")
    if pages:
        compiled["ring_bytes"] = _power_of_two(int(pages) * page_size)
    values = {name: default for name, (_, default) in SETTINGS.items()}
    values["max_strlen"] = options.max_strlen
    return Configured(
        replace(options, lookups=asked.lookups, **compiled),
        {**values, **chosen},
        frozenset(chosen),
        tuple(warnings),
    )


def _find_name(setting: tree.Setting, warnings: list[Diagnostic]) -> str:
    """The name of what is set, "" for what has no effect any more."""
    if setting.key in _DEPRECATED:
        warnings.append(Diagnostic("WARNING", f"{setting.key} is deprecated and has no effect", setting.span))
        return ""
    name = setting.key.lower().removeprefix(PREFIX)
    if name in _RENAMED:
        message = f"{setting.key} has been renamed, please use {_RENAMED[name]}"
        warnings.append(Diagnostic("WARNING", message, setting.span))
        return _RENAMED[name]
    if name in _ENVIRONMENT_ONLY:
        raise _error(setting.span, f"{setting.key}: can only be set as an environment variable")
    if name not in SETTINGS:
        near = near_misses(name, sorted(SETTINGS))
        hint = f"did you mean {' or '.join(near)}?" if near else None
        raise _error(setting.span, f"{setting.key}: not a known configuration option", hint)
    return name


def _convert(name: str, setting: tree.Setting) -> Value:
    try:
        return SETTINGS[name][0](setting.value)
    except _Refused as refused:
        raise _error(setting.span, _say(setting.key, str(refused))) from None


def _say(name: str, message: str) -> str:
    return message if message.startswith("Invalid value for license") else f"{name}: {message}"


def _power_of_two(size: int) -> int:
    return 1 << max(align_up(size, 4096) - 1, 4095).bit_length()


def _error(span: Span | None, message: str, hint: str | None = None) -> SourceError:
    return SourceError([Diagnostic("ERROR", message, span, hint)])
