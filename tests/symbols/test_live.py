"""Names of addresses of this very process, and of what it starts."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from probee.base.record import replace
from probee.kernel.mappings import Change, Executed, Exited, Forked, Mapped
from probee.spec.bundle import Bundle, UprobeLink
from probee.symbols.frame import Frame
from probee.symbols.live import LiveSymbols, Settings

EMPTY = Bundle((), (), (), (), ())
PLAIN = Settings(debug_info=False)


def address_of(name: str) -> int:
    found = ctypes.cast(getattr(ctypes.CDLL(None), name), ctypes.c_void_p).value
    assert found is not None
    return found


def test_functions_of_this_process() -> None:
    symbols = LiveSymbols(EMPTY, PLAIN)
    address = address_of("Py_GetVersion")
    ((frame,),) = symbols.user(os.getpid(), 0, [address])
    assert (frame.name, frame.offset) == ("Py_GetVersion", 0)
    assert frame.module.startswith("/")
    assert symbols.user_name(os.getpid(), 0, address + 3) == "Py_GetVersion"
    assert symbols.user_name(os.getpid(), 0, 1) == ""
    # A stack: the second address is one that a call returned to, so that its first byte is another's.
    first, second = symbols.user(os.getpid(), 0, [address, address + 5])
    assert (first[0].offset, second[0].offset) == (0, 5)


def test_what_is_mapped_later_is_found() -> None:
    symbols = LiveSymbols(EMPTY, PLAIN)
    symbols.user(os.getpid(), 0, [1])
    import _lsprof  # a library that is loaded now, if it wasn't

    path = getattr(_lsprof, "__file__", None)
    name = "PyInit__lsprof"
    address = ctypes.cast(getattr(ctypes.CDLL(path), name), ctypes.c_void_p).value
    assert address is not None
    assert symbols.user_name(os.getpid(), 0, address) == name


def test_what_a_compiler_wrote_down(tmp_path: Path) -> None:
    import mmap

    memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    symbols = LiveSymbols(EMPTY, PLAIN)
    assert symbols.user_name(os.getpid(), 0, start + 0x18) == ""
    path = Path(f"/tmp/perf-{os.getpid()}.map")
    try:
        path.write_text(f"{start + 0x10:x} 20 LazyCompile:add\n")
        ((frame,),) = symbols.user(os.getpid(), 0, [start + 0x18])
        assert frame == Frame(start + 0x18, "LazyCompile:add", 8, frame.module)
        path.write_text(f"{start + 0x10:x} 20 LazyCompile:add\n{start + 0x40:x} 8 sub\n")
        assert symbols.user_name(os.getpid(), 0, start + 0x44) == "sub"
    finally:
        path.unlink()


def test_a_process_that_nobody_saw_alive_is_told_by_its_probe() -> None:
    """The innermost address is where the probe stands in its file, which tells how far that was moved."""
    path = os.path.realpath("/proc/self/exe")
    symbols = LiveSymbols(EMPTY, PLAIN)
    image = symbols._images.open_path(path)
    assert image is not None
    function = next(image.elf.iter_functions(lambda name: name == "main"))
    offset = image.elf.file_offset(function.value)
    assert offset is not None
    link = UprobeLink("uprobe_1", path, offset)
    bundle = replace(EMPTY, links=(link,), numbered=("uprobe_1",))
    symbols = LiveSymbols(bundle, PLAIN)
    nobody = 1 << 22  # more than the largest process id
    bias = 0x5555_0000_0000
    assert symbols.user_name(nobody, 0, function.value + bias) == "main"
    assert symbols.user_name(nobody, 0, function.value + bias + 1) == "main"  # it is known by now
    # A place that the probe cannot be at tells nothing.
    assert LiveSymbols(bundle, PLAIN).user_name(nobody, 0, function.value + bias + 1) == ""
    two = replace(bundle, links=(link, UprobeLink("uprobe_1", path, offset, True)))
    assert LiveSymbols(two, PLAIN).user_name(nobody, 0, function.value + bias) == "main"


def test_settings_come_from_the_config() -> None:
    from probee.symbols.live import settings_of

    config = (("show_debug_info", False), ("cpp_demangle", 0))
    assert settings_of(replace(EMPTY, config=config)) == Settings(False, False)
    assert settings_of(EMPTY) == Settings()


class Told:
    """A watch that tells what the test says."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.fds: list[int] = []

    def read(self) -> list[Change]:
        told, self.changes = self.changes, []
        return told

    def close(self) -> None:
        """Nothing is open."""


