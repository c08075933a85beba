# SPDX-License-Identifier: GPL-2.0-or-later
"""Solvers: conditions in; sat with a model, unsat, or unknown with a reason out.

A solver is given conditions of one algebra, all of which have to hold together. A model gives every
named input a value; inputs that the conditions do not depend on are left out.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from verifier.base.errors import SolverError
from verifier.engine.bits import FALSE, TRUE, Bits
from verifier.engine.truth import rows

__all__ = [
    "PROOF_SAT", "Answer", "BitsSolver", "Sat", "Solver", "Unsat", "Undecided", "minimise", "refutation",
    "satisfied", "solver_versions", "z3_solver",
]

QUICK_SAT, STRONG_SAT, PROOF_SAT = "minisat22", "cadical153", "glucose4"  # python-sat's names
QUICK = 2000  # conflicts
SLICE = 5_000  # conflicts, after which a solver that has a clock looks at it
FEW = 8  # conditions: what assumes a whole invariant depends on much, and is not looked at for tables
LOADED = 8_000  # nodes that a SAT solver may have been told of before it starts afresh
NEVER = 1 << 62
ROOM = 4096


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
    packages = {"z3": "z3-solver", "python-sat": "python-sat", "bitwuzla": "bitwuzla", "cvc5": "cvc5"}
    for name, package in packages.items():
        try:
            found[name] = version(package)
        except PackageNotFoundError:
            continue
    return found


class Solver(Protocol):
    """Decides conditions of one algebra."""

    name: str

    def check(self, conditions: Iterable[Any]) -> Answer: ...


class _Sat:
    """One incremental SAT solver over a graph; a node gets a variable, and its clauses, when it is first needed.

    Where it has been told of much that the present questions do not need, it starts afresh, unless it is to keep all.
    """

    def __init__(self, graph: Bits, name: str, keep: bool = False) -> None:
        self.graph = graph
        self.name = name
        self._keep = keep
        self._start()

    def _start(self) -> None:
        from pysat.solvers import Solver as SatSolver

        self._sat = SatSolver(name=self.name)
        self._variable = array("i", [0]) * (len(self.graph.left) + ROOM)  # of a node; 0: it has none yet
        self._count = 0
        self._limit = 0

    def _load(self, literals: Iterable[int]) -> list[int]:
        """Tell the solver of everything that the literals depend on; the literals as it knows them."""
        if self._limit and self._count > self._limit:
            self.close()
            self._start()
        variable = self._variable
        if len(variable) < len(self.graph.left):
            variable.extend(array("i", [0]) * (len(self.graph.left) + ROOM - len(variable)))
        todo = []
        for literal in literals:
            node = literal >> 1
            if not variable[node]:
                self._count += 1
                variable[node] = self._count
                todo.append(node)
        if todo:
            self._sat.append_formula(self._clauses(todo))
        self._limit = self._limit or (NEVER if self._keep else max(LOADED, 4 * self._count))
        return [-variable[c >> 1] if c & 1 else variable[c >> 1] for c in literals]

    def _clauses(self, todo: list[int]) -> Iterator[list[int]]:
        """The clauses of nodes and of what they depend on. A choice has four, and its halves have no variables."""
        left, right, variable, mux_of = self.graph.left, self.graph.right, self._variable, self.graph.mux_of
        count = self._count
        while todo:
            node = todo.pop()
            a, b = left[node], right[node]
            if a <= 0:
                continue
            choice = mux_of(node) if a & b & 1 else None
            own = variable[node]
            known = []
            for literal in choice or (a, b):
                under = literal >> 1
                found = variable[under]
                if not found:
                    count += 1
                    found = variable[under] = count
                    todo.append(under)
                known.append(-found if literal & 1 else found)
            if choice is None:
                x, y = known
                yield from ([-own, x], [-own, y], [own, -x, -y])
            else:
                c, x, y = known
                yield from ([-c, -own, x], [-c, own, -x], [c, -own, y], [c, own, -y])
        self._count = count

    def solve(self, literals: Iterable[int], conflicts: int = 0, late: Callable[[], bool] | None = None) -> bool | None:
        """Do the literals hold together? None where that takes more conflicts than allowed (0: no bound), or it is late."""
        assumed = self._load(literals)
        found: bool | None = None
        try:
            if not conflicts:
                return bool(self._sat.solve(assumptions=assumed))
            while found is None and conflicts > 0 and not (late is not None and late()):
                now = min(conflicts, SLICE) if late is not None else conflicts
                self._sat.conf_budget(now)
                found = self._sat.solve_limited(assumptions=assumed)
                conflicts -= now
        except Exception as error:  # python-sat has a kind of its own
            if "keyboard interrupt" in str(error):  # it has heard one in our place
                raise KeyboardInterrupt from None
            raise SolverError(f"the SAT solver {self.name} failed: {error}") from error
        return found

    def core(self, literals: Sequence[int]) -> list[int] | None:
        """Some of the literals that cannot hold together; None where all can."""
        assumed = self._load(literals)
        if self._sat.solve(assumptions=assumed):
            return None
        used = set(self._sat.get_core() or ())
        return [literal for literal, known in zip(literals, assumed, strict=True) if known in used]

    def fix(self, literals: Iterable[int]) -> None:
        """Let the literals hold from here on. The solver does not start afresh any more."""
        self._sat.append_formula([[c] for c in self._load(literals)])
        self._limit = NEVER

    def knows(self, literal: int) -> bool:
        """Has the solver been told of the literal's node?"""
        node = literal >> 1
        return node < len(self._variable) and self._variable[node] > 0

    def values(self, names: Iterable[str]) -> dict[str, int | bool]:
        """The inputs' values in the model just found; a bit that the solver was never told of is 0."""
        graph, variable, model = self.graph, self._variable, [0, *(self._sat.get_model() or ())]
        model += [0] * (self._count + 1 - len(model))
        values: dict[str, int | bool] = {}
        for name in names:
            value = 0
            for bit, literal in enumerate(graph.inputs[name]):
                if literal >> 1 < len(variable) and model[variable[literal >> 1]] > 0:
                    value |= 1 << bit
            values[name] = bool(value) if name in graph.bools else value
        return values

    def close(self) -> None:
        self._sat.delete()


