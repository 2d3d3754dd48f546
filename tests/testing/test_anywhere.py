"""`probee.testing` runs where there is neither root, Linux nor what only Linux' Python has."""

from __future__ import annotations

import os
import subprocess
import sys

from programs import ROOT

ELSEWHERE = """
import os, signal, sys, time

class Refuse:
    banned = {"ctypes", "_ctypes", "mmap", "fcntl", "pwd", "grp", "resource", "termios", "select", "syslog"}

    def find_spec(self, name, path=None, target=None):
        if name in self.banned or name.startswith(("probee.kernel", "probee.attach")):
            raise ImportError(f"{name} is not to be imported here")

sys.meta_path.insert(0, Refuse())
for name in Refuse.banned:
    sys.modules.pop(name, None)
for module, names in {
    os: "uname sysconf geteuid getuid pipe2 fork O_CLOEXEC O_NONBLOCK pidfd_open",
    signal: "SIGPIPE SIGHUP set_wakeup_fd",
    time: "clock_gettime_ns clock_gettime CLOCK_BOOTTIME CLOCK_MONOTONIC",
}.items():
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)
sys.platform = "elsewhere"
"""
LIBRARY = """
import probee
result = probee.testing.run(
    'uprobe:/usr/bin/redis-server:f { @[str(arg0), comm] = count(); printf("%s", username); }'
    'interval:s:1 { @h = hist(5); time("%s"); } END { @s = stats(3); }',
    [probee.testing.uprobe("f", args=["x"], times=23), probee.testing.sleep(1)],
)
assert result.maps["@"] == {("x", "program"): 23}, result
"""
COMMAND = """
from probee.cli.main import main
sys.exit(main(["--vm", "-e", 'uprobe:p:f { printf("%d\\\\n", arg0); }']))
"""


def _run(text: str, sent: str = "") -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE + text],
        input=sent,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_library() -> None:
    assert _run(LIBRARY) == (0, "", "")


def test_the_command() -> None:
    assert _run(COMMAND, '{"probe": "uprobe:f", "args": [7]}') == (0, "7\n\n\n", "")


def test_the_refusal_refuses() -> None:
    status, _, err = _run("import probee.kernel.machine")
    assert status == 1
    assert "probee.kernel is not to be imported here" in err
