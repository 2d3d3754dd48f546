"""Where cgroups are, by their ids: found in folders that stand for hierarchies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from probee.kernel.cgroups import find_paths
from probee.kernel.files import LiveFiles

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def mounts(tmp_path: Path) -> str:
    for folder in ("two/a/b", "cpu/a", "memory"):
        (tmp_path / folder).mkdir(parents=True)
    table = tmp_path / "mounts"
    table.write_text(
        f"proc /proc proc rw 0 0\ncgroup {tmp_path}/memory cgroup rw,memory 0 0\n"
        f"cgroup {tmp_path}/cpu cgroup rw,cpu 0 0\ncgroup2 {tmp_path}/two cgroup2 rw 0 0\n"
    )
    return str(table)


def test_paths(mounts: str, tmp_path: Path) -> None:
    def find(path: str, pattern: str = "") -> bytes:
        return find_paths((tmp_path / path).stat().st_ino, pattern, mounts)

    assert find("two/a/b") == b"unified:/a/b"
    assert find("two") == b"unified:/"
    assert find("cpu/a") == b"cpu:/a"
    assert find("cpu/a", "mem*") == b""
    assert find("two/a", "uni*") == b"unified:/a"
    assert find_paths(1 << 60, "", mounts) == b""
    assert find_paths(1, "", str(tmp_path / "nothing")) == b""


def test_a_cgroup_that_is_gone_is_not_remembered(mounts: str, tmp_path: Path) -> None:
    folder = tmp_path / "two" / "gone"
    folder.mkdir()
    number = folder.stat().st_ino
    assert find_paths(number, "", mounts) == b"unified:/gone"
    folder.rename(tmp_path / "two" / "a" / "moved")
    assert find_paths(number, "", mounts) == b"unified:/a/moved"


def test_ids(tmp_path: Path) -> None:
    files = LiveFiles("")
    assert files.find_cgroup(str(tmp_path)) == tmp_path.stat().st_ino
    evidence = files.evidence
    assert evidence is not None
    assert files.holds(evidence)
    assert files.find_cgroup(str(tmp_path / "nothing")) is None
