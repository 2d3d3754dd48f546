"""Headers that a script includes: the user's, the system's, and the kernel's, which nobody needs."""

from __future__ import annotations

import pytest

from builders.scripts import FakeFiles, make_target
from probee.base.errors import SourceError
from probee.base.record import replace
from probee.base.source import Source
from probee.bt import tree
from probee.bt.cdefs import CTypes
from probee.bt.check import check_script
from probee.bt.headers import Headers
from probee.bt.parser import parse
from probee.bt.points import resolve_points
from probee.testing.types import DeclaredTypes


class Files(FakeFiles):
    """A system with some headers; `read` are those that were."""

    def __init__(self, **headers: str) -> None:
        self.headers = {path.replace("__", "/").replace("_h", ".h"): text for path, text in headers.items()}
        self.read: list[str] = []

    def read_header(self, path: str) -> str | None:
        self.read.append(path)
        return self.headers.get(path)


def sizes(
    text: str, files: Files, *, folders: tuple[str, ...] = (), before: tuple[str, ...] = ()
) -> list[int]:
    """What the sizeof and the constants in a script come to."""
    target = replace(make_target(), files=files, types=DeclaredTypes("struct sock { long a, b; };"))
    script = parse(Source("script", text), ())
    actions, *_ = resolve_points(script, target, 0, "error")
    headers = Headers(target, folders, before) if folders or before else None
    checked = check_script(script, actions, target=target, ctypes=CTypes(script, target, headers))
    known = [node for node in checked.numbers if isinstance(node, tree.SizeOf | tree.Identifier)]
    return [checked.numbers[node] for node in known]


_SHOW = "begin { @x = sizeof(struct own); }"


def test_own_headers_beside_the_script_and_in_folders() -> None:
    text = '#include "own.h"\n'
    own = "struct own { char x[1234]; };"
    assert sizes(text + _SHOW, Files(own_h=own)) == [1234]
    files = Files(**{"/folder/own_h": own})
    assert sizes(text + _SHOW, files, folders=("/folder",)) == [1234]
    assert sizes("#include <own.h>\n" + _SHOW, files, folders=("/folder",)) == [1234]


def test_files_that_come_first() -> None:
    files = Files(**{"/usr/include/first_h": "#define SIZE 2000\n#include <second.h>\n"})
    files.headers["/usr/include/second.h"] = "typedef char byte;\n"
    assert sizes("struct own { byte x[SIZE]; }" + _SHOW, files, before=("first.h",)) == [2000]
    assert sizes("begin { @x = SIZE; }", files, before=("first.h",)) == [2000]


def test_a_header_that_comes_after_its_own_folder() -> None:
    files = Files(**{"/folder/own_h": "#define A 1000\n#include_next <own.h>\n"})
    files.headers["/usr/include/own.h"] = "struct own { char x[A + 1]; };"
    assert sizes("#include <own.h>\n" + _SHOW, files, folders=("/folder",)) == [1001]


def test_headers_of_the_kernel_are_not_read() -> None:
    files = Files()
    text = "#include <linux/sched.h>\n#include <net/sock.h>\n#include <stddef.h>\n"
    assert sizes(text + "begin { @x = sizeof(struct sock); }", files) == [16]
    assert files.read == []


def test_but_for_those_that_the_user_has() -> None:
    files = Files(**{"/folder/linux/own_h": "struct own { char x[3000]; };"})
    assert sizes("#include <linux/own.h>\n" + _SHOW, files, folders=("/folder",)) == [3000]


@pytest.mark.parametrize("name", ["<lol/no.h>", '"no.h"'])
def test_a_header_that_is_nowhere(name: str) -> None:
    with pytest.raises(SourceError) as caught:
        sizes(f"#include {name}\nbegin {{ }}", Files())
    (found,) = caught.value.diagnostics
    assert found.span is not None
    assert (found.span.text, found.message) == (f"#include {name}", f"'{name[1:-1]}' file not found")


def test_errors_in_a_header_name_it() -> None:
    files = Files(own_h="struct own {\n  nosuch_t x;\n};")
    with pytest.raises(SourceError) as caught:
        sizes('#include "own.h"\nbegin { }', files)
    (found,) = caught.value.diagnostics
    assert found.span is not None
    assert (found.span.source.name, found.span.line, found.message) == (
        "own.h",
        2,
        "expected a type, got 'nosuch_t'",
    )
