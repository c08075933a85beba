# SPDX-License-Identifier: GPL-2.0-or-later
"""An incremental SAT solver over an and-inverter graph, told of nodes when they are needed."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from verifier.base.errors import SolverError
from verifier.engine.bits import Bits

if TYPE_CHECKING:
    from pysat.solvers import Solver as SatSolver

__all__ = ["GraphSat", "PROOF_SAT", "QUICK_SAT", "STRONG_SAT", "sat_solver"]

QUICK_SAT = "minisat22"  # names of python-sat
STRONG_SAT = "cadical153"
PROOF_SAT = "glucose4"
SLICE = 5_000  # conflicts, after which a solver that has a clock looks at it
LOADED = 8_000  # nodes that a SAT solver may have been told of before it starts afresh
NEVER = 1 << 62
ROOM = 4096


def sat_solver(name: str, **options: object) -> SatSolver:
    """A fresh SAT solver of python-sat, by its name there, with options of that package."""
    from pysat.solvers import Solver

    return Solver(name=name, **options)


class GraphSat:
    """One incremental SAT solver over a graph.

    A node gets a variable and its clauses when it is first needed. When the solver has been told of
    much that present questions do not need, it starts afresh, unless `keep`.
    """

    def __init__(self, graph: Bits, name: str, keep: bool = False) -> None:
        self.graph = graph
        self._nodes = graph.nodes
        self.name = name
        self._keep = keep
        self._start()

    def _start(self) -> None:
        self._sat = sat_solver(self.name)
        self._variable = array("i", [0]) * (len(self._nodes) + ROOM)  # of a node; 0: none yet
        self._count = 0
        self._limit = 0

    def _load(self, literals: Iterable[int]) -> list[int]:
        """The literals as the solver knows them, after telling it of all that they depend on."""
        # What is loaded for old questions slows down each new one. The limit is set by the first
        # question, so that large ones do not start afresh each time.
        if self._limit and self._count > self._limit:
            self.close()
            self._start()
        variable = self._variable
        if len(variable) < len(self._nodes):
            variable.extend(array("i", [0]) * (len(self._nodes) + ROOM - len(variable)))
        todo = []
        for literal in literals:
            node = literal >> 1
            if not variable[node]:
                self._count += 1
                variable[node] = self._count
                todo.append(literal)
        if todo:
            clauses, self._count = self._nodes.clauses(todo, variable, self._count)
            self._sat.append_formula(clauses)
        self._limit = self._limit or (NEVER if self._keep else max(LOADED, 4 * self._count))
        return [-variable[c >> 1] if c & 1 else variable[c >> 1] for c in literals]

    def solve(self, literals: Iterable[int], conflicts: int = 0,
              late: Callable[[], bool] | None = None) -> bool | None:
        """Do the literals hold together?

        None where that takes more than `conflicts` (0 means no bound), or where it is `late`.
        """
        assumed = self._load(literals)
        found: bool | None = None
        try:
            if not conflicts:
                return bool(self._sat.solve(assumptions=assumed))
            # The bound is in conflicts, which are the same on every machine. The clock only ends
            # what has run away, between slices.
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
        """Some of the literals that contradict each other; None where all can hold."""
        assumed = self._load(literals)
        if self._sat.solve(assumptions=assumed):
            return None
        used = set(self._sat.get_core() or ())
        return [literal for literal, known in zip(literals, assumed, strict=True) if known in used]

    def fix(self, literals: Iterable[int]) -> None:
        """Let the literals hold from here on; the solver does not start afresh any more."""
        # A fresh solver would not know what was fixed, and answer another question.
        self._sat.append_formula([[c] for c in self._load(literals)])
        self._limit = NEVER

    def knows(self, literal: int) -> bool:
        """Has the solver been told of the literal's node?"""
        node = literal >> 1
        return node < len(self._variable) and self._variable[node] > 0

    def model(self) -> list[int]:
        """The model just found: for each variable a number that is above 0 where it holds."""
        model = [0, *(self._sat.get_model() or ())]
        # The solver's model ends with the last variable that a clause has.
        return model + [0] * (self._count + 1 - len(model))

    def value(self, literal: int, model: Sequence[int]) -> bool:
        """What an input's bit, of which the solver has been told, is in a model."""
        return model[self._variable[literal >> 1]] > 0

    def values(self, names: Iterable[str],
               found: Sequence[int] | None = None) -> dict[str, int | bool]:
        """The inputs' values in a model, else in the one just found; a bit that no clause has is 0.
        """
        graph, variable = self.graph, self._variable
        model = self.model() if found is None else found
        values: dict[str, int | bool] = {}
        for name in names:
            value = 0
            for bit, literal in enumerate(graph.inputs[name]):
                if literal >> 1 < len(variable) and model[variable[literal >> 1]] > 0:
                    value |= 1 << bit
            values[name] = bool(value) if name in graph.bools else value
        return values

    def close(self) -> None:
        """Free the SAT solver; nothing may be asked after that."""
        self._sat.delete()
