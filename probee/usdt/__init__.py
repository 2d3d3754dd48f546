"""Statically defined tracing: the marks that programs carry in their code, by SystemTap's <sys/sdt.h>.

Bytes in, values out, and the reverse; callers open and map files themselves.

    notes      the probes of a file: where they are, what raises their semaphore
    args       one argument of a probe: where its value is when the probe is hit
    x86        operands as an assembler for x86-64 writes them
    aarch64    operands as one for AArch64 does
"""
