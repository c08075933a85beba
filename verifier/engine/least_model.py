# SPDX-License-Identifier: GPL-2.0-or-later
"""The least model of conditions: there is one, so it does not depend on the solver's luck."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from verifier.base.errors import SolverError
from verifier.engine.bits import FALSE, TRUE
from verifier.engine.bits_solver import BitsSolver
from verifier.engine.sat import QUICK_SAT, GraphSat

__all__ = ["minimise"]


def minimise(solver: BitsSolver, conditions: Iterable[int],
             order: Sequence[str]) -> dict[str, int | bool]:
    """The least model: the first input as small as it can be, then the second, and so on.

    There is only one such model. It has the inputs of `order` only. Raises SolverError if the
    conditions cannot be satisfied.
    """
    # A solver of its own, as fix() narrows it for good, and a quick one: most of its questions are
    # decided by what is fixed already.
    sat = GraphSat(solver.graph, QUICK_SAT)
    literals = [c for c in dict.fromkeys(conditions) if c != TRUE]
    try:
        if FALSE not in literals:
            sat.fix(literals)
        if FALSE in literals or not sat.solve(()):
            raise SolverError("nothing to minimise: the conditions contradict each other")
        model = sat.model()
        settled: list[int] = []  # what is not fixed yet
        for name in order:
            bits = [bit for bit in solver.graph.inputs[name] if sat.knows(bit)]
            if sat.values([name], model)[name]:
                # Fixed before the next input is asked about: that is what makes the order matter,
                # and the model the only one.
                sat.fix(settled)
                settled = []
                # Most inputs can be 0: one question for the whole word, before any for single bits.
                if sat.solve([bit ^ 1 for bit in bits]):
                    model = sat.model()
                else:
                    model = _minimise_input(sat, bits, model)
            settled += [bit ^ 1 ^ sat.value(bit, model) for bit in bits]
        return sat.values(order, model)
    finally:
        sat.close()


def _minimise_input(sat: GraphSat, bits: Sequence[int], model: list[int]) -> list[int]:
    """The model with the least value of one input, from the highest bit down."""
    fixed: list[int] = []
    for bit in reversed(bits):
        # A bit that is 0 in some model stays 0. Only one that is 1 has to be asked about.
        if sat.value(bit, model) and sat.solve([*fixed, bit ^ 1]):
            model = sat.model()
        fixed.append(bit ^ 1 ^ sat.value(bit, model))
    return model
