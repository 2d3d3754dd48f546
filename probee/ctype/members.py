"""Where a member is: through anonymous structs, and along a path such as `a.b[3].c`."""

from __future__ import annotations

from .types import Array, CType, Member, Struct, strip_typedefs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def find_member(struct: Struct, name: str) -> tuple[int, Member] | None:
    """A member of `struct`, or of anonymous structs in it: its place in bits from the start of `struct`.

    Members of `struct` itself come before those of anonymous ones. Raises FormatError (from types
    that are decoded when asked for).
    """
    # C makes every name unique, malformed types don't: no struct is searched twice, so the work is bounded.
    seen = {id(struct)}
    level: list[tuple[int, Struct]] = [(0, struct)]
    while level:
        inner: list[tuple[int, Struct]] = []
        for start, holder in level:
            for member in holder.members:
                if member.name == name and name:
                    return start + member.offset_bits, member
                held = strip_typedefs(member.type) if member.base or not member.name else None
                if isinstance(held, Struct) and id(held) not in seen:
                    seen.add(id(held))
                    inner.append((start + member.offset_bits, held))
        level = inner
    return None


def offset_of(type: CType, path: Iterable[str | int]) -> tuple[int, CType, int]:
    """Follow a path of member names and indices: (bits from the start, type there, bits of a bit-field or 0).

    Indices aren't held against the length of an array, as in C. Raises LookupError with the reason.
    """
    offset = bit_size = 0
    for step in path:
        here = strip_typedefs(type)
        if isinstance(step, int):
            if not isinstance(here, Array):
                raise LookupError(f"expected an array for the index {step}, got {type}")
            offset, type, bit_size = offset + 8 * here.of.size * step, here.of, 0
            continue
        if not isinstance(here, Struct):
            raise LookupError(f"expected a struct with a member {step!r}, got {type}")
        found = find_member(here, step)
        if found is None:
            raise LookupError(f"expected a member of {type}, got {step!r}")
        offset, type, bit_size = offset + found[0], found[1].type, found[1].bit_size
    return offset, type, bit_size


def parse_path(text: str) -> tuple[str | int, ...]:
    """`a.b[3].c` → ("a", "b", 3, "c"). Raises ValueError."""
    steps: list[str | int] = []
    for part in text.split("."):
        name, *indices = part.split("[")
        if not name.isidentifier() or not all(index.rstrip().endswith("]") for index in indices):
            raise ValueError(f"expected a member and its indices, got {part!r}")
        steps.append(name)
        steps += [int(index.rstrip()[:-1], 0) for index in indices]
    return tuple(steps)
