# SPDX-License-Identifier: GPL-2.0-or-later
"""Is every outcome of one side an outcome of the other?

Or is there one that no choice of the other side comes to?

The other side's choices are finitely many, and never quantified: each is tried on its own, as it
turns out to be needed. An outcome that no choice tried so far comes to is held against all choices
at once, as one question about that outcome alone. A choice that comes to it is tried from then on.
This ends with an outcome that escapes, or with none left.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from verifier.base.errors import SolverError
from verifier.engine.answers import Sat, Undecided, Unsat
from verifier.engine.bits import Bits
from verifier.engine.bits_solver import BitsSolver
from verifier.engine.least_model import minimise
from verifier.kernel.conform.inputs import Given
from verifier.kernel.conform.outcomes import Choose, Outcome, Side, all_outcomes, same
from verifier.kernel.conform.questions import GAVE_UP, Backend
from verifier.language.algebra import Integers

__all__ = ["Escape", "GaveUp", "SidesQuestion", "bits_backend"]

CONFLICTS = 200_000  # of one question to a SAT solver
MOST_TRIED = 300  # choices of the other side's


@dataclass(frozen=True, slots=True)
class Escape:
    """Values and choices on which one side comes to what the other never does.

    values    inputs of both sides
    choices   of the first side's, by name
    outcome   what it comes to, with plain integers
    replayed  with plain integers too, no choice of the other's comes to the same
    """

    values: Mapping[str, int | bool]
    choices: Mapping[str, bool]
    outcome: Outcome
    replayed: bool


@dataclass(frozen=True, slots=True)
class GaveUp:
    """It is not known, and why."""

    reason: str


def bits_backend() -> Backend:
    """Bits and a solver that gives up after CONFLICTS."""
    graph = Bits()
    return Backend(graph, graph, BitsSolver(graph, limit=CONFLICTS), bits_backend)


@dataclass(slots=True)
class SidesQuestion:
    """One pair of sides over one graph.

    args     parameter -> its input; widths: parameter -> bits, 0 for a truth
    width    of the entry
    given    conditions on the inputs under which is asked
    deadline in seconds of processor time, so that a busy machine changes no result
    """

    backend: Backend
    args: Mapping[str, Any]
    widths: Mapping[str, int]
    width: int
    given: Sequence[Any]
    deadline: float
    _choices: set[str] = field(default_factory=set)  # of either side, by the names of their inputs

    def free(self, side: Side, prefix: str) -> tuple[Outcome, list[str]]:
        """The side with each choice an input, and the names of these inputs, which begin with the
        prefix.
        """
        graph, names = self.graph(), list[str]()

        def choose(name: str) -> Any:
            names.append(f"{prefix}{name}")
            return graph.input_bool(names[-1])

        outcome = side.outcome(graph, graph, self.args, choose)
        self._choices.update(names)
        return outcome, list(dict.fromkeys(names))

    def graph(self) -> Bits:
        """The algebra of bits that the question is asked over."""
        assert isinstance(self.backend.alg, Bits)
        return self.backend.alg

    def escaping(
        self,
        side: Side,
        found: tuple[Outcome, list[str]],
        other: Side,
        prefix: str,
        others: tuple[Outcome, list[str]] | None = None,
    ) -> Escape | GaveUp | None:
        """An outcome of the first side that the other does not have; None where there is none.

        `found` is the first side, with its choices free.
        """
        have, mine = found
        graph = self.graph()
        asked = [*self.given, have.within]
        there, theirs = others or self.free(other, prefix)
        meets = graph.all(there.within, same(graph, self.width, have, there))
        for _ in range(MOST_TRIED):
            if time.process_time() > self.deadline:
                GAVE_UP.append("the time is up")
                return GaveUp(GAVE_UP[-1])
            answer = self.backend.check(asked)
            if isinstance(answer, Unsat):
                return None
            if isinstance(answer, Undecided):
                return GaveUp(f"the solver gave up: {answer.reason}")
            choice = self._met(meets, theirs, answer.model)
            if isinstance(choice, Undecided):
                return GaveUp(f"the solver gave up: {choice.reason}")
            if choice is None:
                return self._witness(
                    side, mine, other, self._smaller(asked, mine, meets, theirs, answer.model)
                )
            tried = other.outcome(graph, graph, self.args, choice)
            asked.append(graph.neg(graph.all(tried.within, same(graph, self.width, have, tried))))
        return GaveUp(f"more than {MOST_TRIED} choices have to be tried")

    def _met(
        self, meets: Any, theirs: Sequence[str], model: Mapping[str, int | bool]
    ) -> Choose | Undecided | None:
        """A choice of the other side's that comes to the outcome of a model."""
        graph = self.graph()
        mine = [name for name in graph.inputs if name not in set(theirs)]
        fixed = [
            bit ^ 1 ^ (int(model.get(name, 0)) >> at & 1)
            for name in mine
            for at, bit in enumerate(graph.inputs[name])
        ]
        answer = self.backend.check([meets, *fixed])
        if isinstance(answer, Undecided):
            return answer
        if not isinstance(answer, Sat):
            return None
        chosen = {name.partition(": ")[2] for name in theirs if answer.model.get(name)}
        return lambda name: graph.truth(name in chosen)

    def _smaller(
        self,
        asked: Sequence[Any],
        mine: Sequence[str],
        meets: Any,
        theirs: Sequence[str],
        model: Mapping[str, int | bool],
    ) -> Mapping[str, int | bool]:
        """A model like this one with few events and small values, where that is cheap to find."""
        assert isinstance(self.backend.solver, BitsSolver)
        graph = self.graph()
        names = [n for n in (*mine, *self.widths) if n in graph.inputs]
        try:
            kept = minimise(self.backend.solver, asked, names)
        except SolverError:
            return model
        fixed = [
            bit ^ 1 ^ (int(value) >> at & 1)
            for name, value in kept.items()
            for at, bit in enumerate(graph.inputs[name])
        ]
        answer = self.backend.check([*asked, *fixed])
        if isinstance(answer, Sat) and self._met(meets, theirs, answer.model) is None:
            return answer.model
        return model

    def _witness(
        self, side: Side, mine: Sequence[str], other: Side, model: Mapping[str, int | bool]
    ) -> Escape:
        """The escape with plain integers, and whether they say so too."""
        choices = {name.partition(": ")[2]: True for name in mine if model.get(name)}
        args = {
            name: int(model.get(name, 0)) if width else bool(model.get(name, False))
            for name, width in self.widths.items()
        }
        alg, free = Integers(), Given(model)
        outcome = side.outcome(alg, free, args, lambda name: name in choices)
        replayed = bool(outcome.within) and not any(
            two.within and same(alg, self.width, outcome, two)
            for two in all_outcomes(other, free, args)
        )
        values = {name: value for name, value in model.items() if name not in self._choices}
        return Escape(values, choices, outcome, replayed)
