"""What is known of the run: settings, the started command, ids of processes, cgroups, kfuncs."""

from __future__ import annotations

import pytest

from builders.scripts import Script, complaints, evaluate, make_target
from builders.shown import printed
from probee.base.record import replace
from probee.spec.asked import Asked


def test_settings_by_name() -> None:
    text = "print((config.max_strlen, config().stack_mode, config.cpp_demangle, config.license));"
    known = "if comptime (config.max_map_keys > 1) { print(1); }"
    script = Script(f"config = {{ max_strlen = 64 }} begin {{ {text} {known} }}")
    assert script.run().values() == [(64, "bpftrace", True, "GPL"), 1]
    asked = Asked(settings=(("stack_mode", "raw"),))
    assert Script(f"begin {{ {text} }}", asked=asked).run().values() == [(1024, "raw", True, "GPL")]
    assert complaints("begin { print(config.nothing); }")


def test_the_machine_and_the_mode() -> None:
    text = "print((__builtin_arch, __builtin_safe_mode)); if comptime __builtin_safe_mode { print(1); }"
    text = f"begin {{ {text} }}"
    assert Script(text).run().values() == [("x86_64", True), 1]
    assert Script(text, unsafe=True).run().values() == [("x86_64", False)]


@pytest.mark.parametrize("name", ["comm", "cpu", "ncpus", "probe", "probetype", "usermode", "config"])
def test_names_of_bpftraces_library(name: str) -> None:
    if name == "config":
        assert evaluate("__builtin_config.max_strlen == config.max_strlen")
    else:
        assert evaluate(f"__builtin_{name} == {name}")


def test_the_command() -> None:
    script = Script("begin { print((has_cpid, __builtin_cpid, cpid, cpid)); }")
    assert printed(script.run()) == "(false, 0, 0, 0)\n"
    script.set_globals(script.bundle.child_pid, 4711)
    script.run()
    assert script.events() == [("print_value", ((True, 4711, 4711, 4711),))]


def test_without_a_command_there_is_a_warning() -> None:
    script = Script("begin { $x = cpid; }").run()
    assert [kind for kind, _ in script.events()] == ["warnf"]
    assert script.bundle.events[0].format == "No child command (`-c`); cpid is zero"


def test_ids_are_those_of_the_tracers_namespace() -> None:
    text = "begin { print((pid, tid, pid(curr_ns), tid(curr_ns), pid(init), tid(init))); }"
    script = Script(text)
    script.machine.pid, script.machine.tid = 70, 71
    assert script.run().values() == [(70, 71, 70, 71, 70, 71)]
    script = Script(text, target=replace(make_target(), pid_namespace=(4, 99)))
    script.machine.pid, script.machine.tid = 70, 71
    assert script.run().values() == [(0, 0, 0, 0, 70, 71)]
    script.machine.pid_namespace = (4, 99)
    assert script.run().values() == [(70, 71, 70, 71, 70, 71)]
    message = "Invalid PID namespace mode: other (expects: curr_ns or init)"
    assert complaints("begin { print(pid(other)); }") == [("other", message)]


def test_cgroups() -> None:
    key = '@[cgroup_path(7)] = cgroupid("/sys/fs/cgroup/one");'
    text = f'begin {{ print(cgroup_path(5)); printf("%s", cgroup_path(6, "uni*")); {key} }}'
    script = Script(text).run()
    assert printed(script, cgroup_path=lambda id, filter: b"%d %b" % (id, filter.encode())) == "5 \n6 uni*"
    assert script["@"] == {7: 77}
    script.run()
    assert printed(script, json=True, cgroup_path=lambda *_: b"unified:/x").splitlines() == [
        '{"type": "value", "data": "unified:/x"}',
        '{"type": "printf", "data": "unified:/x"}',
    ]
    path = '"/nowhere"'
    assert complaints(f"begin {{ print(cgroupid({path})); }}") == [
        (path, "cgroupid: there is no cgroup at /nowhere")
    ]


def test_functions_of_the_kernel() -> None:
    assert evaluate('kfunc_exist("bpf_task_from_pid")') is False  # of this target no types are known
    message = "kfunc_exist() accepts a string literal only"
    assert complaints("begin { print(kfunc_exist(comm)); }") == [("comm", message)]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("path(1)", "The path function can only be used with 'fentry', 'fexit', 'iter' probes"),
        ('skboutput("x", 1, 1, 0)', "skboutput() can not be used with 'begin' probes"),
        ("socket_cookie(1)", "socket_cookie() can not be used with 'begin' probes"),
    ],
)
def test_what_other_probes_have(call: str, message: str) -> None:
    assert complaints(f"begin {{ print({call}); }}") == [(call, message)]
