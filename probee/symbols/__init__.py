"""From addresses to names, and from mangled names to those that a person wrote.

    maps        mappings of a process, from the text of /proc/PID/maps
    table       functions of one ELF file by address
    resolve     addresses of a process → function and offset, with the mappings and an opener of files
    perfmap     functions that a JIT compiler made, from /tmp/perf-PID.map
    kallsyms    symbols of the kernel, from the text of /proc/kallsyms
    intervals   what covers an address, of ranges that may overlap
    demangle    names of C++ and Rust
    rust_v0     Rust's mangling since 2020 (RFC 2603)
    rust_legacy Rust's mangling before

All pure but `demangle`, which asks the C++ run-time library where it is installed.
"""
