"""Ids in the kernel's own BTF."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probee.base.errors import FormatError
from probee.btf.consts import Kind
from probee.btf.encode import BtfWriter
from probee.kernel.vmlinux import PATH, find_btf_id


def small_btf() -> tuple[bytes, int]:
    writer = BtfWriter()
    number = writer.add_int("int", 4, True)
    proto = writer.add_func_proto(number, (("a", number), ("b", number)))
    writer.add_func("first", proto)
    wanted = writer.add_func("wanted", proto)
    return writer.encode(), wanted


def test_a_type_is_found_by_name_and_kind() -> None:
    btf, number = small_btf()
    assert find_btf_id(btf, "wanted", Kind.FUNC) == number
    assert find_btf_id(btf, "int", Kind.INT) == 1
    assert find_btf_id(btf, "int", Kind.FUNC) is None
    assert find_btf_id(btf, "nothing", Kind.FUNC) is None


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 23), st.integers(0, 255))
def test_a_broken_header_is_a_format_error_or_harmless(at: int, byte: int) -> None:
    btf = bytearray(small_btf()[0])
    btf[at] = byte
    try:
        find_btf_id(bytes(btf), "wanted", Kind.FUNC)
    except FormatError:
        pass


def test_bytes_that_are_no_btf_are_refused() -> None:
    for data in (b"", b"\x9f\xeb", bytes(24), small_btf()[0][:40]):
        with pytest.raises(FormatError):
            find_btf_id(data, "wanted", Kind.FUNC)


@pytest.mark.needs("btf")
def test_the_running_kernels_structures_are_found() -> None:
    with open(PATH, "rb") as file:
        btf = file.read()
    number = find_btf_id(btf, "task_struct", Kind.STRUCT)
    assert number is not None
    if shutil.which("bpftool") and os.access(PATH, os.R_OK):
        listed = subprocess.run(
            ["bpftool", "-j", "btf", "dump", "file", PATH], capture_output=True, text=True, check=False
        )
        types = json.loads(listed.stdout)["types"]
        assert [t["id"] for t in types if t["kind"] == "STRUCT" and t["name"] == "task_struct"] == [number]
