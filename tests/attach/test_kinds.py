"""Every kind of link has a file, and the files are called as in the compile half."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import get_args

import probee.attach
import probee.probes
from probee.attach.machine import KINDS
from probee.spec.bundle import Link

# Modules that are no probe kind of their own.
NOT_KINDS = {"machine", "provider", "glob"}


def modules(package: object) -> set[str]:
    names = {module.name for module in pkgutil.iter_modules(package.__path__)}  # type: ignore[attr-defined]
    return names - NOT_KINDS


def test_every_link_can_be_attached() -> None:
    assert set(KINDS) == set(get_args(Link))
    assert all(callable(import_module(f"probee.attach.{name}").attach) for name in KINDS.values())


def test_both_halves_have_the_same_files() -> None:
    # A mark is attached as a uprobe is.
    assert modules(probee.attach) == modules(probee.probes) - {"usdt"} == set(KINDS.values())
