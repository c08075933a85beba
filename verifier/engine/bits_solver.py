# SPDX-License-Identifier: GPL-2.0-or-later
"""Conditions of one and-inverter graph, decided in the cheapest way that decides them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from verifier.engine.answers import Answer, Sat, Undecided, Unsat
from verifier.engine.bits import FALSE, TRUE, Bits
from verifier.engine.sat import QUICK_SAT, STRONG_SAT, GraphSat
from verifier.engine.truth import rows

__all__ = ["BitsSolver"]

QUICK = 2000  # conflicts
FEW = 8  # conditions; questions with a whole invariant depend on too much for a table


class BitsSolver:
    """Decides conditions of one and-inverter graph, in the cheapest way that decides them.

    The ways are taking conjunctions apart, a truth table where the conditions depend on few inputs,
    a quick SAT solver, and a strong one. Both solvers are incremental and are asked with
    assumptions. The strong one gets only the questions that the quick one gives up on after
    `conflicts`: they are few, but would take the quick one thousands of times as long as the rest.

    keep   all questions are about the same steps: the solver does not start afresh to forget others
    limit  conflicts of the strong solver, or of `sat`, before a question is given up; 0: no bound
    late   is the time over? The quick solver asks it now and then. If it is, the question is given
           up, and the strong solver is not asked
    """

    def __init__(
        self, graph: Bits, sat: str | None = None, conflicts: int = QUICK, keep: bool = False,
        limit: int = 0,
        late: Callable[[], bool] | None = None,
    ) -> None:
        self.graph = graph
        self.name = "bits"
        self._quick = GraphSat(graph, sat or QUICK_SAT, keep)
        self._strong: GraphSat | None = None
        self._alone = sat is not None
        self._conflicts = limit if sat else conflicts
        self._tables = sat is None
        self._limit = limit
        self._late = late
        self.how = ""  # the costliest way that was taken since this was emptied

    def check(self, conditions: Iterable[int], names: Iterable[str] | None = None,
              hard: bool = True) -> Answer:
        """Do the conditions hold together?

        A model has the inputs called `names`, else all that the conditions depend on. Unless
        `hard`, the strong solver is not asked.
        """
        literals = [c for c in dict.fromkeys(conditions) if c != TRUE]
        if self.graph.nodes.contradict(literals):
            self.how = self.how or "folding"
            return Unsat()
        found = rows(self.graph.nodes, literals) if self._tables and len(literals) <= FEW else None
        if found is not None:
            self.how = self.how or "truth table"
            return self._from_table(*found, names)
        sat = self._quick
        if self.how != STRONG_SAT:
            self.how = sat.name
        holds = sat.solve(literals, self._conflicts, self._late)
        if holds is None and self._late is not None and self._late():
            return Undecided("the time is over")
        if holds is None and not self._alone and hard:
            if self._strong is None:
                self._strong = GraphSat(self.graph, STRONG_SAT)
            sat, self.how = self._strong, STRONG_SAT
            holds = sat.solve(literals, self._limit)
        if holds is None:
            return Undecided(f"more than {self._limit if hard else self._conflicts} conflicts")
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
        return Sat({name: bool(values.get(name)) if name in graph.bools else values.get(name, 0)
                    for name in wanted})

    def core(self, conditions: Iterable[int], weight: Callable[[int], int]) -> list[int] | None:
        """Conditions of which none can be left out and that contradict each other.

        The heavy ones are left out first. None where the conditions can hold together.
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
        """Free the SAT solvers; nothing may be asked after that."""
        self._quick.close()
        if self._strong is not None:
            self._strong.close()
