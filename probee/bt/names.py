"""What checking learns of a script: types of nodes, variables and maps, and what its calls mean."""

from __future__ import annotations

from ..base.record import record, replace
from ..base.registry import near_misses
from . import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..base.source import Diagnostic, Span
    from ..ctype.types import CType
    from ..funcs.func import CallSite, Func
    from ..funcs.stored import Declared
    from ..probes.provider import Provider, Site


def shown(name: str) -> str:
    """A variable's name as it was written: those of macros and functions carry their call's."""
    return name[name.rindex("$") :]


DECLARATION = "initial declaration"
ASSIGNMENT = "initial assignment"
PARAMETER = "function parameter"
"""How a variable came to be, beside the loops that make one for themselves."""


def with_end(span: Span) -> Span:
    """The place of a statement with its semicolon."""
    return replace(span, end=span.end + (span.source.text[span.end : span.end + 1] == ";"))


class Local:
    """One `$name` of one block. `type` is None while nothing was assigned to it; `fixed` by a declaration."""

    __slots__ = ("name", "span", "type", "fixed", "assigned", "number", "origin", "addressed")

    def __init__(self, name: str, span: Span, number: int, origin: str) -> None:
        self.name = name
        self.span = span
        self.addressed = False  # a pointer to it is somewhere, so that it has to be in memory
        self.origin = origin  # how it came to be, at `span`
        self.type: CType | None = None
        self.fixed = False
        self.assigned = False
        self.number = number


class MapInfo:
    """One `@name`. `keyed` is None while no use has told; `value` is None while nothing was written."""

    __slots__ = ("name", "span", "key", "value", "keyed", "declared", "tried", "read")

    def __init__(self, name: str, span: Span) -> None:
        self.name = name
        self.span = span
        self.key: CType | None = None
        self.value: CType | None = None
        self.keyed: bool | None = None
        self.declared: Declared | None = None
        self.read = False  # somewhere its value is wanted
        self.tried = False  # a write of something wrong: that it is never written is not to be said too


@record
class Action:
    """One probe of a script with the kinds and places of its attach points (no sites: not resolved)."""

    probe: tree.Probe
    providers: tuple[Provider, ...]
    sites: tuple[tuple[Site, ...], ...]


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """The hint for a name that is none, where one that is looks like it. Of one letter all do."""
    near = near_misses(name, known) if len(name) > 2 else []
    return f"did you mean {' or '.join(near)}?" if near else None


class Checked:
    """A checked script. Tables are keyed by node."""

    def __init__(self, script: tree.Script, actions: tuple[Action, ...]) -> None:
        self.script = script
        self.actions = actions
        self.types: dict[tree.Node, CType] = {}
        self.locals: dict[tree.Node, Local] = {}
        self.maps: dict[str, MapInfo] = {}
        self.calls: dict[tree.Node, tuple[Func, CallSite]] = {}
        self.numbers: dict[tree.Node, int] = {}
        self.texts: dict[tree.Node, bytes] = {}
        self.infos: dict[tree.Node, tuple[bytes, bytes]] = {}  # of typeinfo: the kind of type, the whole type
        self.spaces: dict[tree.Node, str] = {}  # where what was read from memory lies
        self.names: dict[tree.Probe, set[str]] = {}
        self.outside: dict[tree.Node, frozenset[Local]] = {}  # of loops: the variables that are seen at them
        self.warnings: list[Diagnostic] = []

    def known(self, condition: tree.Expr) -> bool | None:
        """What `if comptime condition` is, of which the branch that is not taken is not looked at."""
        if not isinstance(condition, tree.Comptime) or condition not in self.numbers:
            return None
        return bool(self.numbers[condition])
