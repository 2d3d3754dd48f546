"""Probes of the kernel, for `probee list`: tracepoints, functions, iterators; and the kernel's types."""

from __future__ import annotations

import sys

from ..base.errors import FeatureError
from ..base.registry import near_misses
from ..ctype.render import render_definition
from ..ctype.types import Struct
from ..kernel.names import LiveNames
from ..kernel.types import LiveTypes
from ..probes.glob import compile_glob
from ..session import cache_folder
from .listing import Entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..ctype.types import CType, Func, Member
    from .listing import Query

_FIELD = "\tfield:"
_KERNEL = "vmlinux"
_ITERATOR = "bpf_iter_"
_META = "meta"


def list_kernel(query: Query) -> Iterator[Entry]:
    """The probes of the kernel that are meant. Raises FeatureError where the kernel doesn't tell its names.

    Of a wildcard for the kind that is only a warning: other kinds may have what is looked for.
    """
    try:
        yield from _KINDS[query.kind](query, LiveNames(), LiveTypes(cache_folder()))
    except FeatureError as error:
        if not query.sweeping:
            raise
        sys.stderr.write(f"WARNING: {query.kind} is left out: {error.message}\n")


def list_types(pattern: str, *, verbose: bool) -> Iterator[Entry]:
    """The types of the kernel that a pattern such as `struct task_*` means; with their members where
    `verbose`. Raises FeatureError where the kernel doesn't tell its types."""
    types = LiveTypes(cache_folder())
    if types.missing:
        raise FeatureError(types.missing)
    matches = compile_glob(" ".join(pattern.split())).fullmatch
    for module, type in types.iter_definitions(matches):
        if verbose:
            yield Entry(f"{module}: {_define(type)}")
        else:
            yield Entry(str(type))


def find_similar_types(pattern: str) -> list[str]:
    """Types of the kernel whose names look like that of a type that it has not."""
    kind, _, name = " ".join(pattern.split()).rpartition(" ")
    types = LiveTypes(cache_folder())
    known = {own for one, own in types.iter_types() if one == kind and own[:1] == name[:1]}
    likely = sorted(known, key=lambda own: (abs(len(own) - len(name)), own))
    return [f"{kind} {own}" for own in near_misses(name, likely)]


def _define(type: CType) -> str:
    try:
        return render_definition(type).removesuffix(";")
    except ValueError:
        # Laid out as C can't say; the members alone are still of use.
        members = type.members if isinstance(type, Struct) else ()
        lines = [f"        {member.type} {member.name};\n" for member in members]
        return f"{type} {{\n{''.join(lines)}}}"


def _list_tracepoints(query: Query, names: LiveNames, types: LiveTypes) -> Iterator[Entry]:
    matches = compile_glob(query.rest if ":" in query.rest else f"*:{query.rest}").fullmatch
    for category, event in names.iter_tracepoints():
        if matches(f"{category}:{event}"):
            text = names.find_format(category, event) if query.verbose else None
            yield Entry(f"{query.kind}:{category}:{event}", tuple(_iter_fields(text or "")))


def _iter_fields(text: str) -> Iterator[str]:
    """The fields of a tracepoint's description as C declares them, without those that all have."""
    for line in text.partition("\n\n")[2].splitlines():
        if line.startswith(_FIELD):
            yield line.removeprefix(_FIELD).partition(";")[0]


def _list_raw_tracepoints(query: Query, names: LiveNames, types: LiveTypes) -> Iterator[Entry]:
    matches = compile_glob(query.rest.rpartition(":")[2]).fullmatch
    for _, event in names.iter_tracepoints():
        if matches(event):
            found = types.find_event(event) if query.verbose else None
            yield Entry(f"{query.kind}:{event}", _parameters(found))


def _list_functions(query: Query, names: LiveNames, types: LiveTypes) -> Iterator[Entry]:
    """By name, or by module and name where the pattern has both; the kernel itself is "vmlinux" then."""
    colon = ":" in query.rest
    matches = compile_glob(query.rest).fullmatch
    known = _find_prototypes(query, types)
    for module, name in _iter_functions(names, types):
        text = f"{module}:{name}" if colon else name
        if matches(text):
            yield Entry(f"{query.kind}:{text}", _parameters(known.get((module, name))))


def _list_typed_functions(query: Query, names: LiveNames, types: LiveTypes) -> Iterator[Entry]:
    """fentry and fexit: functions whose types are known, always with their module."""
    if types.missing:
        raise FeatureError(types.missing)
    matches = compile_glob(query.rest if ":" in query.rest else f"*:{query.rest}").fullmatch
    traceable = {name for name, _ in names.iter_functions()}
    known = _find_prototypes(query, types)
    for module, name in types.iter_functions():
        if matches(f"{module}:{name}") and (not traceable or name in traceable):
            found = known.get((module, name))
            details = _parameters(found)
            if found is not None and query.kind == "fexit" and found.returns.size:
                details = (*details, f"{found.returns} retval")
            yield Entry(f"{query.kind}:{module}:{name}", details)


def _find_prototypes(query: Query, types: LiveTypes) -> dict[tuple[str, str], Func]:
    """The functions that are meant, by module and name; none where their parameters are not to be shown."""
    if not query.verbose:
        return {}
    matches = compile_glob(query.rest if ":" in query.rest else f"*:{query.rest}").fullmatch
    return {(module, name): found for module, name, found in types.iter_prototypes(matches)}


def _list_iterators(query: Query, names: LiveNames, types: LiveTypes) -> Iterator[Entry]:
    if types.missing:
        raise FeatureError(types.missing)
    matches = compile_glob(query.rest).fullmatch
    for module, name in types.iter_functions():
        own = name.removeprefix(_ITERATOR)
        if own == name or not matches(own):
            continue
        # What an iterator's program is given are the members of a struct of the function's own name.
        known = types.find_type("struct", f"bpf_iter__{own}") if query.verbose else None
        members = known.members if isinstance(known, Struct) else ()
        fields = [f"{m.type} {m.name}" for m in map(_pointer_of, members) if m.name != _META]
        if module == _KERNEL and (members or not query.verbose):
            yield Entry(f"{query.kind}:{own}", tuple(fields))


def _pointer_of(member: Member) -> Member:
    """The pointer in the union that the kernel puts around it in what an iterator gives."""
    inner = member.type
    return inner.members[0] if not member.name and isinstance(inner, Struct) and inner.members else member


def _iter_functions(names: LiveNames, types: LiveTypes) -> Iterator[tuple[str, str]]:
    """Module and name of the functions that can be traced; those that have types where the kernel keeps its
    list of them back."""
    some = False
    for name, module in names.iter_functions():
        some = True
        yield module or _KERNEL, name
    if not some:
        yield from types.iter_functions()


def _parameters(function: Func | None) -> tuple[str, ...]:
    return tuple([f"{type} {name}" for name, type in function.params]) if function is not None else ()


_KINDS: dict[str, Callable[[Query, LiveNames, LiveTypes], Iterator[Entry]]] = {
    "tracepoint": _list_tracepoints,
    "rawtracepoint": _list_raw_tracepoints,
    "kprobe": _list_functions,
    "kretprobe": _list_functions,
    "fentry": _list_typed_functions,
    "fexit": _list_typed_functions,
    "iter": _list_iterators,
}
