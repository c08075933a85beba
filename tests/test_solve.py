# SPDX-License-Identifier: GPL-2.0-or-later
"""Solvers agree with each other and with plain integers; the least model is the least."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import TRUTHS, WIDTHS, WORDS, build, plain, reader, truths

from verifier.base.errors import SolverError
from verifier.engine import sat
from verifier.engine.answers import Sat, Undecided, Unsat
from verifier.engine.bits import FALSE, TRUE, Bits
from verifier.engine.bits_solver import BitsSolver
from verifier.engine.least_model import minimise
from verifier.engine.terms import Terms, z3_solver
from verifier.engine.truth import INPUTS, rows

# None: as the program does, by truth tables too
SATS = (None, "minisat22", "cadical153", "glucose4")


def complete(model: dict[str, int | bool]) -> dict[str, int | bool]:
    """The model with 0 for the inputs that the question did not depend on."""
    return {**dict.fromkeys(WORDS, 0), **dict.fromkeys(TRUTHS, False), **model}


@pytest.mark.parametrize("width", WIDTHS)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_solvers_agree_and_models_are_true(width: int, data: st.DataObject) -> None:
    trees = data.draw(st.lists(truths(width, 3), min_size=1, max_size=4))
    graph, terms = Bits(), Terms()
    literals = [build(graph, tree, width, reader(graph)) for tree in trees]
    conditions = [build(terms, tree, width, reader(terms)) for tree in trees]
    incremental, fresh = z3_solver(terms), z3_solver(terms, incremental=False)
    bits = [BitsSolver(graph, sat) for sat in SATS]
    for count in range(1, len(trees) + 1):
        answers = [solver.check(literals[:count]) for solver in bits]
        answers += [z3.check(conditions[:count]) for z3 in (incremental, fresh)]
        assert len({type(answer) for answer in answers}) == 1
        for answer in answers:
            if isinstance(answer, Sat):
                assert all(plain(tree, width, complete(answer.model)) for tree in trees[:count])
    for solver in bits:
        solver.close()


@settings(max_examples=60, deadline=None)
@given(tree=truths(2, 3), other=truths(2, 2))
def test_a_truth_table_says_of_every_row_whether_it_holds(tree: Any, other: Any) -> None:
    graph = Bits()
    literals = [build(graph, t, 2, reader(graph)) for t in (tree, other)]
    found = rows(graph.nodes, literals)
    assert found is not None
    inputs, table = found
    assert len(inputs) <= 8 and table < 1 << (1 << len(inputs))
    for row in range(1 << len(inputs)):
        values: dict[str, int] = dict.fromkeys(WORDS + TRUTHS, 0)
        for number, node in enumerate(inputs):
            name, bit = graph.input_of[node]
            values[name] |= (row >> number & 1) << bit
        assert bool(table >> row & 1) == all(graph.evaluate(literals, values))
        named = {n: bool(v) if n in TRUTHS else v for n, v in values.items()}
        assert bool(table >> row & 1) == all(plain(t, 2, named) for t in (tree, other))


def test_what_depends_on_much_has_no_truth_table() -> None:
    graph = Bits()
    assert rows(graph.nodes, list(graph.input_word("few", INPUTS).bits)) is not None
    assert rows(graph.nodes, list(graph.input_word("many", INPUTS + 1).bits)) is None


def test_who_decided_is_told() -> None:
    graph = Bits()
    few, many = graph.input_word("few", 4), graph.input_word("many", 64)
    asked = {"folding": graph.eq(few, few, 4) ^ 1,
             "truth table": graph.ult(few, graph.word(3, 4), 4),
             "minisat22": graph.ult(many, graph.word(3, 64), 64)}
    solver = BitsSolver(graph)
    for how, condition in asked.items():
        solver.how = ""
        assert isinstance(solver.check([condition]), Sat) == (how != "folding")
        assert solver.how == how


@settings(max_examples=60, deadline=None)
@given(tree=truths(2, 4))
def test_the_least_model_is_the_least(tree: Any) -> None:
    """Against all values of three words of two bits and two booleans."""
    graph = Bits()
    for name in WORDS:
        graph.input_word(name, 2)
    for name in TRUTHS:
        graph.input_bool(name)
    literal = build(graph, tree, 2, reader(graph))
    order = ("y", "p", "x", "q", "z")
    every = (dict(zip(order, v, strict=True))
             for v in itertools.product(range(4), (False, True), range(4),
                                        (False, True), range(4)))
    least = next((values for values in every if plain(tree, 2, values)), None)
    solver = BitsSolver(graph)
    if least is None:
        assert isinstance(solver.check([literal]), Unsat)
        with pytest.raises(SolverError):
            minimise(solver, [literal], order)
    else:
        assert minimise(solver, [literal], order) == least
        assert minimise(solver, [literal], order[:2]) == {name: least[name] for name in order[:2]}


@settings(max_examples=10, deadline=None)
@given(tree=truths(32, 3))
def test_no_bit_of_the_least_model_can_be_lowered(tree: Any) -> None:
    graph = Bits()
    literal = build(graph, tree, 32, reader(graph))
    solver = BitsSolver(graph)
    if not isinstance(solver.check([literal]), Sat):
        return
    order = sorted(graph.support([literal]))
    model = minimise(solver, [literal], order)
    assert plain(tree, 32, complete(model))
    above = [literal]
    for name in order:
        for number, bit in reversed(list(enumerate(graph.inputs[name]))):
            is_set = int(model[name]) >> number & 1
            if is_set:
                assert isinstance(solver.check([*above, bit ^ 1]), Unsat)
            above.append(bit if is_set else bit ^ 1)


def square(alg: Any, width: int, of: int) -> Any:
    """A product is this, and neither factor is 1: slow to decide."""
    x, y, one = alg.input_word("x", width), alg.input_word("y", width), alg.word(1, width)
    half = alg.word((1 << width // 2) - 1, width)
    small = [alg.neg(alg.ult(half, v, width)) for v in (x, y)]
    return alg.all(alg.eq(alg.mul(x, y, width), alg.word(of, width), width), alg.ult(one, x, width),
                   alg.ult(one, y, width), *small)


def test_what_the_quick_solver_gives_up_on_the_strong_one_decides() -> None:
    graph = Bits()
    solver = BitsSolver(graph, conflicts=1)
    assert isinstance(solver.check([square(graph, 16, 251)]), Unsat)  # a prime
    answer = solver.check([square(graph, 16, 241 * 251)])
    assert isinstance(answer, Sat)
    assert {answer.model["x"], answer.model["y"]} == {241, 251}
    assert solver._strong is not None
    solver.close()


def test_a_solver_that_starts_afresh_forgets_nothing_that_matters(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sat, "LOADED", 10)
    graph = Bits()
    solver = BitsSolver(graph)
    for number in range(40):
        x = graph.input_word(f"x{number % 7}", 16)
        low = graph.ult(x, graph.word(number + 1, 16), 16)
        answer = solver.check([low, graph.neg(graph.ult(x, graph.word(number, 16), 16))])
        assert isinstance(answer, Sat)
        assert answer.model == {f"x{number % 7}": number}
        assert isinstance(solver.check([low, graph.ult(graph.word(number, 16), x, 16)]), Unsat)


def test_models_name_what_is_asked_for() -> None:
    graph = Bits()
    flag, x = graph.input_bool("flag"), graph.input_word("x", 8)
    graph.input_word("unused", 8)
    solver = BitsSolver(graph)
    assert solver.check([flag]) == Sat({"flag": True})
    assert solver.check([flag, graph.eq(x, graph.word(9, 8), 8)]) == Sat({"flag": True, "x": 9})
    assert solver.check([flag], ["unused", "flag"]) == Sat({"unused": 0, "flag": True})
    assert solver.check([TRUE]) == Sat({})
    assert solver.check([]) == Sat({})
    assert solver.check([FALSE, flag]) == Unsat()
    assert solver.check([flag, flag ^ 1]) == Unsat()


def test_a_timeout_is_no_answer() -> None:
    terms = Terms()
    answer = z3_solver(terms, incremental=False, timeout=0.01).check(
        [square(terms, 64, 4294967291 * 4294967279)]
    )
    assert isinstance(answer, Undecided)
    assert answer.reason


def test_errors_of_solvers_are_solver_errors() -> None:
    terms = Terms()
    with pytest.raises(SolverError):
        z3_solver(terms).check([terms.input_word("x", 8)])  # type: ignore[list-item]
    graph = Bits()
    with pytest.raises(SolverError):
        minimise(BitsSolver(graph), [FALSE], [])
