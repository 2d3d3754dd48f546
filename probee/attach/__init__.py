"""Run half of each probe kind: a loaded program and a `spec` link → a live probe.

The files are called as in `probee.probes`. A link is live while its handle's file descriptors are
open and no longer, however the process ends.

    machine.py        `LiveMachine`, the kernel with `attach`; and the registry of the kinds
    special.py        begin, end, self, test, bench
    uprobe.py         uprobe, uretprobe
    interval.py       interval
    perf.py           profile, software, hardware
    watchpoint.py     watchpoint
    tracepoint.py     tracepoint
    rawtracepoint.py  rawtracepoint
    kprobe.py         kprobe, kretprobe
"""
