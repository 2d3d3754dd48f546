"""Arguments and results of functions in programs, by what the debug information says of them."""

from __future__ import annotations

from ..base.errors import FormatError, TargetError
from ..ctype.types import UINT64, Array, Bool, CType, Enum, Int, Ptr, Struct, Void, strip_typedefs
from ..dwarf.expr import Pieces
from ..elf.consts import EM
from ..ir.types import U64
from .located import Found, find_trouble, locate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..base.source import Span
    from ..ir.nodes import Value
    from ..probes.traced import Traced
    from ..probes.variables import Named
    from .emit import Emitter, Place
    from .func import Checking

_READABLE = (Int, Enum, Bool, Ptr, Struct, Array)
_WORD = 8
_MOST_TYPED = 16
"""Places of a probe up to which their debug information is asked what they return."""


def find_reason(traced: Traced, name: str) -> str | None:
    """Why the argument or variable `name` can't be read, None where it can, or there is none of that name."""
    named = traced.variables.get(name)
    return _reason(named, traced) if named is not None else None


def _reason(named: Named, traced: Traced) -> str | None:
    return find_trouble(named.location, traced.machine)


def find_argument(to: Emitter, traced: Traced, name: str) -> Found | None:
    """Where an argument or variable that can be read lies."""
    named = traced.variables.get(name)
    return _locate(to, named, traced) if named is not None else None


def _locate(to: Emitter, named: Named, traced: Traced) -> Found:
    return locate(to, named.location, named.type.size, traced.machine, traced.address)


def copy_arguments(to: Emitter, traced: Traced, place: Place, span: Span) -> None:
    """Put all of them at `place`, as a record. Raises TargetError with the first that can't be read."""
    for member in traced.context.members:
        named = traced.variables[member.name]
        reason = _reason(named, traced)
        if reason:
            message = f"args of {to.site.probe} can't be read whole: {member.name}: {reason}"
            raise TargetError(message, span=span, hint="args.NAME reads one of them")
        _copy(to, _locate(to, named, traced), place, member.offset_bits // 8, member.type.size)


def _copy(to: Emitter, found: Found, place: Place, offset: int, size: int) -> None:
    b = to.b
    if not size:
        return
    if found.helper:
        into = b.offset(place.pointer, place.offset + offset)
        b.call(found.helper, into, size, b.op("add", found.pointer, found.offset))
    else:
        b.copy(place.pointer, found.pointer, size, place.offset + offset, found.offset)


# What is returned


def find_result_type(to: Checking, span: Span) -> CType:
    """The type of what is returned, where all places agree; a number of 64 bits where nobody knows."""
    known = [site.traced for site in to.sites if site.traced is not None]
    if len(known) != len(to.sites) or not 0 < len(known) <= _MOST_TYPED:
        return UINT64
    try:
        results = [(traced, traced.returned) for traced in known if traced.is_known]
    except (FormatError, TargetError) as error:
        to.warn(f"the type of retval is not known: {error.message}", span)
        return UINT64
    if len(results) < len(known) or any(named.type != results[0][1].type for _, named in results):
        return UINT64
    type = results[0][1].type
    if isinstance(strip_typedefs(type), Void) or not type.size:
        return UINT64
    for traced, named in results:
        reason = _reason(named, traced)
        if reason:
            to.error(f"retval of {named.type} can't be read: {reason}", span)
            return UINT64
    bare = strip_typedefs(type)
    if isinstance(bare, Int) and bare.bytes > _WORD:
        return Array(UINT64, bare.bytes // _WORD)
    return type if isinstance(bare, _READABLE) else UINT64


def load_wide_result(to: Emitter, traced: Traced) -> Value | None:
    """The number that a function of a program of 32 bits has returned in two registers; None for others."""
    if traced.machine != EM.I386 or not traced.is_known:
        return None
    named = traced.returned
    if not isinstance(named.location, Pieces) or find_trouble(named.location, traced.machine):
        return None
    found = locate(to, named.location, named.type.size, traced.machine, traced.address)
    return to.b.load(found.pointer, U64, found.offset)


def copy_result(to: Emitter, traced: Traced, place: Place) -> None:
    """Put what a function has returned, a struct, at `place`."""
    _copy(to, _locate(to, traced.returned, traced), place, 0, traced.returned.type.size)
