# SPDX-License-Identifier: GPL-2.0-or-later
"""How a failure is reached through another one, where no trace of good steps reaches it.

Induction does not prove some obligations, and no trace refutes them. Such a failure is often
reached once a step has broken another property. The same trace refutes the first step that does. It
does not refute what comes after, which may hold when the first is mended; but it says what to mend
first.
"""

from __future__ import annotations

from collections.abc import Iterable

from verifier.model.spec import ADVISORY
from verifier.model.typed import Model
from verifier.prove.obligations import Group
from verifier.prove.recompute import replay
from verifier.prove.results import Move
from verifier.search.rules import Rules, Target
from verifier.search.sequences import THROUGH

__all__ = ["first_broken", "through"]


def through(failed: Iterable[Target]) -> Rules:
    """The rules of a trace whose earlier steps may break any property; `failed` are the targets.

    The last step breaks a property that holds before it.
    """
    return Rules(frozenset(failed), good=False, mark=THROUGH, words=", after a failure")


def first_broken(model: Model, group: Group, trace: tuple[Move, ...]) -> Target | None:
    """The first step of a trace that breaks a property before the last does, and which."""
    for move in trace[:-1]:
        violated, _, _ = replay(model, group, move)
        serious = sorted(v for v in violated if model.spec.properties[v].kind != ADVISORY)
        if serious:
            return move.transition, serious[0]
    return None
