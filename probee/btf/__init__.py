"""BTF, the BPF Type Format (Documentation/bpf/btf.rst).

consts.py    numbers of the format
encode.py    types and strings → the bytes that BPF_BTF_LOAD takes
"""
