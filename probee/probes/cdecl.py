"""Arguments of functions in programs of 32 bits for x86: words on the stack, by the psABI of i386."""

from __future__ import annotations

from ..usdt.args import Arg, Kind

_WORD = 4
_WORDS = 16
"""Arguments that are told of; nobody knows where a function's end."""

ARGUMENTS = tuple(
    [
        Arg(f"{_WORD}@{at}(%esp)", Kind.MEMORY, _WORD, register="sp", displacement=at)
        for at in range(_WORD, (_WORDS + 1) * _WORD, _WORD)
    ]
)
"""Where the words of the arguments are when a function is entered: above the address it returns to."""
