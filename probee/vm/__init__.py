"""A BPF machine in Python: runs programs without root, without Linux, and says what went wrong where.

fault       what a program did that no verifier would have let pass
memory      checked regions: an address is a region and an offset in it
world       the clock, the process, the CPU and the memory programs see
maps        hash, array, per-CPU, LRU, LPM, queue and stack maps
rings       ring buffers and perf event arrays
helpers     the kernel's helper functions
alu         what arithmetic and comparisons mean
interpret   the plain decode loop: the definition of what a program does
blocks      functions and basic blocks of a program
translate   the same as Python source, made once for each program, ten times as fast
machine     `Vm`: the machine that ties it together, a `probee.spec.machine.Machine`
"""
