"""What a function is to a compiler: its parameters, its type, its code.

A function knows nothing of a language's syntax tree: it sees `Arg`s, asks a `Checking` while types are
found and an `Emitter` when code is made. Builtins such as `pid` are functions without parameters.
"""

from __future__ import annotations

from ..base.record import record
from ..base.registry import Registry
from ..ctype.types import VOID, CType, Struct
from ..spec.values import Aggregate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol, TypeVar

    from ..base.source import Span
    from ..elf.file import Elf
    from ..ir.nodes import Value
    from ..probes.provider import Provider, Site
    from ..spec.target import Target
    from .emit import Emitter, Place
    from .located import Found

    F = TypeVar("F", bound="type[Func]")

    class Checking(Protocol):
        """The checker of a language, as functions see it."""

        max_strlen: int
        stack_mode: str
        stack_limit: int
        unsafe: bool
        loops: int
        settings: Mapping[str, str | int | bool]

        def find_option(self, name: str, default: bool | int | bytes) -> bool | int | bytes:
            """An option that the script was given after `--`, of the kind of its default."""

        def open_elf(self, path: str) -> Elf:
            """The ELF file at an absolute `path`. Raises FormatError, TargetError."""

        @property
        def providers(self) -> tuple[Provider, ...]:
            """The kinds of the probe's attach points."""

        @property
        def contexts(self) -> list[tuple[Provider, Struct | None]]:
            """The kind of each place that the probe attaches to, and the record that it gives."""

        @property
        def sites(self) -> list[Site]:
            """The places that the probe attaches to."""

        @property
        def target(self) -> Target | None:
            """What the script is compiled for, where that is known."""

        def refer(self, kind: str, name: str) -> Struct:
            """The kernel's `kind` ("struct" or "union") of that name, found when somebody looks into it."""

        def error(self, message: str, span: Span, hint: str | None = None) -> None: ...

        def warn(self, message: str, span: Span, hint: str | None = None) -> None: ...

        def warn_once(self, message: str) -> None:
            """A warning about the script as a whole."""

        def value_type(self, variable: str) -> CType | None:
            """The type of the values of a variable, None while it is not known."""

        def is_keyed(self, variable: str) -> bool: ...

        def assign(self, arg: Arg, type: CType) -> None:
            """Have a "local" argument set to a value of `type`."""

        def longest(self, what: str) -> int:
            """Bytes of the longest of this probe's "probe" names or "function" names."""


@record
class Param:
    """A parameter; `many` is any number of them. `kind` says what it takes:

    int      an integer
    number   a constant integer
    text     a literal string
    any      any value
    address  any value, but of a positional parameter its text
    map      a variable as a whole
    entry    a variable as a whole, or one entry
    key      the key of an entry of the variable before it
    print    a variable as a whole, or any value
    word     a bare name
    type     a type, or an expression of that type, which is not computed
    local    a local variable, which the call sets
    stack    a bare name, or a constant integer
    """

    name: str
    kind: str
    optional: bool = False
    many: bool = False


@record
class Arg:
    """One argument. `node` is the language's own.

    `text` and `number` are its value where it is constant, `variable` names the map of a "map", "entry"
    or "print" argument, `word` is a bare name.
    """

    node: object
    span: Span
    type: CType
    text: bytes | None = None
    number: int | None = None
    variable: str = ""
    word: str = ""


@record
class CallSite:
    """One call: the span of the whole, and its arguments."""

    name: str
    span: Span
    args: tuple[Arg, ...]


class Func:
    """A function. The class docstring's first line says what it does, for lists and help.

    `effect`: a call changes something, so it is made even if nobody wants its value, and never twice.
    `early`: it is computed before there is a record for its value, since it may take long.
    `unsafe`: only with leave to change the traced system.
    """

    name: str
    params: tuple[Param, ...] = ()
    effect = False
    early = False
    unsafe = False

    @property
    def doc(self) -> str:
        """What it does, in one line."""
        return (self.__doc__ or "").split("\n", 1)[0]

    @property
    def usage(self) -> str:
        """How it is written: `str(address [, length])`."""
        text = ""
        for param in self.params:
            one = (", " if text else "") + param.name + ("..." if param.many else "")
            text += f" [{one}]" if param.optional or param.many else one
        return f"{self.name}({text.strip()})"

    def check(self, call: CallSite, to: Checking) -> CType | None:
        """The type of a call, None when it can't be known yet. Reports what is wrong to `to`."""
        return VOID

    def constant(self, call: CallSite) -> bytes | None:
        """The text that a call is known to give."""
        return None

    def check_field(self, call: CallSite, name: str, span: Span, to: Checking) -> None:
        """Report why the field `name` of a call's value, a struct, can't be read, if it can't."""

    def find_field(self, call: CallSite, name: str, to: Emitter) -> Found | None:
        """Where that field lies, of a value whose fields lie here and there; None: in the whole."""
        return None

    def known(self, call: CallSite, to: Checking) -> int | bytes | None:
        """The number or text that a call is known to give; asked after `check`, and then not computed."""
        return None

    def known_field(self, call: CallSite, name: str, to: Checking) -> int | bytes | None:
        """What a field of the record is known to be that a call gives."""
        return None

    def memory(self, call: CallSite, to: Emitter) -> Value | None:
        """The memory that the value of a call lies in; None where it is computed."""
        return None

    def pointee(self, call: CallSite, to: Emitter) -> Value | None:
        """The memory that the pointer which a call gives points to, where the program may read it itself."""
        return None

    def lower(self, call: CallSite, to: Emitter) -> Value | None:
        """Make the code of a call whose value is a number, or that has none."""
        raise AssertionError(self.name)

    def lower_into(self, call: CallSite, to: Emitter, place: Place) -> None:
        """Make the code of a call that puts its value, text or a tuple, at `place`."""
        raise AssertionError(self.name)


class Aggregation(Func):
    """A function that a variable is set to: `@x = count()`."""

    effect = True

    def check(self, call: CallSite, to: Checking) -> CType | None:
        """The type of the variable."""
        raise AssertionError(self.name)

    def add(self, call: CallSite, to: Emitter, values: list[Value], type: Aggregate, slot: Value) -> None:
        """Add to `slot`, where a value of `type` is kept. `values` are the call's arguments but constants."""
        raise AssertionError(self.name)


FUNCS: Registry[Func] = Registry("function")


def func(cls: F) -> F:
    """Register one object of `cls` under its name."""
    FUNCS.add(cls.name, cls())
    return cls
