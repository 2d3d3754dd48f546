"""What a person types.

main.py      which command it is; errors become one message and status 1
bpftrace.py  the same under the name bpftrace; info.py: its --info
trace.py     `probee -e PROGRAM`, `probee FILE`: run a script; live.py: from attaching to the last map
options.py   the options of that command
stages.py    -d; trials.py: --test, --bench; aot.py: --aot
facts.py     what an output asks of this system
fmt.py       `probee fmt`: scripts in canonical form
list.py      `probee list`, `probee -l`: which probes there are; list_kernel.py, list_user.py: by kind
listing.py   what those ask one another
nm.py        `probee nm`: the functions of a binary; dwarf.py: `probee dwarf`, all about one of them
binary.py    a binary as a person names it, with its debug information
doctor.py    `probee doctor`: what this machine can trace, and why not
"""
