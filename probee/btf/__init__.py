"""BTF, the BPF Type Format (Documentation/bpf/btf.rst).

consts.py    numbers of the format
header.py    header and layout section: where the sections are, how long records of unknown kinds
index.py     where each type begins: built in one walk, or kept as bytes
file.py      Btf: names → ids → records, nothing before it is asked for; split BTF
kernel.py    KernelTypes: a kernel's BTF and that of its modules, as `spec.target.Types`
decode.py    records → C types
encode.py    types and strings → the bytes that BPF_BTF_LOAD takes
"""
