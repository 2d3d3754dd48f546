"""Where Rust's compiler puts arguments. Its convention is nowhere written down, so only what has been the
same in all versions is told: numbers and pointers, pairs of them (slices, text), what is passed by address.

From the first argument on that may be passed in one way or in another, the places of all that follow are not
known either. Where the debug information tells a place by itself, that one counts.
"""

from __future__ import annotations

from ..base.bits import align_up
from ..ctype.types import Array, CType, Float, Struct, strip_typedefs
from .consts import TAG
from .expr import Cfa, Const, InMemory, InRegister, Location, Piece, Pieces, Register, Unsupported, make_op
from .registers import register_numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..arch.arch import Arch
    from .die import Die
    from .functions import Function

_WORD = 8
_TWO_WORDS = 16
_MOST_FIELDS = 64
_UNKNOWN = "a value that Rust passes in a way of its own"
_BEHIND = "an argument behind one that Rust passes in a way of its own"
_FLOATING = "a floating point value, in a register that probes don't see"


class RustArguments:
    """The places that are still free while one parameter of `function` after another gets its own."""

    def __init__(self, arch: Arch, function: Function, returned: Die | None) -> None:
        numbers = register_numbers(arch.elf_machine)
        self._function = function
        self._free = [numbers[name] for name in arch.user_arguments]
        self._stack = 0
        self._known = True
        self._take_result(arch, function.returns, returned)

    def place(self) -> list[Location]:
        """Where each parameter is when the function is entered."""
        return [self._place(p.type, p.type_die) for p in self._function.parameters]

    def _take_result(self, arch: Arch, type: CType, die: Die | None) -> None:
        """What is returned in the caller's memory takes a register for its address, on x86-64."""
        if arch.link is not None or type.size <= _WORD:
            return
        if type.size > _TWO_WORDS:
            self._free.pop(0)
        elif isinstance(strip_typedefs(type), (Struct, Array)) and len(_find_scalars(type, die)) != 2:
            self._known = False

    def _place(self, type: CType, die: Die | None) -> Location:
        if not self._known:
            return Unsupported(_BEHIND)
        size = type.size
        if not size:
            return Unsupported("a value without bytes")
        scalars = _find_scalars(type, die)
        if len(scalars) == 1:
            return self._scalar(scalars[0][1])
        if len(scalars) == 2 and not any(isinstance(leaf, Float) for _, leaf in scalars):
            return self._pair(scalars)
        if size > _TWO_WORDS:
            pointer = self._word()
            if isinstance(pointer, InRegister):
                return InMemory(Register(pointer.number))
            return Unsupported("a value whose address is on the stack")
        self._known = False
        return Unsupported(_UNKNOWN)

    def _scalar(self, type: CType) -> Location:
        if isinstance(type, Float):
            return Unsupported(_FLOATING)
        if type.size > _WORD:
            self._known = False
            return Unsupported(_UNKNOWN)
        return self._word()

    def _pair(self, scalars: list[tuple[int, CType]]) -> Location:
        """Two values, each in a place of its own; bytes between them are of no meaning."""
        (first_at, first), (second_at, second) = scalars
        if first_at or max(first.size, second.size) > _WORD or len(self._free) < 2:
            self._known = False
            return Unsupported(_UNKNOWN)
        bits = 8 * second_at
        return Pieces((Piece(self._word(), bits), Piece(self._word(), 8 * second.size)))

    def _word(self) -> Location:
        if self._free:
            return InRegister(self._free.pop(0))
        at = align_up(self._stack, _WORD)
        self._stack = at + _WORD
        return InMemory(make_op("plus", Cfa(), Const(at), bits=8 * _WORD))


def _find_scalars(type: CType, die: Die | None) -> list[tuple[int, CType]]:
    """(byte offset, type) of the one or two numbers or pointers that a value is; [] for all others."""
    if die is not None and _has_variants(die):
        return []
    found: list[tuple[int, CType]] = []
    waiting = [(0, type)]
    for _ in range(_MOST_FIELDS):
        if not waiting:
            break
        at, one = waiting.pop()
        one = strip_typedefs(one)
        if isinstance(one, Array) or (isinstance(one, Struct) and one.kind == "union"):
            return []
        if isinstance(one, Struct):
            waiting += [(at + m.offset_bits // 8, m.type) for m in one.members if m.type.size]
        else:
            found.append((at, one))
    covered = sum(leaf.size for _, leaf in found)
    # What has bytes of which no member tells is an enum somewhere inside.
    aligned = align_up(covered, max([leaf.size for _, leaf in found], default=1))
    if waiting or len(found) > 2 or type.size > max(aligned, 2 * max([s.size for _, s in found], default=0)):
        return []
    return sorted(found, key=lambda leaf: leaf[0])


def _has_variants(die: Die) -> bool:
    """Whether a type is an enum whose values have fields."""
    return any(child.tag == TAG.VARIANT_PART for child in die.iter_children())
