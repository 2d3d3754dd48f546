"""Macros of the kernel's headers: their numbers, by CPU where that matters."""

from __future__ import annotations

import errno
import os
import re
import signal
import socket
import stat

import pytest

from probee.ctype import kernel_macros
from probee.ctype.kernel_macros import find_macro

PAGE = 4096


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("AF_INET6", socket.AF_INET6),
        ("CLONE_NEWPID", 0x20000000),
        ("EPERM", errno.EPERM),
        ("EPOLLIN", 1),
        ("IPPROTO_TCP", socket.IPPROTO_TCP),
        ("MINORBITS", 20),
        ("O_CREAT", os.O_CREAT),
        ("O_RDONLY", os.O_RDONLY),
        ("PAGE_MASK", -PAGE),
        ("PAGE_SHIFT", 12),
        ("PAGE_SIZE", PAGE),
        ("SIGKILL", signal.SIGKILL),
        ("S_IFMT", 0o170000),
        ("S_IFREG", stat.S_IFREG),
        ("TASK_RUNNING", 0),
        ("TASK_UNINTERRUPTIBLE", 2),
        ("MIN_NICE", -20),
    ],
)
def test_numbers(name: str, number: int) -> None:
    assert find_macro(name, "x86_64", PAGE) == number


def test_numbers_that_differ_by_cpu() -> None:
    assert find_macro("O_DIRECT", "x86_64", PAGE) == 0o40000
    assert find_macro("O_DIRECT", "aarch64", PAGE) == 0o200000
    assert find_macro("O_DIRECT", "riscv64", PAGE) is None


@pytest.mark.parametrize("name", ["NOSUCH", "INET", "x86_64", "", "AF_"])
def test_what_is_no_macro(name: str) -> None:
    assert find_macro(name, "x86_64", PAGE) is None


def test_every_word_of_the_table_is_a_name_and_a_number() -> None:
    with open(kernel_macros._TABLE, encoding="ascii") as file:
        lines = file.read().splitlines()
    assert [line for line in lines if line.startswith("[")] == ["[]", "[x86_64]", "[aarch64]"]
    words = [word for line in lines if not line.startswith("[") for word in line.split()]
    assert len(words) > 4000
    assert [word for word in words if not re.fullmatch(r"\w+=-?\d+", word)] == []
