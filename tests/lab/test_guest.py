"""Commands in a real guest: `scripts/guest`, with the oldest kernel that has been fetched."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from lab.kernel import KERNELS
from programs import PATIENCE, ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.needs("guest")]


def guest(*arguments: object, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    kernel = min(path.name for path in KERNELS.iterdir())
    command = [sys.executable, str(ROOT / "scripts" / "guest"), kernel, "--cpus", "1", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=120 * PATIENCE, check=False)


@pytest.mark.parametrize(
    ("command", "status"),
    [("exit 7", 7), ("kill -9 $$", 137), ("exec /nonexistent", 127), ("echo b >/proc/sysrq-trigger", 125)],
)
def test_the_exit_status_is_the_commands(command: str, status: int) -> None:
    assert guest("--", "sh", "-c", command).returncode == status


def test_time_that_is_up() -> None:
    done = guest("--timeout", "15", "--", "sh", "-c", "echo begun; sleep 1000")
    assert (done.returncode, done.stdout) == (124, b"begun\n")
    assert done.stderr.endswith(b"guest: time is up\n")


def test_streams_are_carried_whole() -> None:
    text = bytes(range(256)) * 4096
    done = guest("--", "tee", "/dev/stderr", stdin=text)
    assert (done.returncode, done.stdout, done.stderr) == (0, text, text)


def test_input_that_nobody_reads() -> None:
    done = guest("--", "head", "-c", "5", stdin=bytes(1 << 20))
    assert (done.returncode, done.stdout) == (0, bytes(5))


def test_what_is_written_is_kept_in_one_folder_only(tmp_path: Path) -> None:
    kept, lost = tmp_path / "kept", tmp_path / "lost"
    kept.mkdir()
    done = guest("--rw", kept, "--", "sh", "-c", f"echo 1 >{kept}/file; echo 2 >{lost}; cat {lost}")
    assert done.stdout == b"2\n"
    assert kept.joinpath("file").read_text() == "1\n"
    assert not lost.exists()


def test_a_guest_of_its_own_files_and_environment(tmp_path: Path) -> None:
    tmp_path.joinpath("a b").write_text("here\n")
    bind, script = f"{tmp_path}:/opt/new place", 'cat "/opt/new place/a b"; echo $NAME; pwd; uname -n'
    done = guest("--bind", bind, "--env", "NAME=value", "--cwd", "/usr/lib", "--", "sh", "-c", script)
    assert done.stdout.decode().splitlines() == ["here", "value", "/usr/lib", "guest"]


def test_a_cold_start_with_modules() -> None:
    done = guest(
        "--cold", "--modules", "veth", "--append", "my.word", "--", "cat", "/proc/modules", "/proc/cmdline"
    )
    assert b"veth " in done.stdout
    assert done.stdout.endswith(b" my.word\n")


def test_a_kernel_that_is_not_there() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "guest"), "./nowhere", "--", "true"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 125
    assert "nowhere: expected lib/modules/*/kernel, got none" in done.stderr
