"""Names of addresses of this very process, and of what it starts."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

import pytest

from probee.base.record import replace
from probee.spec.bundle import Bundle, UprobeLink
from probee.symbols.frame import Frame
from probee.symbols.live import LiveSymbols, Settings

EMPTY = Bundle((), (), (), (), ())
PLAIN = Settings(debug_info=False)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


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
