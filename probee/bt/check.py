"""Names and types: what a script means, or every place where it means nothing.

The types of variables and maps are merged from all their uses, in any order, by going over the script
until nothing widens any more; what the last round finds wrong is what is wrong.
"""

from __future__ import annotations

from ..base.errors import InternalError, SourceError, TargetError
from ..base.record import replace
from ..base.source import Diagnostic
from ..ctype.types import CType, Struct, Void
from ..funcs.stored import MAP_KINDS, Declared
from ..spec.values import Aggregate, Hist, LHist, TSeries, Tuple
from . import tree
from .cdefs import CTypes
from .check_comptime import check_lock
from .check_convert import check_conversion
from .check_expr import type_of
from .check_functions import check_unused
from .check_stmt import check_body, check_predicate
from .given import check_given, find_option
from .names import DECLARATION, Action, Checked, Local, MapInfo, did_you_mean, shown, with_end
from .types import describe, literal_type, merge, reads_as, settle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..base.source import Span
    from ..elf.file import Elf
    from ..funcs.func import Arg
    from ..probes.provider import Provider, Site
    from ..spec.target import Files, Target
    from .macros import Inlined

_BOUNDED: dict[type, str] = {Hist: "bits", LHist: "lhist bounds", TSeries: "tseries bounds"}
"""Aggregations with constants that all calls for a map must agree on, and what those are called."""

_MOST_ROUNDS = 64
"""More than any script needs: a type widens at most four times, and each round that goes on widens one."""


def check_script(
    script: tree.Script,
    actions: Sequence[Action],
    params: Sequence[str] = (),
    *,
    max_strlen: int = 1024,
    unsafe: bool = False,
    stacks: tuple[str, int] = ("bpftrace", 127),
    settings: Mapping[str, str | int | bool] | None = None,
    named: Mapping[str, str | None] | None = None,
    files: Files | None = None,
    target: Target | None = None,
    ctypes: CTypes | None = None,
) -> Checked:
    """Find the meaning of `script`. Raises SourceError with everything that is wrong with it.

    `stacks`: the mode and the number of frames of those that don't say; `settings`: all of them by name;
    `named`: the options of the script's own that were given; `files`: the target's binaries;
    `target`: whose kernel's types are known; `ctypes`: the types, where they were looked at already.
    """
    ctypes = ctypes or CTypes(script, target)
    checker = Checker(Checked(script, tuple(actions)), params, max_strlen, unsafe, ctypes)
    checker.stack_mode, checker.stack_limit = stacks
    checker.settings, checker.named = settings or {}, named or {}
    checker.files = files
    checker.target = target
    return checker.run()


