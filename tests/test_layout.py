"""The house rules a linter can't hold: where things stand, what they are called, and how tests skip."""

from __future__ import annotations

import ast
import functools
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from features import EXPECTED_IN_CI, FEATURES

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = sorted((ROOT / "probee").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
# Milliseconds each, of the 100 that section 4 of the architecture page allows the whole start.
HEAVY = {
    "argparse", "collections.abc", "dataclasses", "inspect", "json", "logging", "pathlib", "subprocess",
    "tempfile",
}  # fmt: skip


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _package(path: Path) -> str:
    return path.relative_to(ROOT / "probee").parts[0]


# -- skipping -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", TESTS, ids=_name)
def test_skips_only_by_feature(path: Path) -> None:
    banned = {"skip", "skipif", "xfail", "importorskip", "skipTest", "skipUnless", "SkipTest"}
    used = {node.attr for node in ast.walk(_tree(path)) if isinstance(node, ast.Attribute)}
    allowed = {"skip"} if path.name == "conftest.py" else set()
    assert used & banned <= allowed


@pytest.mark.parametrize("path", TESTS, ids=_name)
def test_needed_features_have_names(path: Path) -> None:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "needs":
            assert {ast.literal_eval(a) for a in node.args} <= FEATURES.keys(), ast.unparse(node)


def test_expected_features_have_names() -> None:
    assert FEATURES.keys() >= EXPECTED_IN_CI


SKIPS = """
import pytest

@pytest.mark.needs("absent")
def test_feature(): pass

@pytest.mark.needs("present")
def test_hides_behind_a_feature(): pytest.skip("another reason")

def test_other_reason(): pytest.skip("I feel like it")

@pytest.mark.skip
def test_marked(): pass

@pytest.mark.xfail
def test_expected_to_fail(): assert False
"""


@pytest.mark.parametrize(
    ("ci", "expected", "skipped", "bad"),
    [("", {"absent"}, 1, 4), ("true", set(), 1, 4), ("true", {"absent"}, 0, 5)],
)
def test_skip_is_checked(tmp_path: Path, ci: str, expected: set[str], skipped: int, bad: int) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "tests/conftest.py").read_text())
    (tmp_path / "features.py").write_text(
        (ROOT / "tests/features.py").read_text()
        + '\nFEATURES["absent"] = Feature("absent", "what is not there", lambda: False)'
        + '\nFEATURES["present"] = Feature("present", "", lambda: True)'
        + f"\nEXPECTED_IN_CI = {expected!r}\n"
    )
    (tmp_path / "test_some.py").write_text(SKIPS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", ".", "."],
        capture_output=True,
        text=True,
        env={**os.environ, "CI": ci, "PYTHONPATH": str(ROOT / "tests")},
        cwd=tmp_path,
        check=False,
    )
    counts = {word: int(n) for n, word in re.findall(r"(\d+) ([a-z]+)", done.stdout.splitlines()[-1])}
    assert counts.get("skipped", 0) == skipped
    assert counts.get("failed", 0) + counts.get("error", 0) + counts.get("errors", 0) == bad


# -- packaging ----------------------------------------------------------------------------------


def test_no_dependency_at_run_time() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["dependencies"] == []
    assert project["scripts"] == {"probee": "probee.cli.main:main"}


@pytest.mark.parametrize("path", PRODUCT, ids=_name)
def test_imports_only_the_standard_library(path: Path) -> None:
    for module in _imports(_tree(path)):
        top = module.partition(".")[0]
        assert top in sys.stdlib_module_names | {"probee"}, module


# -- style --------------------------------------------------------------------------------------


def test_no_room_for_leftovers() -> None:
    # Not `helpers`: that is BPF's own word for the functions which the kernel offers to programs.
    banned = {"utils", "util", "common", "misc", "core", "manager"}
    assert [_name(p) for p in PRODUCT if {*p.relative_to(ROOT).with_suffix("").parts} & banned] == []


def test_no_top_level_name_shadows_the_standard_library() -> None:
    rooms = {p.relative_to(ROOT / "probee").with_suffix("").parts[0] for p in PRODUCT}
    assert rooms & set(sys.stdlib_module_names) == set()


@pytest.mark.parametrize("path", PRODUCT, ids=_name)
def test_file_is_short_and_finished(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 600, "split it along its seams"
    assert not re.search(r"# ?(TODO|FIXME|XXX)\b|NotImplementedError|raise Exception\(|except:", text)


READS_THE_WORLD = {"cli", "demo.py", "library.py", "session.py"}


@pytest.mark.parametrize("path", [p for p in PRODUCT if _package(p) not in READS_THE_WORLD], ids=_name)
def test_environment_and_clock_are_read_at_the_top_only(path: Path) -> None:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            name = f"{node.value.id}.{node.attr}"
            assert name not in {"os.environ", "os.getenv", "time.time", "time.time_ns", "datetime.now"}


@pytest.mark.parametrize("path", PRODUCT, ids=_name)
def test_module_says_what_it_is(path: Path) -> None:
    tree = _tree(path)
    assert ast.get_docstring(tree)


@pytest.mark.parametrize("path", [p for p in PRODUCT if _package(p) not in {"cli", "demo.py"}], ids=_name)
def test_nothing_heavy_is_imported_at_the_top(path: Path) -> None:
    tree = _tree(path)
    loaded = {name for node in tree.body if _runs(node) for name in _imports(node)}
    assert loaded & HEAVY == set()


def _runs(node: ast.stmt) -> bool:
    """Whether a top-level statement runs at import: all do but `if TYPE_CHECKING:`, `def` and `class`."""
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" not in ast.unparse(node.test)
    return not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)


def _imports(tree: ast.AST) -> list[str]:
    """Absolute names of the modules that `tree` imports."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.append(node.module)
    return names
