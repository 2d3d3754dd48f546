"""A kernel and its modules: which of them tells what a name means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builders.btf import CONST, FUNC, FWD, PTR, TYPEDEF, VAR, BtfBuilder
from probee.btf.file import Btf
from probee.btf.kernel import KernelTypes
from probee.ctype.types import Int, NamedStruct, Ptr, Struct

if TYPE_CHECKING:
    from collections.abc import Iterator


class Modules:
    """BTF of modules by name; `opened` counts how often each was asked for."""

    def __init__(self, **modules: Btf) -> None:
        self.modules = modules
        self.opened: list[str] = []

    def iter_names(self) -> Iterator[str]:
        return iter(sorted(self.modules))

    def open(self, name: str) -> Btf | None:
        self.opened.append(name)
        return self.modules.get(name)


def build() -> tuple[KernelTypes, Modules]:
    """A kernel that declares `struct later`, which the module "net" defines, as it does `struct own`."""
    kernel = BtfBuilder()
    number = kernel.int("int", 4, 1)
    kernel.struct("task", 8, [("pid", number, 0), ("tgid", number, 32)])
    later = kernel.add(FWD, "later")
    pointer = kernel.add(PTR, "", later)
    kernel.add(TYPEDEF, "pid_t", number)
    kernel.enum("state", 4, [("RUNNING", 0), ("STOPPED", 4)])
    kernel.add(VAR, "counter", number, rest=kernel.pack("I", 1))
    data = kernel.add(PTR, "", 0)
    switch = kernel.proto(0, [("__data", data), ("later", pointer), ("n", number)])
    kernel.add(FUNC, "__traceiter_switch", switch)
    nameless = kernel.add(PTR, "", kernel.proto(0, [("", data), ("", number)]))
    kernel.add(TYPEDEF, "btf_trace_old", kernel.add(CONST, "", nameless))
    net = BtfBuilder(on=kernel)
    net.struct("later", 4, [("x", number, 0)])
    net.struct("own", 4, [("y", number, 0)])
    net.enum("module_state", 4, [("MODULE_UP", 7)])
    net.add(FUNC, "net_open", net.proto(number, [("fd", number)]))
    other = BtfBuilder(on=kernel)
    other.int("other_int", 4)
    base = Btf(kernel.build())
    modules = Modules(net=Btf(net.build(), base=base), other=Btf(other.build(), base=base))
    return KernelTypes(base, modules), modules


def test_what_the_kernel_knows_is_asked_of_no_module() -> None:
    types, modules = build()
    task = types.find_type("struct", "task")
    assert isinstance(task, Struct)
    assert [member.name for member in task.members] == ["pid", "tgid"]
    assert str(types.find_type("typedef", "pid_t")) == "pid_t"
    state = types.find_enum("STOPPED")
    assert state is not None
    assert dict(state.values)["STOPPED"] == 4
    assert types.find_variable("counter") == Int(4, True, "int")
    assert modules.opened == []
    assert not types.past_kernel


def test_modules_define_what_the_kernel_only_declares() -> None:
    types, _ = build()
    for name, member in (("later", "x"), ("own", "y")):
        found = types.find_type("struct", name)
        assert isinstance(found, Struct)
        assert [m.name for m in found.members] == [member]
    assert types.past_kernel
    enum = types.find_enum("MODULE_UP")
    assert enum is not None
    assert enum.name == "module_state"
    assert types.find_function("net_open") == types.find_function("net_open", "net")


def test_a_module_that_is_named_is_asked_alone() -> None:
    types, modules = build()
    assert types.find_function("net_open", "other") is None
    assert types.find_function("net_open", "nosuch") is None
    assert modules.opened == ["other", "nosuch"]
    assert types.find_function("__traceiter_switch", "vmlinux") is not None


def test_nothing_is_found_by_names_of_other_kinds() -> None:
    types, _ = build()
    assert types.find_type("union", "task") is None
    assert types.find_type("typedef", "task") is None
    assert types.find_variable("task") is None
    assert types.find_enum("task") is None
    assert types.find_function("counter") is None
    assert types.find_type("struct", "nosuch") is None


def test_what_programs_at_a_tracepoint_get() -> None:
    types, _ = build()
    switch = types.find_event("switch")
    assert switch is not None
    assert [name for name, _ in switch.params] == ["later", "n"]
    old = types.find_event("old")
    assert old is not None
    assert old.params == (("", Int(4, True, "int")),)
    assert types.find_event("nosuch") is None


def test_every_type_that_has_a_name_is_listed() -> None:
    types, _ = build()
    listed = {("struct", "task"), ("enum", "state"), ("struct", "later"), ("struct", "own")}
    assert set(types.iter_types()) == listed | {("enum", "module_state")}


def test_a_struct_is_looked_up_when_it_is_looked_into() -> None:
    types, _ = build()
    asked: list[str] = []

    def find() -> object:
        asked.append("task")
        return types.find_type("struct", "task")

    named = NamedStruct("struct", "task", find)  # type: ignore[arg-type]
    pointer = Ptr(named, "kernel")
    assert str(pointer) == "struct task *"
    assert pointer == Ptr(named, "kernel")
    assert asked == []
    assert (named.size, named.align, named.declared) == (8, 4, False)
    assert [member.name for member in named.members] == ["pid", "tgid"]
    assert asked == ["task"]
    nothing = NamedStruct("union", "nosuch", lambda: None)
    assert (nothing.size, nothing.members, nothing.declared) == (0, (), True)
