"""Functions: name, code, parameters with types and places, return type, inlined instances.

A function may be described in up to three entries: the declaration in its class (DW_AT_specification), the
abstract one that all its instances share (DW_AT_abstract_origin), and the concrete one that has the code.
What one leaves out is in the next.
"""

from __future__ import annotations

from functools import cached_property

from .consts import AT, INL, TAG
from .lists import find_location_list, find_ranges
from .scope import find_declaration, qualified_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..ctype.types import CType
    from .die import Die
    from .expr import Expr, Location
    from .forms import Value
    from .unit import Unit

_MOST_HOPS = 8
_MOST_NAMES = 64
_PARAMETERS = frozenset({TAG.FORMAL_PARAMETER, TAG.UNSPECIFIED_PARAMETERS, TAG.GNU_FORMAL_PARAMETER_PACK})
_INSTANCES = frozenset({TAG.INLINED_SUBROUTINE})
_BLOCKS = frozenset({TAG.LEXICAL_BLOCK, TAG.TRY_BLOCK, TAG.CATCH_BLOCK})
_CODE = _BLOCKS | {TAG.SUBPROGRAM, TAG.INLINED_SUBROUTINE}
_AROUND_CODE = _CODE | {
    TAG.NAMESPACE, TAG.MODULE, TAG.STRUCTURE_TYPE, TAG.CLASS_TYPE, TAG.UNION_TYPE,
}  # fmt: skip


def iter_hops(die: Die) -> Iterator[Die]:
    """`die`, and the entries that it completes: abstract origins and specifications."""
    for _ in range(_MOST_HOPS):
        yield die
        further = die.find_die(AT.ABSTRACT_ORIGIN) or die.find_die(AT.SPECIFICATION)
        if further is None:
            return
        die = further
    raise die.error(f"expected at most {_MOST_HOPS} references to where the name is")


def _owner(die: Die, *names: int) -> Die | None:
    """The first entry, from `die` on, that has one of the attributes."""
    return next((hop for hop in iter_hops(die) if any(map(hop.has, names))), None)


def find_bare_type(die: Die) -> Die | None:
    """The type that DW_AT_type of `die` leads to, without qualifiers and typedefs; None for void."""
    from .types import QUALIFIERS

    named = QUALIFIERS | {TAG.TYPEDEF}
    found = die.find_die(AT.TYPE)
    for _ in range(_MOST_NAMES):
        if found is None or found.tag not in named:
            return found
        found = found.find_die(AT.TYPE)
    raise die.error(f"expected at most {_MOST_NAMES} names of a type")


class Variable:
    """A parameter or variable of `frame`, the function whose frame it is in.

    `die` is None for a parameter that only the declaration has, `declared`: no code ever stores it.
    """

    def __init__(self, frame: Die, die: Die | None, declared: Die) -> None:
        self._frame = frame
        self.die, self.declared = die, declared

    def __repr__(self) -> str:
        return f"<{self.spelling}>"

    @cached_property
    def name(self) -> str:
        """ "" when the source leaves it out."""
        owner = _owner(self.declared, AT.NAME)
        return (owner.name if owner is not None else None) or ""

    @cached_property
    def type(self) -> CType:
        """Its type, without qualifiers."""
        owner = _owner(self.declared, AT.TYPE) or self.declared
        return owner.unit.dwarf.types.type_of(owner)

    @cached_property
    def type_die(self) -> Die | None:
        """The entry of its type, without qualifiers and typedefs; None for void."""
        owner = _owner(self.declared, AT.TYPE) or self.declared
        return find_bare_type(owner)

    @property
    def type_name(self) -> str:
        """Its type as text, with qualifiers: "const char *"."""
        return self._spell("")

    @property
    def spelling(self) -> str:
        """Its declaration in C: "const char *name"."""
        return self._spell(self.name)

    def _spell(self, inner: str) -> str:
        from .types import spell_type

        owner = _owner(self.declared, AT.TYPE) or self.declared
        return spell_type(owner.find_die(AT.TYPE), inner)

    @property
    def is_artificial(self) -> bool:
        """Whether the compiler added it, as `this`."""
        owner = _owner(self.declared, AT.ARTIFICIAL)
        return owner is not None and owner.has_flag(AT.ARTIFICIAL)

    def location(self, address: int) -> Location:
        """Where it is when the code is at `address`; in unoptimised code, from `Function.body` on."""
        from .location import find_location

        return find_location(self._placed, address, self._frame)

    def location_ranges(self) -> list[tuple[int, int]] | None:
        """Code addresses for which a location list tells the place; None when it is the same everywhere."""
        listed = find_location_list(self._placed, AT.LOCATION)
        return None if listed is None else [(low, high) for low, high, _ in listed]

    @property
    def _placed(self) -> Die:
        """The entry that has the place, which is never that of an abstract instance."""
        if self.die is None:
            return self.declared
        return _owner(self.die, AT.LOCATION, AT.CONST_VALUE) or self.die


