"""Finding and opening binaries, by path, search path and as libraries."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from probee.base.errors import FormatError, TargetError
from probee.kernel import files as module
from probee.kernel.files import LiveFiles

if TYPE_CHECKING:
    from pathlib import Path


def executable(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that processes map, each once; of those that end meanwhile nothing."""
    monkeypatch.setattr(module.os, "listdir", lambda folder: ["self", str(os.getpid()), "999999999"])
    files = LiveFiles("")
    found = files.find_running()
    assert sorted(found) == found
    assert os.path.realpath("/proc/self/exe") in found
    assert files.evidence is None


def test_a_name_with_a_slash_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = executable(tmp_path / "bin" / "tool")
    monkeypatch.chdir(tmp_path)
    files = LiveFiles("")
    assert files.find_program(str(program)) == str(program)
    assert files.find_program("bin/tool") == str(program)
    assert files.find_program("./bin/../bin/tool") == str(program)
    assert files.find_program("./tool") is None
    assert files.find_program("./bin") is None


def test_the_search_path_is_followed_in_order(tmp_path: Path) -> None:
    second = executable(tmp_path / "b" / "tool")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "tool").write_text("not executable")
    path = f"{tmp_path}/none:{tmp_path}/a::{tmp_path}/b"
    assert LiveFiles(path).find_program("tool") == str(second)
    assert LiveFiles(f"{tmp_path}/none").find_program("tool") is None


@pytest.mark.needs("ldcache")
@pytest.mark.parametrize("name", ["libc", "libc.so.6"])
def test_a_library_is_found_by_the_loaders_cache(name: str) -> None:
    found = LiveFiles("").find_program(name)
    assert found is not None
    assert os.path.basename(found) == "libc.so.6"
    assert LiveFiles("").open_elf(found).path == found


def test_without_a_cache_the_usual_folders_are_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("libx.so.1", "libx.so.2", "liby.so", "libxx.so"):
        (tmp_path / name).write_text("")
    monkeypatch.setattr(module, "_LD_SO_CACHE", str(tmp_path / "none"))
    monkeypatch.setattr(module, "_library_folders", lambda: [str(tmp_path / "none"), str(tmp_path)])
    files = LiveFiles("")
    assert files.find_program("libx") == str(tmp_path / "libx.so.2")
    assert files.find_program("libx.so.1") == str(tmp_path / "libx.so.1")
    assert files.find_program("liby") == str(tmp_path / "liby.so")
    assert files.find_program("libz") is None


def test_a_file_is_opened_once() -> None:
    files = LiveFiles("")
    path = os.path.realpath("/proc/self/exe")
    assert files.open_elf(path) is files.open_elf(path)


def test_what_is_no_elf_file_is_told_apart(tmp_path: Path) -> None:
    files = LiveFiles("")
    with pytest.raises(TargetError, match="no such file or directory"):
        files.open_elf(str(tmp_path / "none"))
    with pytest.raises(TargetError, match="is a directory"):
        files.open_elf(str(tmp_path))
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(FormatError, match="got an empty one"):
        files.open_elf(str(tmp_path / "empty"))
    (tmp_path / "text").write_text("#!/bin/sh\n")
    with pytest.raises(FormatError, match="expected an ELF file"):
        files.open_elf(str(tmp_path / "text"))


def test_a_process_is_there_or_not() -> None:
    files = LiveFiles("")
    assert files.process_exists(os.getpid())
    assert not files.process_exists(0x7FFFFFFF)
