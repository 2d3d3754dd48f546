"""The typed SSA form between the languages and the code generator.

types.py     integers with width and sign, pointers with their address space
ops.py       the op table: what an op takes, gives and touches
helpers.py   the kernel helpers a program may call
nodes.py     Value, Block, Function
builder.py   making functions: folding as it goes, SSA from variables
check.py     what is legal at each stage; paths.py: its rules about paths; spaces.py: about pointers
text.py      printer and parser
interp.py    the interpreter, which is the definition; interp_*.py: its machine, memory, maps, helpers
"""
