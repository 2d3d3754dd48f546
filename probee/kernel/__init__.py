"""The only door to the kernel: nothing else in probee imports ctypes, mmap or fcntl.

    abi.py        numbers of bpf(2) and perf_event_open(2)
    syscall.py    the two calls
    fd.py         file descriptors with an owner
    cpus.py       possible and online CPUs
    maps.py       live maps
    programs.py   loading and running programs
    verifier.py   the verifier's log, read
    ring.py       the consumer's end of ring buffers
    perf.py       perf events, and the links that tie programs to them
    machine.py    `Kernel`: all of that behind `spec.machine.Machine`
    features.py   what this kernel can do, found out by trying
    survey.py     the live system as a `spec.target.Target`
    files.py      the live system's binaries as `spec.target.Files`
    inflated.py   what was found in debug information, kept between runs
    names.py      the live kernel's tracepoints and functions as `spec.target.Names`
    types.py      the live kernel's types as `spec.target.Types`
    proc.py       processes: starting one that waits for its probes, noticing the end of one
    procfs.py     small facts from /proc and /sys
    config.py     what the kernel was built with
    vmlinux.py    ids in the kernel's own BTF
    title.py      the name that this process is known by
    privilege.py  what this process may do, and what it lacks
    loaded.py     programs that are loaded now, with their instructions
    sockets.py    filters on sockets
    seccomp.py    the seccomp filters of a process
    libpcap.py    libpcap's compiler of filter expressions
    dynload.py    shared objects loaded into this process
    demangle.py   names of C++, by its run-time library

A module here imports only what its callers pay for: ctypes comes with syscall.py, mmap with maps.py.
"""
