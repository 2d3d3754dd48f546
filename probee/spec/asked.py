"""What the person who runs a script asks of it, beside its text and its parameters."""

from __future__ import annotations

from ..base.record import record


@record
class Asked:
    """Wishes that a compiler is told of. They are part of what a bundle depends on.

    `named` are options of the script itself, by name: the text after `=`, None where there is none.
    `settings` are settings by name, as text, that win over the script's own `config`.
    `include_folders` are searched for C headers, `include_files` read before the script's C text.
    `probes` is a regular expression: only probes in whose name it is found are made; "" is all.
    `lookups`: also say so when a lookup or a read of memory fails.
    """

    named: tuple[tuple[str, str | None], ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    include_folders: tuple[str, ...] = ()
    include_files: tuple[str, ...] = ()
    probes: str = ""
    lookups: bool = False


NOTHING = Asked()
