"""Every function is where the table says, and says what it is."""

from __future__ import annotations

import pytest

from probee.funcs import find, find_near, iter_names
from probee.funcs.func import Aggregation

KINDS = {
    "int",
    "any",
    "address",
    "text",
    "number",
    "map",
    "entry",
    "key",
    "print",
    "word",
    "type",
    "stack",
    "local",
}


@pytest.mark.parametrize("name", [*iter_names(), "arg0", "arg12"])
def test_each_is_registered_under_its_name(name: str) -> None:
    found = find(name)
    assert found is not None
    assert found.name == name
    assert found.doc
    assert "\n" not in found.doc
    assert {param.kind for param in found.params} <= KINDS
    assert found.usage.startswith(f"{name}(")


@pytest.mark.parametrize("name", ["arg", "arg00", "arg01", "arg-1", "argx", "arg1000", "nothing", ""])
def test_what_is_no_function(name: str) -> None:
    assert find(name) is None


def test_near_misses() -> None:
    assert find_near("cuont") == ["count"]
    assert find_near("retvall") == ["retval"]


def test_aggregations_have_an_effect() -> None:
    found = [find(name) for name in iter_names()]
    assert all(f is not None and f.effect for f in found if isinstance(f, Aggregation))
