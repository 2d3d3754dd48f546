"""Types of the running kernel, in scripts that run in it: what they read is of this process alone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from builders.scripts import Script
from probee.base.record import replace
from probee.kernel.names import LiveNames
from probee.kernel.types import LiveTypes

from .in_kernel import live_target, run_in_kernel

if TYPE_CHECKING:
    from programs import Probee

pytestmark = [pytest.mark.kernel, pytest.mark.needs("btf")]


def values(body: str, *params: str) -> list[object]:
    target = replace(live_target(), types=LiveTypes(), names=LiveNames())
    found, _ = run_in_kernel(Script(f"begin {{ {body} }}", *params, target=target).bundle)
    return found


def read_comm(task: str) -> str:
    return Path(f"/proc/{task}/comm").read_text().removesuffix("\n")


def test_the_current_task() -> None:
    own = [os.getpid(), threading.get_native_id(), read_comm("thread-self")]
    assert values("print(curtask->tgid); print(curtask->pid); print(curtask->comm);") == own
    parent = os.getppid()
    family = [parent, read_comm(str(parent)), os.getpid(), read_comm("self")]
    assert values("print(ppid); print(pcomm); print(leader_tid); print(leader_comm);") == family
    assert values("print(ppid(curtask)); print(pcomm(curtask->group_leader));") == family[:2]


def test_the_name_of_another_process() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        own, pid = read_comm("self"), os.getpid()
        found = values(
            "print(comm($1)); print(comm($2)); @[comm($1)] = 1; print(comm($1) == comm);",
            str(child.pid),
            str(pid),
        )
        child.kill()
    assert found == ["sleep", own, False]
    # It is waited for by now. Ids that no process can have:
    none = values(
        "print(comm($1)); print(comm(0)); print(comm(-1)); print(comm(4194304)); print(comm(1 << 40));",
        str(child.pid),
    )
    assert none == ["N/A"] * 5


def test_what_a_thread_comes_from() -> None:
    found: list[object] = []

    def run() -> None:
        found.extend(values("print(leader_tid); print(tid); print(ppid);"))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [os.getpid(), thread.native_id, os.getppid()]


def test_far_behind_pointers(tmp_path: Path) -> None:
    path = tmp_path / "a file of one's own"
    with path.open("w") as file:
        body = "$f = curtask->files->fdt->fd[$1]; print(str($f->f_path.dentry->d_name.name));"
        body += " print($f->f_path.dentry->d_parent->d_inode->i_ino); print(($f->f_mode & FMODE_WRITE) != 0);"
        body += " print($f->f_flags & O_ACCMODE);"
        inode = tmp_path.stat().st_ino
        assert values(body, str(file.fileno())) == [path.name, inode, True, os.O_WRONLY]


def test_a_socket() -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as own:
        own.bind(("::1", 0))
        own.listen()
        body = "$s = (struct socket *)curtask->files->fdt->fd[$1]->private_data; $k = $s->sk;"
        body += " print($k->__sk_common.skc_family == AF_INET6); print($k->__sk_common.skc_num);"
        body += " print($k->__sk_common.skc_state == TCP_LISTEN);"
        body += " print($k->__sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);"
        assert values(body, str(own.fileno())) == [True, own.getsockname()[1], True, [0] * 15 + [1]]


def test_addresses_of_symbols() -> None:
    with open("/proc/kallsyms", "rb") as file:
        address = next(line.split()[0] for line in file if line.split()[2] == b"vfs_read")
    assert values(
        'print(kaddr("vfs_read")); print((uint64)kaddr("vfs_read") == $1);', str(int(address, 16))
    ) == [
        int(address, 16),
        True,
    ]


@pytest.mark.needs("tracefs")
def test_what_tracepoints_point_to(probee: Probee) -> None:
    sleep = f"{sys.executable} -c 'import time; time.sleep(0.023)'"
    script = "tracepoint:syscalls:sys_enter_clock_nanosleep { @ns = args.rqtp.tv_sec + args.rqtp.tv_nsec; }"
    done = probee("-q", "-e", f'{script} END {{ printf("%d\\n", @ns > 0); }}', "-c", sleep)
    assert (done.returncode, done.lines[0]) == (0, "1")


def test_arguments_of_a_raw_tracepoint(probee: Probee) -> None:
    script = (
        "rawtracepoint:sched_process_exit { @[args.p.comm, args.p == (struct task_struct *)arg0] = count(); }"
    )
    done = probee("-q", "-e", script, "-c", "/bin/true")
    assert (done.returncode, done.stdout.strip()) == (0, "@[true, true]: 1")


def test_a_script_that_names_no_type_opens_none() -> None:
    types = LiveTypes()
    target = replace(live_target(), types=types)
    Script("begin { @[pid, comm, (uint64)curtask] = count(); $x = (size_t)nsecs; print($x); }", target=target)
    assert types.evidence == ()
    Script("begin { print(curtask->pid); }", target=target)
    assert len(types.evidence) == 1
