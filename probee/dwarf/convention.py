"""Where the calling convention puts arguments and what a function returns, by their types.

The System V psABI of x86-64 (section 3.2.3) and AAPCS64 (section 6). Compilers follow them for functions that
others can call; of those that nobody else can (clones) the debug information says where arguments are.
Floating point values are in registers that a probe's program doesn't see: `Unsupported` names them.
"""

from __future__ import annotations

from ..arch import find_by_elf_machine
from ..base.bits import align_up
from ..base.record import record
from ..ctype.types import Array, CType, Float, Int, Member, Struct, strip_typedefs
from ..elf.consts import EM
from .consts import AT, CC
from .expr import Cfa, Const, InMemory, InRegister, Location, Piece, Pieces, Register, Unsupported, make_op
from .functions import find_bare_type, iter_hops
from .registers import register_numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..arch.arch import Arch
    from .die import Die
    from .functions import Function, Parameter

_GO, _RUST = 0x16, 0x1C  # DW_LANG
_OF_GO = "a value that Go passes in its own way"
_OWN_WAY = "a value that the compiler passes to this function in a way of its own"
_WORD = 8
_TWO_WORDS = 16
_MOST_ALIKE = 4
_MOST_FIELDS = 64

_INTEGER, _FLOAT, _MEMORY, _BY_ADDRESS = "integer", "float", "memory", "by address"


@record
class _Shape:
    """How a value is passed: the class of each of its words (none: it takes no place), or one word for all.

    `whole` is what it is in words for errors.
    """

    classes: tuple[str, ...]
    size: int
    align: int


def find_arguments(function: Function, machine: int) -> list[Location]:
    """Where each parameter of `function` is when it is entered, by ELF's CPU `machine`; the CFA is that of
    the entry. Raises FeatureError for a CPU without tables."""
    if function.unit.language == _GO:
        return [Unsupported(_OF_GO)] * len(function.parameters)
    if machine == EM.I386:
        from .convention_i386 import find_arguments

        return find_arguments(function, machine)
    if any(hop.find_constant(AT.CALLING_CONVENTION) == CC.NOCALL for hop in iter_hops(function.die)):
        return [Unsupported(_OWN_WAY)] * len(function.parameters)
    if function.unit.language == _RUST:
        from .convention_rust import RustArguments

        return RustArguments(find_by_elf_machine(machine), function, _returned_die(function)).place()
    return _Arguments(find_by_elf_machine(machine), function).place()


def find_result(function: Function, machine: int) -> Location:
    """Where the value that `function` returns is, right after it has returned."""
    if function.unit.language == _GO:
        return Unsupported(_OF_GO)
    if machine == EM.I386:
        from .convention_i386 import find_result

        return find_result(function, machine)
    arch = find_by_elf_machine(machine)
    numbers = register_numbers(machine)
    first = numbers[arch.return_value]
    shape = _shape_of(function.returns, _returned_die(function), arch)
    if shape.classes[:1] in ((_MEMORY,), (_BY_ADDRESS,)):
        if arch.link is not None:
            return Unsupported("a value that is returned in the caller's memory, whose address is not kept")
        return InMemory(Register(first))
    if _FLOAT in shape.classes:
        return Unsupported("a floating point value, in a register that probes don't see")
    seconds = {"ax": "dx", "x0": "x1"}
    registers = (arch.return_value, seconds[arch.return_value])
    return _in_registers([numbers[name] for name in registers[: len(shape.classes)]], shape.size)


class _Arguments:
    """The places that are still free while one parameter after another gets its own."""

    def __init__(self, arch: Arch, function: Function) -> None:
        numbers = register_numbers(arch.elf_machine)
        self._arch, self._function = arch, function
        self._free = [numbers[name] for name in arch.user_arguments]
        self._floats = _WORD  # both CPUs have eight
        # What was pushed before the call is above the CFA, which is where the stack was before it.
        self._stack = 0

    def place(self) -> list[Location]:
        function, arch = self._function, self._arch
        result = _shape_of(function.returns, _returned_die(function), arch)
        # The caller says where the result goes: on x86-64 as if it were an argument before the first.
        if arch.link is None and result.classes[:1] in ((_MEMORY,), (_BY_ADDRESS,)):
            self._free.pop(0)
        return [self._place(parameter) for parameter in function.parameters]

    def _place(self, parameter: Parameter) -> Location:
        shape = _shape_of(parameter.type, parameter.type_die, self._arch)
        if not shape.classes:
            return Unsupported("a value without bytes")
        if shape.classes == (_BY_ADDRESS,):
            pointer = self._integers(_Shape((_INTEGER,), _WORD, _WORD))
            if isinstance(pointer, InRegister):
                return InMemory(Register(pointer.number))
            return Unsupported("a value whose address is on the stack")
        if shape.classes == (_MEMORY,):
            return self._pushed(shape)
        floats = shape.classes.count(_FLOAT)
        if not floats:
            return self._integers(shape)
        return self._with_floats(shape, floats)

    def _with_floats(self, shape: _Shape, floats: int) -> Location:
        words = len(shape.classes) - floats
        if floats > self._floats or words > len(self._free):
            return self._pushed(shape)
        self._floats -= floats
        del self._free[:words]
        return Unsupported("a floating point value, in a register that probes don't see")

    def _integers(self, shape: _Shape) -> Location:
        count = len(shape.classes)
        if self._arch.link is not None and shape.align == _TWO_WORDS and len(self._free) % 2:
            self._free.pop(0)  # AAPCS64, rule C.10: such pairs begin with an even register
        if count > len(self._free):
            if self._arch.link is not None:
                self._free.clear()  # rule C.13: nothing later takes what is left
            return self._pushed(shape)
        taken, self._free = self._free[:count], self._free[count:]
        return _in_registers(taken, shape.size)

    def _pushed(self, shape: _Shape) -> Location:
        at = align_up(self._stack, max(shape.align, _WORD))
        self._stack = at + align_up(shape.size, _WORD)
        return InMemory(make_op("plus", Cfa(), Const(at), bits=8 * _WORD))


