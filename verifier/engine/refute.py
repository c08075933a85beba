# SPDX-License-Identifier: GPL-2.0-or-later
"""Sets of clauses, refuted with a proof or satisfied by a fresh SAT solver."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from verifier.base.errors import SolverError
from verifier.engine.sat import PROOF_SAT, QUICK_SAT, sat_solver

__all__ = ["refutation", "satisfied"]


def refutation(clauses: Sequence[Sequence[int]]) -> list[str] | None:
    """The lines of a DRAT proof that the clauses cannot all hold; None where they can."""
    sat = sat_solver(PROOF_SAT, bootstrap_with=clauses, with_proof=True)
    try:
        if sat.solve():
            return None
        lines: list[str] = sat.get_proof() or []
    except RuntimeError as error:
        raise SolverError(f"the SAT solver {PROOF_SAT} failed: {error}") from error
    finally:
        sat.delete()
    # A conflict that needs no decision leaves no line of proof; the empty clause ends it all the
    # same.
    return lines if lines and lines[-1] == "0" else [*lines, "0"]


def satisfied(clauses: Sequence[Sequence[int]], literals: Iterable[int]) -> list[set[int] | None]:
    """For each literal, the variables that are true in a model of the clauses and the literal.

    None where there is no model.
    """
    with sat_solver(QUICK_SAT, bootstrap_with=clauses) as sat:
        return [{v for v in sat.get_model() if v > 0} if sat.solve(assumptions=[x]) else None
                for x in literals]
