"""Numbers of ELF by their names in <elf.h>, without the prefix that the class name repeats."""

from __future__ import annotations

from enum import IntEnum, IntFlag


class ELFCLASS(IntEnum):
    """e_ident[EI_CLASS]."""

    ELF32 = 1
    ELF64 = 2


class ELFDATA(IntEnum):
    """e_ident[EI_DATA]."""

    LSB = 1
    MSB = 2


class ET(IntEnum):
    """e_type: what kind of object file."""

    NONE = 0
    REL = 1
    EXEC = 2
    DYN = 3
    CORE = 4


class EM(IntEnum):
    """e_machine: the CPU."""

    NONE = 0
    I386 = 3
    MIPS = 8
    PPC = 20
    PPC64 = 21
    S390 = 22
    ARM = 40
    X86_64 = 62
    AARCH64 = 183
    RISCV = 243
    BPF = 247
    LOONGARCH = 258


class SHT(IntEnum):
    """sh_type: what a section holds."""

    NULL = 0
    PROGBITS = 1
    SYMTAB = 2
    STRTAB = 3
    RELA = 4
    HASH = 5
    DYNAMIC = 6
    NOTE = 7
    NOBITS = 8
    REL = 9
    DYNSYM = 11
    SYMTAB_SHNDX = 18
    GNU_HASH = 0x6FFFFFF6
    GNU_VERDEF = 0x6FFFFFFD
    GNU_VERNEED = 0x6FFFFFFE
    GNU_VERSYM = 0x6FFFFFFF


class SHF(IntFlag):
    """sh_flags."""

    WRITE = 0x1
    ALLOC = 0x2
    EXECINSTR = 0x4
    COMPRESSED = 0x800


class SHN(IntEnum):
    """Section indices that are not indices."""

    UNDEF = 0
    LORESERVE = 0xFF00
    ABS = 0xFFF1
    COMMON = 0xFFF2
    XINDEX = 0xFFFF


class PT(IntEnum):
    """p_type: what a segment is for."""

    NULL = 0
    LOAD = 1
    DYNAMIC = 2
    INTERP = 3
    NOTE = 4
    PHDR = 6
    TLS = 7
    GNU_EH_FRAME = 0x6474E550
    GNU_STACK = 0x6474E551
    GNU_RELRO = 0x6474E552


class PF(IntFlag):
    """p_flags."""

    X = 1
    W = 2
    R = 4


PN_XNUM = 0xFFFF
"""e_phnum when the number of segments stands in section 0."""


class STB(IntEnum):
    """Binding of a symbol."""

    LOCAL = 0
    GLOBAL = 1
    WEAK = 2
    GNU_UNIQUE = 10


class STT(IntEnum):
    """Type of a symbol."""

    NOTYPE = 0
    OBJECT = 1
    FUNC = 2
    SECTION = 3
    FILE = 4
    COMMON = 5
    TLS = 6
    GNU_IFUNC = 10


class NT(IntEnum):
    """Types of notes whose owner is "GNU" (and SystemTap's, owner "stapsdt")."""

    GNU_ABI_TAG = 1
    GNU_BUILD_ID = 3
    STAPSDT = 3
    GNU_PROPERTY_TYPE_0 = 5


class DT(IntEnum):
    """d_tag of the dynamic section."""

    NULL = 0
    NEEDED = 1
    HASH = 4
    STRTAB = 5
    SYMTAB = 6
    STRSZ = 10
    SYMENT = 11
    SONAME = 14
    RPATH = 15
    RUNPATH = 29
    FLAGS_1 = 0x6FFFFFFB


DF_1_PIE = 0x08000000
"""DT_FLAGS_1: a position independent executable (binutils 2.26 and later set it)."""


def name_of(kind: type[IntEnum], number: int) -> str:
    """The name of `number` in `kind`, or the number in hex when it has none."""
    try:
        return kind(number).name
    except ValueError:
        return f"{number:#x}"
