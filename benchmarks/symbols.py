"""Symbols of big binaries: all functions, one by name, 100,000 addresses, and probes on all of libc's.

    sudo .venv/bin/python benchmarks/symbols.py FILE...

Files of about 100 MB are meant, such as node, terraform or libLLVM. Seconds of CPU time, since others may use
the machine; attaching is the time of the clock, most of which is the kernel's.
"""

from __future__ import annotations

import mmap
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools import HERE

sys.path.insert(0, str(HERE.parent))

from probee.elf.file import Elf
from probee.kernel.files import LiveFiles
from probee.symbols.table import FunctionTable

ADDRESSES = 100_000
GOALS = {"all": 0.5, "named": 0.05, "addresses": 1.0, "attach": 1.0, "attach by name": 1.0}


def open_file(path: str) -> Elf:
    with open(path, "rb") as file:
        return Elf(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), path)


def measure(path: str) -> dict[str, float]:
    begin = time.process_time()
    functions = list(open_file(path).iter_functions())
    found = {"all": time.process_time() - begin}
    name = random.Random(3).choice(functions).name
    begin = time.process_time()
    assert open_file(path).find_symbols(name)
    found["named"] = time.process_time() - begin
    elf = open_file(path)
    text = next(section for section in elf.sections if section.name == ".text")
    addresses = random.Random(3).sample(range(text.addr, text.addr + text.size), ADDRESSES)
    begin = time.process_time()
    table = FunctionTable(elf)
    for address in addresses:
        table.find(address)
    found["addresses"] = time.process_time() - begin
    print(f"{path}: {os.path.getsize(path) >> 20} MB, {len(functions)} functions", end="")
    return found


def attach_all(variable: str) -> float:
    """Seconds of the whole command, which attaches to all functions of a copy of libc."""
    libc = LiveFiles("").find_program("libc")
    assert libc is not None
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copy(os.path.realpath(libc), Path(folder, "libc.so"))
        probe = f"uprobe:{copy}:* {{ {variable} = count(); }}"
        script = f"config = {{ max_probes = 10000 }} begin {{ exit() }} {probe}"
        begin = time.monotonic()
        command = [sys.executable, "-m", "probee", "-e", script]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=HERE.parent)
        took = time.monotonic() - begin
    print(done.stderr.strip().split("\n")[-1], end="")
    return took


def main() -> int:
    missed = sum(report(measure(os.path.realpath(path))) for path in sys.argv[1:])
    return bool(missed + report({"attach": attach_all("@"), "attach by name": attach_all("@[func]")}))


def report(found: dict[str, float]) -> int:
    print(": " + ", ".join([f"{what} {took:.3f} s (≤ {GOALS[what]})" for what, took in found.items()]))
    return sum(took > GOALS[what] for what, took in found.items())


if __name__ == "__main__":
    sys.exit(main())
