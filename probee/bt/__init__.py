"""The bpftrace language: text in, `spec.Bundle` out.

    lexer.py     text → tokens with spans
    tree.py      the syntax tree, nothing but data
    parser.py    tokens → tree, a function a grammar rule
    dump.py      tree → text for `-d ast`
    check.py     names and types: tree → `Checked`
    lower.py     checked tree → IR, a function a node
    compile.py   the way through all of it: text and Target → Bundle
"""
