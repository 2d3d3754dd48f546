"""Every kind of link has a file, and the files are called as in the compile half."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING, get_args

import probee.attach
import probee.probes
from probee.attach.machine import KINDS
from probee.spec.bundle import Link

if TYPE_CHECKING:
    from types import ModuleType


def kinds(package: ModuleType, mark: str) -> set[str]:
    """Modules of a package that have what every probe kind has."""
    names = [module.name for module in pkgutil.iter_modules(package.__path__)]
    return {name for name in names if hasattr(import_module(f"{package.__name__}.{name}"), mark)}


def test_every_link_can_be_attached() -> None:
    assert set(KINDS) == set(get_args(Link))
    assert all(callable(import_module(f"probee.attach.{name}").attach) for name in KINDS.values())


def test_both_halves_have_the_same_files() -> None:
    # A mark is attached as a uprobe is.
    attached, compiled = kinds(probee.attach, "attach"), kinds(probee.probes, "PROVIDERS")
    assert attached == compiled - {"usdt"} == set(KINDS.values())
