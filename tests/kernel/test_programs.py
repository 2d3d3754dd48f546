"""Loading programs: maps put in place, refusals with the user's own line, logs, debug information."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from builders.bpf import COUNTERS, FP, counting, make_program, ring_map, send, sending
from probee.base.errors import InternalError, KernelError, LoadError
from probee.base.record import replace
from probee.base.source import Source, Span
from probee.btf.encode import BtfWriter
from probee.isa import ebpf
from probee.isa.ebpf import Size
from probee.kernel.machine import Kernel
from probee.spec.abi import ProgType
from probee.spec.bundle import LineInfo, Map, Relocation

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.kernel

RETURN_23 = (ebpf.mov_imm(0, 23), ebpf.exit_())


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    with Kernel() as machine:
        yield machine


def test_a_program_runs_when_it_is_told_to(kernel: Kernel) -> None:
    assert kernel.load(make_program(RETURN_23), {}).test_run(context=bytes(96)) == 23


def test_a_program_reads_its_context(kernel: Kernel) -> None:
    program = make_program((ebpf.load(Size.DW, 0, 1, 8), ebpf.exit_()))
    assert kernel.load(program, {}).test_run(context=struct.pack("=12Q", 0, 42, *[0] * 10)) == 42


def test_a_map_is_reached_by_the_address_of_its_value(kernel: Kernel) -> None:
    counters = kernel.create_map(COUNTERS)
    program = kernel.load(counting(ProgType.RAW_TRACEPOINT), {"counters": counters})
    for _ in range(23):
        program.test_run(context=bytes(96))
    assert counters.view().cast("Q")[0] == 23


def test_an_offset_in_a_maps_value_is_kept(kernel: Kernel) -> None:
    counters = kernel.create_map(COUNTERS)
    spec = counting(ProgType.RAW_TRACEPOINT)
    spec = replace(spec, relocations=(Relocation(0, "counters", 40),))
    kernel.load(spec, {"counters": counters}).test_run(context=bytes(96))
    assert list(counters.view().cast("Q")) == [0, 0, 0, 0, 0, 1, 0, 0]


def refused(kernel: Kernel, *insns: ebpf.Insn, lines: tuple[LineInfo, ...] = ()) -> LoadError:
    with pytest.raises(LoadError) as caught:
        kernel.load(make_program(insns, lines=lines), {})
    return caught.value


def test_a_refusal_points_at_the_line_of_the_script(kernel: Kernel) -> None:
    source = Source("stdin", "uprobe:a:b { @ = arg0 / $x }")
    good, bad = Span(source, 13, 14), Span(source, 17, 26)
    lines = (LineInfo(0, good), LineInfo(2, bad), LineInfo(3, good))
    error = refused(kernel, ebpf.lddw(1, 5), ebpf.mov_reg(0, 7), ebpf.exit_(), lines=lines)
    assert error.span is bad
    assert "r7" in error.reason.lower()  # in our words, or since 7.3 in the kernel's
    assert "R7 !read_ok" in error.log
    assert error.render().splitlines()[:3] == [
        "stdin:1:18-27: ERROR: the kernel refuses test: Permission denied: " + error.reason,
        source.text,
        " " * 17 + "~" * 9,
    ]


def test_a_refused_program_without_a_line_for_it_has_the_probes_span(kernel: Kernel) -> None:
    span = Span(Source("s", "probe"), 0, 5)
    with pytest.raises(LoadError) as caught:
        kernel.load(replace(make_program((ebpf.exit_(),)), span=span), {})
    assert caught.value.span is span


def test_a_code_that_never_ends_is_told_before_it_is_followed(kernel: Kernel) -> None:
    error = refused(kernel, ebpf.mov_imm(0, 0), ebpf.ja(-1), ebpf.exit_())
    assert "insn" in error.log
    assert error.reason


def test_a_log_longer_than_the_first_buffer_is_whole(kernel: Kernel) -> None:
    # Each of these makes a line of log, and together more than the first buffer, a quarter of a megabyte.
    body = [ebpf.store_imm(Size.DW, FP, -8, n) for n in range(12_000)]
    error = refused(kernel, *body, ebpf.mov_reg(0, 9), ebpf.exit_())
    assert len(error.log) > 256 << 10
    assert "0: (7a)" in error.log
    assert "r9" in error.reason.lower()


def test_the_log_of_an_accepted_program_comes_when_asked_for() -> None:
    with Kernel(verbose=True) as kernel:
        log = kernel.load(make_program(RETURN_23), {}).log
    assert "(b7) r0 = 23" in log
    with Kernel() as kernel:
        assert kernel.load(make_program(RETURN_23), {}).log == ""


def test_source_lines_of_debug_information_are_in_the_log() -> None:
    writer = BtfWriter()
    proto = writer.add_func_proto(writer.add_int("int", 4, True))
    function = writer.add_func("test", proto)
    name, text = writer.add_string("script.bt"), writer.add_string("BEGIN { exit() }")
    spec = replace(
        make_program(RETURN_23),
        func_info=struct.pack("=II", 0, function),
        line_info=struct.pack("=IIII", 0, name, text, 1 << 10 | 9),
    )
    with Kernel(verbose=True) as kernel:
        btf = writer.encode()
        logs = [kernel.load(spec, {}, btf).log for _ in range(2)]
    assert all("BEGIN { exit() }" in log for log in logs)


def test_bad_debug_information_is_refused_with_its_log(kernel: Kernel) -> None:
    with pytest.raises(LoadError, match="load debug information") as caught:
        kernel.load(make_program(RETURN_23), {}, b"\x9f\xeb\x01\x00" + bytes(20))
    assert caught.value.log


def test_a_relocation_must_be_at_a_wide_load(kernel: Kernel) -> None:
    spec = replace(make_program(RETURN_23), relocations=(Relocation(0, "counters"),))
    with pytest.raises(InternalError, match="slot 0, which is no wide load"):
        kernel.load(spec, {"counters": kernel.create_map(COUNTERS)})


def test_a_run_without_the_context_it_reads_is_an_error(kernel: Kernel) -> None:
    program = kernel.load(make_program((ebpf.load(Size.DW, 0, 1, 8), ebpf.exit_())), {})
    with pytest.raises(KernelError, match="run test: Invalid argument"):
        program.test_run(context=b"")


def test_closing_the_machine_closes_all_and_twice_is_fine() -> None:
    kernel = Kernel()
    ring = kernel.create_map(ring_map(4096))
    program = kernel.load(sending(send(1, 8)), {"ring": ring})
    kernel.close()
    assert (program.fd.number, ring.fd.number) == (-1, -1)
    kernel.close()
    program.close()


def test_a_map_of_another_machine_is_a_fault_of_ours(kernel: Kernel) -> None:
    class Other:
        spec = Map("other", COUNTERS.type, 4, 8, 1)

    with pytest.raises(InternalError, match="not one of this machine"):
        kernel.open_ring(Other())  # type: ignore[arg-type]
