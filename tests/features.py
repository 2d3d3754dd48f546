"""What a test may need of the machine it runs on, each thing probed by really trying it.

A test says `@pytest.mark.needs("bpf", "cc")` and is skipped, by that name, where the probe says no. That
is the only way to skip: conftest.py turns every other skip into a failure, and under `CI=true`
also a skip for want of a feature in `EXPECTED_IN_CI`.

The system calls are made here by hand, so that no test is skipped because probee has them wrong.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
import functools
import importlib.util
import os
import platform
import shutil
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

EXPECTED_IN_CI = frozenset({"root", "bpf", "uprobe", "cc"})

_SYSCALL_NUMBERS = {"x86_64": (321, 298), "aarch64": (280, 241)}  # bpf, perf_event_open
_BPF_MAP_CREATE = 0
_BPF_PROG_LOAD = 5
_BPF_MAP_TYPE_ARRAY = 2
_BPF_PROG_TYPE_RAW_TRACEPOINT = 17
_PERF_FLAG_FD_CLOEXEC = 8
_PERF_TYPE_BREAKPOINT = 5
_HW_BREAKPOINT_W = 2

_GPL = ctypes.create_string_buffer(b"GPL")


@dataclass(frozen=True)
class Feature:
    """`probe()` tells whether the machine has it; `want` says what is missing where it has not."""

    name: str
    want: str
    probe: Callable[[], bool]

    @functools.cached_property
    def present(self) -> bool:
        return self.probe()

    @property
    def reason(self) -> str:
        return f"needs {self.name}: {self.want}"


def _root() -> bool:
    return os.geteuid() == 0


def _bpf() -> bool:
    attr = b"".join(n.to_bytes(4, "little") for n in (_BPF_MAP_TYPE_ARRAY, 4, 8, 1))
    fd = _syscall(0, _BPF_MAP_CREATE, ctypes.create_string_buffer(attr, 128), 128)
    return _close(fd)


def _helper(number: int) -> Callable[[], bool]:
    def probe() -> bool:
        """A call without arguments is EINVAL if it is the function that is wrong, EACCES if they are."""
        code = ctypes.create_string_buffer(struct.pack("<BBhiBBhi", 0x85, 0, 0, number, 0x95, 0, 0, 0))
        attr = struct.pack(
            "<IIQQ", _BPF_PROG_TYPE_RAW_TRACEPOINT, 2, ctypes.addressof(code), ctypes.addressof(_GPL)
        )
        _close(_syscall(0, _BPF_PROG_LOAD, ctypes.create_string_buffer(attr, 128), 128))
        return ctypes.get_errno() == errno.EACCES

    return probe


def _entry_caller() -> bool:
    # Since Linux commit cfa7f3d2c526 ("perf,x86: avoid missing caller address in stack traces captured in
    # uprobe") (in v6.12). What a kernel leaves out of stacks, it has no way to be asked.
    return tuple(map(int, platform.release().split(".")[:2])) >= (6, 12)


def _uprobe() -> bool:
    # Offset 0 of the interpreter is its ELF header: nothing there is ever executed.
    return _local_probe("uprobe", ctypes.create_string_buffer(os.fsencode(os.readlink("/proc/self/exe"))))


def _kprobe() -> bool:
    return _local_probe("kprobe", ctypes.create_string_buffer(b"vfs_read"))


def _watchpoint() -> bool:
    watched = ctypes.create_string_buffer(8)
    size = 112
    attr = bytearray(size)
    attr[0:8] = _PERF_TYPE_BREAKPOINT.to_bytes(4, "little") + size.to_bytes(4, "little")
    attr[52:56] = _HW_BREAKPOINT_W.to_bytes(4, "little")
    attr[56:64] = ctypes.addressof(watched).to_bytes(8, "little")
    attr[64:72] = (8).to_bytes(8, "little")
    buffer = ctypes.create_string_buffer(bytes(attr), size)
    return _close(_syscall(1, buffer, os.getpid(), -1, -1, _PERF_FLAG_FD_CLOEXEC))


def _tracefs() -> bool:
    return os.access("/sys/kernel/tracing/events/sched/sched_switch/format", os.R_OK)


def _cc() -> bool:
    if shutil.which("cc") is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "true.c")
        source.write_text("#include <stdio.h>\nint main(void) { return 0; }\n")
        built = subprocess.run(["cc", "-o", f"{folder}/true", source], capture_output=True, check=False)
        return built.returncode == 0


def _sdt() -> bool:
    command, source = ["cc", "-E", "-xc", "-"], b"#include <sys/sdt.h>\n"
    return _cc() and subprocess.run(command, input=source, capture_output=True, check=False).returncode == 0


def _cxx() -> bool:
    return _cc() and shutil.which("c++") is not None


def _clang() -> bool:
    return shutil.which("clang") is not None


def _gdb() -> bool:
    return all(shutil.which(name) for name in ("gdb", "gdb-add-index"))


def _llvm_dwarfdump() -> bool:
    return shutil.which("llvm-dwarfdump") is not None


def _go() -> bool:
    return shutil.which("go") is not None


def _x86_64() -> bool:
    return platform.machine() == "x86_64"


def _dwz() -> bool:
    return shutil.which("dwz") is not None


def _pyelftools() -> bool:
    return importlib.util.find_spec("elftools") is not None


def _bpftrace() -> bool:
    if shutil.which("bpftrace") is None:
        return False
    return subprocess.run(["bpftrace", "--version"], capture_output=True, check=False).returncode == 0


def _binutils() -> bool:
    return all(shutil.which(name) for name in ("readelf", "objcopy", "strip"))


def _cxxfilt() -> bool:
    return shutil.which("c++filt") is not None


def _libstdcxx() -> bool:
    return any(_loads(name) for name in ("libstdc++.so.6", "libc++abi.so.1"))


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _btf() -> bool:
    return os.access("/sys/kernel/btf/vmlinux", os.R_OK)


def _bpftrace_source() -> bool:
    return Path(os.environ.get("BPFTRACE_DIR", "/nonexistent"), "tools", "runqlat.bt").exists()


def _bpf_conformance() -> bool:
    return Path(os.environ.get("BPF_CONFORMANCE_DIR", "/nonexistent"), "tests", "add.data").exists()


def _libpcap() -> bool:
    return ctypes.util.find_library("pcap") is not None


def _llvm() -> bool:
    return all(shutil.which(name) for name in ("llvm-mc", "llvm-objdump", "llvm-objcopy"))


def _bpftool() -> bool:
    if shutil.which("bpftool") is None:
        return False
    return subprocess.run(["bpftool", "version"], capture_output=True, check=False).returncode == 0


def _bpffs() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        mounted = subprocess.run(["mount", "-t", "bpf", "bpf", folder], capture_output=True, check=False)
        if mounted.returncode == 0:
            subprocess.run(["umount", folder], check=True)
        return mounted.returncode == 0


def _guest() -> bool:
    from lab.kernel import KERNELS
    from lab.machine import QEMU

    return _root() and _x86_64() and shutil.which(QEMU) is not None and any(KERNELS.glob("*/boot/vmlinuz-*"))


def _pid_namespace() -> bool:
    if not _root() or shutil.which("unshare") is None:
        return False
    command = ["unshare", "--pid", "--fork", "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _kernel_headers() -> bool:
    return Path("/usr/include/linux/types.h").exists()


def _ldcache() -> bool:
    return os.access("/etc/ld.so.cache", os.R_OK)


FEATURES = {
    feature.name: feature
    for feature in (
        Feature("root", "user id 0", _root),
        Feature("bpf", "bpf(2) that creates an array map", _bpf),
        Feature("for_each_map_elem", "the helper bpf_for_each_map_elem, of Linux 5.13", _helper(164)),
        Feature("bpf_loop", "the helper bpf_loop, of Linux 5.17", _helper(181)),
        Feature("entry_caller", "user stacks at an entry that have its caller, of 6.12", _entry_caller),
        Feature("uprobe", "perf_event_open(2) on the uprobe PMU", _uprobe),
        Feature("kprobe", "perf_event_open(2) on the kprobe PMU", _kprobe),
        Feature("pid_namespace", "unshare(1) that makes a namespace of process ids", _pid_namespace),
        Feature("watchpoint", "perf_event_open(2) on a breakpoint", _watchpoint),
        Feature("tracefs", "a mounted /sys/kernel/tracing", _tracefs),
        Feature("cc", "a C compiler called cc, and the C library's headers", _cc),
        Feature("sdt", "cc, and SystemTap's header <sys/sdt.h>", _sdt),
        Feature("cxx", "a C++ compiler called c++", _cxx),
        Feature("clang", "the command clang", _clang),
        Feature("gdb", "the commands gdb and gdb-add-index", _gdb),
        Feature("dwz", "the command dwz", _dwz),
        Feature("llvm_dwarfdump", "the command llvm-dwarfdump", _llvm_dwarfdump),
        Feature("go", "the command go, Go's compiler", _go),
        Feature("x86_64", "a CPU of x86-64", _x86_64),
        Feature("pyelftools", "the package pyelftools, which other readings are compared with", _pyelftools),
        Feature("bpftrace", "the bpftrace command", _bpftrace),
        Feature("bpftrace_source", "BPFTRACE_DIR, where bpftrace's source is checked out", _bpftrace_source),
        Feature("binutils", "the commands readelf, objcopy and strip", _binutils),
        Feature("cxxfilt", "the command c++filt", _cxxfilt),
        Feature("libstdcxx", "the C++ run-time library, libstdc++ or libc++abi", _libstdcxx),
        Feature("btf", "a readable /sys/kernel/btf/vmlinux", _btf),
        Feature("bpf_conformance", "BPF_CONFORMANCE_DIR, where that suite is checked out", _bpf_conformance),
        Feature("libpcap", "the library libpcap", _libpcap),
        Feature("llvm", "the commands llvm-mc, llvm-objdump and llvm-objcopy", _llvm),
        Feature("bpftool", "the bpftool command", _bpftool),
        Feature("bpffs", "leave to mount a bpf file system", _bpffs),
        Feature("guest", "root, QEMU and a kernel that scripts/guest-kernel fetched", _guest),
        Feature("kernel_headers", "the kernel's headers in /usr/include/linux", _kernel_headers),
        Feature("ldcache", "a readable /etc/ld.so.cache", _ldcache),
    )
}


def _syscall(which: int, *arguments: object) -> int:
    """The result of bpf (0) or perf_event_open (1), -1 also where this CPU's numbers are unknown."""
    numbers = _SYSCALL_NUMBERS.get(platform.machine())
    if numbers is None:
        return -1
    result: int = ctypes.CDLL(None, use_errno=True).syscall(numbers[which], *arguments)
    return result


def _close(fd: int) -> bool:
    if fd < 0:
        return False
    os.close(fd)
    return True


def _local_probe(pmu: str, name: ctypes.Array[ctypes.c_char]) -> bool:
    """Open, for this process alone, a probe on `name` + 0 of the PMU, and close it again."""
    kind = Path("/sys/bus/event_source/devices", pmu, "type")
    if not kind.exists():
        return False
    size = 128
    attr = bytearray(size)
    attr[0:8] = int(kind.read_text()).to_bytes(4, "little") + size.to_bytes(4, "little")
    attr[56:64] = ctypes.addressof(name).to_bytes(8, "little")  # config1: the name; config2, the offset: 0
    buffer = ctypes.create_string_buffer(bytes(attr), size)
    return _close(_syscall(1, buffer, os.getpid(), -1, -1, _PERF_FLAG_FD_CLOEXEC))
