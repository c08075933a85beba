# SPDX-License-Identifier: GPL-2.0-or-later
"""z3 as a solver over its own terms."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from verifier.base.errors import SolverError
from verifier.engine.answers import Answer, Sat, Solver, Undecided, Unsat

__all__ = ["z3_solver"]


class _Z3Solver:
    """z3 over its own terms: one solver with push and pop, or a fresh one for each question."""

    def __init__(self, terms: Any, incremental: bool, timeout: float | None) -> None:
        import z3

        self.z3 = z3
        self.terms = terms
        self.incremental = incremental
        self.timeout = timeout
        self.name = "z3"
        self._solver = self._make()

    def _make(self) -> Any:
        solver = self.z3.SimpleSolver() if self.incremental else self.z3.SolverFor("QF_BV")
        if self.timeout is not None:
            solver.set("timeout", int(self.timeout * 1000))
        return solver

    def check(self, conditions: Iterable[Any]) -> Answer:
        """Do the conditions hold together? SolverError where z3 fails."""
        try:
            if not self.incremental:
                return self._ask(self._make(), conditions)
            self._solver.push()
            try:
                return self._ask(self._solver, conditions)
            finally:
                self._solver.pop()
        except self.z3.Z3Exception as error:
            raise SolverError(f"z3 failed: {error}") from error

    def _ask(self, solver: Any, conditions: Iterable[Any]) -> Answer:
        solver.add(*conditions)
        found = solver.check()
        if found == self.z3.unsat:
            return Unsat()
        if found == self.z3.unknown:
            # z3 caught the interrupt in our place
            if "interrupted from keyboard" in solver.reason_unknown():
                raise KeyboardInterrupt
            return Undecided(solver.reason_unknown())
        return Sat(self._values(solver.model()))

    def _values(self, model: Any) -> dict[str, int | bool]:
        values: dict[str, int | bool] = {}
        for declaration in model.decls():
            name = declaration.name()
            if name not in self.terms.inputs:
                continue
            value = model[declaration]
            values[name] = self.z3.is_true(value) if name in self.terms.bools else value.as_long()
        return values


def z3_solver(terms: Any, incremental: bool = True, timeout: float | None = None) -> Solver:
    """z3 for conditions built over these Terms.

    `timeout` is for one question, in seconds; z3 keeps to it only roughly.
    """
    return _Z3Solver(terms, incremental, timeout)
