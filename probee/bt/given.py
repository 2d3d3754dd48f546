"""The options that a script defines by getopt(), and those that it was given."""

from __future__ import annotations

from ..base.errors import UsageError
from ..base.source import Diagnostic
from ..funcs.text import decode
from .literals import LiteralError, parse_integer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..funcs.func import CallSite
    from ..funcs.options import Option
    from .names import Checked

    Named = Mapping[str, str | None]

_TRUE, _FALSE = ("true", "1", "on", "yes"), ("false", "0", "off", "no")


class OptionError(Exception):
    """What is wrong with the text of an option."""


def find_option(named: Named, name: str, default: Option) -> Option:
    """An option of the kind of its default. What is wrong with one is said by `check_given`."""
    if name not in named:
        return default
    try:
        return parse_option(named[name], default)
    except OptionError:
        return default


def parse_option(text: str | None, default: Option) -> Option:
    """The value of an option of the kind of its default; `text` is None where nothing was written. Raises
    OptionError."""
    if isinstance(default, bool):
        return _parse_truth(text)
    if text is None:
        raise OptionError(f"expects {'a string' if isinstance(default, bytes) else 'an integer'}")
    if isinstance(default, bytes):
        return text.encode("utf-8", "surrogateescape")
    return _parse_number(text, signed=default < 0)


def _parse_truth(text: str | None) -> bool:
    if text is None or text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise OptionError("expects a boolean (e.g. 'true')")


def _parse_number(text: str, *, signed: bool) -> int:
    digits = text.removeprefix("-") if signed else text
    if not digits[:1].isdecimal():
        raise OptionError("invalid integer")
    try:
        number = parse_integer(digits)[0]
    except LiteralError:
        raise OptionError("invalid trailing bytes") from None
    number = -number if digits != text else number
    if not (-(1 << 63) if signed else 0) <= number < 1 << (63 if signed else 64):
        raise OptionError("value is out of range")
    return number


def check_given(checked: Checked, named: Named) -> list[Diagnostic]:
    """What is wrong with the script's options. Raises UsageError for what was given and is none, or wrong."""
    calls = [site for function, site in checked.calls.values() if function.name == "getopt"]
    if not calls and not named:
        return []
    from ..funcs.options import default_of

    defaults: dict[str, Option] = {}
    about: dict[str, str] = {}
    wrong = []
    for site in sorted(calls, key=lambda site: site.span.start):
        name, default = decode(site.args[0].text), default_of(site)
        if default is None:
            continue
        message = _find_conflict(site, name, default, defaults, about)
        if message:
            wrong.append(Diagnostic("ERROR", message, site.span))
        defaults.setdefault(name, default)
        if len(site.args) > 2 and not about.get(name):
            about[name] = decode(site.args[2].text)
    if not wrong:
        _check_named(named, defaults, about)
    return wrong


def _find_conflict(
    site: CallSite, name: str, default: Option, defaults: dict[str, Option], about: dict[str, str]
) -> str:
    before = defaults.get(name, default)
    if (type(before), before) != (type(default), default):
        return (
            f"Command line option '{name}' needs to have the same default value in all places it is used. "
            f"Previous default value: {_render(before)}"
        )
    description = decode(site.args[2].text) if len(site.args) > 2 else ""
    if description and about.get(name, description) != description:
        return (
            f"Command line option '{name}' must have the same description in all places it's used. "
            "Hint: You can wrap it in a macro"
        )
    return ""


def _render(value: Option) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def _check_named(named: Named, defaults: dict[str, Option], about: dict[str, str]) -> None:
    unknown = [name for name in named if name not in defaults]
    if unknown:
        raise _unexpected(unknown, defaults, about)
    for name, text in named.items():
        try:
            parse_option(text, defaults[name])
        except OptionError as error:
            shown = "true" if text is None else text
            raise UsageError(f"program command line option --{name} {error} (value: {shown})") from None


def _unexpected(unknown: list[str], defaults: dict[str, Option], about: dict[str, str]) -> UsageError:
    """With `--help` the options are listed, each with what is said about it."""
    others = [f"--{name}" for name in unknown if name != "help"]
    message = f"unexpected program command line options: {', '.join(others)}" if others else ""
    if not defaults:
        return UsageError(message, hint="no custom program options defined.")
    if "help" not in unknown:
        names = [f"--{name}" for name in defaults]
        return UsageError(message, hint=f"expected program options: {': '.join(names)}")
    lines = [f"--{name}: {about[name]}" if about.get(name) else f"--{name}" for name in defaults]
    return UsageError(message, hint="\n".join(["expected program options:", *lines]))