def _in_registers(numbers: Sequence[int], size: int) -> Location:
    if len(numbers) == 1:
        return InRegister(numbers[0])
    if not numbers:
        return Unsupported("a value without bytes")
    bits = [8 * min(_WORD, size - _WORD * index) for index in range(len(numbers))]
    return Pieces(tuple([Piece(InRegister(n), count) for n, count in zip(numbers, bits, strict=True)]))


# Classes of types


def _shape_of(type: CType, die: Die | None, arch: Arch) -> _Shape:
    bare = strip_typedefs(type)
    size = bare.size
    if not size:
        return _Shape((), 0, 1)
    if isinstance(bare, Float):
        if size <= _WORD or arch.link is not None:
            return _Shape((_FLOAT,), size, min(size, _TWO_WORDS))
        return _Shape((_MEMORY,), size, _TWO_WORDS)  # long double
    if not isinstance(bare, (Struct, Array)):
        words = -(-size // _WORD)
        return _Shape((_INTEGER,) * words, size, size)
    align = _align_of(bare)
    if die is not None and die.find_constant(AT.CALLING_CONVENTION) == CC.PASS_BY_REFERENCE:
        return _Shape((_BY_ADDRESS,), size, align)
    if arch.link is not None:
        return _shape_of_64(bare, size, align)
    classes = _eightbytes(bare, size) if size <= _TWO_WORDS else (_MEMORY,)
    return _Shape(classes, size, align)


def _shape_of_64(type: CType, size: int, align: int) -> _Shape:
    """A struct by AAPCS64: up to four floats alike are in registers for them, other large ones in memory."""
    leaves = list(_leaves(type, 0))
    first = leaves[0][1] if leaves else None
    if isinstance(first, Float) and len(leaves) <= _MOST_ALIKE:
        if all(isinstance(leaf, Float) and leaf.size == first.size for _, leaf in leaves):
            return _Shape((_FLOAT,) * len(leaves), size, align)
    if size > _TWO_WORDS:
        return _Shape((_BY_ADDRESS,), size, align)
    return _Shape((_INTEGER,) * -(-size // _WORD), size, align)


def _eightbytes(type: CType, size: int) -> tuple[str, ...]:
    """The class of each word of a struct of at most two by the psABI of x86-64."""
    classes = [""] * -(-size // _WORD)
    for offset, leaf in _leaves(type, 0):
        if offset % max(leaf.align, 1) or (isinstance(leaf, Float) and leaf.size > _WORD):
            return (_MEMORY,)
        for word in range(offset // _WORD, (offset + max(leaf.size, 1) - 1) // _WORD + 1):
            kind = _FLOAT if isinstance(leaf, Float) else _INTEGER
            classes[word] = _INTEGER if _INTEGER in (kind, classes[word]) else kind
    return tuple([kind or _FLOAT for kind in classes])


def _leaves(type: CType, offset: int) -> Iterator[tuple[int, CType]]:
    """(byte offset, type) of what a type is made of, at most `_MOST_FIELDS` of them."""
    waiting = [(offset, type)]
    for _ in range(_MOST_FIELDS):
        if not waiting:
            return
        at, one = waiting.pop()
        one = strip_typedefs(one)
        if isinstance(one, Array):
            waiting += [(at + n * one.of.size, one.of) for n in reversed(range(min(one.count, _MOST_FIELDS)))]
        elif isinstance(one, Struct):
            waiting += [_member_at(at, member) for member in reversed(one.members)]
        else:
            yield at, one


def _member_at(at: int, member: Member) -> tuple[int, CType]:
    if not member.bit_size:
        return at + member.offset_bits // 8, member.type
    # A bit-field is no more than an integer where its bits are.
    return at + member.offset_bits // 8, Int(1, False)


def _align_of(type: CType) -> int:
    return max([_align_of_leaf(leaf) for _, leaf in _leaves(type, 0)], default=1)


def _align_of_leaf(type: CType) -> int:
    return min(max(type.align, 1), _TWO_WORDS)


def _returned_die(function: Function) -> Die | None:
    owner = next((hop for hop in iter_hops(function.die) if hop.has(AT.TYPE)), None)
    return find_bare_type(owner) if owner is not None else None
