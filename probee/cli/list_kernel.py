"""Probes of the kernel, for `probee list`: tracepoints and functions."""

from __future__ import annotations

import sys

from ..base.errors import FeatureError
from ..kernel.names import LiveNames
from ..probes.glob import compile_glob
from .listing import Entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .listing import Query

_FIELD = "\tfield:"


def list_kernel(query: Query) -> Iterator[Entry]:
    """The probes of the kernel that are meant. Raises FeatureError where the kernel doesn't tell its names.

    Of a wildcard for the kind that is only a warning: other kinds may have what is looked for.
    """
    try:
        yield from _KINDS[query.kind](query, LiveNames())
    except FeatureError as error:
        if not query.sweeping:
            raise
        sys.stderr.write(f"WARNING: {query.kind} is left out: {error.message}\n")


def _list_tracepoints(query: Query, names: LiveNames) -> Iterator[Entry]:
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


def _list_raw_tracepoints(query: Query, names: LiveNames) -> Iterator[Entry]:
    matches = compile_glob(query.rest.rpartition(":")[2]).fullmatch
    for _, event in names.iter_tracepoints():
        if matches(event):
            yield Entry(f"{query.kind}:{event}")


def _list_functions(query: Query, names: LiveNames) -> Iterator[Entry]:
    """By name, or by module and name where the pattern has both; the kernel itself is "vmlinux" then."""
    colon = ":" in query.rest
    matches = compile_glob(query.rest).fullmatch
    for name, where in names.iter_functions():
        text = f"{where or 'vmlinux'}:{name}" if colon else name
        if matches(text):
            yield Entry(f"{query.kind}:{text}")


_KINDS: dict[str, Callable[[Query, LiveNames], Iterator[Entry]]] = {
    "tracepoint": _list_tracepoints,
    "rawtracepoint": _list_raw_tracepoints,
    "kprobe": _list_functions,
    "kretprobe": _list_functions,
}