class Parameter(Variable):
    """A parameter, number `index` from 0 (with `this`).

    `moved` says that the function is a clone whose arguments are not passed in the order of declaration.
    """

    def __init__(
        self, frame: Die, die: Die | None, declared: Die, index: int, *, moved: bool = False
    ) -> None:
        super().__init__(frame, die, declared)
        self.index, self.moved = index, moved

    def location_at_entry(self, entry: int) -> Location | None:
        """Where it is before the instruction at `entry` has run; None: where the calling convention put it.

        Compilers write one place for the whole function when they store the parameter in its frame, which the
        function's first instructions do; that place isn't true yet. Of clones that are not called by the
        convention for the declaration, such a place is `Unsupported`.
        """
        from .expr import Unsupported

        location = self._place_at_entry(entry)
        if location is None and self.moved:
            return Unsupported("an argument of a clone with other arguments than the function's")
        return location

    def _place_at_entry(self, entry: int) -> Location | None:
        from .expr import InMemory, InRegister, Pieces, split_sum

        location = self.location(entry)
        if self.location_ranges() is not None:
            return location
        if isinstance(location, InMemory):
            base, offset = split_sum(location.address, 8 * self._frame.unit.layout.address_size)
            # What is above the frame was there before the call: arguments on the stack.
            return location if offset >= self._top_of_frame(base, entry) else None
        return None if isinstance(location, (Pieces, InRegister)) else location

    def _top_of_frame(self, base: Expr, entry: int) -> float:
        """How far from `base` the frame ends at `entry`, where that is known so early."""
        from .expr import Cfa, split_sum
        from .location import find_frame_base

        if isinstance(base, Cfa):
            return 0
        # Version 2 has no name for the CFA: a list tells what it is for each part of the code.
        if find_location_list(self._frame, AT.FRAME_BASE) is not None:
            frame_base = find_frame_base(self._frame, entry)
            if frame_base is not None:
                register, top = split_sum(frame_base, 8 * self._frame.unit.layout.address_size)
                return top if register == base else float("inf")
        return float("inf")


