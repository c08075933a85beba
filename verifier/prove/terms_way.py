# SPDX-License-Identifier: GPL-2.0-or-later
"""The second way to decide: the same questions as terms, asked of z3, bitwuzla or cvc5.

What the solver refutes is minimised on the bit graph, so that all ways show the same values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol

from verifier.engine.answers import Sat, Solver, Undecided
from verifier.engine.bits import Bits, Word
from verifier.engine.bits_solver import BitsSolver
from verifier.engine.smt_solvers import smt_solver
from verifier.engine.smtlib import Smt
from verifier.language.algebra import B, W
from verifier.model.typed import Model
from verifier.prove.bits_way import Contradiction, GroupProver
from verifier.prove.builder import Builder
from verifier.prove.obligations import Aim, Group, Question
from verifier.prove.results import Proved, Refuted, Unknown, Vacuous, Verdict, verdict_name

__all__ = ["Answers", "TermAnswers", "TermProver", "term_answers"]


class Answers(Protocol):
    """What a solver of terms alone says of a group's questions."""

    def decide(self, question: Question[Word, int]) -> Vacuous | Unknown | bool:
        """Does no way violate the property? VACUOUS where an instance has no inhabitant."""
        ...

    def word(self, question: Question[Word, int]) -> str:
        """The same in a word: proved, refuted, vacuous or unknown."""
        ...

    def aim_word(self, aim: Aim[int]) -> str:
        """As `word`, of what a step is there for: does some state lead there?"""
        ...


class TermAnswers(Generic[W, B]):
    """The answers of a solver of terms to a group's questions, which it builds for itself.

    The solver goes by its name. It is asked incrementally, or z3 afresh for each question.
    `timeout` is for one question, in seconds; None means no limit.
    """

    def __init__(self, builder: Builder[W, B], solver: Solver[B]) -> None:
        self._builder, self._solver = builder, solver
        self._questions: dict[str, dict[str, Question[W, B]]] = {}
        self._inhabited: dict[str, bool | None] = {}
        self._aims: dict[str, dict[str, Aim[B]]] = {}

    def question(self, question: Question[Word, int]) -> Question[W, B]:
        """The same question, of terms."""
        found = self._questions.get(question.transition)
        if found is None:
            asked = self._builder.questions(lambda t, p: t == question.transition)
            found = self._questions[question.transition] = {q.property.name: q for q in asked}
        return found[question.property.name]

    def inhabited(self, label: str, given: tuple[B, ...]) -> bool | None:
        """Does a state satisfy what an instance assumes? None where the solver gives up."""
        if label not in self._inhabited:
            answer = self._solver.check(given)
            self._inhabited[label] = (None if isinstance(answer, Undecided)
                                      else isinstance(answer, Sat))
        return self._inhabited[label]

    def decide(self, question: Question[Word, int]) -> Vacuous | Unknown | bool:
        """As Answers has it."""
        asked = self.question(question)
        for label, given in asked.given.items():
            inhabited = self.inhabited(label, given)
            if inhabited is None:
                return Unknown(
                    "solver", f"{self._solver.name} gave up on whether {label} has an inhabitant"
                )
            if not inhabited:
                return Vacuous(label)
        for way in asked.ways:
            answer = self._solver.check((*asked.given[way.label], way.bad))
            if isinstance(answer, Undecided):
                return Unknown("solver", answer.reason)
            if isinstance(answer, Sat):
                return False
        return True

    def word(self, question: Question[Word, int]) -> str:
        """As Answers has it."""
        found = self.decide(question)
        return (verdict_name(found) if not isinstance(found, bool) else "proved" if found
                else "refuted")

    def aim_word(self, aim: Aim[int]) -> str:
        """As Answers has it."""
        if aim.transition not in self._aims:
            found = self._builder.aims(lambda t, p: t == aim.transition)
            self._aims[aim.transition] = {a.property.name: a for a in found}
        answers = [self._solver.check((*given, condition))
                   for _, given, condition in self._aims[aim.transition][aim.property.name].shown]
        if any(isinstance(answer, Sat) for answer in answers):
            return "proved"
        return "unknown" if any(isinstance(answer, Undecided) for answer in answers) else "vacuous"


def term_answers(
    model: Model, group: Group, name: str, incremental: bool = True, timeout: float | None = None
) -> Answers:
    """The answers of a solver by its name: z3, bitwuzla or cvc5.

    It is asked incrementally, or z3 afresh for each question. `timeout` is for one question, in
    seconds; None means no limit. Raises UsageError where its package is not installed.
    """
    if name == "z3":
        from verifier.engine.terms import Terms, z3_solver

        terms = Terms()
        return TermAnswers(Builder(model, group, terms, terms.input),
                           z3_solver(terms, incremental, timeout))
    smt = Smt()
    return TermAnswers(Builder(model, group, smt, smt.input), smt_solver(name, smt, timeout))


class TermProver:
    """A Prover that asks a solver of terms by its name; values come from the bit graph."""

    def __init__(
        self, model: Model, group: Group, graph: Bits, solver: BitsSolver, name: str = "z3",
        incremental: bool = True, timeout: float | None = None,
    ) -> None:
        self._bits = GroupProver(model, group, graph, solver)
        self.solver, self.builder, self.name = solver, self._bits.builder, name
        self._terms = term_answers(model, group, name, incremental, timeout)

    def decide_aim(self, aim: Aim[int]) -> Verdict:
        """The verdict that the solver gives; the step that shows it comes from the graph."""
        word = self._terms.aim_word(aim)
        if word == "unknown":
            return Unknown("solver", f"{self.name} gave up")
        seen = self._bits.decide_aim(aim)
        if not isinstance(seen, Unknown) and verdict_name(seen) != word:
            raise Contradiction(
                f"{aim.id}: {self.name} says {word}, the bit graph {verdict_name(seen)}"
            )
        return seen

    def exclude(self, questions: Sequence[Question[Word, int]]) -> None:
        """Nothing: the solver is asked each question by itself."""

    def decide(self, question: Question[Word, int], least: bool = True) -> Verdict:
        """The verdict that the solver gives; values, where there are any, come from the graph."""
        found = self._terms.decide(question)
        if not isinstance(found, bool):
            return found
        if found:
            return Proved(self._bits.inhabitant_of(question))
        seen = self._bits.decide(question, least)
        if not isinstance(seen, Refuted):
            raise Contradiction(f"{question.id}: {self.name} refutes it, the bit graph does not")
        return seen

    def broken(self, question: Question[Word, int]) -> tuple[str, ...]:
        """As the bit graph has it."""
        return self._bits.broken(question)

    def way(self) -> str:
        """The solver of terms."""
        return self.name

    def helpers(self) -> tuple[str, ...]:
        """None but arch/'s."""
        return ()
