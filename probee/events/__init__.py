"""Bytes of rings and maps become values, with the layouts that travel in the bundle.

decode.py     one type's bytes → one Python value
floats.py     floating point numbers out of their bytes
batch.py      runs of records of one layout → rows of values, many at a time
stream.py     the order of two rings: data and control
aggregate.py  merging what each CPU counted; Stats and Histogram
maps.py       a script's `@variable`: read, clear, zero
losses.py     what was lost, exactly
"""
