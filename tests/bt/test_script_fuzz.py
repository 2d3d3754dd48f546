"""Scripts that are made by chance: none breaks the compiler, and this kernel takes what compiles."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.scripts import make_target
from probee.attach.machine import LiveMachine
from probee.base.errors import FeatureError, LoadError, SourceError, TargetError
from probee.base.source import Source
from probee.bt.compile import compile_script

from .grammar import Grammar
from .in_kernel import live_target

# What a verifier goes through has an end, whatever the program.
_ENDS = ("too complex", "BPF program is too large")
_SEEDS = st.integers(0, 1 << 40)
_MEMORY = ("atomics_fetch", "large_keys", "map_lookup_percpu_elem", "for_each_map_elem", "may_goto")


@given(_SEEDS, st.sampled_from((0, 4, 15)))
@settings(max_examples=100)
def test_no_script_breaks_the_compiler(seed: int, wrong: int) -> None:
    text = Grammar(random.Random(seed), wrong).script()
    try:
        compile_script(Source("stdin", text), make_target(features=_MEMORY))
    except (SourceError, TargetError, FeatureError) as error:
        error.render()


@pytest.mark.kernel
@given(_SEEDS)
@settings(max_examples=40)
def test_what_compiles_is_loaded(seed: int) -> None:
    text = Grammar(random.Random(seed)).script()
    try:
        bundle = compile_script(Source("stdin", text), live_target()).bundle
    except (SourceError, TargetError, FeatureError):
        return
    with LiveMachine() as machine:
        maps = {spec.name: machine.create_map(spec) for spec in bundle.maps}
        for program in bundle.programs:
            try:
                machine.load(program, maps, bundle.btf)  # type: ignore[arg-type]
            except LoadError as refused:
                if not any(end in refused.log for end in _ENDS):
                    raise
