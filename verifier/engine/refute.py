# SPDX-License-Identifier: GPL-2.0-or-later
"""Clauses refuted with a proof, or satisfied, by a fresh SAT solver."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from verifier.base.errors import SolverError
from verifier.engine.sat import PROOF_SAT, QUICK_SAT, sat_solver

__all__ = ["refutation", "satisfied"]


def refutation(clauses: Sequence[Sequence[int]]) -> list[str] | None:
    """The lines of a DRAT proof that the clauses cannot all hold, from a fresh solver.

    None where they can.
    """
    sat = sat_solver(PROOF_SAT, bootstrap_with=clauses, with_proof=True)
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
    """For each literal: the variables that are true where the clauses and the literal hold.

    None where they cannot.
    """
    with sat_solver(QUICK_SAT, bootstrap_with=clauses) as sat:
        return [{v for v in sat.get_model() if v > 0} if sat.solve(assumptions=[x]) else None for x in literals]