class BitsSolver:
    """Decides conditions of one and-inverter graph: by looking, by a truth table where they depend on few inputs, then by a
    quick SAT solver, then by a strong one.

    Both solvers are incremental and are asked with assumptions. The strong one is asked only what the quick one
    gives up on after `conflicts`: few questions, but they would take it thousands of times as long as the rest.

    keep   all questions are about the same steps, so that the solver has been told of little that the next one does not need
    limit  conflicts that the strong one (or the one of `sat`) may take before the question is given up; 0: no bound
    late   is the time over? Asked now and then by the quick one; then the question is given up, and the strong one not asked
    """

    def __init__(
        self, graph: Bits, sat: str | None = None, conflicts: int = QUICK, keep: bool = False, limit: int = 0,
        late: Callable[[], bool] | None = None,
    ) -> None:
        self.graph = graph
        self.name = "bits"
        self._quick = _Sat(graph, sat or QUICK_SAT, keep)
        self._strong: _Sat | None = None
        self._alone = sat is not None
        self._conflicts = limit if sat else conflicts
        self._tables = sat is None
        self._limit = limit
        self._late = late
        self.how = ""  # the costliest way that was taken since this was emptied

    def check(self, conditions: Iterable[int], names: Iterable[str] | None = None) -> Answer:
        """Do the conditions hold together? A model has the inputs called `names`, else all that they depend on."""
        literals = [c for c in dict.fromkeys(conditions) if c != TRUE]
        if FALSE in self.graph.conjuncts(literals):
            self.how = self.how or "folding"
            return Unsat()
        found = rows(self.graph, literals) if self._tables and len(literals) <= FEW else None
        if found is not None:
            self.how = self.how or "truth table"
            return self._from_table(*found, names)
        sat = self._quick
        if self.how != STRONG_SAT:
            self.how = sat.name
        holds = sat.solve(literals, self._conflicts, self._late)
        if holds is None and self._late is not None and self._late():
            return Undecided("the time is over")
        if holds is None and not self._alone:
            if self._strong is None:
                self._strong = _Sat(self.graph, STRONG_SAT)
            sat, self.how = self._strong, STRONG_SAT
            holds = sat.solve(literals, self._limit)
        if holds is None:
            return Undecided(f"more than {self._limit} conflicts")
        if not holds:
            return Unsat()
        return Sat(sat.values(sorted(self.graph.support(literals)) if names is None else names))

    def _from_table(self, inputs: Sequence[int], table: int, names: Iterable[str] | None) -> Answer:
        """The first row that holds, as a model."""
        if not table:
            return Unsat()
        graph, row = self.graph, (table & -table).bit_length() - 1
        values: dict[str, int] = {}
        for number, node in enumerate(inputs):
            name, bit = graph.input_of[node]
            values[name] = values.get(name, 0) | (row >> number & 1) << bit
        wanted = sorted(values) if names is None else names
        return Sat({name: bool(values.get(name)) if name in graph.bools else values.get(name, 0) for name in wanted})

    def core(self, conditions: Iterable[int], weight: Callable[[int], int]) -> list[int] | None:
        """Conditions of which none can be left out and that cannot hold together; the heavy ones are left out first.

        None where the conditions can hold together.
        """
        literals = [c for c in dict.fromkeys(conditions) if c != TRUE]
        if FALSE in literals:
            return [FALSE]
        found = self._quick.core(literals)
        for literal in sorted(found or (), key=weight, reverse=True):
            assert found is not None
            if literal in found:
                found = self._quick.core([c for c in found if c != literal]) or found
        return found

    def close(self) -> None:
        self._quick.close()
        if self._strong is not None:
            self._strong.close()


