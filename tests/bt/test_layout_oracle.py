"""sizeof and offsetof of the kernel's structs, as scripts have them, against what `bpftool btf dump` says."""

from __future__ import annotations

import random
import re
import subprocess
from pathlib import Path

import pytest

from builders.scripts import make_target
from probee.base.record import replace
from probee.base.source import Source
from probee.bt import tree
from probee.bt.check import check_script
from probee.bt.parser import parse
from probee.bt.points import resolve_points
from probee.bt.walk import walk
from probee.kernel.types import LiveTypes

VMLINUX = Path("/sys/kernel/btf/vmlinux")
pytestmark = [pytest.mark.needs("btf", "bpftool"), pytest.mark.slow]

_TYPE = re.compile(r"\[(\d+)\] (STRUCT|UNION|TYPEDEF|CONST|VOLATILE|TYPE_TAG) '([^']*)'(.*)")
_MEMBER = re.compile(r"\t'([^']*)' type_id=(\d+) bits_offset=(\d+)(?: bitfield_size=(\d+))?")
_ANONYMOUS = "(anon)"
STRUCTS, EACH = 2000, 3


class Dump:
    """Structs and unions by id: (keyword, name, bytes, members as (name, type id, bit offset))."""

    def __init__(self) -> None:
        command = ["bpftool", "btf", "dump", "file", str(VMLINUX), "format", "raw"]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        self.structs: dict[int, tuple[str, str, int, list[tuple[str, int, int]]]] = {}
        members: list[tuple[str, int, int]] = []
        for line in text.splitlines():
            if match := _TYPE.match(line):
                size = re.search(r"size=(\d+)", match[4])
                members = []
                if match[2] in ("STRUCT", "UNION") and size:
                    self.structs[int(match[1])] = match[2].lower(), match[3], int(size[1]), members
            elif match := _MEMBER.match(line):
                members.append((match[1], int(match[2]), int(match[3])))

    def flatten(self, number: int, base: int = 0) -> dict[str, int]:
        """Members that can be reached, those of anonymous ones too: offsets in bits by name."""
        found: dict[str, int] = {}
        for name, type_id, offset in self.structs[number][3]:
            if name != _ANONYMOUS:
                found.setdefault(name, base + offset)
            elif type_id in self.structs:
                for inner, at in self.flatten(type_id, base + offset).items():
                    found.setdefault(inner, at)
        return found


def test_sizes_and_offsets() -> None:
    dump = Dump()
    names: dict[tuple[str, str], list[int]] = {}
    for number, (kind, name, _, members) in dump.structs.items():
        if name != _ANONYMOUS and members:
            names.setdefault((kind, name), []).append(number)
    single = [(key, numbers[0]) for key, numbers in sorted(names.items()) if len(numbers) == 1]
    chosen = random.Random(23).sample(single, STRUCTS)
    expected: list[int] = []
    lines: list[str] = []
    for (kind, name), number in chosen:
        expected.append(dump.structs[number][2])
        lines.append(f"_ = sizeof({kind} {name});")
        offsets = dump.flatten(number)
        for member in random.Random(number).sample(sorted(offsets), min(EACH, len(offsets))):
            expected.append(offsets[member] // 8)
            lines.append(f"_ = offsetof({kind} {name}, {member});")
    assert evaluate("begin { " + "\n".join(lines) + " }") == expected


def evaluate(text: str) -> list[int]:
    """The numbers that the sizeof and offsetof of a script are, in order."""
    script = parse(Source("script", text), ())
    target = replace(make_target(), types=LiveTypes())
    actions, *_ = resolve_points(script, target, 0, "error")
    checked = check_script(script, actions, target=target)
    asked = [node for node in walk(script) if isinstance(node, tree.SizeOf | tree.OffsetOf)]
    return [checked.numbers[node] for node in sorted(asked, key=lambda node: node.span.start)]
