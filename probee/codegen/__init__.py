"""IR to eBPF. One pass a file; `pipeline.py` is the only place that knows their order.

pipeline.py    the order of the passes, and `compile_unit`
flow.py        order of blocks, dominators, loops, liveness: facts the passes share
simplify.py    common subexpressions, dead code
legalize.py    ops the target has no instruction for → ops it has
callbacks.py   callbacks → arguments of helpers, with an environment
lighten.py     values beyond what the stack holds → scratch memory
memory.py      slots → stack frame by colouring, or per-CPU scratch memory
select.py      which values need no register; phis → moves
registers.py   register allocation with spilling
emit.py        values and their registers → instructions, relocations, lines
link.py        a program and its callbacks → one piece of code
info.py        BTF with func_info and line_info, so that the verifier speaks of the user's lines
"""
