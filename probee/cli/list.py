"""`probee list` and `probee -l`: which probes there are, in the form in which scripts name them."""

from __future__ import annotations

import os
import re
import sys

from ..base.errors import ProbeeError, TargetError, UsageError
from ..base.registry import near_misses
from ..probes.glob import compile_glob
from ..probes.perf import ALIASES, HARDWARE, SOFTWARE
from ..probes.special import SIGNALS
from ..session import open_files
from .files import parse_words
from .list_kernel import find_similar_types, list_kernel, list_types
from .list_user import is_scoped, list_functions, list_usdt
from .listing import Entry, Query
from .options import parse_pid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ..base.source import Source
    from ..bt.tree import AttachPoint

USAGE = """\
USAGE:
    probee list [-v] [-p PID] [PATTERN ...]

Lists the probes that match; all that need no file without a PATTERN. `*` stands for any text.

    interval:*  software:*  *ware:*faults*
    uprobe:/usr/bin/app:main    uprobe:libc:mem*    uretprobe:/usr/lib/libz*:*
    uprobe:/usr/bin/app:cpp:ns::*    uprobe:/usr/bin/app:rust:*::new
    usdt:/usr/bin/app:*    usdt:/usr/bin/app:provider:name
    'struct task_struct'   (a type of the kernel; with its members by -v)

-p PID: of the files whose code that process maps (usdt:* or uprobe:libc:*).
-v: with parameters and their types, from debug information; arguments of USDT probes as they are encoded.
"""


_TIMES = tuple(f"{unit}:" for unit in ("hz", "ms", "s", "us"))


def _counted(events: Iterable[str]) -> tuple[str, ...]:
    known = set(events)
    return tuple(sorted(f"{n}:" for n in (*known, *[a for a, of in ALIASES.items() if of in known])))


FIXED: dict[str, tuple[str, ...]] = {
    "begin": ("",),
    "end": ("",),
    "self": tuple(f"signal:{name}" for name in SIGNALS),
    "interval": _TIMES,
    "profile": _TIMES,
    "software": _counted(SOFTWARE),
    "hardware": _counted(HARDWARE),
}
"""Kinds whose probes are the same everywhere → what may follow the kind, with a colon where more must."""

LISTERS: dict[str, Callable[[Query], Iterator[Entry]]] = {
    **dict.fromkeys(("kprobe", "kretprobe", "tracepoint", "rawtracepoint"), list_kernel),
    **dict.fromkeys(("fentry", "fexit", "iter"), list_kernel),
    **dict.fromkeys(("uprobe", "uretprobe"), list_functions),
    "usdt": list_usdt,
}
"""The other kinds → what lists their probes."""

_IN_FILES = frozenset({"uprobe", "uretprobe", "usdt"})

KINDS = (*FIXED, *LISTERS)

_SHORT = {
    "i": "interval", "p": "profile", "s": "software", "h": "hardware",
    "f": "fentry", "fr": "fexit", "it": "iter", "kfunc": "fentry", "kretfunc": "fexit",
    "k": "kprobe", "kr": "kretprobe", "t": "tracepoint", "rt": "rawtracepoint", "u": "uprobe",
    "ur": "uretprobe", "U": "usdt",
}  # fmt: skip
_COMMA = re.compile(r",(?![^(<]*[)>])")
"""Between patterns; those between parameters of a C++ function are part of its name."""

_RETURNS = frozenset({"kretprobe", "uretprobe", "fexit"})
"""A wildcard for the kind leaves them out: they would say all again that kprobe, uprobe and fentry say."""

_TYPE = re.compile(r"(struct|union|enum)\s+\S")


def main(arguments: list[str]) -> int:
    """Run the command; the exit status. Raises ProbeeError."""
    options, words = parse_words(arguments, "vp:h", USAGE)
    if "-h" in options:
        sys.stdout.write(USAGE)
        return 0
    pid = parse_pid(options["-p"]) if "-p" in options else 0
    return list_probes(split_patterns(words), pid, verbose="-v" in options)


def split_patterns(words: Sequence[str]) -> list[str]:
    """The patterns of a command line, where commas may join them; all that there is for no word."""
    return [part.strip() for word in words or ("*",) for part in _COMMA.split(word)]


def list_program(
    source: Source,
    params: tuple[str, ...],
    pid: int = 0,
    *,
    verbose: bool = False,
    debug_roots: tuple[str, ...] = (),
    lenient: bool = False,
) -> int:
    """Print the probes of a script, wildcards expanded; the exit status. Raises ProbeeError."""
    from ..bt.parser import parse

    points = [point for probe in parse(source, params).probes for point in probe.points]
    patterns = [_pattern_of(point) for point in points]
    return list_probes(patterns, pid, verbose=verbose, debug_roots=debug_roots, lenient=lenient)


