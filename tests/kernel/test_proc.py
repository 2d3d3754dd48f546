"""Commands that are held until their probes are attached, and the end of processes."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from probee.base.errors import TargetError, UsageError
from probee.kernel.proc import Child, open_process, spawn, split_command
from probee.kernel.procfs import find_comm, find_process
from programs import wait_until

if TYPE_CHECKING:
    from pathlib import Path


def is_readable(fd: int, timeout: float) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(timeout * 1000))


def test_a_command_is_held_until_it_may_go(tmp_path: Path) -> None:
    made = tmp_path / "made"
    with spawn(["/bin/sh", "-c", f"echo run > {made}; exit 7"]) as child:
        assert find_comm(child.pid) == "sh"  # it has become the command already
        assert not is_readable(child.pidfd.number, 0.1)
        assert child.poll() is None
        assert not made.exists()
        child.go()
        assert child.wait(10) == 7
        assert is_readable(child.pidfd.number, 0)
        assert made.read_text() == "run\n"
        assert child.poll() == 7


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("probee-no-such-command", "command probee-no-such-command: no such file or directory"),
        ("/etc/passwd", "command /etc/passwd: permission denied"),
        ("/", "command /: permission denied"),
    ],
)
def test_what_cannot_be_run_is_told_at_once(command: str, message: str) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(TargetError) as caught:
        spawn([command])
    assert caught.value.message == message
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_command_ends_with_its_owner() -> None:
    with spawn(["sleep", "1000"]) as held:
        pass
    assert held.poll() == 128 + signal.SIGKILL
    with spawn(["sleep", "1000"]) as child:
        child.go()
    assert child.poll() == 128 + signal.SIGTERM
    child.close()


def test_one_that_ignores_the_request_is_killed() -> None:
    with spawn(["/bin/sh", "-c", "trap '' TERM; echo; sleep 1000 & wait; wait"]) as child:
        child.go()
        wait_until(lambda: _ignores(child, signal.SIGTERM))
        assert child.terminate(grace=0.1) == 128 + signal.SIGKILL


def _ignores(child: Child, number: signal.Signals) -> bool:
    with open(f"/proc/{child.pid}/status") as status:
        mask = next(line for line in status if line.startswith("SigIgn:"))
    return bool(int(mask.split()[1], 16) >> (number - 1) & 1)


def test_a_command_finds_signals_as_programs_expect_them() -> None:
    # Python ignores SIGPIPE and SIGXFSZ; `yes | head` would go on and on.
    with spawn(["sleep", "1000"]) as child:
        child.go()
        assert not _ignores(child, signal.SIGPIPE)
        assert not _ignores(child, signal.SIGXFSZ)


def test_a_held_command_dies_with_a_killed_owner(tmp_path: Path) -> None:
    script = (
        "import os, signal\n"
        "from probee.kernel.proc import spawn\n"
        "child = spawn(['sleep', '1000'])\n"
        "print(child.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    owner = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert owner.returncode == -signal.SIGKILL
    pid = int(owner.stdout)
    wait_until(lambda: not os.path.exists(f"/proc/{pid}/exe") or _is_zombie(pid))


def _is_zombie(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_the_end_of_a_process_is_noticed() -> None:
    process = subprocess.Popen(["sleep", "1000"])
    with open_process(process.pid) as fd:
        assert not is_readable(fd.fileno(), 0)
        process.kill()
        assert is_readable(fd.fileno(), 10)
    process.wait()


def test_no_such_process_and_a_thread_are_told_apart() -> None:
    with pytest.raises(TargetError, match="no process has the id 2147483647"):
        open_process(0x7FFFFFFF)
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        assert thread.native_id is not None
        assert find_process(thread.native_id) == os.getpid()
        with pytest.raises(TargetError, match=f"{thread.native_id} is a thread of process {os.getpid()}"):
            open_process(thread.native_id)
    finally:
        stop.set()
        thread.join()


def test_a_process_has_a_name_while_it_is_there() -> None:
    assert find_comm(os.getpid())
    assert find_comm(0x7FFFFFFF) is None


def test_a_command_line_is_split_as_by_a_shell() -> None:
    assert split_command("""ls -l 'a b' "c d" e\\ f""") == ["ls", "-l", "a b", "c d", "e f"]
    with pytest.raises(UsageError, match="no closing quotation"):
        split_command("ls 'a")
    with pytest.raises(UsageError, match="expected a command"):
        split_command("  ")
