"""Debug files from servers that have them by build id: debuginfod's protocol, `GET /buildid/ID/debuginfo`.

What was fetched is kept in a folder of this user alone; that no server has a file is kept for ten minutes. A
server that doesn't answer is passed over, with a word on stderr: without its file, there is no debug
information, and nothing else is wrong.
"""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import IO

TIMEOUT = 30.0
"""Seconds that a server may be silent."""

_MISSING_FOR = 600
_CHUNK = 1 << 18
_MOST = 8 << 30
_NOT_FOUND = 404
_SCHEMES = ("http://", "https://")


def fetch_debug(
    build_id: bytes, urls: Sequence[str], folder: str, *, now: float, timeout: float = TIMEOUT
) -> str | None:
    """Path of the debug file with that build id, from `folder` or else from the first server that has it.

    `now`: seconds since 1970, by which it is told how old an answer is.
    """
    path = os.path.join(folder, f"{build_id.hex()}.debug")
    known = _look(path, now)
    if known is not None:
        return path if known else None
    try:
        os.makedirs(folder, 0o700, exist_ok=True)
    except OSError as error:
        _say(f"{folder}: {os.strerror(error.errno or 0).lower()}, so that no debug file can be fetched")
        return None
    answers = []
    for url in urls:
        if url.startswith(_SCHEMES):
            answers.append(_fetch(url, build_id, path, timeout))
            if answers[-1]:
                return path
    if False in answers and None not in answers:
        _write_nothing(path)
    return None


def _look(path: str, now: float) -> bool | None:
    """True: it is there. False: no server had it, not long ago. None: nobody knows."""
    try:
        facts = os.stat(path)
    except OSError:
        return None
    if facts.st_size:
        return True
    return False if now - facts.st_mtime < _MISSING_FOR else None


def _write_nothing(path: str) -> None:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
    except OSError as error:
        _say(f"{path}: {os.strerror(error.errno or 0).lower()}")


def _fetch(url: str, build_id: bytes, path: str, timeout: float) -> bool | None:
    """Get the file: True, False where the server has none, None where it gives no answer."""
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    place = f"{url.rstrip('/')}/buildid/{build_id.hex()}/debuginfo"
    scratch = f"{path}.{os.getpid()}"
    try:
        with (
            urlopen(Request(place, headers={"User-Agent": "probee"}), timeout=timeout) as answer,
            open(scratch, "wb") as out,
        ):
            _copy(answer, out, _Progress(place, int(answer.headers.get("Content-Length") or 0)))
        os.replace(scratch, path)
        return True
    except HTTPError as error:
        error.close()
        if error.code == _NOT_FOUND:
            return False
        _say(f"{place}: {error.code} {error.reason}")
    except URLError as error:
        _say(f"{place}: {error.reason}")
    except (OSError, HTTPException, ValueError) as error:
        _say(f"{place}: {error}")
    if os.path.exists(scratch):
        os.unlink(scratch)
    return None


def _copy(source: IO[bytes], out: IO[bytes], progress: _Progress) -> None:
    """Raises ValueError for a file that is longer than any, or shorter than was said."""
    total = 0
    while data := source.read(_CHUNK):
        total += len(data)
        if total > _MOST:
            raise ValueError(f"expected a file of at most {_MOST >> 30} GiB")
        out.write(data)
        progress.show(total)
    progress.end()
    if total < progress.size:
        raise ValueError(f"expected {progress.size} bytes, got {total}")


class _Progress:
    """One line on a terminal, from when it takes longer than a moment."""

    def __init__(self, what: str, size: int) -> None:
        self.size = size
        self._what = what
        self._shown = time.monotonic() + 0.5
        self._is_shown = False

    def show(self, done: int) -> None:
        now = time.monotonic()
        if now < self._shown or not sys.stderr.isatty():
            return
        self._shown, self._is_shown = now + 0.2, True
        share = f" of {self.size >> 20}" if self.size else ""
        sys.stderr.write(f"\r\x1b[Kfetching {self._what}: {done >> 20}{share} MiB")
        sys.stderr.flush()

    def end(self) -> None:
        if self._is_shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _say(message: str) -> None:
    sys.stderr.write(f"WARNING: {message}\n")
