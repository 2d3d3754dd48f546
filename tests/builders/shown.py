"""What scripts print: their records, run through an output."""

from __future__ import annotations

import struct
import tempfile
from typing import TYPE_CHECKING, Any

from probee.events.batch import batch_of
from probee.render.json import JsonOutput
from probee.render.output import Context
from probee.render.sink import Sink
from probee.render.text import TextOutput

if TYPE_CHECKING:
    from builders.scripts import Script


class Shown:
    """An output to files. `out` and `err` are all that was written so far."""

    def __init__(self, *, json: bool = False, **facts: Any) -> None:
        self._files = [tempfile.TemporaryFile() for _ in range(2)]  # noqa: SIM115
        out, err = (Sink(file.fileno(), "file") for file in self._files)
        context = Context(**facts)
        self.output = JsonOutput(out, context) if json else TextOutput(out, err, context)

    def show(self, script: Script) -> Shown:
        """Print what a script has sent since the last time."""
        layouts = {layout.id: layout for layout in script.bundle.events}
        for record in script.machine.consume("data"):
            layout = layouts[struct.unpack_from("=I", record)[0]]
            self.output.events(batch_of(layout, record))
        return self

    @property
    def out(self) -> str:
        return self._read(0)

    @property
    def err(self) -> str:
        return self._read(1)

    def _read(self, which: int) -> str:
        self.output.flush()
        self._files[which].seek(0)
        return self._files[which].read().decode()

    def close(self) -> None:
        for file in self._files:
            file.close()


def printed(script: Script, *, json: bool = False, **facts: Any) -> str:
    """What a script that has run prints to standard output."""
    shown = Shown(json=json, **facts).show(script)
    text = shown.out
    shown.close()
    return text
