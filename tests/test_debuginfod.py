"""Debug files from a server of our own: fetched once, kept, and done without."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar

import pytest

from probee.debuginfod import fetch_debug

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOUND, MISSING, BROKEN, SHORT = b"\x01\x02", b"\x03", b"\x04", b"\x05"
BYTES = bytes(range(256)) * 4096


class Handler(BaseHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        wanted = self.path.split("/")[2]
        status = {FOUND.hex(): 200, SHORT.hex(): 200, BROKEN.hex(): 500}.get(wanted, 404)
        self.send_response(status)
        self.send_header("Content-Length", str(len(BYTES) if status == 200 else 0))
        self.end_headers()
        if status == 200:
            self.wfile.write(BYTES if wanted == FOUND.hex() else BYTES[:1000])

    def log_message(self, *_: object) -> None:
        """Nothing: the test says what went wrong."""


@pytest.fixture
def server() -> Iterator[str]:
    Handler.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_a_file_is_fetched_once(server: str, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    first = fetch_debug(FOUND, [server + "/", server], str(folder), now=time.time())
    assert first is not None
    assert (folder / "0102.debug").read_bytes() == BYTES
    assert fetch_debug(FOUND, [server], str(folder), now=time.time()) == first
    assert Handler.asked == ["/buildid/0102/debuginfo"]
    assert [path.name for path in folder.iterdir()] == ["0102.debug"]
    assert folder.stat().st_mode & 0o077 == 0


def test_the_next_server_is_asked(server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nobody = "http://127.0.0.1:1"
    assert fetch_debug(FOUND, [nobody, server], str(tmp_path), now=time.time()) is not None
    assert "127.0.0.1:1/buildid/0102/debuginfo" in capsys.readouterr().err


def test_what_no_server_has_is_remembered(server: str, tmp_path: Path) -> None:
    for _ in range(3):
        assert fetch_debug(MISSING, [server], str(tmp_path), now=time.time()) is None
    assert len(Handler.asked) == 1


@pytest.mark.parametrize("build_id", [BROKEN, SHORT])
def test_a_server_that_fails_is_told_of_and_asked_again(
    build_id: bytes, server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for count in (1, 2):
        assert fetch_debug(build_id, [server], str(tmp_path), now=time.time()) is None
        assert capsys.readouterr().err.startswith("WARNING: http://127.0.0.1")
        assert len(Handler.asked) == count
    assert not list(tmp_path.iterdir())


def test_addresses_of_other_kinds_are_not_asked(tmp_path: Path) -> None:
    assert fetch_debug(FOUND, ["file:///etc", "ima:enforcing"], str(tmp_path), now=time.time()) is None
    assert not list(tmp_path.iterdir())
