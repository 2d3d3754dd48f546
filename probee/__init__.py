"""probee: trace Linux with eBPF from Python, with nothing to compile."""

from __future__ import annotations

__version__ = "0.1.0"
