"""From addresses to names, and from mangled names to those that a person wrote.

    live        names of addresses of the running system: the front door
    frame       what is shown of an address, and who tells it
    space       one address space: addresses → frames, by what was mapped
    image       files that processes have mapped, with their debug information
    unwind      fills the tables by which programs unwind stacks without frame pointers
    maps        mappings of a process, from the text of /proc/PID/maps
    table       functions of one ELF file by address
    perfmap     functions that a JIT compiler made, from /tmp/perf-PID.map
    kallsyms    symbols of the kernel, from the text of /proc/kallsyms
    intervals   what covers an address, of ranges that may overlap
    cpython     frames of CPython: where they are, and what they stand for
    demangle    names of C++, Rust and D
    rust_v0     Rust's mangling since 2020 (RFC 2603)
    rust_legacy Rust's mangling before
    dlang       D's mangling

Pure but for `live` and `image`, which open what belongs to a process, and `demangle`, which asks the C++
run-time library where it is installed.
"""
