"""Stacks on the made-up machine: what scripts that take them print, and what is wrong with one."""

from __future__ import annotations

import pytest

from probee import testing
from probee.base.errors import SourceError, UsageError

CALLED = ["malloc", "work+12", "main+300"]


def run(script: str, **around: object) -> testing.Result:
    event = testing.uprobe("malloc", stack=CALLED, kernel_stack=["do_it+1", 5], **around)  # type: ignore[arg-type]
    return testing.run(f"uprobe:libc:malloc {{ {script} }}", [event])


def test_a_stack_is_a_key() -> None:
    result = run("@[ustack, comm] = count();", times=23)
    assert result.output == ("\n\n@[\n        malloc+0\n        work+12\n        main+300\n, program]: 23\n")
    (((frames, comm), count),) = result.maps["@"].items()
    assert [(frame.name, frame.offset) for frame in frames] == [("malloc", 0), ("work", 12), ("main", 300)]
    assert (comm, count) == ("program", 23)


def test_stacks_that_differ_in_one_frame_are_two() -> None:
    events = [
        testing.uprobe("malloc", stack=["malloc", "a"], times=2),
        testing.uprobe("malloc", stack=["malloc", "b"]),
        testing.uprobe("malloc", stack=["malloc"]),
        testing.uprobe("malloc", stack=["malloc", "a"]),
    ]
    result = testing.run("uprobe:libc:malloc { @[ustack] = count(); }", events)
    found = {tuple(f.name for f in frames): n for frames, n in result.maps["@"].items()}
    assert found == {("malloc", "a"): 3, ("malloc", "b"): 1, ("malloc",): 1}


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("ustack(2)", "\n        malloc+0\n        work+12\n"),
        ("ustack(raw, 1)", "\n555580000000\n"),
        ("ustack(perf, 1)", "\n\t555580000000 malloc+0 ([unknown])\n"),
        ("kstack", "\n        do_it+1\n        0x5\n"),
        ("kstack(perf)", "\n\tffffffff81003001 do_it+1\n\t5 0x5\n"),
        ("(1, kstack(1))", "(1, \n        do_it+1\n)"),
        ("stack_len(ustack)", "3"),
        ("stack_len(kstack(1))", "1"),
        ("ksym(5)", "0x5"),
        ("usym(0x555580001004)", "work"),
        ('ustack == ustack ? "same" : "other"', "same"),
        ('ustack(1) != ustack(1) ? "other" : "same"', "same"),
    ],
)
def test_every_form(call: str, text: str) -> None:
    assert run(f"print({call});").output.removesuffix("\n\n") == f"{text}\n"


def test_stacks_are_kept_and_copied() -> None:
    result = run("$s = ustack(2); @a = $s; @b[1] = @a; print(stack_len(@b[1])); @u = usym(5); @v = @u;")
    shown = "\n        malloc+0\n        work+12\n"
    assert result.output == f"2\n\n\n@a: {shown}\n@b[1]: {shown}\n@u: 0x5\n@v: 0x5\n"


def test_the_mode_that_config_says() -> None:
    script = "config = { stack_mode = raw } uprobe:libc:malloc { print(ustack(1)); print(ustack(perf, 1)); }"
    result = testing.run(script, [testing.uprobe("malloc", stack=["malloc"])])
    assert result.output.startswith("\n555580000000\n\n\n\t555580000000 malloc+0")


def test_build_ids_are_not_of_the_kernel() -> None:
    script = "config = { stack_mode = build_id } uprobe:libc:malloc { print(kstack); }"
    result = testing.run(script, [testing.uprobe("malloc", kernel_stack=[0x10])])
    assert result.output.startswith("\n10\n")
    assert "Falling back to 'raw' mode." in result.messages


def test_code_without_frame_pointers_falls_back_on_them() -> None:
    result = run("@[dw_ustack] = count();")
    assert "malloc+0\n        work+12\n        main+300" in result.output
    assert "No DWARF unwind data available for this process" in result.messages


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("kstack(what)", "Error parsing stack mode: kstack: Invalid value for stack_mode: valid values"),
        ("ustack(1, 2)", "Expected stack mode as first argument"),
        ("ustack(raw, 1, 2)", "ustack() takes up to 2 arguments (3 provided)"),
        ("kstack(1025)", "kstack([int limit]): limit shouldn't exceed 1024, 1025 given"),
        ("dw_ustack(128)", "dw_ustack([int limit]): limit shouldn't exceed 127, 128 given"),
        ("dw_ustack(build_id)", "'build_id' stack mode can not be used for dw_ustack"),
        ("ustack(pid)", "Error parsing stack mode"),
        ("kstack(build_id)", "'build_id' stack mode can only be used for ustack"),
        ("stack_len(1)", "len() expects a map or stack to be provided"),
        ('ksym("x")', "ksym() expects an integer or pointer argument"),
        ('uaddr("nothing_of_it")', "Could not resolve symbol:"),
    ],
)
def test_what_is_wrong(call: str, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        run(f"print({call});")
    assert message in str(caught.value)


def test_uaddr_wants_a_file() -> None:
    with pytest.raises(SourceError, match="uaddr"):
        testing.run('interval:s:1 { print(uaddr("x")); }')


@pytest.mark.parametrize("place", ["+1", "f+x", "f+4096", -1, True])
def test_what_is_no_place(place: object) -> None:
    with pytest.raises(UsageError, match="stack"):
        testing.run("uprobe:p:f { print(ustack); }", [testing.uprobe("f", stack=[place])])  # type: ignore[list-item]


def test_stacks_in_lines() -> None:
    line = '{"probe": "uprobe:p:f", "stack": ["f", 5], "kernel_stack": ["g+1"]}'
    (trigger,) = testing.parse_events(line)
    assert isinstance(trigger, testing.Trigger)
    assert (trigger.stack, trigger.kernel_stack) == (("f", 5), ("g+1",))
    for wrong in ('"f"', "[1.5]", "[true]"):
        with pytest.raises(UsageError, match="stack"):
            testing.parse_events(f'{{"probe": "uprobe:p:f", "stack": {wrong}}}')


def test_config_can_refuse_to_unwind() -> None:
    script = "config = { unstable_dw_ustack = error } uprobe:p:f { print(dw_ustack); }"
    with pytest.raises(SourceError, match="unstable_dw_ustack=enable"):
        testing.run(script)
