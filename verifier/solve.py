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

__all__ = ["Answer", "BitsSolver", "Sat", "Solver", "Unsat", "Undecided", "minimise", "solver_versions", "z3_solver"]

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


def solver_versions() -> dict[str, str]:
    """The solvers that are installed, with their versions."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name, package in (("z3", "z3-solver"), ("python-sat", "python-sat")):
        try:
            found[name] = version(package)
        except PackageNotFoundError:
            continue
    return found


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

    def check(self, conditions: Iterable[int], names: Iterable[str] | None = None) -> Answer:
        """Do the conditions hold together? A model has the inputs called `names`, else all that they depend on."""
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
        wanted = self.graph.support(literals) if names is None else names
        return Sat(self._values(wanted, self._sat.get_model() or []))

    def _values(self, names: Iterable[str], model: Sequence[int]) -> dict[str, int | bool]:
        """The inputs' values; a bit that the solver was never told of is 0."""
        graph, known = self.graph, len(model)
        values: dict[str, int | bool] = {}
        for name in names:
            value = 0
            for bit, literal in enumerate(graph.inputs[name]):
                variable = literal >> 1
                if variable <= known and model[variable - 1] > 0:
                    value |= 1 << bit
            values[name] = bool(value) if name in graph.bools else value
        return values

    def close(self) -> None:
        self._sat.delete()


def minimise(solver: BitsSolver, conditions: Iterable[int], order: Sequence[str]) -> dict[str, int | bool]:
    """A model of satisfiable conditions in which, one input after the other, each bit is 0 where it can be.

    The bits of an input are tried from the highest down. Deterministic. Raises SolverError if the conditions
    cannot be satisfied.
    """
    graph = solver.graph
    fixed = list(conditions)
    answer = solver.check(fixed, order)
    if not isinstance(answer, Sat):
        raise SolverError("nothing to minimise: the conditions do not hold together")
    model = answer.model
    for name in order:
        bits = list(reversed(graph.inputs[name]))
        if model[name]:
            trial = solver.check([*fixed, *(bit ^ 1 for bit in bits)], order)
            if isinstance(trial, Sat):
                model = trial.model
            else:
                model = _minimise_input(solver, fixed, name, bits, order, model)
                fixed += [bit ^ (not int(model[name]) >> i & 1) for i, bit in enumerate(graph.inputs[name])]
                continue
        fixed += [bit ^ 1 for bit in bits]
    return model


def _minimise_input(
    solver: BitsSolver, fixed: list[int], name: str, bits: Sequence[int], order: Sequence[str],
    model: dict[str, int | bool],
) -> dict[str, int | bool]:
    """The model with the least value of one input, bit for bit from the highest down."""
    mine = list(fixed)
    for number, bit in zip(range(len(bits) - 1, -1, -1), bits, strict=True):
        if int(model[name]) >> number & 1:
            trial = solver.check([*mine, bit ^ 1], order)
            if not isinstance(trial, Sat):
                mine.append(bit)
                continue
            model = trial.model
        mine.append(bit ^ 1)
    return model


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
