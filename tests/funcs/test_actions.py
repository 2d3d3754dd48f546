"""errorf warnf cat system join: what is sent, and what both outputs do with it."""

from __future__ import annotations

import errno
import os

import pytest

from builders.scripts import Script, complaints, registers
from builders.shown import Shown, printed

AT = "uprobe:program:main"


def _read(path: bytes, limit: int) -> bytes:
    if path != b"/etc/known":
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return b"the contents"[:limit]


def test_messages_go_to_stderr_with_their_place() -> None:
    shown = Shown().show(Script('begin { errorf("bad: %d, %s", 10, "x"); warnf("so\\nso"); }').run())
    assert shown.err == "stdin:1:9-39: ERROR: bad: 10, x\nstdin:1:41-56: WARNING: so\nso\n"
    assert shown.out == ""
    shown.close()


def test_messages_as_json() -> None:
    script = Script('begin { errorf("bad %d", 10); warnf("%s", comm); }').run()
    assert printed(script, json=True) == (
        '{"type": "errorf", "msg": "bad 10", "filename": "stdin", "line": 1, "col": 9}\n'
        '{"type": "warnf", "msg": "interp", "filename": "stdin", "line": 1, "col": 31}\n'
    )


@pytest.mark.parametrize("json", [False, True])
def test_no_warnings(json: bool) -> None:
    shown = Shown(json=json, warnings=False).show(Script('begin { warnf("a"); errorf("b"); }').run())
    assert "a" not in (shown.out + shown.err).replace("name", "").replace("type", "")
    assert "b" in shown.out + shown.err
    shown.close()


def test_cat() -> None:
    script = Script('begin { cat("/etc/%s", "known"); cat("/etc/other"); }')
    shown = Shown(read_file=_read).show(script.run())
    assert (shown.out, shown.err) == (
        "the contents",
        "ERROR: failed to open file '/etc/other' (Permission denied)\n",
    )
    shown.close()
    assert printed(script.run(), json=True, read_file=_read) == (
        '{"type": "cat", "data": "the contents"}\n'
        '{"type": "runtime_error", "msg": "failed to open file \'/etc/other\' (Permission denied)", '
        '"filename": "stdin", "line": 1, "col": 34}\n'
    )


def test_cat_of_at_most_so_many_bytes() -> None:
    script = Script('config = { max_cat_bytes = 3 } begin { cat("/etc/known"); }').run()
    assert printed(script, read_file=_read) == "the"
    assert Script('begin { cat("/x"); }').bundle.events[0].numbers == (10240,)


def test_system() -> None:
    text = 'begin { system("echo %s %d", "a", 5); }'
    assert complaints(text) == [
        ('system("echo %s %d", "a", 5)', "system() is an unsafe function being used in safe mode")
    ]
    script = Script(text, unsafe=True)
    # bpftrace ends what the command wrote with a newline of its own.
    assert printed(script.run(), run_command=lambda c: b"<" + c + b">\n") == "<echo a 5>\n\n"
    assert printed(script.run(), json=True, run_command=lambda c: c + b"\n") == (
        '{"type": "syscall", "data": "echo a 5\\n"}\n'
    )


@pytest.mark.parametrize("name", ["printf", "errorf", "warnf", "cat"])
def test_formats_are_checked(name: str) -> None:
    message = f"{name}: unsupported format specifier for type 'string[16]': d"
    assert complaints(f'begin {{ {name}("%d", comm); }}') == [("comm", message)]


def _script_with_array(call: str, texts: list[bytes]) -> Script:
    script = Script(f"{AT} {{ {call}; }}")
    memory = script.machine.user_memory
    addresses = [0x10000 * (n + 1) for n in range(len(texts))]
    memory[0x100] = b"".join(a.to_bytes(8, "little") for a in [*addresses, 0])
    memory |= {a: text + b"\0" for a, text in zip(addresses, texts, strict=True)}
    return script.run(0, registers(0x100))


@pytest.mark.parametrize(
    ("call", "texts", "line"),
    [
        ("join(arg0)", [b"/bin/echo", b"a", b"b c"], "/bin/echo a b c"),
        ('join(arg0, ",")', [b"a", b"b"], "a,b"),
        ('join(arg0, "")', [b"a", b"b"], "ab"),
        ("join(arg0)", [], ""),
        ("join(arg0)", [b"n%d" % n for n in range(20)], " ".join(f"n{n}" for n in range(16))),
        ("join(arg0)", [b"x" * 2000, b"y"], "x" * 1023 + " y"),
        ("join(1)", [], ""),
    ],
)
def test_join(call: str, texts: list[bytes], line: str) -> None:
    assert printed(_script_with_array(call, texts)) == line + "\n"


def test_join_as_json() -> None:
    script = _script_with_array('join(arg0, ", ")', [b"/bin/echo", b'"A"'])
    assert printed(script, json=True) == '{"type": "join", "data": "/bin/echo, \\"A\\""}\n'


def test_join_takes_an_address() -> None:
    assert complaints("begin { join(comm); }") == [("comm", "join() only supports int and pointer arguments")]
