"""Guests: one command, as root, on another kernel than the host's, and on the host's own files.

Not part of the package: the suite's way to older and newer kernels. No image is built and nothing is
installed in a guest: QEMU boots a Debian kernel on the host's own root, read-only, under a layer of memory
that takes what is written. `scripts/guest-kernel`, `scripts/guest` and `scripts/guest-tests` are the way in;
docs/testing.md says how.

    suite       the kernel tests, in one guest a kernel          debian     kernels, from Debian's packages
    command     the command line of scripts/guest                kernel     a kernel's files: image, modules
    guest       one command, from its orders to its end          initrd     what a guest boots from
    snapshot    machines that have booted already                cache      files that are made once
    machine     QEMU: its command line, process and monitor
    wire        what host and guest say to each other            init.c     the other end of it

Software emulation it is throughout, about eleven times slower than the CPU. It needs no /dev/kvm, which
machines that are guests themselves often have not, or have one that hangs.
"""
