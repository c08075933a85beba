# SPDX-License-Identifier: GPL-2.0-or-later
"""The second way to decide: the same questions as z3 terms, as the spec has them, without the bit graph.

What z3 refutes is minimised on the graph, so that both ways show the same values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from verifier.bits import Bits
from verifier.obligations import Builder, Group, Question
from verifier.prove import Contradiction, GroupProver
from verifier.results import Proved, Refuted, Unknown, Vacuous, Verdict
from verifier.scopes import Model
from verifier.solve import BitsSolver, Sat, Undecided, Unsat, z3_solver
from verifier.syntax import BOOL

__all__ = ["Z3GroupProver", "term_inputs"]


def term_inputs(terms: Any) -> Callable[[str, int], Any]:
    """Inputs as z3 terms, by name and type."""
    return lambda name, kind: terms.input_bool(name) if kind == BOOL else terms.input_word(name, kind)


class Z3GroupProver(GroupProver):
    """Asks z3, with one incremental solver or a fresh one for each question."""

    def __init__(
        self, model: Model, group: Group, graph: Bits, solver: BitsSolver, incremental: bool = True,
        timeout: float | None = None,
    ) -> None:
        from verifier.terms import Terms

        super().__init__(model, group, graph, solver)
        self.name = "z3"
        terms = Terms()
        self.z3 = z3_solver(terms, incremental, timeout)
        self.z3_builder = Builder(model, group, terms, term_inputs(terms))
        self._questions: dict[str, dict[str, Question]] = {}
        self._inhabited: dict[str, bool | None] = {}

    def question(self, question: Question) -> Question:
        found = self._questions.get(question.transition)
        if found is None:
            asked = self.z3_builder.questions(lambda t, p: t == question.transition)
            found = self._questions[question.transition] = {q.property.name: q for q in asked}
        return found[question.property.name]

    def word(self, question: Question) -> str:
        """What z3 alone says: proved, refuted, vacuous or unknown."""
        asked = self.question(question)
        for label, given in asked.given.items():
            if label not in self._inhabited:
                answer = self.z3.check(given)
                self._inhabited[label] = None if isinstance(answer, Undecided) else isinstance(answer, Sat)
            if self._inhabited[label] is not True:
                return "unknown" if self._inhabited[label] is None else "vacuous"
        for way in asked.ways:
            answer = self.z3.check((*asked.given[way.label], way.bad))
            if not isinstance(answer, Unsat):
                return "unknown" if isinstance(answer, Undecided) else "refuted"
        return "proved"

    def decide(self, question: Question) -> Verdict:
        """The verdict that z3 gives; values, where there are any, come from the graph."""
        asked = self.question(question)
        for label, given in asked.given.items():
            if label not in self._inhabited:
                answer = self.z3.check(given)
                self._inhabited[label] = None if isinstance(answer, Undecided) else isinstance(answer, Sat)
            if self._inhabited[label] is False:
                return Vacuous(label)
        for way in asked.ways:
            answer = self.z3.check((*asked.given[way.label], way.bad))
            if isinstance(answer, Undecided):
                return Unknown("solver", answer.reason)
            if isinstance(answer, Unsat):
                continue
            seen = super().decide(question)
            if not isinstance(seen, Refuted):
                raise Contradiction(f"{question.id}: z3 refutes it, the bit graph does not")
            return seen
        return Proved(self.inhabitant_of(question))
