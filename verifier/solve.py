# SPDX-License-Identifier: GPL-2.0-or-later
"""The only module that touches a solver: conditions in; sat with a model, unsat, or unknown with a reason out.

A solver is given conditions of one algebra, all of which have to hold together. A model gives every
named input a value; inputs that the conditions do not depend on are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from verifier.bits import FALSE, Bits
from verifier.errors import SolverError

__all__ = ["Answer", "BitsSolver", "Sat", "Solver", "Unsat", "Undecided", "minimise", "z3_solver"]

SAT_SOLVER = "cadical153"


@dataclass(frozen=True, slots=True)
class Sat:
    """The conditions hold together under these values of the inputs."""

    model: dict[str, int | bool]


@dataclass(frozen=True, slots=True)
class Unsat:
    """No values of the inputs satisfy the conditions."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """The solver gave up: timeout, memory, or its own words."""

    reason: str


Answer: TypeAlias = Sat | Unsat | Undecided


class Solver(Protocol):
    """Decides conditions of one algebra."""

    name: str

    def check(self, conditions: Iterable[Any]) -> Answer: ...


class BitsSolver:
    """One incremental SAT solver over an and-inverter graph; each question is a set of assumptions.

    A node's clauses are given to the solver once, when a question first depends on it.
    """

    def __init__(self, graph: Bits, sat: str = SAT_SOLVER) -> None:
        from pysat.solvers import Solver as SatSolver

        self.graph = graph
        self.name = "bits"
        self._sat = SatSolver(name=sat)
        self._loaded = bytearray(1024)

    def _load(self, literals: Iterable[int]) -> None:
        """Give the solver the clauses of everything that the literals depend on. Node n is variable n."""
        left, right, loaded = self.graph.left, self.graph.right, self._loaded
        if len(loaded) < len(left):
            loaded.extend(bytes(2 * len(left) - len(loaded)))
        todo = [literal >> 1 for literal in literals]
        clauses: list[list[int]] = []
        while todo:
            node = todo.pop()
            if loaded[node]:
                continue
            loaded[node] = 1
            a, b = left[node], right[node]
            if a <= 0:
                continue
            x = -(a >> 1) if a & 1 else a >> 1
            y = -(b >> 1) if b & 1 else b >> 1
            clauses.append([-node, x])
            clauses.append([-node, y])
            clauses.append([node, -x, -y])
            todo.append(a >> 1)
            todo.append(b >> 1)
        if clauses:
            self._sat.append_formula(clauses)

    def check(self, conditions: Iterable[int]) -> Answer:
        literals = sorted({c for c in conditions if c != 1})
        if literals and literals[0] == FALSE:
            return Unsat()
        self._load(literals)
        try:
            found = self._sat.solve(assumptions=[-(c >> 1) if c & 1 else c >> 1 for c in literals])
        except RuntimeError as error:
            raise SolverError(f"the SAT solver failed: {error}") from error
        if found is None:
            return Undecided("the SAT solver gave up")
        if not found:
            return Unsat()
        true = {v for v in self._sat.get_model() or () if v > 0}
        return Sat(self._values(literals, true))

    def _values(self, literals: Sequence[int], true: set[int]) -> dict[str, int | bool]:
        graph = self.graph
        model: dict[str, int | bool] = {}
        for node in graph.cone(literals):
            if graph.left[node] < 0:
                name, bit = graph.input_of[node]
                if name in graph.bools:
                    model[name] = node in true
                else:
                    model[name] = int(model.get(name, 0)) | (int(node in true) << bit)
        return model

    def close(self) -> None:
        self._sat.delete()


def minimise(solver: BitsSolver, conditions: Iterable[int], order: Iterable[int]) -> dict[str, int | bool]:
    """A model of satisfiable conditions in which, one after the other, each literal of `order` is false where it can be.

    Deterministic. Raises SolverError if the conditions cannot be satisfied.
    """
    fixed = list(conditions)
    answer = solver.check(fixed)
    if not isinstance(answer, Sat):
        raise SolverError("nothing to minimise: the conditions do not hold together")
    graph = solver.graph
    inside = set(graph.cone(fixed))
    wanted = [literal for literal in order if literal >> 1 in inside]
    values = graph.evaluate(wanted, answer.model)
    for number, literal in enumerate(wanted):
        if values[number]:
            trial = solver.check([*fixed, literal ^ 1])
            if not isinstance(trial, Sat):
                fixed.append(literal)
                continue
            answer = trial
            values = graph.evaluate(wanted, answer.model)
        fixed.append(literal ^ 1)
    return answer.model


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
        solver = self.z3.SolverFor("QF_BV") if not self.incremental else self.z3.SimpleSolver()
        if self.timeout is not None:
            solver.set("timeout", int(self.timeout * 1000))
        return solver

    def check(self, conditions: Iterable[Any]) -> Answer:
        solver = self._solver if self.incremental else self._make()
        try:
            solver.push()
            solver.add(*conditions)
            found = solver.check()
            if found == self.z3.unsat:
                return Unsat()
            if found == self.z3.unknown:
                return Undecided(solver.reason_unknown())
            return Sat(self._values(solver.model()))
        except self.z3.Z3Exception as error:
            raise SolverError(f"z3 failed: {error}") from error
        finally:
            solver.pop()

    def _values(self, model: Any) -> dict[str, int | bool]:
        values: dict[str, int | bool] = {}
        for declaration in model.decls():
            name = declaration.name()
            value = model[declaration]
            values[name] = self.z3.is_true(value) if name in self.terms.bools else value.as_long()
        return values


def z3_solver(terms: Any, incremental: bool = True, timeout: float | None = None) -> Solver:
    """z3 for conditions built over these Terms; `timeout` in seconds is z3's own, soft one."""
    return _Z3Solver(terms, incremental, timeout)
