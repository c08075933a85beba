# SPDX-License-Identifier: GPL-2.0-or-later
"""An algebra together with the solver that decides its conditions: bits with a SAT solver, or terms with z3."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from verifier.algebra import Algebra
from verifier.bits import Bits
from verifier.errors import SolverError, UsageError
from verifier.kernel.inputs import Free
from verifier.solve import Answer, BitsSolver, Solver, Unsat, minimise, z3_solver

__all__ = ["Backend", "make_backend"]


@dataclass(frozen=True, slots=True)
class Backend:
    """Formulas and answers of one kind. Not shared between helpers, so that names do not clash."""

    alg: Algebra[Any, Any]
    free: Free
    solver: Solver
    again: Callable[[], Backend]  # another of the same kind, that shares nothing with it

    def check(self, conditions: Iterable[Any]) -> Answer:
        """Can the conditions hold together?"""
        return self.solver.check(conditions)

    def possible(self, condition: Any) -> bool:
        """May the condition hold? True where that is not known."""
        return not isinstance(self.check([condition]), Unsat)

    def small(self, conditions: Sequence[Any], names: Sequence[str], model: Mapping[str, int | bool]) -> Mapping[str, int | bool]:
        """A model in which the named inputs have few bits set, where that is cheap to find."""
        if not isinstance(self.solver, BitsSolver) or not isinstance(self.alg, Bits):
            return model
        try:
            kept = minimise(self.solver, conditions, [n for n in names if n in self.alg.inputs])
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


def make_backend(name: str, timeout: float | None) -> Backend:
    """`bits` or `z3`; the time-out, in seconds for each question, is z3's."""
    if name == "bits":
        graph = Bits()
        return Backend(graph, graph, BitsSolver(graph), lambda: make_backend(name, timeout))
    if name == "z3":
        from verifier.terms import Terms

        terms = Terms()
        return Backend(terms, terms, z3_solver(terms, incremental=False, timeout=timeout), lambda: make_backend(name, timeout))
    raise UsageError(f"no solver {name!r}; there are bits and z3")
