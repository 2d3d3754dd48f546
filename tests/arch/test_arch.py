"""The CPUs' data: consistent in itself, and what this kernel's BTF says of pt_regs."""

from __future__ import annotations

import platform
import struct
from pathlib import Path

import pytest

from probee.arch import Arch, find, find_by_elf_machine
from probee.base.errors import FeatureError
from probee.elf.consts import EM

ARCHES = [find("x86_64"), find("aarch64")]
every_arch = pytest.mark.parametrize("arch", ARCHES, ids=lambda arch: arch.name)


@every_arch
def test_find(arch: Arch) -> None:
    assert find(arch.name) is arch
    assert find_by_elf_machine(arch.elf_machine) is arch


def test_other_names() -> None:
    assert find("amd64") is find("x86_64")
    assert find("arm64") is find("aarch64")
    assert find("x86_64").elf_machine == EM.X86_64
    assert find("aarch64").elf_machine == EM.AARCH64


def test_programs_of_32_bits() -> None:
    """Low halves of the registers that the kernel of x86-64 saves; no kernel of their own is traced."""
    arch, wide = find_by_elf_machine(EM.I386), find("x86_64")
    assert all((r.offset, r.size) == (wide.register(r.name).offset, 4) for r in arch.registers)
    assert arch.find_register("esp") == arch.register(arch.stack_pointer)
    with pytest.raises(FeatureError):
        find("i386")


def test_unknown() -> None:
    with pytest.raises(FeatureError) as raised:
        find("mips64")
    assert raised.value.render() == (
        "ERROR: no register tables for CPU 'mips64'\nHINT: there are tables for x86_64, aarch64"
    )
    with pytest.raises(FeatureError, match="e_machine 8"):
        find_by_elf_machine(8)


@every_arch
def test_registers_fill_the_context(arch: Arch) -> None:
    assert [r.offset for r in arch.registers] == list(range(0, arch.context_size, 8))
    assert len({r.name for r in arch.registers}) == len(arch.registers)
    assert all(r.size in (2, 8) for r in arch.registers)


@every_arch
def test_every_named_register_exists(arch: Arch) -> None:
    used = [
        *arch.kernel_arguments,
        *arch.user_arguments,
        *arch.syscall_arguments,
        *arch.go_arguments,
        *[name for _, name in arch.aliases],
        *filter(None, [arch.link]),
        arch.syscall_number,
        arch.return_value,
        arch.stack_pointer,
        arch.instruction_pointer,
        arch.frame_pointer,
        arch.go_g,
    ]
    for name in used:
        assert arch.register(name).size == 8, name


@every_arch
def test_aliases_hide_nothing(arch: Arch) -> None:
    names = {r.name for r in arch.registers}
    assert not names & dict(arch.aliases).keys()


def test_registers_by_name() -> None:
    x86, arm = ARCHES
    assert x86.find_register("rdi") == x86.find_register("di")
    assert arm.register("lr").offset == 240
    assert arm.register("r5") == arm.register("x5")
    assert x86.find_register("x0") is None
    with pytest.raises(KeyError):
        x86.register("rax9")


# What the kernel says


class Btf:
    """Enough of BTF to lay out one struct: types by number, names, members."""

    # Bytes after struct btf_type, of the kinds that have any: fixed, and for each of vlen.
    EXTRA = {1: (4, 0), 3: (12, 0), 4: (0, 12), 5: (0, 12), 6: (0, 8), 13: (0, 8), 14: (4, 0), 15: (0, 12),
             17: (4, 0), 19: (0, 12)}  # fmt: skip

    def __init__(self, data: bytes) -> None:
        self.data = data
        header, types, size, strings = struct.unpack_from("=IIII", data, 4)
        self.strings = header + strings
        self.types = [0]
        at, end = header + types, header + types + size
        while at < end:
            self.types.append(at)
            (info,) = struct.unpack_from("=I", data, at + 4)
            fixed, each = self.EXTRA.get(info >> 24 & 31, (0, 0))
            at += 12 + fixed + each * (info & 0xFFFF)

    def name(self, at: int) -> str:
        (offset,) = struct.unpack_from("=I", self.data, at)
        start = self.strings + offset
        return self.data[start : self.data.index(b"\0", start)].decode()

    def struct_at(self, name: str) -> int:
        return next(at for at in self.types[1:] if self.kind(at) == 4 and self.name(at) == name)

    def kind(self, at: int) -> int:
        return self.data[at + 7] & 31

    def members(self, at: int, base: int = 0) -> dict[str, int]:
        """Offsets in bytes of the members of a struct or union, those of anonymous members among them."""
        found: dict[str, int] = {}
        (info,) = struct.unpack_from("=I", self.data, at + 4)
        for member in range(at + 12, at + 12 + 12 * (info & 0xFFFF), 12):
            _, type_id, offset = struct.unpack_from("=III", self.data, member)
            offset = base + (offset & 0xFFFFFF) // 8
            if self.name(member):
                found[self.name(member)] = offset
            elif self.kind(self.types[type_id]) in (4, 5):
                found |= self.members(self.types[type_id], offset)
        return found


@pytest.mark.needs("btf")
def test_pt_regs_of_this_kernel() -> None:
    arch = find(platform.machine())
    btf = Btf(Path("/sys/kernel/btf/vmlinux").read_bytes())
    at = btf.struct_at(arch.context)
    members = btf.members(at)
    if "regs" in members:
        members |= {f"x{i}": members["regs"] + 8 * i for i in range(31)}
    assert {r.name: r.offset for r in arch.registers} == {r.name: members.get(r.name) for r in arch.registers}
    (size,) = struct.unpack_from("=I", btf.data, at + 8)
    assert size == arch.context_size