NOBODY, CHILD = (1 << 22) + 1, (1 << 22) + 2  # more than the largest process id


def told() -> tuple[LiveSymbols, Told, str]:
    """Symbols that hear of what a test tells; a library's device:inode:path are of this interpreter."""
    symbols, watch = LiveSymbols(EMPTY, PLAIN), Told()
    symbols._watch = watch  # type: ignore[assignment]
    return symbols, watch, os.path.realpath("/proc/self/exe")


def mapped(pid: int, start: int, path: str) -> Mapped:
    """The code of a file, mapped at `start`."""
    image = LiveSymbols(EMPTY, PLAIN)._images.open_path(path)
    assert image is not None
    ((_, offset, size), *_) = image.code
    return Mapped(pid, start, start + size, offset, "fd:01", os.stat(path).st_ino, path)


def main_of(change: Mapped) -> int:
    """The address of `main` where a mapping of the interpreter has it."""
    image = LiveSymbols(EMPTY, PLAIN)._images.open_path(change.path)
    assert image is not None
    function = next(image.elf.iter_functions(lambda name: name == "main"))
    offset = image.elf.file_offset(function.value)
    assert offset is not None
    return change.start + offset - change.offset


def test_processes_that_were_only_heard_of() -> None:
    symbols, watch, path = told()
    first = mapped(NOBODY, 0x10_0000, path)
    assert symbols.user_name(NOBODY, 0, main_of(first)) == ""
    watch.changes = [first]
    assert symbols.user_name(NOBODY, 0, main_of(first)) == "main"
    watch.changes = [Forked(CHILD, NOBODY), Exited(NOBODY)]
    assert symbols.user_name(CHILD, 0, main_of(first)) == "main"
    assert symbols.user_name(NOBODY, 0, main_of(first) + 1) == "main"  # gone, and still known


def test_another_program_in_the_same_process() -> None:
    symbols, watch, path = told()
    first, second = mapped(NOBODY, 0x10_0000, path), mapped(NOBODY, 0x90_0000_0000, path)
    watch.changes = [first, Executed(NOBODY), second]
    assert symbols.user_name(NOBODY, 0, main_of(second)) == "main"
    # A stack that was taken before.
    assert symbols.user_name(NOBODY, 0, main_of(first)) == "main"


def test_what_was_found_is_forgotten_when_something_else_is_mapped_there() -> None:
    symbols, watch, path = told()
    watch.changes = [first := mapped(NOBODY, 0x10_0000, path)]
    assert symbols.user_name(NOBODY, 0, main_of(first)) == "main"
    watch.changes = [Mapped(NOBODY, first.start, first.end, 0, "00:00", 0, "")]
    symbols.catch_up()
    assert symbols.user_name(NOBODY, 0, main_of(first)) == ""


def test_an_id_that_is_used_again() -> None:
    symbols, watch, path = told()
    watch.changes = [first := mapped(NOBODY, 0x10_0000, path), Exited(NOBODY), Forked(NOBODY, CHILD)]
    assert symbols.user_name(NOBODY, 0, main_of(first)) == ""


def test_closing_keeps_what_is_known() -> None:
    symbols, watch, path = told()
    watch.changes = [first := mapped(NOBODY, 0x10_0000, path)]
    symbols.close()
    symbols.close()
    assert symbols.user_name(NOBODY, 0, main_of(first)) == "main"