class _Code:
    """What functions and their inlined instances have in common."""

    def __init__(self, die: Die) -> None:
        self.die = die

    @property
    def unit(self) -> Unit:
        return self.die.unit

    @cached_property
    def name(self) -> str:
        """The plain name, without scopes, "" when there is none."""
        return find_declaration(self.die).name or ""

    @cached_property
    def qualified_name(self) -> str:
        """The name with its scopes: "ns::cls::method"."""
        return qualified_name(self.die)

    @cached_property
    def linkage_name(self) -> str | None:
        """The mangled name, where the compiler gave one."""
        for name in (AT.LINKAGE_NAME, AT.MIPS_LINKAGE_NAME):
            owner = _owner(self.die, name)
            if owner is not None:
                return owner.find_string(name)
        return None

    @cached_property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """Code as (first address, address after the last); () when there is none of its own.

        The first is where the function is entered; GCC puts what is seldom run elsewhere (`.cold`).
        """
        return tuple(find_ranges(self.die))

    @cached_property
    def entry(self) -> int | None:
        """The address where it is entered, None when it has no code of its own."""
        entry = self.die.find_address(AT.ENTRY_PC)
        if entry is None and self.ranges:
            # Since version 5 it may be a distance from the first address.
            entry = self.ranges[0][0] + (self.die.find_constant(AT.ENTRY_PC) or 0)
        return entry

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """In order of declaration, with `this`, and with those that were optimised out."""
        return tuple(_parameters(self.die, self.frame))

    def find_parameter(self, name: str) -> Parameter | None:
        return next((p for p in self.parameters if p.name == name), None)

    @property
    def frame(self) -> Die:
        """The function in whose frame the code runs."""
        return self.die

    @cached_property
    def returns(self) -> CType:
        """What it returns, VOID for nothing."""
        owner = _owner(self.die, AT.TYPE) or self.die
        return owner.unit.dwarf.types.type_of(owner)

    @property
    def returns_name(self) -> str:
        """The type it returns, as text with qualifiers."""
        from .types import spell_type

        owner = _owner(self.die, AT.TYPE) or self.die
        return spell_type(owner.find_die(AT.TYPE))

    @cached_property
    def is_variadic(self) -> bool:
        """Whether there may be more arguments than parameters."""
        return any(
            child.tag == TAG.UNSPECIFIED_PARAMETERS
            for hop in iter_hops(self.die)
            for child in hop.iter_children(_PARAMETERS)
        )

    @cached_property
    def decl_line(self) -> int:
        """Line of the declaration, from 1; 0 when it isn't told."""
        owner = _owner(self.die, AT.DECL_LINE)
        return (owner.find_constant(AT.DECL_LINE) if owner is not None else None) or 0

    @cached_property
    def decl_file(self) -> str:
        """Path of the file of the declaration, "" when it isn't told."""
        owner = _owner(self.die, AT.DECL_FILE)
        return _file_name(owner, AT.DECL_FILE) if owner is not None else ""

    @property
    def signature(self) -> str:
        """The function as C declares it."""
        texts = [p.spelling for p in self.parameters] + ["..."] * self.is_variadic
        returns = self.returns_name
        space = "" if returns.endswith(("*", "&")) else " "
        return f"{returns}{space}{self.qualified_name}({', '.join(texts)})"

    def variables_at(self, address: int) -> list[Variable]:
        """Parameters and variables that can be named where the code is at `address`, the innermost first."""
        found = list(_iter_variables(self.die, self.frame, address))
        return [*reversed(found), *self.parameters]


class Function(_Code):
    """One function. `die` is the concrete entry, or where there is only inlined code the abstract one."""

    def __repr__(self) -> str:
        where = f"{self.entry:#x}" if self.entry is not None else "inlined"
        return f"<Function {self.qualified_name} {where}>"

    @cached_property
    def is_external(self) -> bool:
        """Whether other units can call it: not `static`."""
        owner = _owner(self.die, AT.EXTERNAL)
        return owner is not None and owner.has_flag(AT.EXTERNAL)

    @cached_property
    def is_inlined(self) -> bool:
        """Whether some call of it was replaced by its code."""
        owner = _owner(self.die, AT.INLINE)
        how = owner.find_constant(AT.INLINE) if owner is not None else INL.NOT_INLINED
        return how in (INL.INLINED, INL.DECLARED_INLINED)

    @cached_property
    def body(self) -> int | None:
        """The first address after the prologue, where the places of unoptimised code are true.

        The line table tells; it is `entry` when the table doesn't, None when there is no code.
        """
        if self.entry is None:
            return None
        from .line import find_body

        return find_body(self.unit, self.entry, self.ranges[0][1])

    def frame_base(self, address: int) -> Expr | None:
        """What places of variables are relative to, when the code is at `address`."""
        from .location import find_frame_base

        return find_frame_base(self.die, address)

    @cached_property
    def inlined(self) -> tuple[Inlined, ...]:
        """The places where it was inlined in the unit of its abstract entry. Walks the whole unit.

        Of a function in a partial unit, which others share, those in all units.
        """
        abstract = self.die.find_die(AT.ABSTRACT_ORIGIN) or self.die
        unit = abstract.unit
        units = unit.dwarf.iter_units() if unit.root.tag == TAG.PARTIAL_UNIT else [unit]
        return tuple([found for one in units for found in iter_inlined(one) if found.is_of(abstract)])


