"""The maps by which programs unwind stacks without frame pointers.

spaces   LPM trie: (u32 prefix length, u32 process id, u64 address, most significant byte first) →
         (u64 address of the file's first block in the process, u32 its number, u32 count of blocks)
blocks   u32 each: number of the row that is in force where 256 bytes of code begin; one more ends each file's
rows     u32 each: from how many bytes after the file's first block on the rule of the same number holds
rules    u32 each, as in `elf.unwind`
wanted   hash of the ids of processes that a stack was asked of and nothing is known of

Blocks, rows and rules are the one value of an array each, so that a program reads them without a call; 4
MiB is the most that every kernel gives to one.
"""

from __future__ import annotations

import struct

from .abi import MapFlag, MapType
from .bundle import Map

SPACES, BLOCKS, ROWS, RULES, WANTED = (
    "unwind_spaces",
    "unwind_blocks",
    "unwind_rows",
    "unwind_rules",
    "unwind_wanted",
)

BLOCK_SHIFT = 8
MOST_BLOCKS = 1 << 18
"""64 MiB of code."""

MOST_ROWS = 1 << 20
_MOST_SPACES = 1 << 18
_MOST_WANTED = 1024

SPACE_KEY = struct.Struct("=II8s")
SPACE_VALUE = struct.Struct("=QII")

KEY_BITS = 96
"""Of a key that names one address: its process id, and the address."""

MAPS = (
    Map(SPACES, MapType.LPM_TRIE, SPACE_KEY.size, SPACE_VALUE.size, _MOST_SPACES, MapFlag.NO_PREALLOC),
    Map(BLOCKS, MapType.ARRAY, 4, MOST_BLOCKS * 4, 1, MapFlag.MMAPABLE),
    Map(ROWS, MapType.ARRAY, 4, MOST_ROWS * 4, 1, MapFlag.MMAPABLE),
    Map(RULES, MapType.ARRAY, 4, MOST_ROWS * 4, 1, MapFlag.MMAPABLE),
    Map(WANTED, MapType.HASH, 4, 4, _MOST_WANTED),
)
