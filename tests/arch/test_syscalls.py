"""Names of system calls: those that programs have called by number for decades, and new ones."""

from __future__ import annotations

import pytest

from probee.arch.syscalls import syscall_names


@pytest.mark.parametrize(
    ("machine", "number", "name"),
    [
        ("x86_64", 0, "read"),
        ("x86_64", 59, "execve"),
        ("x86_64", 202, "futex"),
        ("x86_64", 334, "rseq"),
        ("aarch64", 63, "read"),
        ("aarch64", 79, "newfstatat"),
        ("aarch64", 221, "execve"),
        ("aarch64", 222, "mmap"),
        ("aarch64", 291, "statx"),
        ("x86_64", 435, "clone3"),
        ("aarch64", 435, "clone3"),
        ("another", 435, "clone3"),
    ],
)
def test_names(machine: str, number: int, name: str) -> None:
    assert syscall_names(machine)[number] == name


def test_numbers_without_a_call() -> None:
    assert 335 not in syscall_names("x86_64")
    assert not {244, 259} & syscall_names("aarch64").keys()
    assert 0 not in syscall_names("another")
