# SPDX-License-Identifier: GPL-2.0-or-later
"""An algebra together with the solver that decides its conditions: bits with a SAT solver, or terms
with z3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from verifier.base.errors import SolverError, UsageError
from verifier.engine.answers import Answer, Sat, Solver, Undecided, Unsat
from verifier.engine.bits import Bits
from verifier.engine.bits_solver import BitsSolver
from verifier.engine.least_model import minimise
from verifier.engine.terms import z3_solver
from verifier.kernel.conform.inputs import Free
from verifier.language.algebra import Algebra

__all__ = ["GAVE_UP", "Backend", "make_backend"]

# why questions of this process were given up; what is found without them depends on the machine
GAVE_UP: list[str] = []


FEW_INPUTS = 64  # that a witness has as small as can be
FEW_QUESTIONS = 200  # that a solver is asked for it, where it has to be asked


@dataclass(frozen=True, slots=True)
class Backend:
    """Formulas and answers of one kind. Not shared between helpers, so that names do not clash."""

    alg: Algebra[Any, Any]
    free: Free
    solver: Solver[Any]
    again: Callable[[], Backend]  # another of the same kind, that shares nothing with it

    def check(self, conditions: Iterable[Any]) -> Answer:
        """Can the conditions hold together?"""
        answer = self.solver.check(conditions)
        if isinstance(answer, Undecided):
            GAVE_UP.append(answer.reason)
        return answer

    def possible(self, condition: Any) -> bool:
        """May the condition hold? True where that is not known."""
        return not isinstance(self.check([condition]), Unsat)

    def small(
        self, conditions: Sequence[Any], first: Sequence[str], model: Mapping[str, int | bool]
    ) -> Mapping[str, int | bool]:
        """A model of the conditions with the least values.

        The inputs named first are least, then the others, where that is cheap.
        """
        alg: Any = self.alg
        order = [n for n in dict.fromkeys((*first, *sorted(model))) if n in alg.inputs][:FEW_INPUTS]
        try:
            if not isinstance(self.solver, BitsSolver):
                return _least(self, alg, list(conditions), order, model)
            kept = minimise(self.solver, conditions, order)
        except SolverError:
            return model
        fixed = [self._equals(name, value) for name, value in kept.items()]
        answer = self.solver.check([*conditions, *fixed])
        return getattr(answer, "model", model)

    def _equals(self, name: str, value: int | bool) -> Any:
        alg = self.alg
        assert isinstance(alg, Bits)
        if name in alg.bools:
            truth = alg.input_bool(name)
            return truth if value else alg.neg(truth)
        width = len(alg.inputs[name])
        return alg.eq(alg.input_word(name, width), alg.word(int(value), width), width)


def _least(
    asked: Backend,
    alg: Any,
    conditions: list[Any],
    order: Sequence[str],
    model: Mapping[str, int | bool],
) -> Mapping[str, int | bool]:
    """`small` with questions alone.

    May an input be 0? Else, from the highest bit down: may it be less than with that bit?
    """
    left = FEW_QUESTIONS
    for name in order:
        truth = name in alg.bools
        width = 1 if truth else alg.inputs[name].size()

        def less(bound: int, name: str = name, truth: bool = truth, width: int = width) -> Any:
            term = alg.inputs[name]
            return alg.neg(term) if truth else alg.ult(term, alg.word(bound, width), width)

        for bit in (None, *reversed(range(width))):
            value = int(model.get(name, 0))
            if left and value and (bit is None or value >> bit & 1):
                answer = asked.check([*conditions, less(1 if bit is None else value >> bit << bit)])
                model = answer.model if isinstance(answer, Sat) else model
                left = 0 if isinstance(answer, Undecided) else left - 1
        if int(model.get(name, 0)) + 1 < 1 << width:
            conditions.append(less(int(model.get(name, 0)) + 1))
    return model


def make_backend(name: str, timeout: float | None) -> Backend:
    """`bits` or `z3`; the time-out, in seconds for each question, is z3's."""
    if name == "bits":
        graph = Bits()
        return Backend(graph, graph, BitsSolver(graph), lambda: make_backend(name, timeout))
    if name == "z3":
        from verifier.engine.terms import Terms

        terms = Terms()
        return Backend(
            terms,
            terms,
            z3_solver(terms, incremental=False, timeout=timeout),
            lambda: make_backend(name, timeout),
        )
    raise UsageError(f"no solver {name!r}; there are bits and z3")