class Inlined(_Code):
    """The code of a function inside of another, `frame`."""

    def __init__(self, die: Die, frame: Die) -> None:
        super().__init__(die)
        self._frame = frame

    def __repr__(self) -> str:
        return f"<Inlined {self.qualified_name} {self.entry or 0:#x}>"

    @property
    def frame(self) -> Die:
        return self._frame

    @property
    def caller(self) -> Function:
        """The function with a frame that the code is in; other inlined ones may lie between."""
        return Function(self._frame)

    def is_of(self, abstract: Die) -> bool:
        """Whether it is an instance of that function."""
        value: tuple[int, Value] | None = self.die.find_value(AT.ABSTRACT_ORIGIN)
        return value is not None and self.die.find_die(AT.ABSTRACT_ORIGIN) == abstract

    @property
    def call_file(self) -> str:
        """Path of the file of the call, "" when it isn't told."""
        return _file_name(self.die, AT.CALL_FILE) if self.die.has(AT.CALL_FILE) else ""

    @property
    def call_line(self) -> int:
        """Line of the call, from 1; 0 when it isn't told."""
        return self.die.find_constant(AT.CALL_LINE) or 0

    @property
    def call_column(self) -> int:
        """Column of the call, from 1; 0 when it isn't told."""
        return self.die.find_constant(AT.CALL_COLUMN) or 0


def iter_inlined(unit: Unit) -> Iterator[Inlined]:
    """All inlined instances of a unit, in order."""
    frame: Die | None = None
    for die in unit.root.iter_descendants(_INSTANCES | {TAG.SUBPROGRAM}, into=_AROUND_CODE):
        if die.tag == TAG.SUBPROGRAM:
            frame = die
        elif frame is not None:
            yield Inlined(die, frame)


def find_inlined(function: Function, address: int) -> list[Inlined]:
    """The instances inlined into `function` around `address`, the outermost first."""
    found = []
    for die in function.die.iter_descendants(_INSTANCES, into=_BLOCKS | _INSTANCES):
        if any(low <= address < high for low, high in find_ranges(die)):
            found.append(Inlined(die, function.die))
    return found


# Parameters


def _parameters(die: Die, frame: Die) -> Iterator[Parameter]:
    """Those of the declaration in their order, each with what the concrete entry says of it."""
    hops = [list(_iter_parameters(hop)) for hop in iter_hops(die)]
    own, declared = hops[0], next((h for h in hops[1:] if h), [])
    if not declared:
        for index, child in enumerate(own):
            yield Parameter(frame, child, child, index)
        return
    by_origin = {child.find_die(AT.ABSTRACT_ORIGIN): child for child in own}
    if None in by_origin:
        # A definition names its parameters anew and refers to the declaration as a whole only.
        for index, child in enumerate(own):
            yield Parameter(frame, child, child, index)
        return
    # GCC lists what it removed from a clone last, or not at all.
    origins = list(by_origin)
    moved = origins != declared[: len(origins)]
    for index, origin in enumerate(declared):
        found = by_origin.pop(origin, None)
        yield Parameter(frame, found, found or origin, index, moved=moved)
    for index, child in enumerate(by_origin.values(), len(declared)):
        yield Parameter(frame, child, child, index, moved=moved)


def _iter_parameters(die: Die) -> Iterator[Die]:
    for child in die.iter_children(_PARAMETERS):
        if child.tag == TAG.FORMAL_PARAMETER:
            yield child
        elif child.tag == TAG.GNU_FORMAL_PARAMETER_PACK:
            yield from child.iter_children(frozenset({TAG.FORMAL_PARAMETER}))


def _iter_variables(die: Die, frame: Die, address: int) -> Iterator[Variable]:
    """Variables of `die` and of the blocks in it that are around `address`, the innermost last."""
    blocks: list[Die] = [die]
    while blocks:
        inner = []
        for child in blocks.pop().iter_children(_BLOCKS | {TAG.VARIABLE}):
            if child.tag == TAG.VARIABLE:
                yield Variable(frame, child, child)
            elif any(low <= address < high for low, high in find_ranges(child)):
                inner.append(child)
        blocks += inner


def _file_name(die: Die, name: int) -> str:
    from .line import file_name

    return file_name(die.unit, die.find_constant(name) or 0)
