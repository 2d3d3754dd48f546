"""Loading programs, and running them once.

A program is loaded without a log, which is quick; only when the kernel refuses it, it is loaded
again with one, and the answer is a `LoadError` that holds the whole log, the reason in words and the
span of the script that the refused instruction was made for.
"""

from __future__ import annotations

import errno
import os
import struct
import sys

from ..base.errors import InternalError, LoadError, UsageError
from ..spec.abi import AttachType
from .abi import (
    BPF_PSEUDO_MAP_FD,
    BPF_PSEUDO_MAP_VALUE,
    FUNC_INFO_SIZE,
    LINE_INFO_SIZE,
    Cmd,
    LogLevel,
)
from .fd import Fd
from .maps import KernelMap, object_name
from .syscall import address, bpf, bpf_charged, bpf_retry, check, explain_refusal, known_errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..spec.abi import ProgType
    from ..spec.bundle import Program
    from ..spec.machine import MapHandle

_LOAD = struct.Struct("=IIQQIIQII16sIIIIQIIQIIII")
_BTF_LOAD = struct.Struct("=QQIII")
TEST_RUN = struct.Struct("=iIIIQQIIIIQQ")
"""Arguments of BPF_PROG_TEST_RUN: prog_fd retval data_size_in data_size_out data_in data_out repeat
duration ctx_size_in ctx_size_out ctx_in ctx_out."""

_TEST_RUN_RETVAL = struct.Struct("=4xI")

_WIDE_LOAD = 0x18
_SLOT = 8

# Before 5.17 the log may not reach 16 MiB.
_SHORTEST_LOG = 128  # below which the kernel takes no buffer
_LOG_SIZES = (256 << 10, 2 << 20, (16 << 20) - 1)


class KernelProgram:
    """A loaded program (`spec.machine.ProgramHandle`). `log` is the verifier's, where it was asked for."""

    __slots__ = ("spec", "fd", "log")

    def __init__(self, spec: Program, fd: int, log: str = "") -> None:
        self.spec, self.fd, self.log = spec, Fd(fd), log

    def test_run(self, data: bytes = b"", context: bytes = b"") -> int:
        """Run once now, in this process; the program's return value. Raises KernelError."""
        incoming, ctx = bytearray(data), bytearray(context)
        attr = bytearray(
            TEST_RUN.pack(
                self.fd.number, 0, len(data), 0, address(incoming), 0, 0, 0, len(ctx), 0, address(ctx), 0
            )
        )
        check(f"run {self.spec.probe or self.spec.name}", bpf_retry(Cmd.PROG_TEST_RUN, attr))
        value: int = _TEST_RUN_RETVAL.unpack_from(attr)[0]
        return value

    def measure(self, data: bytes, times: int) -> tuple[int, int]:
        """Run `times` times on a packet: (the last return value, nanoseconds of a run). Raises KernelError.

        For programs that get packets: the kernel repeats no others.
        """
        incoming = bytearray(data)
        attr = bytearray(
            TEST_RUN.pack(self.fd.number, 0, len(data), 0, address(incoming), 0, times, 0, 0, 0, 0, 0)
        )
        check(f"run {self.spec.probe or self.spec.name}", bpf_retry(Cmd.PROG_TEST_RUN, attr))
        fields = TEST_RUN.unpack(attr)
        return fields[1], fields[7]

    def close(self) -> None:
        self.fd.close()


def open_raw_tracepoint(name: str, program: int) -> int:
    """Run the program of descriptor `program` at the tracepoint `name`: a file descriptor, or -errno."""
    text = bytearray(os.fsencode(name) + b"\0")
    return bpf(Cmd.RAW_TRACEPOINT_OPEN, bytearray(struct.pack("=QI", address(text), program)))


def load_btf(btf: bytes) -> Fd:
    """Load the BTF that a bundle's func_info and line_info refer to. Raises LoadError with its log."""
    data = bytearray(btf)
    result = bpf_charged(Cmd.BTF_LOAD, bytearray(_BTF_LOAD.pack(address(data), 0, len(data), 0, 0)))
    if result >= 0:
        return Fd(result)
    log = bytearray(_LOG_SIZES[0])
    attr = _BTF_LOAD.pack(address(data), address(log), len(data), len(log), LogLevel.BRIEF)
    again = bpf_charged(Cmd.BTF_LOAD, bytearray(attr))
    if again >= 0:
        return Fd(again)
    raise LoadError("load debug information", -result, log=_text(log), hint=explain_refusal(-result))


def load_program(
    spec: Program,
    maps: dict[str, MapHandle],
    btf: Fd | None = None,
    *,
    verbose: bool = False,
    log_size: int = 0,
) -> KernelProgram:
    """Load `spec` with the maps it names. `verbose` keeps the log of an accepted program, too.

    Raises LoadError; UsageError for a log that is longer than `log_size`, unless that is 0.
    """
    code = relocate(spec, maps)
    load = Load(spec.type, code, spec.license, spec.name, spec.expected_attach)
    if btf is not None and (spec.func_info or spec.line_info):
        load.set_debug(btf.number, spec.func_info, spec.line_info)
    result = load.run()
    if result >= 0 and not verbose:
        return KernelProgram(spec, result)
    if result >= 0:
        level = LogLevel.FULL | LogLevel.STATS
        Fd(result).close()
    else:
        level = LogLevel.BRIEF
    again, log = load.run_logged(level, log_size)
    if log_size and (again == -errno.ENOSPC or log_size < _SHORTEST_LOG):
        raise _too_long(spec, log_size)
    if again >= 0:
        return KernelProgram(spec, again, log)
    raise _load_error(spec, -result if result < 0 else -again, log)


