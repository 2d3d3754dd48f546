"""The live system as a target, and what is kept of it between runs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from probee.base.errors import FeatureError
from probee.kernel import procfs
from probee.kernel import survey as module
from probee.kernel.features import Answer
from probee.kernel.survey import find_features, find_level, survey

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the features that were really tried; the answer to all is as their names say."""
    tried: list[str] = []

    def probe(names: list[str]) -> dict[str, Answer]:
        tried.extend(names)
        return {
            n: Answer(not n.startswith("no_"), "it is not there" if n.startswith("no_") else "")
            for n in names
        }

    monkeypatch.setattr("probee.kernel.features.probe_features", probe)
    return tried


@pytest.mark.kernel
def test_the_target_is_this_machine(tmp_path: Path) -> None:
    target = survey(os.environ["PATH"], str(tmp_path / "cache"))
    assert target.release == os.uname().release
    assert target.cpus >= len(os.sched_getaffinity(0))
    assert target.have("ringbuf")
    assert 1 <= target.isa <= 4
    assert target.files is not None
    assert survey(os.environ["PATH"], str(tmp_path / "cache")).features == target.features


def test_what_is_known_is_not_tried_again(asked: list[str], tmp_path: Path) -> None:
    cache = str(tmp_path / "made" / "cache")
    first = find_features(["one", "no_two"], cache)
    assert (first["one"].have, first["no_two"].have) == (True, False)
    again = find_features(["no_two", "one"], cache)
    assert again == first
    assert again["no_two"].why == "it is not there"
    find_features(["one", "three"], cache)
    assert asked == ["one", "no_two", "three"]
    assert set(find_features(["one", "no_two", "three"], cache)) == {"one", "no_two", "three"}
    assert os.listdir(cache) == ["features"]


@pytest.mark.parametrize(
    "content", ["", "nonsense\n", "probee features 1 | another kernel\none yes\n", "\0\xff"]
)
def test_an_unusable_cache_is_made_anew(asked: list[str], tmp_path: Path, content: str) -> None:
    (tmp_path / "features").write_text(content)
    assert find_features(["one"], str(tmp_path))["one"].have
    assert find_features(["one"], str(tmp_path))["one"].have
    assert asked == ["one"]


def test_another_boot_or_other_privileges_are_asked_anew(
    asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_features(["one"], str(tmp_path))
    for path in ("/proc/sys/kernel/random/boot_id", "/proc/self/status"):
        monkeypatch.setattr(
            module, "read_text", lambda p, path=path: "CapEff: 0\n" if p == path else procfs.read_text(p)
        )
        find_features(["one"], str(tmp_path))
    assert asked == ["one"] * 3


def test_a_cache_that_cannot_be_written_is_done_without(asked: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = str(tmp_path / "file" / "below a file")
    assert find_features(["one"], cache)["one"].have
    assert find_features(["one"], None)["one"].have
    assert asked == ["one", "one"]


def test_a_level_needs_those_below() -> None:
    assert find_level(set()) == 1
    assert find_level({"isa_v2", "isa_v3"}) == 3
    assert find_level({"isa_v3", "isa_v4"}) == 1
    assert find_level({"isa_v2", "isa_v3", "isa_v4"}) == 4


def test_a_feature_that_is_none_is_an_error() -> None:
    with pytest.raises(FeatureError, match="warp"):
        survey("", None, ["warp"])
