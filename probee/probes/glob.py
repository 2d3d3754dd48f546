"""Patterns of names: `*` stands for any text, every other character for itself."""

from __future__ import annotations

import re


def compile_glob(glob: str) -> re.Pattern[str]:
    """The expression that matches what `glob` does."""
    return re.compile(".*".join([re.escape(part) for part in glob.split("*")]))
