"""Random functions: interpreter, text form, checker and folding agree with plain Python."""

from __future__ import annotations

from hypothesis import given, settings

from builders.ir import Recipe, build, contexts, evaluate, pack, recipes
from probee.ir.check import check_function
from probee.ir.interp import InterpMachine, run
from probee.ir.text import parse_function, print_function

ANY = recipes(calls=True, slots=True, loops=True)


@settings(max_examples=200, deadline=None)
@given(recipes(), contexts())
def test_arithmetic(recipe: Recipe, words: list[int]) -> None:
    assert run(build(recipe), InterpMachine(), pack(words)) == evaluate(recipe, words)


@settings(max_examples=200, deadline=None)
@given(ANY, contexts())
def test_everything(recipe: Recipe, words: list[int]) -> None:
    assert run(build(recipe), InterpMachine(), pack(words)) == evaluate(recipe, words)


@settings(max_examples=200, deadline=None)
@given(ANY, contexts())
def test_folding_changes_nothing(recipe: Recipe, words: list[int]) -> None:
    function = build(recipe, constants=words)
    check_function(function)
    assert run(function, InterpMachine()) == evaluate(recipe, words)


@settings(max_examples=100, deadline=None)
@given(ANY)
def test_round_trip(recipe: Recipe) -> None:
    text = print_function(build(recipe))
    assert print_function(parse_function(text)) == text


@settings(max_examples=100, deadline=None)
@given(ANY, contexts())
def test_what_is_parsed_means_the_same(recipe: Recipe, words: list[int]) -> None:
    parsed = parse_function(print_function(build(recipe)))
    assert run(parsed, InterpMachine(), pack(words)) == evaluate(recipe, words)


@settings(max_examples=200, deadline=None)
@given(ANY)
def test_built_is_legal(recipe: Recipe) -> None:
    check_function(build(recipe))
