# SPDX-License-Identifier: GPL-2.0-or-later
"""The other way to decide: the same questions as terms, as the spec has them, asked of z3, bitwuzla or cvc5.

What the solver refutes is minimised on the bit graph, so that all ways show the same values.
"""

from __future__ import annotations

from collections.abc import Callable
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

__all__ = ["TermProver", "term_inputs"]


def term_inputs(terms: Any) -> Callable[[str, int], Any]:
    """Inputs as terms, by name and type."""
    return lambda name, kind: terms.input_bool(name) if kind == BOOL else terms.input_word(name, kind)


class TermProver(GroupProver):
    """Asks a solver of terms by its name, incrementally, or z3 afresh for each question."""

    def __init__(
        self, model: Model, group: Group, graph: Bits, solver: BitsSolver, name: str = "z3", incremental: bool = True,
        timeout: float | None = None,
    ) -> None:
        super().__init__(model, group, graph, solver)
        self.name = name
        terms, self.asked = term_solver(name, incremental, timeout)
        self.term_builder = Builder(model, group, terms, term_inputs(terms))
        self._questions: dict[str, dict[str, Question]] = {}
        self._inhabited: dict[str, bool | None] = {}
        self._aims: dict[str, dict[str, Aim]] = {}

    def question(self, question: Question) -> Question:
        found = self._questions.get(question.transition)
        if found is None:
            asked = self.term_builder.questions(lambda t, p: t == question.transition)
            found = self._questions[question.transition] = {q.property.name: q for q in asked}
        return found[question.property.name]

    def word(self, question: Question) -> str:
        """What that solver alone says: proved, refuted, vacuous or unknown."""
        asked = self.question(question)
        for label, given in asked.given.items():
            if label not in self._inhabited:
                answer = self.asked.check(given)
                self._inhabited[label] = None if isinstance(answer, Undecided) else isinstance(answer, Sat)
            if self._inhabited[label] is not True:
                return "unknown" if self._inhabited[label] is None else "vacuous"
        for way in asked.ways:
            answer = self.asked.check((*asked.given[way.label], way.bad))
            if not isinstance(answer, Unsat):
                return "unknown" if isinstance(answer, Undecided) else "refuted"
        return "proved"

    def aim_word(self, aim: Aim) -> str:
        """As `word`, of what a step is there for: does some state lead there?"""
        if aim.transition not in self._aims:
            found = self.term_builder.aims(lambda t, p: t == aim.transition)
            self._aims[aim.transition] = {a.property.name: a for a in found}
        answers = [self.asked.check((*given, condition))
                   for _, given, condition in self._aims[aim.transition][aim.property.name].shown]
        if any(isinstance(answer, Sat) for answer in answers):
            return "proved"
        return "unknown" if any(isinstance(answer, Undecided) for answer in answers) else "vacuous"

    def decide_aim(self, aim: Aim) -> Verdict:
        """The verdict that the solver gives; the step that shows it comes from the graph."""
        word = self.aim_word(aim)
        if word == "unknown":
            return Unknown("solver", f"{self.name} gave up")
        seen = super().decide_aim(aim)
        if not isinstance(seen, Unknown) and verdict_name(seen) != word:
            raise Contradiction(f"{aim.id}: {self.name} says {word}, the bit graph {verdict_name(seen)}")
        return seen

    def decide(self, question: Question) -> Verdict:
        """The verdict that the solver gives; values, where there are any, come from the graph."""
        asked = self.question(question)
        for label, given in asked.given.items():
            if label not in self._inhabited:
                answer = self.asked.check(given)
                self._inhabited[label] = None if isinstance(answer, Undecided) else isinstance(answer, Sat)
            if self._inhabited[label] is False:
                return Vacuous(label)
        for way in asked.ways:
            answer = self.asked.check((*asked.given[way.label], way.bad))
            if isinstance(answer, Undecided):
                return Unknown("solver", answer.reason)
            if isinstance(answer, Unsat):
                continue
            seen = super().decide(question)
            if not isinstance(seen, Refuted):
                raise Contradiction(f"{question.id}: {self.name} refutes it, the bit graph does not")
            return seen
        return Proved(self.inhabitant_of(question))
