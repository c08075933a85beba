# SPDX-License-Identifier: GPL-2.0-or-later
"""Terms of nobody's solver: bitwuzla, cvc5 and z3 (from the printed script) say of them what the
bit graph says.
"""

from __future__ import annotations

import pytest
import z3
from hypothesis import given, settings
from hypothesis import strategies as st
from test_algebras import SETTINGS, Trees, build

from verifier.engine.answers import Sat, Undecided
from verifier.engine.bits import Bits
from verifier.engine.bits_solver import BitsSolver
from verifier.engine.smt_solvers import smt_solver
from verifier.engine.smtlib import Script, Smt
from verifier.engine.terms import Terms, z3_solver
from verifier.language.algebra import Integers
from verifier.prove.results import verdict_name
from verifier.run.filters import Filters
from verifier.run.library import Library
from verifier.run.scheduler import Options, prove

ZEROS = {"x": 0, "y": 0, "z": 0, "p": False, "q": False}


@settings(SETTINGS, max_examples=60)
@given(st.data(), st.sampled_from([1, 3, 8, 32]))
def test_all_solvers_agree_on_random_conditions(data: st.DataObject, width: int) -> None:
    tree = Trees(data, width).boolean()
    bits, smt = Bits(), Smt()
    expected = isinstance(BitsSolver(bits).check([build(bits, tree, {})]), Sat)
    script = Script(["a random condition"])
    script.ask(["one"], [build(smt, tree, {})], alone=True)
    apart = z3.Context()
    asserted = z3.Solver(ctx=apart)
    asserted.add(z3.parse_smt2_string(script.text(), ctx=apart))
    assert (asserted.check() == z3.sat) is expected
    terms, condition = Terms(), build(smt, tree, {})
    answers = {"z3": z3_solver(terms).check([build(terms, tree, {})])}
    answers |= {name: smt_solver(name, smt).check([condition]) for name in ("bitwuzla", "cvc5")}
    for name, answer in answers.items():
        assert isinstance(answer, Sat) is expected, name
        if isinstance(answer, Sat):
            assert build(Integers(), tree, ZEROS | answer.model) is True, name


def test_equal_terms_are_one_and_only_constants_are_computed() -> None:
    smt = Smt()
    x = smt.input_word("x", 8)
    assert smt.band(x, smt.word(0, 8), 8) is smt.band(x, smt.word(0, 8), 8)
    assert smt.band(x, smt.word(0, 8), 8).number is None
    assert smt.known(smt.eq(smt.word(3, 8), smt.word(3, 8), 8)) is True


@pytest.mark.parametrize("name", ["bitwuzla", "cvc5"])
def test_a_question_beyond_its_time_is_undecided(name: str) -> None:
    smt = Smt()
    solver = smt_solver(name, smt, timeout=0.05)
    x, y = smt.input_word("x", 64), smt.input_word("y", 64)
    wide = smt.mul(smt.zext(x, 64, 128), smt.zext(y, 64, 128), 128)
    big = smt.eq(wide, smt.word(4294967291 * 4294967279 * 18446744073709551557, 128), 128)
    one = smt.word(1, 64)
    answer = solver.check(
        [big, smt.neg(smt.eq(x, one, 64)), smt.neg(smt.eq(y, one, 64)), smt.ult(x, y, 64)]
    )
    assert isinstance(answer, Undecided)


def said_by(library: Library, solver: str) -> dict[str, str]:
    steps = ("fork-pte", "swap-out", "init", "static", "hw-*")
    filters = Filters(("x86_64+stray-dirty",), ("pte",), ("option-c",), ("today",), steps,
                      ("no-*", "pin-*", "frame", "limits"))
    run = prove(library, filters, Options(depth=2, solver=solver))
    return {r.obligation.id: verdict_name(r.verdict) for r in run.results}


@pytest.fixture(scope="module")
def by_bits(library: Library) -> dict[str, str]:
    return said_by(library, "bits")


@pytest.mark.parametrize("name", [
    "z3", "bitwuzla", pytest.param("cvc5", marks=pytest.mark.whole)])
def test_every_solver_gives_the_same_verdicts(
    library: Library, by_bits: dict[str, str], name: str
) -> None:
    assert said_by(library, name) == by_bits
    assert {"proved", "refuted"} <= set(by_bits.values())
