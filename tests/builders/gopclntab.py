"""Writes programs as Go does, as far as probes look: `.gopclntab`, `.go.buildinfo`, code."""

from __future__ import annotations

import os
import struct
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from builders.elf import ElfBuilder
from probee.elf.consts import EM, PF, SHF

if TYPE_CHECKING:
    from pathlib import Path

TEXT = 0x401000
MAGICS = {"1.2": 0xFFFFFFFB, "1.16": 0xFFFFFFFA, "1.18": 0xFFFFFFF0, "1.20": 0xFFFFFFF1}


def build_go(folder: Path, source: str, *flags: str) -> Path:
    """What the command `go` makes of a source file."""
    text, path = folder / "main.go", folder / "target"
    text.write_text(source)
    # The one cache of the user: compiling Go's own library anew takes half a minute.
    environment = {**os.environ, "GO111MODULE": "off", "GOFLAGS": ""}
    subprocess.run(["go", "build", *flags, "-o", path, text], env=environment, check=True)
    return path


@dataclass
class GoProgram:
    """A stripped program of functions by name, one after another from `TEXT` on: their code, whether it is
    assembly. `table` is the version of its function table, `text_told`: that says where the code is."""

    table: str = "1.20"
    version: str = "go1.21.1"
    bits: int = 64
    little: bool = True
    machine: int = EM.X86_64
    text_told: bool = True
    section: str = ".gopclntab"
    functions: dict[str, tuple[bytes, bool]] = field(default_factory=dict)

    def pack(self, layout: str, *values: int) -> bytes:
        layout = layout if self.bits == 64 else layout.replace("Q", "I")
        return struct.pack(("<" if self.little else ">") + layout, *values)

    def function(self, name: str, code: bytes = b"\x90" * 15 + b"\xc3", *, assembly: bool = False) -> None:
        self.functions[name] = code, assembly

    def encode_table(self) -> bytes:
        """The bytes of the function table."""
        word, relative = self.bits // 8, self.table in ("1.18", "1.20")
        names = b"\0" + b"".join([name.encode() + b"\0" for name in self.functions])
        # The old header is 8 bytes and the count; the newer ones have offsets behind it.
        fields = {"1.2": 1, "1.16": 7}.get(self.table, 8)
        header = 8 + fields * word
        number = "II" if relative else "QQ"
        rows_size = struct.calcsize("<" + (number if self.bits == 64 else "II")) * len(self.functions)
        rows_size += 4 if relative else word
        old = self.table == "1.2"
        names_at = header + rows_size if old else header
        functions_at = header if old else header + len(names) + -len(names) % 8
        structs_at = rows_size + (header + len(names) if old else 0)
        rows, structs, at = b"", b"", 0 if relative else TEXT
        for name, (code, assembly) in self.functions.items():
            rows += self.pack(number, at, structs_at + len(structs))
            name_at = names.find(b"\0" + name.encode() + b"\0") + 1 + (names_at if old else 0)
            rest = bytes(32 if self.table == "1.20" else 28) + bytes([0, 4 if assembly else 0, 0, 0])
            structs += self.pack("I" if relative else "Q", at) + self.pack("I", name_at) + rest
            at += len(code)
        rows += self.pack("I" if relative else "Q", at)
        data = self.pack("IHBB", MAGICS[self.table], 0, 1, word)
        if old:
            return data + self.pack("Q", len(self.functions)) + rows + names + structs
        values = [len(self.functions), 0]
        values += [TEXT if self.text_told else 0] if relative else []
        values += [names_at, 0, 0, 0, functions_at]
        data += self.pack(f"{fields}Q", *values) + names + bytes(-len(names) % 8)
        return data + rows + structs

    def builder(self) -> ElfBuilder:
        elf = ElfBuilder(bits=self.bits, little=self.little, machine=self.machine)
        code = b"".join([code for code, _ in self.functions.values()])
        elf.section(".text", data=code, flags=SHF.ALLOC | SHF.EXECINSTR, address=TEXT, align=4096)
        elf.load(".text", flags=PF.R | PF.X)
        text = self.version.encode()
        info = b"\xff Go buildinf:" + bytes([self.bits // 8, 2]) + bytes(16) + bytes([len(text)]) + text
        elf.section(".go.buildinfo", data=info)
        elf.section(self.section, data=self.encode_table(), address=0x600000)
        return elf

    def build(self) -> bytes:
        return self.builder().build()
