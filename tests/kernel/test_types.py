"""The types of the running kernel: what is kept of them, and what answers hold for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from probee.ctype.types import Enum, Struct
from probee.kernel import types as module
from probee.kernel.types import LiveTypes, find_build_id

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.needs("btf")


def find_task(types: LiveTypes) -> Struct:
    found = types.find_type("struct", "task_struct")
    assert isinstance(found, Struct)
    return found


def test_types_of_the_kernel() -> None:
    types = LiveTypes()
    assert types.missing == ""
    assert {"pid", "tgid", "comm", "real_parent"} <= {member.name for member in find_task(types).members}
    assert isinstance(types.find_enum("TCP_ESTABLISHED"), Enum)
    function = types.find_function("vfs_read")
    assert function is not None
    assert [name for name, _ in function.params] == ["file", "buf", "count", "pos"]
    event = types.find_event("sched_process_exit")
    assert event is not None
    assert str(event.params[0][1]) == "struct task_struct *"
    assert types.find_type("struct", "nosuch_struct") is None
    assert ("struct", "task_struct") in set(types.iter_types())


def test_the_index_is_kept_and_believed_only_if_right(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = LiveTypes(str(cache))
    size = find_task(first).size
    (kept,) = cache.iterdir()
    assert kept.name == f"btf-{find_build_id()}"
    index = kept.read_bytes()
    for wrong in (b"", b"junk" * 9, index[:-8], index[:16] + bytes(len(index) - 16)):
        kept.write_bytes(wrong)
        assert find_task(LiveTypes(str(cache))).size == size
        assert kept.read_bytes() == index


def test_a_kept_index_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = find_task(LiveTypes(str(tmp_path))).size

    def refuse(*_: object) -> None:
        raise AssertionError("made again")

    monkeypatch.setattr("probee.btf.file.build_index", refuse)
    assert find_task(LiveTypes(str(tmp_path))).size == size


def test_a_folder_that_others_can_write_is_not_used(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    find_task(LiveTypes(str(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_can_not_be_made_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    find_task(LiveTypes(str(tmp_path / "file" / "cache")))


def test_evidence_is_of_what_was_asked(tmp_path: Path) -> None:
    types = LiveTypes(str(tmp_path))
    assert types.evidence == ()
    find_task(types)
    assert types.evidence == (find_build_id(),)
    assert LiveTypes().holds(types.evidence)
    assert LiveTypes().holds(())
    assert not LiveTypes().holds(("another",))
    types.find_type("struct", "nosuch_struct")
    loaded = sorted(name for name in os.listdir(module.FOLDER) if name != module.KERNEL)
    assert types.evidence == (find_build_id(), *loaded)
    assert not LiveTypes().holds((find_build_id(), "one_more_module"))


def test_a_kernel_without_btf_knows_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FOLDER", str(tmp_path))
    types = LiveTypes()
    assert "no BTF" in types.missing
    assert types.find_type("struct", "task_struct") is None
    assert types.find_enum("TCP_ESTABLISHED") is None
    assert types.find_event("sched_switch") is None
    assert list(types.iter_types()) == []
    assert types.evidence == (find_build_id(),)
