from __future__ import annotations

import contextlib
import errno
import os
import threading

import pytest

from probee.base.errors import KernelError
from probee.render.sink import BATCH, BrokenPipe, Sink


@pytest.fixture
def pipe():
    read, write = os.pipe()
    yield read, write
    for fd in (read, write):
        with contextlib.suppress(OSError):  # a test may have closed it
            os.close(fd)


def test_one_write_for_what_was_collected(pipe: tuple[int, int]) -> None:
    sink = Sink(pipe[1], "pipe")
    os.set_blocking(pipe[0], False)
    sink.write(b"one ")
    sink.write(b"two")
    with pytest.raises(BlockingIOError):
        os.read(pipe[0], 9)
    sink.flush()
    sink.flush()
    assert os.read(pipe[0], 9) == b"one two"


@pytest.mark.parametrize("blocking", [True, False])
def test_writes_that_take_only_part(pipe: tuple[int, int], blocking: bool) -> None:
    read, write = pipe
    os.set_blocking(write, blocking)
    data = os.urandom(BATCH + 4097)
    received = bytearray()

    def drain() -> None:
        while len(received) < len(data):
            received.extend(os.read(read, 5000))

    reader = threading.Thread(target=drain)
    reader.start()
    Sink(write, "pipe").write(data)  # more than a batch: written without a flush
    reader.join()
    assert received == data


def test_a_reader_that_is_gone(pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    sink = Sink(pipe[1], "stdout")
    sink.write(b"x")
    with pytest.raises(BrokenPipe):
        sink.flush()
    assert sink.failed
    sink.write(b"x" * (BATCH + 1))
    sink.flush()


def test_a_full_disk() -> None:
    fd = os.open("/dev/full", os.O_WRONLY)
    sink = Sink(fd, "out.txt")
    sink.write(b"x")
    with pytest.raises(KernelError, match=r"write to out\.txt: No space left on device") as caught:
        sink.flush()
    os.close(fd)
    assert caught.value.errno == errno.ENOSPC
    assert not isinstance(caught.value, BrokenPipe)


def test_a_closed_descriptor(pipe: tuple[int, int]) -> None:
    os.close(pipe[1])
    sink = Sink(pipe[1], "stdout")
    sink.write(b"x")
    with pytest.raises(KernelError, match="write to stdout: Bad file descriptor"):
        sink.flush()
    diagnostics = Sink(pipe[1], "stderr", optional=True)
    diagnostics.write(b"x")
    diagnostics.flush()
    assert diagnostics.failed
