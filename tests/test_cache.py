"""A script is compiled once, and again as soon as anything it depends on has changed."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from probee import cache
from probee.base.record import replace
from probee.base.source import Source
from probee.cache import Cache, make_key
from probee.kernel import files
from probee.kernel.files import LiveFiles
from probee.kernel.names import LiveNames
from probee.kernel.types import LiveTypes
from probee.session import compile_source
from probee.spec.target import Target
from probee.spec.text import render_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from probee.spec.bundle import Compiled


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    # Tests beside this one may make Python compile modules of the compiler meanwhile.
    monkeypatch.setattr(cache, "_fingerprint", tuple)
    return tmp_path


@pytest.fixture
def compiled_texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The scripts that were really compiled."""
    from probee.bt import compile as module

    texts = []
    real = module.compile_script

    def compile_script(source: Source, *args: object, **kwargs: object) -> Compiled:
        texts.append(source.text)
        return real(source, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "compile_script", compile_script)
    return texts


def make_target(path: Path, **changes: object) -> Target:
    target = Target("6.18", "x86_64", 2, 4, frozenset({"atomics_fetch", "large_keys"}))
    return replace(target, files=LiveFiles(str(path)), names=LiveNames(), types=LiveTypes(), **changes)


def make_program(path: Path) -> None:
    """A program that can be probed: a copy of one of this system."""
    shutil.copy("/bin/true", path)


def compile_text(text: str, target: Target, pid: int = 0, params: tuple[str, ...] = ()) -> Compiled:
    # Unsafe, since stripped programs do not tell where their instructions begin.
    return compile_source(Source("stdin", text), target, params=params, pid=pid, unsafe=True)


def test_the_same_is_compiled_once(home: Path, compiled_texts: list[str]) -> None:
    text = 'BEGIN { @x[1] = count(); printf("%d %s\\n", 1, str($1)); }'
    first = compile_text(text, make_target(home), params=("a",))
    again = compile_text(text, make_target(home), params=("a",))
    assert compiled_texts == [text]
    assert render_bundle(again.bundle) == render_bundle(first.bundle)


def test_what_changes_the_code_compiles_again(home: Path, compiled_texts: list[str]) -> None:
    text = "BEGIN { @x = $1; }"
    compile_text(text, make_target(home), params=("1",))
    compile_text(text, make_target(home), params=("2",))
    compile_text(text, make_target(home, isa=3), params=("1",))
    compile_text(text, make_target(home, release="6.19"), params=("1",))
    compile_text(text + " ", make_target(home), params=("1",))
    assert len(compiled_texts) == 5


def test_the_traced_process_is_filled_in(home: Path, compiled_texts: list[str]) -> None:
    make_program(home / "program")
    text = f"uprobe:{home}/program:0x4000 {{ @ = count(); }}"
    pids = [os.getpid(), os.getppid(), 0]
    seen = [compile_text(text, make_target(home), pid).bundle.links[0].pid for pid in pids]  # type: ignore[union-attr]
    assert seen == pids
    assert len(compiled_texts) == 2


def test_a_process_that_sees_other_files_compiles_each_time(
    home: Path, compiled_texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_program(home / "program")
    text = f"uprobe:{home}/program:0x4000 {{ @ = count(); }}"
    compile_text(text, make_target(home), os.getpid())
    roots = {f"/proc/{os.getppid()}/root": "/elsewhere"}
    monkeypatch.setattr(files, "_read_link", lambda path: roots.get(path, "/"))
    for _ in range(2):
        compile_text(text, make_target(home), os.getppid())
    assert len(compiled_texts) == 3


def test_a_changed_program_compiles_again(home: Path, compiled_texts: list[str]) -> None:
    make_program(home / "program")
    text = "uprobe:program:0x4000 { @ = count(); }"
    compile_text(text, make_target(home))
    compile_text(text, make_target(home))
    assert len(compiled_texts) == 1
    make_program(home / "program")
    compile_text(text, make_target(home))
    assert len(compiled_texts) == 2


def test_a_program_earlier_in_the_path_is_found(home: Path, compiled_texts: list[str]) -> None:
    (home / "first").mkdir()
    (home / "second").mkdir()
    make_program(home / "second" / "program")
    text = "uprobe:program:0x4000 { @ = count(); }"
    path = home / f"first{os.pathsep}{home}/second"
    compile_text(text, make_target(path))
    make_program(home / "first" / "program")
    found = compile_text(text, make_target(path)).bundle.links[0].path  # type: ignore[union-attr]
    assert found == f"{home}/first/program"


def test_a_folder_that_others_can_write_is_not_used(home: Path, compiled_texts: list[str]) -> None:
    (home / "cache" / "probee" / "scripts").mkdir(parents=True)
    (home / "cache" / "probee" / "scripts").chmod(0o777)
    for _ in range(2):
        compile_text("BEGIN { @ = 1; }", make_target(home))
    assert len(compiled_texts) == 2


def test_damaged_and_unwritable_caches_are_done_without(home: Path, compiled_texts: list[str]) -> None:
    folder = home / "cache" / "probee" / "scripts"
    compile_text("BEGIN { @ = 1; }", make_target(home))
    for kept in folder.iterdir():
        kept.write_bytes(b"rubbish")
    compile_text("BEGIN { @ = 1; }", make_target(home))
    (home / "cache").rename(home / "gone")
    (home / "cache").write_text("not a folder")
    compile_text("BEGIN { @ = 1; }", make_target(home))
    assert len(compiled_texts) == 3


def test_the_oldest_go(home: Path) -> None:
    folder = home / "kept"
    store = Cache(str(folder))
    target = make_target(home)
    compiled = compile_text("BEGIN { @ = 1; }", target)
    for number in range(300):
        store.keep(make_key(Source("s", str(number)), (), 0, target), (), compiled)
    assert len(list(folder.iterdir())) <= 256
    assert store.find(make_key(Source("s", "299"), (), 0, target), 0, lambda _: True) is not None


def test_probees_own_code_is_part_of_the_key(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, source = make_target(home), Source("s", "BEGIN { }")
    before = make_key(source, (), 0, target)
    monkeypatch.setattr(cache, "_fingerprint", lambda: (1,))
    assert make_key(source, (), 0, target) != before
