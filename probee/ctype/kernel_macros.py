"""Numbers that the kernel's headers give names to by macros: BTF has its types and enums, but no macros.

They are in kernel_macros.txt, which scripts/kernel-macros writes: sections of CPUs, the first of them that of
all, then `name=number`. The size of a page is a fact of its own.
"""

from __future__ import annotations

import os

_TABLE = os.path.join(os.path.dirname(__file__), "kernel_macros.txt")


def find_macro(name: str, machine: str, page_size: int) -> int | None:
    """The number that the macro `name` of the kernel is on a CPU `machine`, or None."""
    if name in ("PAGE_SIZE", "PAGE_SHIFT", "PAGE_MASK"):
        return {"PAGE_SIZE": page_size, "PAGE_SHIFT": page_size.bit_length() - 1, "PAGE_MASK": -page_size}[
            name
        ]
    with open(_TABLE, encoding="ascii") as file:
        text = file.read()
    for section in ("", machine):
        heading = f"[{section}]\n"
        start = text.find(heading) + len(heading)
        end = text.find("\n[", start) if heading in text else start
        number = _find_number(text, name, start, end if end >= 0 else len(text))
        if number is not None:
            return number
    return None


def _find_number(text: str, name: str, start: int, end: int) -> int | None:
    """The number after `name=`, where that is a word, in part of the table."""
    at = text.find(f"{name}=", start, end)
    while at > 0 and not text[at - 1].isspace():
        at = text.find(f"{name}=", at + 1, end)
    return int(text[at + len(name) + 1 : end].split(None, 1)[0]) if at > 0 else None
