"""Settings of a script and of the environment: names, values, what is said of wrong ones."""

from __future__ import annotations

import pytest

from probee.base.errors import SourceError, UsageError
from probee.base.source import Source
from probee.bt.parser import parse
from probee.bt.settings import SETTINGS, Configured, configure
from probee.funcs.unit import Options
from probee.spec.asked import Asked


def configured(text: str, **environment: str) -> Configured:
    script = parse(Source("stdin", f"config = {{ {text} }} begin {{ }}"))
    return configure(script, Options(), Asked(settings=tuple(environment.items())))


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("max_strlen = 64", "max_strlen", 64),
        ("BPFTRACE_MAX_STRLEN = 64", "max_strlen", 64),
        ('max_map_keys = "1e3"', "max_map_keys", 1000),
        ("print_maps_on_exit = 0", "print_maps_on_exit", False),
        ("cpp_demangle = no", "cpp_demangle", False),
        ("stack_mode = RAW", "stack_mode", "raw"),
        ("missing_probes = warn", "missing_probes", "warn"),
        ('license = "Dual BSD/GPL"', "license", "Dual BSD/GPL"),
        ("unstable_tseries = 1", "unstable_tseries", "enable"),
        ("cache_user_symbols = PER_PID", "cache_user_symbols", "per_pid"),
        ('str_trunc_trailer = ""', "str_trunc_trailer", ""),
        ('percentiles = "50, 99.9"', "percentiles", "50,99.9"),
    ],
)
def test_values(text: str, name: str, value: object) -> None:
    found = configured(text)
    assert found.values[name] == value
    assert type(found.values[name]) is type(value)
    assert found.chosen == {name}
    assert not found.warnings


def test_what_the_compiler_heeds() -> None:
    found = configured("max_strlen = 64; max_cat_bytes = 1; stack_mode = perf; perf_rb_pages = 3")
    options = found.options
    assert (options.max_strlen, options.max_cat_bytes, options.stack_mode) == (64, 1, "perf")
    assert options.ring_bytes == 4 * 4096


def test_the_environment_wins_and_may_say_more() -> None:
    found = configured("max_strlen = 64", max_strlen="32", color="never")
    assert found.options.max_strlen == 32
    assert "color" not in found.values


def test_defaults_are_values_that_can_be_set() -> None:
    for name, (convert, default) in SETTINGS.items():
        if default != "":
            assert convert(default) == default, name


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("max_strlne = 1", "max_strlne: not a known configuration option", "did you mean max_strlen?"),
        ("btf = 1", "btf: can only be set as an environment variable", None),
        ("max_strlen = many", "max_strlen: expecting a number, got many", None),
        ("max_strlen = 0", "max_strlen: expected a number of at least 1", None),
        ("max_strlen = 65537", "max_strlen: expected at most 65536, got 65537", None),
        (
            "cpp_demangle = maybe",
            "cpp_demangle: Invalid bool value: valid values are true, false, 1 or 0.",
            None,
        ),
        (
            "missing_probes = 1",
            "missing_probes: Invalid value for missing_probes: valid values are ignore, warn, and error.",
            None,
        ),
        (
            "unstable_tseries = x",
            "unstable_tseries: Invalid value for unstable config: valid values are enable, warn, and error.",
            None,
        ),
        ('percentiles = "101"', "percentiles: expected percentiles such as 50,99.9, got 101", None),
    ],
)
def test_wrong_settings(text: str, message: str, hint: str | None) -> None:
    with pytest.raises(SourceError) as caught:
        configured(text)
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.message, diagnostic.hint) == (message, hint)
    assert diagnostic.span is not None
    assert diagnostic.span.text == text


def test_a_license_that_the_kernel_does_not_take() -> None:
    with pytest.raises(
        SourceError, match=r"^Invalid value for license\. Found: Potato\. Valid values: Dual MIT"
    ):
        configured('license = "Potato"')


def test_wrong_settings_of_the_environment() -> None:
    with pytest.raises(UsageError, match=r"^max_strlen: expecting a number, got x$"):
        configured("", max_strlen="x")


@pytest.mark.parametrize(
    ("text", "warning", "name"),
    [
        ("strlen = 64", "strlen has been renamed, please use max_strlen", "max_strlen"),
        ("symbol_source = 1", "symbol_source is deprecated and has no effect", None),
    ],
)
def test_old_names(text: str, warning: str, name: str | None) -> None:
    found = configured(text)
    assert [d.message for d in found.warnings] == [warning]
    assert found.chosen == ({name} if name else set())
