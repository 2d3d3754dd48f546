"""probee under the name `bpftrace`: what others see of the process, its words, its streams."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from programs import Probee, Result, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Bpftrace(Probee):
    """A command called bpftrace, such as pip makes them, run through a link to it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        script = folder / "probee"
        script.write_text(
            f"#!{sys.executable}\nimport sys\nfrom probee.cli.main import main\nsys.exit(main())\n"
        )
        script.chmod(0o755)
        link = folder / "bpftrace"
        link.symlink_to(script)
        self.command = (str(link),)


@pytest.fixture
def bpftrace(tmp_path: Path) -> Iterator[Bpftrace]:
    bpftrace = Bpftrace(tmp_path)
    yield bpftrace
    bpftrace.close()


def test_version_and_help(bpftrace: Bpftrace) -> None:
    assert bpftrace("--version").stdout.startswith("bpftrace v0.")
    assert "USAGE:" in bpftrace("-h").stdout


@pytest.mark.parametrize(
    ("arguments", "first"),
    [
        ((), "bpftrace - a high-level"),
        (("-idonotexist",), "bpftrace: invalid option -- 'i'"),
        (("-e", "begin { }", "--aa=20"), "bpftrace: unrecognized option '--aa=20'"),
        (("-e",), "bpftrace: option requires an argument -- 'e'"),
    ],
)
def test_wrong_options_print_the_usage(bpftrace: Bpftrace, arguments: tuple[str, ...], first: str) -> None:
    result = bpftrace(*arguments)
    assert result.returncode == 1
    assert result.stderr.startswith(first)
    assert "\nUSAGE:\n" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-p", "5000000", "-e", "begin { }"), "Pid out of range: 5000000"),
        (("-p", "1x", "-e", "begin { }"), "Failed to parse pid: invalid trailing bytes: 1x"),
        (("-B", "some", "x.bt"), "USAGE: -B must be either 'line', 'full', or 'none'."),
        (("-q",), "USAGE: filename or -e 'program' required."),
        (("no.bt",), "failed to open file 'no.bt': No such file or directory"),
        (("doctor",), "failed to open file 'doctor': No such file or directory"),
        (("-f", "jsonx", "-e", "begin { }"), 'Invalid output format "jsonx"'),
    ],
)
def test_errors(bpftrace: Bpftrace, arguments: tuple[str, ...], message: str) -> None:
    result = bpftrace(*arguments)
    assert result.returncode == 1
    assert result.stderr.startswith(f"ERROR: {message}")


def test_info_has_the_lines_that_scripts_look_for(bpftrace: Bpftrace) -> None:
    lines = bpftrace("--info").stdout.splitlines()
    titles = [line for line in lines if line and line[0] != " "]
    assert titles == ["System", "Build", "Kernel helpers", "Kernel features", "Probe types"]
    facts = dict(line.strip().split(": ", 1) for line in lines if ": " in line)
    assert facts["libdw (DWARF support)"] == "yes"
    for name in ("btf", "kprobe_multi", "kprobe_session", "uprobe_multi", "iter", "get_func_ip", "dpath"):
        assert facts[name] in ("yes", "no")


@pytest.mark.kernel
def test_others_see_a_process_called_bpftrace(bpftrace: Bpftrace) -> None:
    running = bpftrace.start("-e", 'begin { printf("%s", comm); } interval:s:60 { }', "a b")
    running.wait_attached()
    with open(f"/proc/{running.pid}/comm") as file:
        assert file.read() == "bpftrace\n"
    with open(f"/proc/{running.pid}/cmdline", "rb") as file:
        words = file.read().rstrip(b"\0").split(b"\0")
    assert os.path.basename(words[0]) == b"bpftrace"
    assert words[1:] == [b"-e", b'begin { printf("%s", comm); } interval:s:60 { }', b"a b"]
    running.signal(signal.SIGINT)
    result = running.wait()
    assert (result.returncode, result.stdout) == (0, "bpftrace\n\n")


@pytest.mark.kernel
def test_warnings_go_to_standard_output(bpftrace: Bpftrace, probee: Probee) -> None:
    arguments = ("-q", "-e", "begin { 5; }")
    assert "WARNING: " in bpftrace(*arguments).stdout
    assert "WARNING: " in probee(*arguments).stderr
    assert "WARNING" not in bpftrace("--no-warnings", *arguments).stdout


