"""Strategies for instructions and programs of every form."""

from __future__ import annotations

from hypothesis import strategies as st

from probee.isa.ebpf import LDDW, Insn
from probee.isa.forms import FORMS, Form

REGISTERS = st.integers(0, 10)
OFFSETS = st.integers(-(1 << 15), (1 << 15) - 1)
IMMEDIATES = st.one_of(
    st.sampled_from((0, 1, -1, 31, 32, 63, 64, -(1 << 31), (1 << 31) - 1)),
    st.integers(-(1 << 31), (1 << 31) - 1),
)
WIDE = st.one_of(st.sampled_from((0, (1 << 64) - 1, 1 << 63, 0x80000000)), st.integers(0, (1 << 64) - 1))


def insns_of(form: Form) -> st.SearchStrategy[Insn]:
    """Instructions of one form, operands at random."""
    free = {
        "dst": REGISTERS,
        "src": REGISTERS,
        "off": OFFSETS,
        "imm": WIDE if form.code == LDDW else IMMEDIATES,
    }
    fixed = {"dst": 0, "src": form.src, "off": form.off, "imm": form.imm}
    return st.builds(
        lambda values: Insn(form.code, **values),
        st.fixed_dictionaries({f: free[f] if f in form.operands else st.just(fixed[f]) for f in fixed}),
    )


INSNS = st.sampled_from(FORMS).flatmap(insns_of)
