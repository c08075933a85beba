# SPDX-License-Identifier: GPL-2.0-or-later
"""The other way to decide: the same questions as terms, as the spec has them, asked of z3, bitwuzla or cvc5.

What the solver refutes is minimised on the bit graph, so that all ways show the same values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from verifier.engine.answers import Sat, Undecided, Unsat
from verifier.engine.bits import Bits
from verifier.engine.bits_solver import BitsSolver
from verifier.engine.smt_solvers import term_solver
from verifier.language.syntax import BOOL
from verifier.model.typed import Model
from verifier.prove.bits_way import Contradiction, GroupProver
from verifier.prove.builder import Builder
from verifier.prove.obligations import Aim, Group, Question
from verifier.prove.results import Proved, Refuted, Unknown, Vacuous, Verdict, verdict_name

__all__ = ["TermAnswers", "TermProver", "term_inputs"]


def term_inputs(terms: Any) -> Callable[[str, int], Any]:
    """Inputs as terms, by name and type."""
    return lambda name, kind: terms.input_bool(name) if kind == BOOL else terms.input_word(name, kind)


class TermAnswers:
    """What a solver of terms alone says of a group's questions, which it builds for itself.

    The solver goes by its name, and is asked incrementally, or z3 afresh for each question. `timeout` is of one question, in
    seconds; None: no limit.
    """

    def __init__(self, model: Model, group: Group, name: str, incremental: bool = True, timeout: float | None = None) -> None:
        terms, self.solver = term_solver(name, incremental, timeout)
        self._builder = Builder(model, group, terms, term_inputs(terms))
        self._questions: dict[str, dict[str, Question]] = {}
        self._inhabited: dict[str, bool | None] = {}
        self._aims: dict[str, dict[str, Aim]] = {}

    def question(self, question: Question) -> Question:
        """The same question, of terms."""
        found = self._questions.get(question.transition)
        if found is None:
            asked = self._builder.questions(lambda t, p: t == question.transition)
            found = self._questions[question.transition] = {q.property.name: q for q in asked}
        return found[question.property.name]

    def inhabited(self, label: str, given: tuple[Any, ...]) -> bool | None:
        """Does a state satisfy what an instance assumes? None where the solver gives up."""
        if label not in self._inhabited:
            answer = self.solver.check(given)
            self._inhabited[label] = None if isinstance(answer, Undecided) else isinstance(answer, Sat)
        return self._inhabited[label]

    def word(self, question: Question) -> str:
        """What that solver alone says: proved, refuted, vacuous or unknown."""
        asked = self.question(question)
        for label, given in asked.given.items():
            inhabited = self.inhabited(label, given)
            if inhabited is not True:
                return "unknown" if inhabited is None else "vacuous"
        for way in asked.ways:
            answer = self.solver.check((*asked.given[way.label], way.bad))
            if not isinstance(answer, Unsat):
                return "unknown" if isinstance(answer, Undecided) else "refuted"
        return "proved"

    def aim_word(self, aim: Aim) -> str:
        """As `word`, of what a step is there for: does some state lead there?"""
        if aim.transition not in self._aims:
            found = self._builder.aims(lambda t, p: t == aim.transition)
            self._aims[aim.transition] = {a.property.name: a for a in found}
        answers = [self.solver.check((*given, condition))
                   for _, given, condition in self._aims[aim.transition][aim.property.name].shown]
        if any(isinstance(answer, Sat) for answer in answers):
            return "proved"
        return "unknown" if any(isinstance(answer, Undecided) for answer in answers) else "vacuous"


class TermProver:
    """A Prover that asks a solver of terms by its name; values, where there are any, come from the bit graph."""

    def __init__(
        self, model: Model, group: Group, graph: Bits, solver: BitsSolver, name: str = "z3", incremental: bool = True,
        timeout: float | None = None,
    ) -> None:
        self._bits = GroupProver(model, group, graph, solver)
        self.solver, self.builder, self.name = solver, self._bits.builder, name
        self._terms = TermAnswers(model, group, name, incremental, timeout)

    def decide_aim(self, aim: Aim) -> Verdict:
        """The verdict that the solver gives; the step that shows it comes from the graph."""
        word = self._terms.aim_word(aim)
        if word == "unknown":
            return Unknown("solver", f"{self.name} gave up")
        seen = self._bits.decide_aim(aim)
        if not isinstance(seen, Unknown) and verdict_name(seen) != word:
            raise Contradiction(f"{aim.id}: {self.name} says {word}, the bit graph {verdict_name(seen)}")
        return seen

    def exclude(self, questions: Sequence[Question]) -> None:
        """Nothing: the solver is asked each question by itself."""

    def decide(self, question: Question, least: bool = True) -> Verdict:
        """The verdict that the solver gives; values, where there are any, come from the graph."""
        asked = self._terms.question(question)
        for label, given in asked.given.items():
            inhabited = self._terms.inhabited(label, given)
            if inhabited is None:
                return Unknown("solver", f"{self.name} gave up on whether {label} has an inhabitant")
            if not inhabited:
                return Vacuous(label)
        for way in asked.ways:
            answer = self._terms.solver.check((*asked.given[way.label], way.bad))
            if isinstance(answer, Undecided):
                return Unknown("solver", answer.reason)
            if isinstance(answer, Unsat):
                continue
            seen = self._bits.decide(question, least)
            if not isinstance(seen, Refuted):
                raise Contradiction(f"{question.id}: {self.name} refutes it, the bit graph does not")
            return seen
        return Proved(self._bits.inhabitant_of(question))

    def broken(self, question: Question) -> tuple[str, ...]:
        """As the bit graph has it."""
        return self._bits.broken(question)

    def way(self) -> str:
        """The solver of terms."""
        return self.name

    def helpers(self) -> tuple[str, ...]:
        """None but arch/'s."""
        return ()
