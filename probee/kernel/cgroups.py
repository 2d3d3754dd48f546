"""Where cgroups are, by their ids, in the hierarchies that are mounted.

A cgroup's id is the number (inode) of its folder.
"""

from __future__ import annotations

import os
from fnmatch import fnmatchcase

_MOUNTS = "/proc/mounts"
_UNIFIED = "unified"
"""How the hierarchy of version 2 is called, wherever it is mounted; those of version 1 by their folder."""

_found: dict[tuple[int, str], str] = {}


def find_paths(number: int, pattern: str, mounts: str = _MOUNTS) -> bytes:
    """`unified:/path`, with a comma between those of several hierarchies whose names match `pattern` ("" is
    all); version 2 comes first. Empty where the cgroup is in none."""
    parts = []
    for name, root in _hierarchies(mounts):
        if pattern and not fnmatchcase(name, pattern.replace("[", "[[]").replace("?", "[?]")):
            continue
        path = _find_in(number, root)
        if path:
            parts.append(f"{name}:{path}")
    return ",".join(parts).encode("utf-8", "surrogateescape")


def _hierarchies(mounts: str) -> list[tuple[str, str]]:
    """Name and folder of each: that of version 2, then those of version 1 by name."""
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as file:
            rows = [line.split() for line in file]
    except OSError:
        return []
    unified = [(_UNIFIED, row[1]) for row in rows if len(row) > 2 and row[2] == "cgroup2"]
    others = [(os.path.basename(row[1]), row[1]) for row in rows if len(row) > 2 and row[2] == "cgroup"]
    return unified + sorted(others)


def _find_in(number: int, root: str) -> str:
    """The path below `root` of the folder with that number; "" where there is none. It is remembered, and
    believed as long as the folder has the number."""
    known = _found.get((number, root))
    if known is not None and _number_of(root + known) == number:
        return known
    if _number_of(root) == number:
        return "/"
    for folder, names, _ in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            if _number_of(path) == number:
                found = _found[number, root] = path[len(root) :]
                return found
    return ""


def _number_of(path: str) -> int | None:
    try:
        return os.stat(path).st_ino
    except OSError:
        return None
