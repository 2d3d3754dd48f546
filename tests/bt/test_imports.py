"""`import "path";` at the head of a script."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from builders.scripts import FakeFiles, Script, make_target
from probee.base.errors import SourceError, TargetError
from probee.base.record import replace
from probee.kernel.files import LiveFiles

if TYPE_CHECKING:
    from pathlib import Path


class Files(FakeFiles):
    """Files by path, and folders of them."""

    def __init__(self, files: dict[str, str]) -> None:
        self.headers = files

    def find_imports(self, path: str) -> tuple[str, ...] | None:
        inside = tuple(sorted([name for name in self.headers if name.startswith(f"{path}/")]))
        return super().find_imports(path) or inside or None


def script(text: str, *params: str, **files: str) -> Script:
    named = {
        name.replace("__", "/").replace("_bt", ".bt").replace("_h", ".h"): t for name, t in files.items()
    }
    return Script(text, *params, target=replace(make_target(), files=Files(named)))


def test_a_script_adds_all_that_it_has() -> None:
    made = script(
        'import "more.bt"; begin { hello(); print(add(1, 2)); print(sizeof(struct own)); print(FIVE); }',
        more_bt="""#define FIVE 5
struct own { long a; char b; }
let @m = hash(7);
macro hello() { print("hello") }
fn add($a : int64, $b : int64) : int64 { return $a + $b; }
begin { @m[1] = 2; }""",
    )
    names = [p.name for p in made.bundle.programs]
    assert names == ["begin_1", "begin_2"]
    assert made.variable("@m").map in [m.name for m in made.bundle.maps if m.max_entries == 7]
    assert made.run(0).run(1).values() == ["hello", 3, 16, 5]
    assert made["@m"] == {1: 2}


def test_probes_of_an_import_come_first() -> None:
    made = script('import "a.bt"; begin { print("own"); }', a_bt='begin { print("imported"); }')
    assert made.run(0).run(1).values() == ["imported", "own"]


def test_each_file_is_taken_once() -> None:
    made = script(
        'import "a.bt"; import "b.bt"; import "a.bt"; begin { print(1); }',
        a_bt='import "b.bt"; begin { print(2); }',
        b_bt='import "a.bt"; begin { print(3); }',
    )
    assert [len(made.bundle.programs), made.run(0).run(1).run(2).values()] == [3, [3, 2, 1]]


def test_a_folder_and_a_header() -> None:
    made = script(
        'import "lib"; begin { print((sizeof(struct own), twice(ONE))); }',
        lib__a_h="#define ONE 1\nstruct own { long a; };",
        lib__b_bt="macro twice(x) { x + x }",
        lib__notes="not a script",
    )
    assert made.run().values() == [(8, 2)]


def test_paths_are_relative_to_the_script_that_imports() -> None:
    made = script(
        'import "lib/a.bt"; begin { f(); }', lib__a_bt='import "b.bt";', lib__b_bt="macro f() { print(1) }"
    )
    assert made.run().values() == [1]


def test_parameters_are_those_of_the_whole() -> None:
    made = script('import "a.bt"; begin { }', "7", a_bt="begin { print($1); }")
    assert made.run().values() == [7]


@pytest.mark.parametrize(
    ("text", "marked", "message"),
    [
        ('import "nosuch.bt"; begin {}', 'import "nosuch.bt"', "Unable to find suitable path for import"),
        ('import "notes"; begin {}', 'import "notes"', 'unknown import type: "notes"'),
        ('import "c.bpf.c"; begin {}', 'import "c.bpf.c"', "can't import c.bpf.c"),
        ('import "config.bt"; begin {}', "max_strlen = 5", "invalid `config` within import"),
        ('import "wrong.bt"; begin {}', "}", "syntax: expected expression"),
        ('import "undefined.bt"; begin {}', "$x", "Undefined or undeclared variable: $x"),
        ('import "stdlib"; begin { import "notes"; }', 'import "notes"', "only the standard library"),
    ],
)
def test_what_can_not_be_imported(text: str, marked: str, message: str) -> None:
    files = {
        "notes": "",
        "c.bpf.c": "",
        "config.bt": "config = { max_strlen = 5 }",
        "wrong.bt": "begin { 1 + }",
        "undefined.bt": "begin { print($x); }",
    }
    with pytest.raises(SourceError) as caught:
        Script(
            f"config = {{ unstable_import_statement = enable }} {text}",
            target=replace(make_target(), files=Files(files)),
        )
    (error,) = caught.value.diagnostics
    assert error.span is not None
    assert error.span.text.startswith(marked)
    assert error.message.startswith(message)


def test_files_of_the_system(tmp_path: Path) -> None:
    folder = tmp_path / "lib"
    folder.mkdir(mode=0o755)
    for name in ("b.bt", "a.h"):
        (folder / name).write_text("")
    files = LiveFiles("")
    assert files.find_imports(f"{folder}/b.bt") == (f"{folder}/b.bt",)
    assert files.find_imports(str(folder)) == (f"{folder}/a.h", f"{folder}/b.bt")
    assert files.find_imports(f"{folder}/nosuch.bt") is None
    evidence = files.evidence
    assert evidence is not None
    assert files.holds(evidence)
    (folder / "c.bt").write_text("")
    assert not files.holds(evidence)


@pytest.mark.parametrize("loose", ["lib", "lib/a.bt"])
def test_nothing_is_imported_that_anybody_may_write(tmp_path: Path, loose: str) -> None:
    (tmp_path / "lib").mkdir(mode=0o755)
    (tmp_path / "lib/a.bt").write_text("")
    (tmp_path / loose).chmod(0o777)
    with pytest.raises(TargetError, match="global write permissions"):
        LiveFiles("").find_imports(str(tmp_path / "lib/a.bt"))
