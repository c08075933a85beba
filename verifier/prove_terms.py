# SPDX-License-Identifier: GPL-2.0-or-later
"""The other way to decide: the same questions as terms, as the spec has them, asked of z3, bitwuzla or cvc5.

What the solver refutes is minimised on the bit graph, so that all ways show the same values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from verifier.bits import Bits
from verifier.obligations import Builder, Group, Question
from verifier.prove import Contradiction, GroupProver
from verifier.results import Proved, Refuted, Unknown, Vacuous, Verdict
from verifier.scopes import Model
from verifier.smt_solvers import term_solver
from verifier.solve import BitsSolver, Sat, Undecided, Unsat
from verifier.syntax import BOOL

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
        self._found: dict[tuple[str, str], bool] = {}

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
        return "vacuous" if self.missing(asked) else "proved"

    def missing(self, asked: Question) -> str:
        """As `unreached`, of a question over terms. What that solver gives up on counts as reached."""
        for name, rows in asked.effects.items():
            key = (asked.transition, name)
            if key not in self._found:
                answers = (self.asked.check((*asked.given[label], condition)) for label, condition in rows)
                self._found[key] = any(not isinstance(answer, Unsat) for answer in answers)
            if not self._found[key]:
                return name
        return ""

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
        effect = self.missing(asked)
        return Vacuous(question.transition, effect) if effect else Proved(self.inhabitant_of(question))
