"""Golden files say what comes out; every function and every message has one."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

import pytest

from golden.cases import FOLDER, Case, GoldenFile, iter_files, write_file
from golden.machines import Setting, diagnose, for_kernel, run_in_kernel, run_on_ir, run_on_vm
from golden.reached import Recorder, find_unreached
from probee import funcs
from probee.funcs.func import Aggregation

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES = iter_files()
WRITE = os.environ.get("PROBEE_GOLDEN") == "write"
MOST_LINES = 40
by_name = pytest.mark.parametrize("golden", FILES, ids=lambda golden: golden.name)


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def _play(case: Case) -> dict[str, str]:
    """What comes out for the sections that the case has."""
    if {"errors", "warnings"} & case.expected.keys():
        errors, warnings = diagnose(case)
        return {"errors": errors, "warnings": warnings}
    found = run_on_vm(case)
    if "json" in case.sections:
        found["json"] = run_on_vm(case, json=True)["out"]
    return {**found, "text": found["out"]}


@by_name
def test_comes_out(golden: GoldenFile) -> None:
    found = [{"said": "", **_play(case)} for case in golden.cases]
    if WRITE:
        for case, outcome in zip(golden.cases, found, strict=True):
            said = {"said": outcome["said"]} if outcome["said"] else {}
            for name in {**case.expected, **said}:
                case.sections[name] = outcome[name]
        write_file(golden)
    for case, outcome in zip(golden.cases, found, strict=True):
        expected = {"said": "", **case.expected}
        assert {name: outcome[name] for name in expected} == expected, case.title


@by_name
def test_is_for_reading(golden: GoldenFile) -> None:
    assert golden.about.startswith("# ")
    assert golden.path.read_text().count("\n") <= MOST_LINES
    for case in golden.cases:
        assert case.expected, case.title
        assert all(case.sections.get(name, "x") for name in ("said", "warnings", "errors")), case.title


RUNS = [golden for golden in FILES if any("text" in case.sections for case in golden.cases)]


@pytest.mark.parametrize("golden", RUNS, ids=lambda golden: golden.name)
def test_the_interpreter_agrees(golden: GoldenFile) -> None:
    for case in golden.cases:
        if "text" in case.sections and "vm" not in case.options:
            assert run_on_ir(case)["out"] == case.sections["text"], case.title


@pytest.mark.kernel
@pytest.mark.parametrize("golden", RUNS, ids=lambda golden: golden.name)
def test_the_kernel_agrees(golden: GoldenFile) -> None:
    for case in golden.cases:
        if for_kernel(case):
            assert run_in_kernel(case)["out"] == case.sections["text"], case.title


# -- nothing is left out ------------------------------------------------------------------------


def _words(golden: GoldenFile) -> set[str]:
    """Every name that the scripts of a file have."""
    scripts = [case.sections["script"] for case in golden.cases]
    return set(re.findall(r"\w+", " ".join(scripts)))


def _file_name(function: str) -> str:
    return "builtin_cpid" if function == "__builtin_cpid" else function.removeprefix("__builtin_")


@pytest.mark.parametrize("name", [*funcs.iter_names(), "arg0", "p99"])
def test_each_function_has_a_file(name: str) -> None:
    found = funcs.find(name)
    assert found is not None
    folder = "aggregations" if isinstance(found, Aggregation) else "functions"
    path = FOLDER / folder / f"{_file_name(name)}.txt"
    (golden,) = [golden for golden in FILES if golden.path == path]
    assert name in _words(golden)


def test_each_message_has_a_case() -> None:
    with Recorder() as recorder:
        for golden in FILES:
            for case in golden.cases:
                if {"errors", "warnings", "said"} & case.expected.keys():
                    _compile(case)
    accepted = (FOLDER / "not_reached.txt").read_text().splitlines()
    expected = [line for line in accepted if line and not line.startswith("#")]
    assert sorted(find_unreached(recorder.lines)) == sorted(expected)


def _compile(case: Case) -> None:
    """Only compile it: that is when messages are made."""
    if {"errors", "warnings"} & case.expected.keys():
        diagnose(case)
    else:
        setting = Setting(case)
        setting.compile(setting.target())
