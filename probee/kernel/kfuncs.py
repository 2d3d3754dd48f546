"""Which of the kernel's functions programs of a kind may call, found out by loading one that does."""

from __future__ import annotations

import os
import sys

from ..btf.consts import Kind
from ..isa.ebpf import call_kfunc, encode, exit_
from .abi import LogLevel
from .programs import Load
from .vmlinux import PATH, find_btf_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..spec.abi import ProgType

_LOG_SIZE = 4096
_REFUSALS = (b"is not allowed", b"reserved field", b"unknown opcode", b"not supported")
"""What the verifier says of the call itself; the last ones are those of kernels before v5.13."""


def allows_kfunc(name: str, kind: ProgType) -> bool:
    """Whether programs of `kind` may call the kernel function `name`."""
    try:
        with open(PATH, "rb") as file:
            number = find_btf_id(file.read(), name, Kind.FUNC)
    except OSError:
        return False
    if number is None:
        return False
    log = bytearray(_LOG_SIZE)
    code = encode([call_kfunc(number), exit_()], little=sys.byteorder == "little")
    result = Load(kind, code).run(log, LogLevel.BRIEF)
    if result >= 0:
        os.close(result)
        return True
    # Any other complaint is about arguments, of which there are none.
    return bool(log[0]) and not any(words in log for words in _REFUSALS)