def relocate(spec: Program, maps: dict[str, MapHandle]) -> bytearray:
    """The program's code with the maps' descriptors in the places that name them."""
    code = bytearray(spec.code)
    for relocation in spec.relocations:
        at = relocation.slot * _SLOT
        if at + 2 * _SLOT > len(code) or code[at] != _WIDE_LOAD:
            raise InternalError(f"{spec.name}: relocation at slot {relocation.slot}, which is no wide load")
        handle = maps[relocation.map]
        if not isinstance(handle, KernelMap):
            raise InternalError(f"{spec.name}: map {relocation.map} is not one of this machine")
        source = BPF_PSEUDO_MAP_FD if relocation.offset is None else BPF_PSEUDO_MAP_VALUE
        code[at + 1] = _with_source(code[at + 1], source)
        struct.pack_into("=i", code, at + 4, handle.fd.number)
        struct.pack_into("=I", code, at + _SLOT + 4, relocation.offset or 0)
    return code


def _with_source(registers: int, source: int) -> int:
    """The registers byte of an instruction with its source replaced: a bit field, so order differs."""
    if sys.byteorder == "little":
        return registers & 0x0F | source << 4
    return registers & 0xF0 | source


class Load:
    """One program ready for BPF_PROG_LOAD; keeps the buffers that the call points to alive."""

    def __init__(
        self,
        kind: ProgType,
        code: bytes | bytearray,
        license: str = "GPL",
        name: str = "",
        expected_attach: AttachType = AttachType.NONE,
        attach_btf_id: int = 0,
    ) -> None:
        self._kind, self._expected, self._attach_btf_id = kind, expected_attach, attach_btf_id
        self._code = bytearray(code)
        self._license = bytearray(license.encode() + b"\0")
        self._name = object_name(name)
        self._btf, self._funcs, self._lines = 0, bytearray(), bytearray()

    def set_debug(self, btf: int, func_info: bytes, line_info: bytes) -> None:
        """Give the kernel func_info and line_info, records that refer to the BTF of descriptor `btf`."""
        self._btf, self._funcs, self._lines = btf, bytearray(func_info), bytearray(line_info)

    def run(self, log: bytearray | None = None, level: int = LogLevel.NONE) -> int:
        """Load: a file descriptor, or -errno."""
        attr = _LOAD.pack(
            self._kind,
            len(self._code) // _SLOT,
            address(self._code),
            address(self._license),
            level,
            len(log) if log else 0,
            address(log) if log else 0,
            0,  # kern_version, looked at up to 4.20 only
            0,  # prog_flags
            self._name,
            0,  # prog_ifindex
            self._expected,
            self._btf,
            FUNC_INFO_SIZE if self._funcs else 0,
            address(self._funcs),
            len(self._funcs) // FUNC_INFO_SIZE,
            LINE_INFO_SIZE if self._lines else 0,
            address(self._lines),
            len(self._lines) // LINE_INFO_SIZE,
            self._attach_btf_id,
            0,  # attach_btf_obj_fd: the kernel's own BTF
            0,
        )
        return bpf_charged(Cmd.PROG_LOAD, bytearray(attr))

    def run_logged(self, level: int, most: int = 0) -> tuple[int, str]:
        """Load with a log buffer that grows until the log fits, or, unless that is 0, of `most` bytes:
        (result, log)."""
        for size in (max(most, _SHORTEST_LOG),) if most else _LOG_SIZES:
            log = bytearray(size)
            result = self.run(log, level)
            if result != -errno.ENOSPC:
                break
        return result, _text(log)


def _too_long(spec: Program, size: int) -> UsageError:
    reason = os.strerror(errno.ENOSPC)
    message = f"Error loading BPF program for {spec.name}. Error code: -{errno.ENOSPC} ({reason})."
    error = UsageError(message)
    error.add_note(
        "WARNING: Kernel log seems to be trimmed. This may be due to buffer not being big enough, try "
        f"increasing the BPFTRACE_LOG_SIZE environment variable beyond the current value of {size} bytes"
    )
    return error


def _load_error(spec: Program, number: int, log: str) -> LoadError:
    from .verifier import find_span, parse_log

    verdict = parse_log(log)
    span = find_span(spec.lines, verdict.slot) if verdict.slot >= 0 else None
    # Without a word from the verifier, it was not the code but the permission that was wanting.
    hint = verdict.hint if log.strip() else explain_refusal(number)
    what = f"the kernel refuses {spec.probe or spec.name}"
    return LoadError(
        what, known_errno(number), log=log, reason=verdict.reason, span=span or spec.span, hint=hint
    )


def _text(log: bytearray) -> str:
    return bytes(log[: log.find(b"\0")] if b"\0" in log else log).decode("utf-8", "replace")
