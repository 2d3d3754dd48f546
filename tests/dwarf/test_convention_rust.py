"""Where Rust's arguments are: what all versions of its compiler agree on, and nothing else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from probee.arch import find
from probee.ctype.types import INT32, UINT64, Array, Float, Int, Member, Ptr, Struct
from probee.dwarf.convention_rust import RustArguments
from probee.dwarf.expr import Cfa, Const, InMemory, InRegister, Pieces, Register, Unsupported, make_op

if TYPE_CHECKING:
    from probee.ctype.types import CType
    from probee.dwarf.expr import Location
    from probee.dwarf.functions import Function

X86, ARM = find("x86_64"), find("aarch64")
# DWARF's numbers of di, si, dx, cx, r8, r9.
DI, SI, DX, CX, R8, R9 = 5, 4, 1, 2, 8, 9
BYTE = Int(1, False)


def struct(*types: CType) -> Struct:
    members, at = [], 0
    for number, one in enumerate(types):
        at += -at % max(one.align, 1)
        members.append(Member(f"__{number}", one, 8 * at))
        at += one.size
    return Struct("s", at + -at % 8 if at > 4 else at, tuple(members))


TEXT = struct(Ptr(BYTE), UINT64)
BIG = struct(UINT64, UINT64, UINT64)


def place(*types: CType, returns: CType = INT32, arch: object = X86) -> list[Location]:
    parameters = [SimpleNamespace(type=one, type_die=None) for one in types]
    function = cast("Function", SimpleNamespace(parameters=parameters, returns=returns))
    return RustArguments(arch, function, None).place()  # type: ignore[arg-type]


def pair(first: int, second: int, bits: tuple[int, int] = (64, 64)) -> tuple[int, int, tuple[int, int]]:
    return first, second, bits


def shown(location: Location) -> object:
    if isinstance(location, Pieces):
        one, two = location.pieces
        assert isinstance(one.location, InRegister)
        assert isinstance(two.location, InRegister)
        return one.location.number, two.location.number, (one.bits, two.bits)
    return location


def test_numbers_and_text() -> None:
    found = [shown(location) for location in place(BYTE, TEXT, Ptr(BIG), struct(UINT64))]
    assert found == [InRegister(DI), pair(SI, DX), InRegister(CX), InRegister(R8)]


def test_pairs_have_a_register_each() -> None:
    """Where C packs two small numbers into one register."""
    assert shown(place(struct(INT32, INT32))[0]) == pair(DI, SI, (32, 32))
    assert shown(place(struct(INT32, UINT64))[0]) == pair(DI, SI)


def test_large_values_are_passed_by_address() -> None:
    assert place(BIG, INT32) == [InMemory(Register(DI)), InRegister(SI)]
    assert place(INT32, returns=BIG) == [InRegister(SI)]
    assert place(INT32, returns=BIG, arch=ARM) == [InRegister(0)]


def test_the_stack() -> None:
    at = place(*[UINT64] * 8)[6:]
    assert at == [InMemory(make_op("plus", Cfa(), Const(n), bits=64)) for n in (0, 8)]


@pytest.mark.parametrize(
    "type",
    [struct(UINT64, INT32, INT32), Array(INT32, 2), Int(16, False), struct(INT32, Float(4, "float"))],
    ids=["three", "array", "long", "float"],
)
def test_what_is_not_told(type: CType) -> None:
    """Neither it, nor what comes behind it."""
    found = place(INT32, type, INT32)
    assert found[0] == InRegister(DI)
    assert all(isinstance(location, Unsupported) for location in found[1:])


def test_a_pair_that_does_not_fit() -> None:
    assert isinstance(place(*[UINT64] * 5, TEXT)[5], Unsupported)


def test_what_is_returned_matters() -> None:
    assert isinstance(place(INT32, returns=struct(UINT64, INT32, INT32))[0], Unsupported)
    assert place(INT32, returns=TEXT) == [InRegister(DI)]


def test_floats_take_no_register() -> None:
    assert place(Float(8, "double"), INT32)[1] == InRegister(DI)
