"""Stacks and symbols as text.

A stack begins with a line break, and a line a frame follows: in mode "bpftrace" `
name+offset@file:line`, "perf" a tab and `address name+offset (module)`, "raw" the address, "build_id" the
build id and the offset in the file. What has no name shows its address. Functions of Python are `name
(file:line)`, in mode "perf" after the address at which the interpreter runs them.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..events.stack import Taken
    from ..spec.values import Ksym, Stack, Usym
    from ..symbols.frame import Frame
    from .output import Context

    Render = Callable[[Any], bytes]


def render_stack(type: Stack, context: Context) -> Render:
    """A function from a stack, as `events.stack` has it, to its text."""
    if type.mode == "raw":
        return lambda stack: _end(b"\n" + b"".join([b"%x\n" % address for address in stack.frames]), stack)
    if type.mode == "build_id":
        return lambda stack: b"\n" + b"".join([_build_id(*frame) for frame in stack.frames])
    line: Callable[[Frame], str] = _perf_line if type.mode == "perf" else _line
    if type.mode == "perf" and not type.kernel:
        line = _user_perf_line
    symbols, is_kernel = context.symbols(), type.kernel

    def render(stack: Taken) -> bytes:
        if is_kernel:
            found = symbols.kernel(stack.frames)
        else:
            found = symbols.user(stack.pid, stack.program, stack.frames, stack.python)
        text = "".join([line(frame) for frames in found for frame in frames])
        return _end(b"\n" + text.encode("utf-8", "surrogateescape"), stack)

    return render


def _end(text: bytes, stack: Taken) -> bytes:
    return text + b"        <unwind failure>\n" if stack.is_cut else text


def render_ksym(type: Ksym, context: Context) -> Render:
    """A function from an address of the kernel to a name."""
    symbols = context.symbols()

    def render(address: int) -> bytes:
        return symbols.kernel_name(address).encode("utf-8", "surrogateescape") or b"%#x" % address

    return render


def render_usym(type: Usym, context: Context) -> Render:
    """A function from (address, process, program) to a name."""
    symbols = context.symbols()

    def render(value: tuple[int, int, int]) -> bytes:
        address, pid, program = value
        name = symbols.user_name(pid, program, address)
        return name.encode("utf-8", "surrogateescape") or b"%#x" % address

    return render


def _line(frame: Frame) -> str:
    if not frame.name:
        return f"        {frame.address:#x}\n"
    where = f"@{frame.file}:{frame.line}" if frame.file else ""
    if frame.python:
        return f"        {_python(frame)}\n"
    if frame.inlined:
        return f"        [inlined] {frame.name}{where}\n"
    return f"        {frame.name}+{frame.offset}{where}\n"


def _perf_line(frame: Frame) -> str:
    if not frame.name:
        return f"\t{frame.address:x} {frame.address:#x}\n"
    text = f"{frame.name} (inlined)" if frame.inlined else f"{frame.name}+{frame.offset}"
    return f"\t{frame.address:x} {text}\n"


def _user_perf_line(frame: Frame) -> str:
    if frame.inlined:
        return _perf_line(frame)
    if not frame.name:
        return f"\t{frame.address:x} {frame.address:#x} ([unknown])\n"
    if frame.python:
        return f"\t{frame.address:x} {_python(frame)}\n"
    return f"\t{frame.address:x} {frame.name}+{frame.offset} ({frame.module or '[unknown]'})\n"


def _python(frame: Frame) -> str:
    if not frame.file:
        return frame.name
    return f"{frame.name} ({frame.file}:{frame.line})" if frame.line else f"{frame.name} ({frame.file})"


def _build_id(status: int, build_id: bytes, offset: int) -> bytes:
    # Where the kernel could not read a file's build id, its bytes are zeros and the offset is the address.
    return b"%b 0x%02x\n" % (build_id.hex().encode(), offset)