def minimise(solver: BitsSolver, conditions: Iterable[int], order: Sequence[str]) -> dict[str, int | bool]:
    """The least model of satisfiable conditions: the first input as small as it can be, then the second, and so on.

    There is one such model, so no solver's luck shows in it; it has the inputs of `order` only. Raises SolverError if
    the conditions cannot be satisfied.
    """
    sat = _Sat(solver.graph, QUICK_SAT)
    literals = [c for c in dict.fromkeys(conditions) if c != TRUE]
    try:
        if FALSE not in literals:
            sat.fix(literals)
        if FALSE in literals or not sat.solve(()):
            raise SolverError("nothing to minimise: the conditions do not hold together")
        model = sat.values(order)
        for name in order:
            bits = [bit for bit in solver.graph.inputs[name] if sat.knows(bit)]
            if model[name] and sat.solve([bit ^ 1 for bit in bits]):
                model = sat.values(order)
            if model[name]:
                model = _minimise_input(sat, name, model, order)
            else:
                sat.fix([bit ^ 1 for bit in bits])
    finally:
        sat.close()
    return model


def _minimise_input(
    sat: _Sat, name: str, model: dict[str, int | bool], order: Sequence[str]
) -> dict[str, int | bool]:
    """The model with the least value of one input, from the highest bit down; the input keeps it from here on."""
    for number, bit in reversed(list(enumerate(sat.graph.inputs[name]))):
        if sat.knows(bit):
            if int(model[name]) >> number & 1 and sat.solve([bit ^ 1]):
                model = sat.values(order)
            sat.fix([bit ^ (int(model[name]) >> number & 1 ^ 1)])
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
        solver = self.z3.SimpleSolver() if self.incremental else self.z3.SolverFor("QF_BV")
        if self.timeout is not None:
            solver.set("timeout", int(self.timeout * 1000))
        return solver

    def check(self, conditions: Iterable[Any]) -> Answer:
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
            if "interrupted from keyboard" in solver.reason_unknown():  # z3 has heard it in our place
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
    """z3 for conditions built over these Terms; `timeout` in seconds is z3's own, soft one."""
    return _Z3Solver(terms, incremental, timeout)


def refutation(clauses: Sequence[Sequence[int]]) -> list[str] | None:
    """The lines of a DRAT proof that the clauses cannot all hold, from a fresh solver; None where they can."""
    from pysat.solvers import Solver as SatSolver

    sat = SatSolver(name=PROOF_SAT, bootstrap_with=clauses, with_proof=True)
    try:
        if sat.solve():
            return None
        lines: list[str] = sat.get_proof() or []
    except RuntimeError as error:
        raise SolverError(f"the SAT solver {PROOF_SAT} failed: {error}") from error
    finally:
        sat.delete()
    return lines if lines and lines[-1] == "0" else [*lines, "0"]  # a conflict at the start is found before there is a proof


def satisfied(clauses: Sequence[Sequence[int]], literals: Iterable[int]) -> list[set[int] | None]:
    """For each literal: the variables that are true where the clauses and the literal hold; None where they cannot."""
    from pysat.solvers import Solver as SatSolver

    with SatSolver(name=QUICK_SAT, bootstrap_with=clauses) as sat:
        return [{v for v in sat.get_model() if v > 0} if sat.solve(assumptions=[x]) else None for x in literals]