class Checker:
    """The state of checking one script, and what functions see of it (`funcs.func.Checking`)."""

    def __init__(
        self, checked: Checked, params: Sequence[str], max_strlen: int, unsafe: bool, ctypes: CTypes
    ) -> None:
        self.checked = checked
        self.params = params
        self.max_strlen = max_strlen
        self.unsafe = unsafe
        self.stack_mode, self.stack_limit = "bpftrace", 127
        self.settings: Mapping[str, str | int | bool] = {}
        self.named: Mapping[str, str | None] = {}
        self.files: Files | None = None
        self.target: Target | None = None
        self.types = checked.types
        self.ctypes = ctypes
        self._script_types, self._traced_types = ctypes, dict[tree.Probe, CTypes]()
        self.maps = checked.maps
        self.diagnostics: list[Diagnostic] = []
        self.consequences: list[Diagnostic] = []
        self.changed = False
        self.action = checked.actions[0] if checked.actions else None
        self.scopes: list[dict[str, Local]] = []
        self.declared: list[Local] = []  # in the probe or function at hand
        self.asked = 0  # sizeof, typeof and the like around the expression at hand, which is not computed
        self.loops = 0  # those around the statement at hand
        self.map_loops = 0  # those of them, and of what is around a call, that go over maps
        self.inlined: list[Inlined] = []  # calls of functions around it
        self.accesses: dict[tree.Node, tree.MapAccess] = {}  # what `delete(@x, key)` stands for
        self.comptimes: dict[tree.Node, int] = {}  # what is decided by types that have settled
        self.waiting = False  # something like that is still open
        self.deciding = False  # the next one of them may be decided
        self.locked: dict[object, CType] = {}
        self._locals: dict[tree.Node, Local] = {}
        self._uses: dict[str, list[Span]] = {}  # where maps are named

    def run(self) -> Checked:
        self._declare_maps()
        for _ in range(_MOST_ROUNDS):
            self.changed = self.waiting = False
            self.diagnostics = []
            self.consequences = []
            self._uses = {}
            for action in self.checked.actions:
                self._check_action(action)
            for function in self.checked.script.functions:
                check_unused(self, function)
                self._check_assigned()
            self._default_maps()
            if not self.changed and (self.deciding or not self.waiting):
                break
            self.deciding = not self.changed
        else:
            raise InternalError("types of this script never settle")
        self._check_maps()
        errors = [d for d in self.diagnostics if d.severity == "ERROR"]
        errors = errors or self.consequences or check_given(self.checked, self.named)
        if errors:
            raise SourceError(sort_diagnostics(errors))
        self._settle()
        self.checked.warnings = sort_diagnostics(self.diagnostics)
        return self.checked

    # ---- the script

    def _declare_maps(self) -> None:
        for decl in self.checked.script.maps:
            info = self.maps.setdefault(decl.name, MapInfo(decl.name, decl.span))
            entries = decl.max_entries.value if isinstance(decl.max_entries, tree.Integer) else 0
            info.declared = Declared(decl.kind, entries)

    def _default_maps(self) -> None:
        """Maps that are read and never written are 0, once nothing else can say what they are."""
        if self.changed:
            return
        wrong = any(d.severity == "ERROR" for d in self.diagnostics)
        for info in self.maps.values():
            if info.value is None and info.read and not (info.tried and wrong):
                info.value = literal_type(0)
                self.changed = True

    def _check_action(self, action: Action) -> None:
        self.action = action
        self.ctypes = self._types_of(action)
        self.checked.names[action.probe] = set()
        self.scopes = [{}]
        if action.probe.predicate is not None:
            check_predicate(self, action.probe.predicate)
        check_body(self, action.probe.body)
        self._check_assigned()

    def _check_assigned(self) -> None:
        """Warn of variables that were declared for nothing."""
        for local in self.declared:
            if not local.assigned and local.origin == DECLARATION:
                self.warn(f"Variable {shown(local.name)} was never assigned to.", local.span)
        self.declared = []

    def _types_of(self, action: Action) -> CTypes:
        """The types that the probe may name: of programs, those of their debug information among them."""
        traced = [site.traced for sites in action.sites for site in sites if site.traced is not None]
        if not traced:
            return self._script_types
        if action.probe not in self._traced_types:
            from .traced_types import TracedTypes

            self._traced_types[action.probe] = TracedTypes(self._script_types, traced)
        return self._traced_types[action.probe]

    def _check_maps(self) -> None:
        for decl in self.checked.script.maps:
            info = self.maps[decl.name]
            kind = MAP_KINDS.get(decl.kind)
            if kind is None:
                hint = f"valid map types: {', '.join(MAP_KINDS)}"
                self.error(f"Invalid bpf map type: {decl.kind}", with_end(decl.span), hint)
            elif not info.declared or info.declared.max_entries < 1:
                self.error("expected a number of at least 1 as size of a map", decl.max_entries.span)
            elif info.value is None:
                self.warn(f"Unused map: {decl.name}", with_end(decl.span))
            elif kind[1] != isinstance(info.value, Aggregate):
                needed = "percpuhash" if isinstance(info.value, Aggregate) else "hash"
                message = f"Incompatible map types. Type from declaration: {decl.kind}."
                for span in self._uses.get(decl.name, [decl.span]):
                    self.error(f"{message} Type from value/key type: {needed}", span)

    def _settle(self) -> None:
        """Close the types of what is kept and sent. Those of expressions stay open: `arg0 == 1` needs it."""
        for node, (function, site) in self.checked.calls.items():
            args = tuple([replace(arg, type=settle(arg.type)) for arg in site.args])
            self.checked.calls[node] = (function, replace(site, args=args))
        for local in self._locals.values():
            local.type = settle(local.type) if local.type is not None else None
        for info in self.maps.values():
            info.key = settle(info.key) if info.key is not None else None
            info.value = settle(info.value) if info.value is not None else None

    def body(self, statements: tuple[tree.Stmt, ...]) -> None:
        """Check the statements of a block that has its scope already."""
        check_body(self, statements)

    def type_of(self, expr: tree.Expr) -> CType | None:
        """The type of an expression, None where it is not known (yet), or wrong."""
        return type_of(self, expr)

    # ---- what is wrong

    def error(
        self, message: str, span: Span, hint: str | None = None, notes: tuple[tuple[str, Span], ...] = ()
    ) -> None:
        self.diagnostics.append(Diagnostic("ERROR", message, span, hint, notes))

    def follow(self, message: str, span: Span) -> None:
        """An error that most often comes of another, and is told only where there is no other."""
        self.consequences.append(Diagnostic("ERROR", message, span))

    def warn(
        self, message: str, span: Span, hint: str | None = None, notes: tuple[tuple[str, Span], ...] = ()
    ) -> None:
        self.diagnostics.append(Diagnostic("WARNING", message, span, hint, notes))

    def warn_once(self, message: str) -> None:
        warning = Diagnostic("WARNING", message)
        if warning not in self.diagnostics:
            self.diagnostics.append(warning)

    # ---- what functions ask

    @property
    def providers(self) -> tuple[Provider, ...]:
        return self.action.providers if self.action is not None else ()

    @property
    def contexts(self) -> list[tuple[Provider, Struct | None]]:
        if self.action is None:
            return []
        pairs = zip(self.action.providers, self.action.sites, strict=False)
        return [(provider, site.context) for provider, sites in pairs for site in sites]

    def refer(self, kind: str, name: str) -> Struct:
        return self._script_types.refer(kind, name)

    def value_type(self, variable: str) -> CType | None:
        info = self.maps.get(variable)
        return info.value if info is not None else None

    def assign(self, arg: Arg, type: CType) -> None:
        assert isinstance(arg.node, tree.Variable)
        type = reads_as(type) or type
        if isinstance(type, Aggregate):
            self.error(f"Value '{type}' cannot be assigned to a scratch variable.", arg.span)
        else:
            self.assign_local(self.checked.locals[arg.node], type, arg.node)

    def is_keyed(self, variable: str) -> bool:
        info = self.maps.get(variable)
        return info is not None and bool(info.keyed)

    @property
    def sites(self) -> list[Site]:
        return [s for group in self.action.sites for s in group] if self.action is not None else []

    def longest(self, what: str) -> int:
        return max((len(getattr(s, what).encode()) for s in self.sites), default=0)

    def find_option(self, name: str, default: bool | int | bytes) -> bool | int | bytes:
        return find_option(self.named, name, default)

    def open_elf(self, path: str) -> Elf:
        if self.files is None:
            raise TargetError(f"{path}: it is not known what files this target has")
        return self.files.open_elf(path)

    # ---- variables

    def find_local(self, name: str) -> Local | None:
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        return None

    def declare_local(
        self, name: str, node: tree.Node, origin: str = "loop variable", span: Span | None = None
    ) -> Local:
        """The variable that `node` makes in the current block; `origin` says in words what `node` is."""
        local = self._locals.get(node)
        if local is None:
            local = self._locals[node] = Local(name, span or node.span, len(self._locals), origin)
        local.assigned = False
        self.scopes[-1][name] = local
        self.declared.append(local)
        return local

    def visible_locals(self) -> list[str]:
        return [name for scope in self.scopes for name in scope]

    def assign_local(
        self, local: Local, type: CType, node: tree.Node, value: tree.Expr | None = None
    ) -> None:
        """Merge the type of `value` into a variable's. `node` is what assigns it."""
        local.assigned = True
        if check_lock(self, local, shown(local.name), type, node.span):
            return
        merged = local.type if local.fixed else merge(local.type, type)
        if merged is None or not check_conversion(self, value or _nothing(node), type, merged):
            self.error(
                f"Type mismatch for {shown(local.name)}: trying to assign value of type '{describe(type)}' "
                f"when variable already has a type '{describe(local.type or type)}'",
                node.span,
            )
        elif merged != local.type:
            local.type = merged
            self.changed = True

    # ---- maps

    def find_map(self, name: str, span: Span) -> MapInfo:
        return self.maps.setdefault(name, MapInfo(name, span))

    def assign_map(self, info: MapInfo, type: CType, node: tree.Node, value: tree.Expr | None = None) -> None:
        """Merge the type of `value` into a map's. Aggregations stay among themselves. `node` assigns it."""
        if check_lock(self, (info, "value"), info.name, type, node.span):
            return
        if isinstance(info.value, Aggregate) or (isinstance(type, Aggregate) and info.value is not None):
            merged = _merge_aggregates(info.value, type)
        else:
            merged = type if isinstance(type, Aggregate) else merge(info.value, type)
        if merged is None and info.value.__class__ is type.__class__ and type.__class__ in _BOUNDED:
            what = _BOUNDED[type.__class__]
            self.error(f"Different {what} in a single map unsupported", node.span)
        elif merged is None:
            self.error(
                f"Type mismatch for {info.name}: trying to assign value of type '{describe(type)}' "
                f"when map already has a type '{describe(info.value or type)}'",
                node.span,
            )
        if merged is None:
            return
        if merged != info.value:
            info.value = merged
            self.changed = True
        if not isinstance(merged, Aggregate) and not check_conversion(
            self, value or _nothing(node), type, merged
        ):
            self.error(
                f"Type mismatch for {info.name}: trying to assign value of type '{describe(type)}' "
                f"when map already has a value type '{describe(merged)}'",
                node.span,
            )

    def use_key(self, access: tree.MapAccess) -> MapInfo:
        """The map of an access, whose key is merged into the map's."""
        info = self.find_map(access.name, access.span)
        name = replace(access.span, end=access.span.start + len(access.name))
        self._uses.setdefault(access.name, []).append(name)
        keyed = bool(access.keys)
        types = [type_of(self, key) for key in access.keys]
        if info.keyed is None:
            info.keyed = keyed
            self.changed = True
        elif info.keyed != keyed:
            self._complain_keys(info, access)
            return info
        if not keyed or None in types:
            return info
        known = [reads_as(t) or t for t in types if t is not None]
        for key, type in zip(access.keys, known, strict=True):
            if isinstance(type, Void):
                self.error(f"Invalid map key type: {type}", key.span)
                return info
            if isinstance(type, Aggregate) and len(known) == 1:
                self.error(f"Value '{type}' cannot be used as a map key.", access.span)
                return info
            if isinstance(type, Aggregate):
                self.error(f"{type} cannot be part of a map key", key.span)
                return info
        new = known[0] if len(known) == 1 else Tuple(tuple(known))
        if check_lock(self, (info, "key"), info.name, new, access.span):
            return info
        merged = merge(info.key, new)
        if merged is None:
            self.error(
                f"Argument mismatch for {info.name}: trying to access with arguments: '{describe(new)}' "
                f"when map expects arguments: '{describe(info.key or new)}'",
                access.span,
            )
            return info
        if merged != info.key:
            info.key = merged
            self.changed = True
        whole = access.keys[0] if len(known) == 1 else tree.TupleExpr(access.span, access.keys)
        if not check_conversion(self, whole, new, merged):
            self.error(
                f"Type mismatch for {info.name}: trying to assign key of type '{describe(new)}' "
                f"when map already has a key type '{describe(merged)}'",
                access.span,
            )
        return info

    def _complain_keys(self, info: MapInfo, access: tree.MapAccess) -> None:
        now, before = ("with", "without") if access.keys else ("without", "with")
        kinds = {"with": "an explicit key (non-scalar map)", "without": "an explicit key (scalar map)"}
        self.error(
            f"{info.name} used as a map {now} {kinds[now]}, previously used {before} {kinds[before]}",
            access.span,
        )

    def near_map(self, name: str) -> str | None:
        return did_you_mean(name, [n for n, i in self.maps.items() if i.value is not None and n != name])


def _merge_aggregates(current: CType | None, new: CType) -> CType | None:
    """The same kind of aggregation, signed if either is."""
    if current is None or type(current) is not type(new):
        return new if current is None else None
    if getattr(current, "signed", None) is None:
        return current if current == new else None
    signed: CType = replace(current, signed=True)
    if signed != replace(new, signed=True):
        return None
    return current if signed == current else new


def _nothing(node: tree.Node) -> tree.Expr:
    """An expression that stands where `node` does, of which nothing but the type is known."""
    return tree.Identifier(node.span, "")


def sort_diagnostics(diagnostics: Sequence[Diagnostic]) -> list[Diagnostic]:
    """In order of the source, what is inside of something before that; what is said twice once."""
    unique = dict.fromkeys(diagnostics)
    return sorted(unique, key=lambda d: (d.span.end, -d.span.start) if d.span is not None else (0, 0))
