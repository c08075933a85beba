# SPDX-License-Identifier: GPL-2.0-or-later
"""The decision that all claims about lifted code share: each verdict, whose values are shown, and
that they are computed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from kernel.odd import odd_backend
from verifier.engine.answers import Sat, Undecided
from verifier.kernel.conform.decide import (
    ClaimContradicted,
    ClaimFails,
    ClaimHolds,
    ClaimQuestion,
    ClaimUndefined,
    ClaimUnknown,
    ClaimVacuous,
    Setting,
    Verdict,
    assumed,
    decide,
    why,
    word,
)
from verifier.kernel.conform.inputs import Given
from verifier.kernel.conform.questions import make_backend
from verifier.kernel.llvm.undefined import Undefinedness
from verifier.kernel.llvm.values import NotModelled
from verifier.language.algebra import Integers

both = pytest.mark.parametrize("solver", ["bits", "z3"])


def put(
    setting: Setting, given: str = "", undefined: Sequence[str] = (), wrong: str = "never"
) -> ClaimQuestion[tuple[Any, Any]]:
    """A claim about two words of eight bits: conditions by name."""
    alg = setting.alg
    x, y = (setting.free.input_word(name, 8) for name in "xy")
    conditions = {
        "": alg.truth(True),
        "never": alg.truth(False),
        "x above 16": alg.ult(alg.word(16, 8), x, 8),
        "x above 32": alg.ult(alg.word(32, 8), x, 8),
        "x is 3": alg.eq(x, alg.word(3, 8), 8),
        "y is 5": alg.eq(y, alg.word(5, 8), 8),
        "x below 16": alg.ult(x, alg.word(16, 8), 8),
        "x and y are 96": alg.eq(alg.add(x, y, 8), alg.word(96, 8), 8),
    }
    return ClaimQuestion(
        (conditions[given],),
        tuple(Undefinedness(conditions[u], u) for u in undefined),
        conditions[wrong],
        (x, y),
    )


def found(
    solver: str, given: str = "", undefined: Sequence[str] = (), wrong: str = "never"
) -> Verdict[tuple[Any, Any]]:
    return decide(
        make_backend(solver, 30), lambda setting: put(setting, given, undefined, wrong), ["y", "x"]
    )


@both
def test_what_is_never_wrong_holds(solver: str) -> None:
    assert isinstance(found(solver, "x above 16", (), "x is 3"), ClaimHolds)


@both
def test_what_is_wrong_fails_with_the_least_values_and_what_plain_integers_make_of_them(
    solver: str,
) -> None:
    verdict = found(solver, "x above 16", (), "x and y are 96")
    assert (
        verdict == ClaimFails({"x": 96, "y": 0}, (96, 0))
        and word(verdict) == "refuted"
        and why(verdict) == "x = 0x60, all else 0"
    )


@both
def test_what_is_undefined_and_nowhere_wrong_is_neither_proved_nor_refuted(solver: str) -> None:
    verdict = found(solver, "x above 16", ("x is 3", "x above 32", "y is 5"))
    assert (
        isinstance(verdict, ClaimUndefined)
        and verdict.reasons == ("x above 32", "y is 5")
        and verdict.values["x"] == 33
    )
    assert word(verdict) == "incomplete" and "x above 32; y is 5" in why(verdict)


@both
def test_the_values_are_those_of_the_question_that_refutes(solver: str) -> None:
    """Undefined for small values, wrong and undefined for those, too: the witness is one that is
    wrong alone.
    """
    verdict = found(solver, "", ("x below 16",), "y is 5")
    assert verdict == ClaimFails({"x": 16, "y": 5}, (16, 5))


@both
def test_wrong_only_where_it_is_undefined_is_no_refutation(solver: str) -> None:
    assert isinstance(found(solver, "", ("x below 16",), "x is 3"), ClaimUndefined)


@both
@pytest.mark.parametrize("wrong", ["never", "x is 3", ""])
def test_a_claim_of_nothing_is_vacuous(solver: str, wrong: str) -> None:
    verdict = found(solver, "never", ("x below 16",), wrong)
    assert isinstance(verdict, ClaimVacuous) and word(verdict) == "incomplete"


def test_what_is_not_lifted_is_unknown_and_a_premise_of_nothing_is_vacuous_before_that() -> None:
    def ask(setting: Setting) -> ClaimQuestion[None]:
        assumed(
            setting,
            [put(setting, given).wrong if given == "never" else put(setting, given).given[0]],
        )
        raise NotModelled("an instruction that is not known")

    given = "x is 3"
    assert decide(make_backend("bits", None), ask) == ClaimUnknown(
        "an instruction that is not known"
    )
    given = "never"
    assert isinstance(decide(make_backend("bits", None), ask), ClaimVacuous)


def test_a_solver_that_runs_out_of_time_is_unknown_and_said_so() -> None:
    def ask(setting: Setting) -> ClaimQuestion[None]:
        alg, free = setting.alg, setting.free
        a, b = free.input_word("a", 64), free.input_word("b", 64)
        one = alg.word(1, 64)
        odd = [alg.ult(one, w, 64) for w in (a, b)] + [
            alg.ult(w, alg.word(1 << 32, 64), 64) for w in (a, b)
        ]
        return ClaimQuestion(
            tuple(odd),
            (),
            alg.eq(alg.mul(a, b, 64), alg.word(4294967291 * 4294967279, 64), 64),
            None,
        )

    verdict = decide(make_backend("z3", 0.05), ask)
    assert isinstance(verdict, ClaimUnknown) and verdict.reason.startswith(
        "the solver gave up (is it ever wrong or undefined?)"
    )
    assert word(verdict) == "incomplete"


# Solvers that answer wrongly, or not, at one of their questions


@pytest.mark.parametrize(
    ("tampered", "reason"),
    [
        ({"x": 96, "y": 1}, "what is claimed holds of them"),
        ({"x": 5, "y": 91}, "the premise does not hold of them"),
        ({"x": 91, "y": 5}, "behaviour is undefined for them: y is 5"),
        ({}, "the premise does not hold of them"),
    ],
)
def test_a_witness_that_does_not_replay_is_a_contradiction_and_no_refutation(
    tampered: dict[str, int], reason: str
) -> None:
    backend = odd_backend(
        lambda n, answer: Sat(dict(tampered)) if isinstance(answer, Sat) else answer
    )
    verdict = decide(
        backend, lambda setting: put(setting, "x above 16", ("y is 5",), "x and y are 96")
    )
    assert isinstance(verdict, ClaimContradicted) and verdict.reason == reason
    assert word(verdict) == "contradiction" and "contradicts itself" in why(verdict)


@pytest.mark.parametrize(
    ("number", "asked"),
    [(1, "is it ever wrong or undefined"), (2, "is it ever wrong where nothing is undefined")],
)
def test_which_question_was_too_hard(number: int, asked: str) -> None:
    backend = odd_backend(lambda n, answer: Undecided("timeout") if n == number else answer)
    verdict = decide(
        backend, lambda setting: put(setting, "x above 16", ("y is 5",), "x and y are 96")
    )
    assert verdict == ClaimUnknown(f"the solver gave up ({asked}?): timeout")


def test_a_premise_that_may_hold_of_nothing_proves_nothing() -> None:
    backend = odd_backend(lambda n, answer: Undecided("timeout") if n == 2 else answer)
    verdict = decide(backend, lambda setting: put(setting, "x above 16", (), "x is 3"))
    assert verdict == ClaimUnknown("the solver gave up (is anything as assumed?): timeout")


def test_values_that_plain_integers_cannot_follow_are_no_refutation() -> None:
    def ask(setting: Setting) -> ClaimQuestion[tuple[Any, Any]]:
        if isinstance(setting.alg, Integers):
            raise NotModelled("a loop that does not end")
        return put(setting, "", (), "y is 5")

    verdict = decide(make_backend("bits", None), ask)
    assert (
        isinstance(verdict, ClaimUnknown)
        and "a loop that does not end" in verdict.reason
        and word(verdict) == "incomplete"
    )


def test_values_are_given_by_name_and_what_was_looked_at_is_known() -> None:
    given = Given({"x": 7, "t": True, "unused": 9})
    assert (given.input_word("x", 8), given.input_bool("t"), given.input_word("left out", 8)) == (
        7,
        True,
        0,
    )
    assert given.asked == {"x": 7, "t": 1, "left out": 0}
