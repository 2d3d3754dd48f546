"""The bpftrace language: text in, `spec.Bundle` out.

tree.py      the syntax tree, nothing but data
lexer.py     text → tokens, one at a time · literals.py: spelling → value
parser.py    `parse`, and the grammar of a script; a function a grammar rule here and in
             attachpoint.py, ctext.py, statements.py, expressions.py, typenames.py
dump.py      tree → text for `-d ast`
check.py     names and types: tree → `Checked` (names.py), a file each for statements (check_stmt.py),
             expressions (check_expr.py) and calls (check_call.py)
types.py     how types merge and what operators give · written.py: types as written · constants.py: what
             is known before a script runs · walk.py: every node below one
cdefs.py     types by name: the script's and the kernel's · traced_types.py: a traced program's among them
points.py    attach points → places to attach to · settings.py: the `config` block
lower.py     checked tree → IR, a function a node; numbers in lower_expr.py and lower_arith.py, text,
             tuples and keys in lower_memory.py, `@variables` in lower_maps.py
compile.py   the way through all of it: text and Target → Bundle
"""
