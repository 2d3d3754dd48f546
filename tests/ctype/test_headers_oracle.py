"""The kernel's public headers as installed: what a C compiler reads, probee reads, and lays out alike."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from probee.base.source import Source
from probee.ctype.declare import parse_declarations
from probee.ctype.types import Struct

HEADERS = Path("/usr/include/linux")
EVERY = 29


def folders() -> list[Path]:
    """Where the compiler looks for <headers>."""
    command = ["cc", "-E", "-v", "-x", "c", "/dev/null"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    listed = text.split("#include <...> search starts here:\n")[1].split("\nEnd of search list")[0]
    return [Path(line.strip()) for line in listed.splitlines()]


class Files:
    """The files that headers include, each read once."""

    def __init__(self) -> None:
        self.folders = folders()
        self.texts: dict[Path, str] = {}

    def include(self, name: str, form: str, source: Source) -> Source | None:
        here = Path(source.name).parent
        where = [here, *self.folders] if form == "quoted" else self.folders
        if form == "next":
            where = self.folders[
                1 + next(n for n, f in enumerate(self.folders) if f in (here, *here.parents)) :
            ]
        for folder in where:
            path = folder / name
            if path.is_file():
                return self.open(path)
        return None

    def open(self, path: Path) -> Source:
        if path not in self.texts:
            self.texts[path] = path.read_text(errors="replace")
        return Source(str(path), self.texts[path])


@pytest.mark.needs("cc", "kernel_headers")
def test_headers_that_the_compiler_reads(tmp_path: Path) -> None:
    files, read, structs = Files(), 0, 0
    program = tmp_path / "sizes.c"
    for path in sorted(HEADERS.glob("**/*.h"))[::EVERY]:
        command = ["cc", "-std=gnu11", "-w", "-fsyntax-only", "-x", "c"]
        if subprocess.run([*command, str(path)], capture_output=True, check=False).returncode:
            continue
        types = parse_declarations(files.open(path), include=files.include).types
        found = [t for t in types.values() if isinstance(t, Struct)]
        checks = "".join(
            f'_Static_assert(sizeof({t}) == {t.size} && _Alignof({t}) == {t.align}, "{t}");\n' for t in found
        )
        program.write_text(f'#include "{path}"\n{checks}')
        built = subprocess.run([*command, str(program)], capture_output=True, text=True, check=False)
        assert built.returncode == 0, built.stderr[:2000]
        read, structs = read + 1, structs + len(found)
    assert read > 10
    assert structs > 100
