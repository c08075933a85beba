# SPDX-License-Identifier: GPL-2.0-or-later
"""Failures of earlier runs, believed only when plain integers give all of them again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from verifier.model.typed import Model
from verifier.prove.obligations import Group
from verifier.prove.recompute import replay
from verifier.prove.results import Counterexample, Move, Refuted, Unknown, Vacuous, Verdict
from verifier.search.follow import retrace

__all__ = ["NOT_INDUCTIVE", "stands"]

NOT_INDUCTIVE = "not-inductive"
# where steps after a move end, recomputed
Ends = Callable[[Move, Sequence[Move]], tuple[tuple[Move, ...], str]]


def stands(model: Model, group: Group, prop: str, transition: str, verdict: Verdict,
           ends: Ends) -> bool:
    """Does the kept verdict on a step's property hold up, with its trace and what it leads to?

    Nothing is searched, and no solver is asked. VACUOUS, and that no shorter trace exists, are
    taken from the run before: they claim nothing of values.
    """
    if isinstance(verdict, Vacuous):
        return True
    found = verdict.counterexample if isinstance(verdict, (Refuted, Unknown)) else None
    if found is None or found.move.transition != transition:
        return False
    try:
        violated, allowed, after = replay(model, group, found.move)
        if not allowed or prop not in violated or after != found.move.after:
            return False
        if isinstance(verdict, Unknown):
            return (verdict.reason == NOT_INDUCTIVE
                    and (not found.trace or _again(model, group, prop, found, True)))
        ended = ends(found.move, found.leads_to)
        return (_again(model, group, prop, found, False)
                and ended == (found.leads_to, found.consequence))
    except Exception:  # a step, input or state that this model lacks: it is decided anew
        return False


def _again(model: Model, group: Group, prop: str, found: Counterexample, through: bool) -> bool:
    """Does the trace, followed anew, have the same states, and end in the move that is shown?"""
    again = retrace(model, group, found.trace, prop, through) if found.trace else None
    return again is not None and again == found.trace and again[-1] == found.move
