"""What `probee list` is made of: a question about one kind of probe, and lines that answer it."""

from __future__ import annotations

from ..base.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..kernel.files import LiveFiles


@record
class Query:
    """What is asked of one kind: `rest` is the pattern after the kind and its colon.

    `pid` is 0 for no process. `sweeping`: the kind was a wildcard, so finding nothing in it is no error.
    `told` has the files of which it was already said that they have no debug information.
    """

    kind: str
    rest: str
    pid: int
    verbose: bool
    sweeping: bool
    files: LiveFiles
    told: set[str]


@record
class Entry:
    """One line of a list, and the lines that -v adds to it."""

    text: str
    details: tuple[str, ...] = ()
