"""The helpers that programs call have the kernel's numbers: those of the instruction set's own list."""

from __future__ import annotations

import pytest

from probee.ir.helpers import HELPERS, Helper
from probee.isa.helpers import find_helper_name


@pytest.mark.parametrize("helper", HELPERS.values(), ids=HELPERS)
def test_number(helper: Helper) -> None:
    assert find_helper_name(helper.number) == f"bpf_{helper.name}"
