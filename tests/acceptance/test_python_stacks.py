"""Functions of Python in stacks: what a process says of its frames itself, at that call, is the oracle."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from programs import Probee, Target

pytestmark = [pytest.mark.kernel, pytest.mark.needs("uprobe", "cc")]

LIBRARY = """
int probed(int x) { __asm__ volatile("" ::: "memory"); return x; }
int call_back(int (*function)(int), int x)
{
    int r = function(x);
    __asm__ volatile("" ::: "memory");
    return r;
}
"""

PROGRAM = '''
import asyncio, ctypes, functools, json, sys, threading

library = ctypes.CDLL(sys.argv[1])
BACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)
said = []


def note():
    """Put down who called the function that called this one, as the interpreter says it."""
    frames, frame = [], sys._getframe(1)
    while frame is not None:
        frames.append([frame.f_code.co_qualname, frame.f_code.co_filename, frame.f_lineno])
        frame = frame.f_back
    said.append(frames)
    return 0


def leaf(_=0):
    return library.probed(note())


def recursive(n):
    if n == 0:
        return leaf()
    unused = [n,
              n + 1]
    return (recursive(
        n - 1))


class Outer:
    class Inner:
        @property
        def value(self):
            return leaf()

        def __lt__(self, other):
            leaf()
            return False

    @staticmethod
    def closure():
        def inner():
            return leaf()

        return inner


def generator():
    yield leaf()
    yield from another()


def another():
    received = yield 1
    leaf()
    yield received


def grün(x=1):


    return leaf(x)


def 関数():
    return leaf()


async def coroutine(depth):
    if depth:
        return await coroutine(depth - 1)
    await asyncio.sleep(0)
    return leaf()


def long_function():
    total = 0
    LINES
    leaf()
    return total


def everything():
    leaf()
    recursive(5)
    Outer.Inner().value
    sorted([Outer.Inner(), Outer.Inner()])
    Outer.closure()()
    for _ in generator():
        pass
    list(map(leaf, [1, 2]))
    [grün(x) for x in (1, 2)]
    {1: 関数()}
    library.call_back(BACK(leaf), 3)
    library.call_back(BACK(lambda x: library.call_back(BACK(recursive), 2)), 3)
    functools.reduce(lambda a, b: a + leaf(), [1, 2, 3])
    asyncio.run(coroutine(2))
    exec(compile("\\n\\nleaf()\\ndef made(): return leaf()\\nmade()", "<made up>", "exec"), globals())
    for number in range(20):  # code objects that take each other's places
        text = "\\n" * number + f"def f{number}(): leaf()\\nf{number}()"
        exec(compile(text, f"<{number}>", "exec"), globals())
    long_function()
    try:
        raise ValueError
    except ValueError:
        leaf()
    finally:
        leaf()


sys.stdin.readline()
everything()
thread = threading.Thread(target=everything)
others = [threading.Thread(target=sys.stdin.read, daemon=True) for _ in range(3)]
for other in others:
    other.start()
thread.start()
thread.join()
print(json.dumps(said), flush=True)
'''.replace("LINES", "\n    ".join(f"total += {n} if total < {n} else -{n}" for n in range(350)))

FRAME = re.compile(r"^        (\S+) \((.+):(\d+)\)$", re.M)


def _pythons() -> list[str]:
    """The interpreters of this machine that are of the releases whose frames are known."""
    found = {os.path.realpath(sys.executable)}
    found |= {path for path in ("/usr/bin/python3.11", "/usr/bin/python3.11-dbg") if os.path.exists(path)}
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for release in ("3.11", "3.12", "3.13"):
        found |= {str(path.resolve()) for path in root.glob(f"{release}.*/bin/python{release}")}
    return sorted(path for path in found if re.search(r"python3\.1[123](?:d|-dbg)?$", path))


@pytest.fixture
def library(cc: Callable[..., Path]) -> Path:
    return cc(LIBRARY, "-shared", "-fPIC", name="probed.so")


def _start(target: Callable[..., Target], tmp_path: Path, python: str, library: Path) -> Target:
    program = tmp_path / "prögram.py"
    program.write_text(PROGRAM, encoding="utf-8")
    process = target(python, "-I", "-X", "utf8", program, library)
    # Its libraries are there when the program is compiled: the last of them is ours.
    wait_mapped(process.pid, str(library))
    return process


def _trace(probee: Probee, process: Target, *arguments: object) -> str:
    """What probee prints of a whole run of the process, which it is attached to."""
    running = probee.start(*arguments, "-p", process.pid)
    running.wait_attached()
    process.go()
    process.read_line()
    process.close()
    return running.wait().stdout


def wait_mapped(pid: int, path: str) -> None:
    from programs import wait_until

    wait_until(lambda: path in Path(f"/proc/{pid}/maps").read_text(), 20)


@pytest.mark.parametrize("python", _pythons())
def test_frames_are_those_that_the_process_names(
    python: str, probee: Probee, library: Path, target: Callable[..., Target], tmp_path: Path
) -> None:
    process = _start(target, tmp_path, python, library)
    script = f"config = {{ show_debug_info = 0 }} uprobe:{library}:probed {{ print(py_ustack); }}"
    running = probee.start("-e", script, "-p", process.pid)
    running.wait_attached()
    process.go()
    said = json.loads(process.read_line())
    process.close()
    stacks = [stack for stack in running.wait().stdout.split("\n\n") if "probed" in stack]
    assert len(stacks) == len(said) > 80
    for stack, frames in zip(stacks, said, strict=True):
        found = [[name, file, int(line)] for name, file, line in FRAME.findall(stack)]
        assert found == frames, stack
        assert "_PyEval_EvalFrameDefault" not in stack
        assert stack.strip().split("\n")[0].split("+")[0].strip() == "probed"


def test_stacks_are_keys_of_processes_that_are_gone(
    probee: Probee, library: Path, target: Callable[..., Target], tmp_path: Path
) -> None:
    process = _start(target, tmp_path, sys.executable, library)
    script = f"uprobe:{library}:probed {{ @[py_ustack(perf, 20)] = count(); }}"
    text = _trace(probee, process, "-e", script)
    assert re.search(r"[0-9a-f]+ Outer\.Inner\.value \(\S+:\d+\)", text)
    assert "long_function (" in text


def test_folded(probee: Probee, library: Path, target: Callable[..., Target], tmp_path: Path) -> None:
    process = _start(target, tmp_path, sys.executable, library)
    script = f"config = {{ show_debug_info = 0 }} uprobe:{library}:probed {{ @[py_ustack] = count(); }}"
    text = _trace(probee, process, "-f", "folded", "-e", script)
    assert re.search(r";<module>;everything;([^;]+;)*leaf;([^;]+;)*probed \d+$", text, re.M)


def test_native_frames_stay_between(
    probee: Probee, library: Path, target: Callable[..., Target], tmp_path: Path
) -> None:
    process = _start(target, tmp_path, sys.executable, library)
    script = f"config = {{ show_debug_info = 0 }} uprobe:{library}:probed {{ print(py_ustack); }}"
    text = _trace(probee, process, "-e", script)
    names = [
        [line.strip().split("+")[0].split(" ")[0] for line in stack.strip().splitlines()]
        for stack in text.split("\n\n")
    ]
    back = next(stack for stack in names if "call_back" in stack)
    assert back.index("leaf") < back.index("call_back") < back.index("everything") < back.index("<module>")
    assert back[-1] == "_start"


@pytest.mark.needs("pid_namespace")
def test_a_process_in_another_namespace_of_ids(
    probee: Probee, library: Path, target: Callable[..., Target], tmp_path: Path
) -> None:
    """Its threads know themselves by other ids than those that the tracer sees."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    outer = target("unshare", "--pid", "--fork", sys.executable, "-I", "-X", "utf8", program, library)
    inner = _child(outer.pid)
    wait_mapped(inner, str(library))
    running = probee.start("-e", f"uprobe:{library}:probed {{ print(py_ustack); exit(); }}", "-p", inner)
    running.wait_attached()
    outer.go()
    assert "leaf (" in running.wait().stdout


def _child(pid: int) -> int:
    from programs import wait_until

    children = Path(f"/proc/{pid}/task/{pid}/children")
    wait_until(lambda: bool(children.read_text()), 20)
    return int(children.read_text().split()[0])