def _pattern_of(point: AttachPoint) -> str:
    """What lists an attach point: of those with a time or a count only what stands before it."""
    kind = _kind(point.provider)
    return f"{kind}:{point.args[0]}" if kind in FIXED and kind != "self" and point.args else point.text


def list_probes(
    patterns: Sequence[str],
    pid: int = 0,
    *,
    verbose: bool = False,
    debug_roots: tuple[str, ...] = (),
    lenient: bool = False,
) -> int:
    """Print the probes that match each of `patterns`; the exit status. `lenient`: nothing is no error.

    A pattern may also name types of the kernel (`struct file`), which are shown whole when `verbose`.
    Raises ProbeeError for the first pattern that nothing matches, after those before it were listed.
    """
    if pid and not os.path.isdir(f"/proc/{pid}"):
        raise TargetError(f"no process has the id {pid}")
    files, told = open_files(debug_roots), set[str]()
    status = 0
    for pattern in patterns:
        lines = []
        if _TYPE.match(pattern):
            found = list_types(pattern, verbose=verbose)
        else:
            found = _match(Query("", pattern, pid, verbose, False, files, told))
        for entry in _sorted(found):
            lines += [entry.text, *[f"    {detail}" for detail in entry.details]]
        if not lines:
            if not _is_file_name(pattern):
                if lenient:
                    continue
                raise _nothing(pattern)
            sys.stderr.write(
                f"WARNING: It appears that '{pattern}' is a filename but the file does not exist."
                f" Treating '{pattern}' as a search pattern.\n"
            )
            status = 0 if lenient else 1
            continue
        sys.stdout.buffer.write("\n".join([*lines, ""]).encode("utf-8", "surrogateescape"))
    files.flush()
    return status


def _sorted(entries: Iterator[Entry]) -> list[Entry]:
    """Each probe once, by text; of several functions of one name the one about which most is known."""
    found: dict[str, Entry] = {}
    for entry in entries:
        known = found.setdefault(entry.text, entry)
        if entry.details and not known.details:
            found[entry.text] = entry
    return [found[text] for text in sorted(found)]


def _match(asked: Query) -> Iterator[Entry]:
    """What matches the pattern `asked.rest`, which has the kind in it."""
    kinds, rest, sweeping = _find_kinds(asked.rest, asked.pid)
    for kind in kinds:
        if kind in FIXED:
            yield from _match_fixed(kind, rest)
        else:
            yield from LISTERS[kind](
                Query(kind, rest, asked.pid, asked.verbose, sweeping, asked.files, asked.told)
            )


def _find_kinds(pattern: str, pid: int) -> tuple[list[str], str, bool]:
    """The kinds of a pattern, what follows them, and whether a wildcard chose them. Raises UsageError."""
    written, colon, rest = pattern.partition(":")
    if not colon and not any(map(compile_glob(_kind(written)).fullmatch, KINDS)):
        # A word alone that is no kind is looked for in all of them.
        written, rest = "*", pattern
    rest = rest or "*"
    if "*" not in written:
        kind = _kind(written)
        if kind not in KINDS:
            raise _no_kind(written)
        return [kind], rest, False
    matches = compile_glob(written).fullmatch
    left_out = _RETURNS if is_scoped(rest, pid) else _RETURNS | _IN_FILES
    return [kind for kind in KINDS if matches(kind) and kind not in left_out], rest, True


def _kind(written: str) -> str:
    return _SHORT.get(written, written.lower() if len(written) > 2 else written)


def _match_fixed(kind: str, rest: str) -> Iterator[Entry]:
    matches = compile_glob(rest).fullmatch
    for text in FIXED[kind]:
        if matches(text) or matches(text.removesuffix(":")):
            yield Entry(f"{kind}:{text}" if text else kind)


# Why not


def _is_file_name(pattern: str) -> bool:
    return "." in pattern and ":" not in pattern and "*" not in pattern


def _no_kind(written: str) -> UsageError:
    near = near_misses(written, KINDS)
    hint = f"did you mean {' or '.join(near)}?" if near else None
    return UsageError(f"expected a kind of probe ({', '.join(KINDS)}), got {written!r}", hint=hint)


def _nothing(pattern: str) -> ProbeeError:
    if _TYPE.match(pattern):
        near = find_similar_types(pattern)
        hint = f"did you mean {' or '.join(near)}?" if near else None
        return TargetError(f"the kernel has no type {pattern!r}", hint=hint)
    kind, _, rest = pattern.partition(":")
    kind = _kind(kind)
    names = [text.removesuffix(":") for text in FIXED.get(kind, ()) if text]
    near = near_misses(rest.removesuffix(":"), names)
    if near:
        hint = f"did you mean {' or '.join([f'{kind}:{name}' for name in near])}?"
    elif kind in KINDS:
        hint = None
    else:
        hint = "probes of files are listed with a file or a process: uprobe:/path/of/file:NAME, or -p PID"
    return TargetError(f"no probe matches {pattern!r}", hint=hint)
