"""Programs that people trace: what a redis-server is told to SET, and parameters of PHP's compiler.

    apt-get source redis php8.2                        (outside of this tree)
    make -C redis-*/src MALLOC=libc OPTIMIZATION=-O2 REDIS_CFLAGS=-g redis-server
    cd php8.2-*; ./configure --disable-all --enable-cli CFLAGS='-g -O1' && make cli
    sudo REDIS_SERVER=redis-*/src/redis-server PHP=php8.2-*/sapi/cli/php \\
        .venv/bin/python benchmarks/programs.py [--rounds 7]

Either variable may be left out. The server is started here, listens on a socket of its own, and is the
only process that is traced. Times are of whole processes: the first with empty caches, the others with
what it left.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tools import clock_ns, describe, describe_goal, find_probee, running_tool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools import Tool

COMMANDS = 23
COLD_GOAL_MS = 300
PARAMETERS = {
    "createStringObject": ["const char* ptr", "size_t len"],
    "compile_string": [
        "zend_string* source_string",
        "const char* filename",
        "zend_compile_position position",
    ],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds: int = parser.parse_args().rounds
    tool = find_probee()
    redis, php = (os.environ.get(name) for name in ("REDIS_SERVER", "PHP"))
    if not redis and not php:
        raise SystemExit(
            "ERROR: expected REDIS_SERVER or PHP, got neither\nHINT: --help tells how to build them"
        )
    for path, function in ((redis, "createStringObject"), (php, "compile_string")):
        if path:
            list_parameters(tool, Path(path).resolve(), function, rounds)
    if redis:
        trace_sets(tool, Path(redis).resolve())


def list_parameters(tool: Tool, binary: Path, function: str, rounds: int) -> None:
    """`probee -lv uprobe:BINARY:FUNCTION`, which must show the parameters as bpftrace does."""
    with tempfile.TemporaryDirectory() as cache:
        times = []
        for _ in range(rounds + 1):
            start = clock_ns()
            done = subprocess.run(
                [*tool.command, "-lv", f"uprobe:{binary}:{function}"],
                capture_output=True,
                text=True,
                check=True,
                env={**os.environ, "XDG_CACHE_HOME": cache},
            )
            times.append((clock_ns() - start) / 1e6)
    first, *lines = done.stdout.splitlines()
    if [line.strip() for line in lines] != PARAMETERS[function]:
        raise SystemExit(f"ERROR: expected the parameters {PARAMETERS[function]}, got {lines}")
    print(first, *lines, sep="\n")
    print(f"  cold {times[0]:.0f} ms ({describe_goal(times[0], COLD_GOAL_MS)});", describe(times[1:], "ms"))


def trace_sets(tool: Tool, binary: Path) -> None:
    """Every key and value of SET commands must be seen by `createStringObject`, and none be lost.

    The language counts the NUL among the bytes of str(), which redis's lengths don't.
    """
    script = f'uprobe:{binary}:createStringObject {{ printf("%s\\n", str(arg0, arg1 + 1)); }}'
    by_name = f'uprobe:{binary}:createStringObject {{ printf("%s\\n", str(args.ptr, args.len + 1)); }}'
    for text in (script, by_name):
        with running_redis(binary) as (pid, client), running_tool(tool, text, pid) as run:
            time.sleep(2)
            for number in range(COMMANDS):
                command(client, "SET", f"key-{number}", f"value of {number}")
            time.sleep(0.5)
        seen = set(run.output.splitlines())
        wanted = {text for n in range(COMMANDS) for text in (f"key-{n}", f"value of {n}")}
        if not wanted <= seen:
            raise SystemExit(f"ERROR: {sorted(wanted - seen)} were not seen; output:\n{run.output}")
        print(f"{text}\n  all {len(wanted)} keys and values of {COMMANDS} SET commands were seen")


@contextmanager
def running_redis(binary: Path) -> Iterator[tuple[int, socket.socket]]:
    """A server that keeps nothing, and a connection to it."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "redis.sock"))
        process = subprocess.Popen(
            [binary, "--port", "0", "--unixsocket", path, "--save", "", "--appendonly", "no"],
            stdout=subprocess.DEVNULL,
            cwd=folder,
        )
        client = socket.socket(socket.AF_UNIX)
        try:
            for _ in range(100):
                if Path(path).exists():
                    break
                time.sleep(0.05)
            client.connect(path)
            yield process.pid, client
        finally:
            client.close()
            process.kill()
            process.wait()


def command(client: socket.socket, *words: str) -> None:
    """Send one command by redis's protocol and take its answer."""
    parts = [f"${len(word)}\r\n{word}\r\n" for word in words]
    client.sendall(f"*{len(words)}\r\n{''.join(parts)}".encode())
    answer = client.recv(4096)
    if answer != b"+OK\r\n":
        raise SystemExit(f"ERROR: expected OK of the server, got {answer!r}")


if __name__ == "__main__":
    main()
