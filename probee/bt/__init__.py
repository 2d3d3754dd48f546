"""The bpftrace language: text in, `spec.Bundle` out.

tree.py      the syntax tree, nothing but data
lexer.py     text → tokens, one at a time · literals.py: spelling → value
parser.py    `parse`, and the grammar of a script; a function a grammar rule here and in
             attachpoint.py, ctext.py, statements.py, expressions.py, typenames.py
dump.py      tree → text for `-d ast`
check.py     names and types: tree → `Checked`
lower.py     checked tree → IR, a function a node
compile.py   the way through all of it: text and Target → Bundle
"""
