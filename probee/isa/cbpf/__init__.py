"""Classic BPF: the filters of sockets, tcpdump and seccomp.

insn        numbers with names, `Sock`, and its bytes
forms       the 49 legal instructions and the ancillary loads, with their texts
text        every way filters are written down: tcpdump -d, -dd, -ddd, bpf_asm, xt_bpf, C, raw
check       what the kernel refuses when a filter is attached, and seccomp on top of it
convert     classic → extended BPF that the verifier takes
explain     the two side by side, and what changed where in words
seccomp     seccomp filters: names of system calls and actions, and what is allowed
syscalls    numbers and names of system calls
"""
