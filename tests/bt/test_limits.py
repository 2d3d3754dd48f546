"""How many probes and programs a script may have, what nothing matches, and what is filtered out."""

from __future__ import annotations

import pytest

from builders.scripts import make_target
from probee.base.errors import SourceError, TargetError
from probee.base.source import Source
from probee.bt.compile import compile_script
from probee.spec.asked import Asked
from probee.spec.bundle import Compiled


def compiled(text: str, *, unsafe: bool = False, **asked: str) -> Compiled:
    return compile_script(Source("stdin", text), make_target(), unsafe=unsafe, asked=Asked(**asked))


def probes(made: Compiled) -> list[str]:
    return [link.probe for link in made.bundle.links]


def said(made: Compiled) -> list[str]:
    return [warning.message for warning in made.warnings]


REMOVED = (
    "Probe has no valid attach points. It is being removed which may cause issues with program behavior."
)


def test_what_nothing_matches_is_left_out_with_a_warning() -> None:
    made = compiled(
        "config = { missing_probes = warn } u:program:no,u:program:main { } t:no:no { } begin { }"
    )
    assert probes(made) == ["uprobe:/bin/program:main", "begin"]
    assert said(made) == [
        "No matches for uprobe program:no. Skipping.",
        "No matches for tracepoint no:no. Skipping.",
        REMOVED,
    ]


def test_what_nothing_matches_may_be_ignored() -> None:
    made = compiled("config = { missing_probes = ignore } t:no:no { } k:no_such { } begin { }")
    assert (probes(made), said(made)) == (["begin"], [])


def test_a_function_of_the_kernel_that_is_not_there_is_doubted() -> None:
    doubt = 'no_such is not traceable (either non-existing, inlined, or marked as "notrace"); attaching'
    with pytest.raises(TargetError, match=r"^No matches for kprobe no_such\.") as caught:
        compiled("k:no_such { }")
    assert doubt in "".join(caught.value.__notes__)
    made = compiled("k:no_such { }", unsafe=True)
    assert (probes(made), said(made)[0][: len(doubt)]) == (["kprobe:no_such"], doubt)


def test_only_probes_that_are_wanted() -> None:
    text = "begin { } i:ms:100 { } i:ms:200,i:ms:20 { } u:program:main { } end { }"
    assert probes(compiled(text, probes=":20")) == ["begin", "interval:ms:200", "interval:ms:20", "end"]
    assert probes(compiled("i:ms:1 { }", probes="nothing")) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "config = { max_bpf_progs = 1 } u:program:read_* { print(probe); }",
            "Your program is trying to generate more than 2 BPF programs, "
            "which exceeds the current limit of 1",
        ),
        (
            "config = { max_probes = 1 } u:program:read_* { }",
            "Can't attach to 2 probes because it exceeds the current limit of 1 probes.",
        ),
    ],
)
def test_limits(text: str, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        compiled(text)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.message == message
    assert diagnostic.span is not None
    assert diagnostic.span.text == "u:program:read_*"
    assert (diagnostic.hint or "").startswith("You can increase the limit through the BPFTRACE_MAX_")


def test_programs_are_limited_not_places() -> None:
    made = compiled("config = { max_bpf_progs = 1 } u:program:read_* { @x++; }")
    assert len(made.bundle.programs) == 1
    assert len(made.bundle.links) == 2


def test_programs_have_the_license_that_the_script_says() -> None:
    (program,) = compiled('config = { license = "Dual BSD/GPL" } begin { }').bundle.programs
    assert program.license == "Dual BSD/GPL"
