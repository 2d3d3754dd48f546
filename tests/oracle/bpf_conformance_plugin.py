"""Plugin for the runner of bpf_conformance: runs one program on the VM.

    bpf_conformance_runner --plugin_path tests/oracle/bpf_conformance_plugin.py --cpu_version v4 \\
        --include_groups callx packet --test_file_directory $BPF_CONFORMANCE_DIR/tests

The runner gives the program's memory as the first argument, in hexadecimal, when there is any,
then the plugin's options (`--interpret`: the plain decode loop), and the program on stdin, in
hexadecimal too. The result (r0) goes to stdout; what went wrong to stderr, with exit code 1.
"""

from __future__ import annotations

import sys

from probee.base.errors import FormatError, ProbeeError
from probee.isa.ebpf import Insn, decode
from probee.vm.helpers import Helper
from probee.vm.machine import Vm

HELPERS = {5: Helper("unwind", 1, lambda vm, value: value)}
"""The suite calls helper 5 and expects its argument back."""


def run(insns: list[Insn], memory: bytes, *, interpret: bool) -> int:
    """r0 of a program that gets the address and the length of `memory` in r1 and r2."""
    vm = Vm(helpers=HELPERS, interpret=interpret)
    address = vm.memory.add("memory", bytearray(memory)) if memory else 0
    return vm.load_insns(insns).run(address, len(memory))


def parse_hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise FormatError(f"expected hexadecimal digits: {error}") from error


def main(arguments: list[str]) -> int:
    memory = arguments[0] if arguments and not arguments[0].startswith("-") else ""
    try:
        result = run(
            decode(parse_hex(sys.stdin.read())), parse_hex(memory), interpret="--interpret" in arguments
        )
    except ProbeeError as error:
        print(error.render(), file=sys.stderr)
        return 1
    print(f"{result:x}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