@pytest.mark.kernel
def test_stages_are_shown_and_the_script_runs(bpftrace: Bpftrace) -> None:
    result = bpftrace("-d", "dis", "-e", 'begin { printf("ran\\n"); }')
    assert "---- asm: begin_1" in result.stdout
    assert "ran\n" in result.stdout


@pytest.mark.kernel
def test_a_script_as_a_command(bpftrace: Bpftrace, tmp_path: Path) -> None:
    script = tmp_path / "counts"
    text = 'begin { printf("%s %d\\n", str($1), getopt("n", 5)); }'
    assert bpftrace("-e", text, "--aot", script) == Result(0, "", "")
    command = Probee(tmp_path)
    command.command = (str(script),)
    result = command("-q", "word", "--", "--n=7")
    assert (result.returncode, result.lines[0]) == (0, "word 7")


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--bb",), "unexpected program command line options: --bb"),
        (("--n=x",), "program command line option --n invalid integer (value: x)"),
    ],
)
def test_wrong_options_of_the_script(bpftrace: Bpftrace, arguments: tuple[str, ...], message: str) -> None:
    result = bpftrace("-e", 'begin { print(getopt("n", 5)); }', "--", *arguments)
    assert result.returncode == 1
    assert f"ERROR: {message}" in result.stderr


@pytest.mark.kernel
def test_settings_at_run_time(probee: Probee) -> None:
    script = "begin { @x = 1; @h = hist(10); }"
    assert "@x" not in probee("-e", f"config = {{ print_maps_on_exit = 0 }} {script}").stdout
    probee.env["BPFTRACE_PRINT_MAPS_ON_EXIT"] = "true"
    assert "@x: 1" in probee("-e", f"config = {{ print_maps_on_exit = 0 }} {script}").stdout
    assert "p50: 12, p99: 12\n" in probee("-e", f'config = {{ percentiles = "50,99" }} {script}').stdout


@pytest.mark.kernel
def test_probes_that_are_missing_or_filtered(probee: Probee) -> None:
    missing = "uprobe:/bin/true:no_such_function { } begin { exit(); }"
    assert probee("-e", missing).returncode == 1
    result = probee("-e", f"config = {{ missing_probes = warn }} {missing}")
    assert result.returncode == 0
    assert "No matches for uprobe /bin/true:no_such_function. Skipping." in result.stderr
    assert "It is being removed" in result.stderr
    quiet = probee("-e", f"config = {{ missing_probes = ignore }} {missing}")
    assert (quiet.returncode, "no_such" in quiet.stderr) == (0, False)
    none = probee("--probe-filter", "nothing", "-e", "interval:s:1 { }")
    assert (none.returncode, none.stdout) == (1, "No probes to attach\n")
    some = probee("--probe-filter", "ms", "-e", "interval:s:1 { } interval:ms:1 { exit(3); }")
    assert (some.returncode, "Attached 1 probe" in some.stderr) == (3, True)


@pytest.mark.kernel
def test_failures_of_lookups_are_told_when_that_is_asked_for(probee: Probee) -> None:
    script = "begin { @x[1] = 1; print(@x[2]); }"
    message = "Can't lookup map element because it does not exist."
    told = probee("-k", "-e", script).stderr
    assert f"{message}\nAdditional Info - helper: map_lookup_elem, retcode: 0\n" in told
    assert "lookup" not in probee("-e", script).stderr
    line = f'{{"type": "helper_error", "msg": "{message}", "helper": "map_lookup_elem", "retcode": 0, '
    assert line in probee("-k", "-f", "json", "-e", script).stdout


@pytest.mark.kernel
def test_commands_that_wait_do_not_outlive_a_signal(probee: Probee) -> None:
    script = 'interval:us:100 { system("sleep 0.05; echo x"); } end { printf("done"); }'
    running = probee.start("--unsafe", "-e", script)
    wait_until(lambda: "x" in running.stdout)
    running.signal(signal.SIGTERM)
    result = running.wait(5)
    assert (result.returncode, result.stdout.strip().endswith("done")) == (0, True)
