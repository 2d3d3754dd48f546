"""`probee nm` and `probee dwarf`, against what the compiler and readelf say."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from builders.gopclntab import GoProgram
from probee.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SOURCE = """
#include <stdlib.h>
struct item { struct item *next; int id; };
static inline __attribute__((always_inline)) int twice(int value) { return 2 * value; }
__attribute__((noinline)) int item_sum(const struct item *first, double weight, char *const *names)
{
    int sum = names != 0;
    for (; first; first = first->next) { sum += twice(first->id); }
    return sum + (int)weight;
}
__attribute__((weak)) int item_weak(void) { return 0; }
static __attribute__((noinline)) int item_local(int used) { return twice(used) + atoi("1"); }
int (*kept)(int) = item_local;
int main(void) { return item_sum(0, 0, 0) + item_weak() + kept(1); }
"""


def run(capfd: pytest.CaptureFixture[str], *words: object) -> tuple[int, list[str], str]:
    status = main([str(word) for word in words])
    out, err = capfd.readouterr()
    return status, out.splitlines(), err


# -- nm -----------------------------------------------------------------------------------------


def test_nm_of_stripped_go(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    made = GoProgram(version="go1.21.1")
    made.function("main.main", bytes(0x20))
    path = tmp_path / "app"
    path.write_bytes(made.build())
    status, out, err = run(capfd, "nm", path, "main.*")
    assert (status, err) == (0, "")
    assert out[-1].split()[2:] == ["32", "local", "go", "main.main"]
    assert out[3:5] == ["made by: go1.21.1", "stripped: only functions of Go have names"]


@pytest.mark.needs("cc")
def test_nm(capfd: pytest.CaptureFixture[str], cc: Callable[..., Path]) -> None:
    path = cc(SOURCE, "-Wl,--build-id=0x0123abcd", "-no-pie")
    status, out, err = run(capfd, "nm", path, "item*")
    assert (status, err) == (0, "")
    assert out[0].startswith(f"{path}: executable, 64 bit, ")
    assert out[1:4] == ["build id: 0123abcd", "debug information: none", ""]
    assert out[4].split() == ["ADDRESS", "OFFSET", "SIZE", "BIND", "TABLE", "NAME"]
    rows = [line.split() for line in out[5:]]
    assert {tuple(row[3:]) for row in rows} == {
        ("global", "symtab", "item_sum"), ("weak", "symtab", "item_weak"), ("local", "symtab", "item_local"),
    }  # fmt: skip
    assert out[5:] == sorted(out[5:])
    for address, offset, size, *_ in rows:
        # Without PIE, code starts at 0x400000 and is loaded from the same place in the file.
        assert int(address, 16) - int(offset, 16) == 0x400000
        assert int(size) > 5


@pytest.mark.needs("cc", "binutils")
def test_nm_agrees_with_readelf(capfd: pytest.CaptureFixture[str], cc: Callable[..., Path]) -> None:
    path = cc(SOURCE, "-g")
    text = subprocess.run(["readelf", "-Ws", path], capture_output=True, text=True, check=True).stdout
    known = {(int(row[1], 16), int(row[2], 0), row[7].partition("@")[0])
             for row in map(str.split, text.splitlines())
             if len(row) >= 8 and row[3] == "FUNC" and row[6] != "UND"}  # fmt: skip
    _, out, _ = run(capfd, "nm", path)
    assert out[0].startswith(f"{path}: position independent executable, ")
    assert out[2] == "debug information: in the file"
    rows = [line.split() for line in out[out.index("") + 2 :]]
    assert {(int(row[0], 16), int(row[2]), row[5].partition("@")[0]) for row in rows} == known


@pytest.mark.needs("cc", "binutils")
def test_nm_of_a_stripped_file(capfd: pytest.CaptureFixture[str], cc: Callable[..., Path]) -> None:
    path = cc(SOURCE, "-g", "-rdynamic", "-Wl,--build-id=sha1")
    debug = path.parent / "target.debug"
    for command in (
        ["objcopy", "--only-keep-debug", path, debug],
        ["strip", path],
        ["objcopy", f"--add-gnu-debuglink={debug}", path],
    ):
        subprocess.run(command, check=True)
    _, out, _ = run(capfd, "nm", path, "item_*")
    assert out[2] == f"debug information: in {debug}"
    tables = {row[5]: row[4] for row in map(str.split, out[5:])}
    assert tables == {"item_sum": "dynsym", "item_weak": "dynsym", "item_local": "debug"}
    debug.unlink()
    _, out, _ = run(capfd, "nm", path)
    assert out[3] == "stripped: only functions that other files may call have names"
    assert run(capfd, "nm", path, "item_locl")[2].startswith("ERROR: no function matches 'item_locl'")


@pytest.mark.needs("cc", "libstdcxx")
def test_nm_demangles(capfd: pytest.CaptureFixture[str], cc: Callable[..., Path]) -> None:
    path = cc("int _ZN2ns5greetEi(int n) { return n; } int main(void) { return 0; }")
    (line,) = run(capfd, "nm", "-C", path, "ns::*")[1][5:]
    assert line.endswith("  ns::greet(int)")
    assert run(capfd, "nm", "-C", path, "_ZN2ns*")[1][5:] == [line]
    assert run(capfd, "nm", path, "ns::*")[0] == 1
    assert run(capfd, "nm", path, "_ZN2ns*")[1][-1].endswith("  _ZN2ns5greetEi")


@pytest.mark.needs("cc")
def test_nm_names_versions_and_ifuncs(capfd: pytest.CaptureFixture[str], cc: Callable[..., Path]) -> None:
    source = """
    static int one(void) { return 1; }
    static int (*pick(void))(void) { return one; }
    int picked(void) __attribute__((ifunc("pick")));
    int old(void) { return 0; }
    __asm__(".symver old, versioned@V1");
    int new(void) { return 0; }
    __asm__(".symver new, versioned@@V2");
    """
    versions = cc("int main(void) { return 0; }").parent / "versions"
    versions.write_text("V1 { };\nV2 { } V1;\n")
    path = cc(source, "-shared", "-fPIC", f"-Wl,--version-script={versions}", name="library.so")
    assert run(capfd, "nm", path)[1][0].startswith(f"{path}: shared library, ")
    (line,) = run(capfd, "nm", path, "picked")[1][5:]
    assert line.endswith("  picked  (ifunc: this is its resolver)")
    names = {line.split()[-1] for line in run(capfd, "nm", path, "versioned")[1][5:]}
    assert names == {"versioned@V1", "versioned@@V2"}


# -- dwarf --------------------------------------------------------------------------------------

WALK = """\
int item_sum(const struct item *first, double weight, char *const *names)
  declared at: PATH.c:5 (other files may call it)
  code: 0xN-0xN (N bytes), file offset 0xN
  body: from 0xN (+N)
  parameters:
    const struct item *first
      at entry: where the calling convention puts it
      in the body: at CFA-N
    double weight
      at entry: where the calling convention puts it
      in the body: at CFA-N
    char *const *names
      at entry: where the calling convention puts it
      in the body: at CFA-N"""


@pytest.mark.needs("cc")
def test_dwarf(capfd: pytest.CaptureFixture[str], cc: Callable[..., Path]) -> None:
    path = cc(SOURCE, "-g")
    status, out, err = run(capfd, "dwarf", path, "item_sum")
    assert (status, err) == (0, "")
    shown = "\n".join(out).replace(str(path), "PATH")
    assert re.sub(r"(?<=[-x+(])[0-9a-f]+\b", "N", shown) == WALK
    (row,) = [line.split() for line in run(capfd, "nm", path, "item_sum")[1][5:]]
    assert f"  code: {int(row[0], 16):#x}-{int(row[0], 16) + int(row[2]):#x} ({row[2]} bytes)" in out[2]
    assert out[2].endswith(f" {row[1]}")


@pytest.mark.needs("cc")
def test_dwarf_of_inlined_functions(capfd: pytest.CaptureFixture[str], cc: Callable[..., Path]) -> None:
    path = cc(SOURCE, "-g", "-O1")
    _, out, _ = run(capfd, "dwarf", path, "twice")
    assert out[:3] == [
        "int twice(int value)",
        f"  declared at: {path}.c:4 (static)",
        "  code: none of its own, it was inlined wherever it is called",
    ]
    instances = out[out.index("  inlined:") + 1 :]
    assert {re.sub(r".*(?=in )", "", line) for line in instances} == {
        f"in item_sum, called at {path}.c:8", f"in item_local, called at {path}.c:12",
    }  # fmt: skip
    entry = run(capfd, "dwarf", path, "item_sum")[1]
    place = entry[entry.index("    const struct item *first") + 1]
    assert re.fullmatch(r"      at entry: in (rdi|x0)", place)


@pytest.mark.needs("sdt")
def test_dwarf_shows_probes(capfd: pytest.CaptureFixture[str], cc: Callable[..., Path]) -> None:
    source = "#include <sys/sdt.h>\nint main(int n, char **v) { DTRACE_PROBE1(app, start, n); return 0; }"
    _, out, _ = run(capfd, "dwarf", cc(source, "-g"), "main")
    assert out[-2] == "  USDT probes:"
    assert re.fullmatch(r"    0x[0-9a-f]+: app:start -4@\S+", out[-1])


@pytest.mark.needs("cc")
def test_dwarf_says_why_not(capfd: pytest.CaptureFixture[str], cc: Callable[..., Path]) -> None:
    path = cc(SOURCE, "-g")
    err = run(capfd, "dwarf", path, "item_smu")[2]
    assert err == f"ERROR: no function item_smu in {path}\nHINT: did you mean item_sum?\n"
    assert run(capfd, "dwarf", path, "atoi")[2].startswith(f"ERROR: atoi is undefined in {path}")
    status, _, err = run(capfd, "dwarf", path, "_start")
    assert (status, err.splitlines()[0][-44:]) == (1, f"but {path} has no debug information of it"[-44:])
    path = cc(SOURCE, "-Wl,--build-id=0x0123abcd", name="plain")
    status, out, err = run(capfd, "dwarf", path, "item_sum")
    assert (status, out) == (1, [])
    assert err == (
        f"ERROR: {path} has no debug information\n"
        "HINT: looked in the file itself, /usr/lib/debug/.build-id/01/23abcd.debug; compilers make it with"
        " -g, packages in -dbg, -dbgsym or -debuginfo and the servers of DEBUGINFOD_URLS have it\n"
    )


@pytest.mark.parametrize("command", ["nm", "dwarf"])
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "expected FILE and "),
        (["/nonexistent", "f"], "/nonexistent: no such file"),
        (["/etc", "f"], "/etc: expected a binary, got a directory"),
        (["/dev/null", "f"], "/dev/null: expected a binary, got something that is no file"),
        (["/etc/passwd", "f"], "/etc/passwd: 0x0: expected an ELF file"),
        (["no-such-program", "f"], "no-such-program: no such file"),
        (["-z"], "option -z not recognized"),
    ],
)
def test_wrong_words(capfd: pytest.CaptureFixture[str], command: str, words: list[str], message: str) -> None:
    status, out, err = run(capfd, command, *words)
    assert (status, out) == (1, [])
    assert err.startswith(f"ERROR: {message}")
