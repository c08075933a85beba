# SPDX-License-Identifier: GPL-2.0-or-later
"""How deep a trace is searched: less for advice, and where another variant had none."""

from __future__ import annotations

from verifier.run.group_work import GroupWork
from verifier.search.rules import Target
from verifier.search.trace import NODES

__all__ = ["allowed", "depth_for", "in_vain", "searched"]

ADVICE, ELSEWHERE = 6, 3  # steps


def depth_for(state: GroupWork, target: tuple[str, str]) -> int:
    """How deep to search.

    Less for advice that nobody asked for, and where another variant was searched in vain. Not at
    all without seconds: that is a bound like a depth, and no clock.
    """
    if not state.work.task.search_seconds:
        return 0
    known, depth = searched(state, target), state.work.task.depth
    if known[1:] in state.work.hints.in_vain:
        depth = min(depth, ELSEWHERE)
    if (state.model.spec.properties[target[1]].kind == "advisory"
            and state.work.task.filters.whole()):
        return 0 if known in state.work.hints.in_vain else min(depth, ADVICE)
    return depth


def allowed(state: GroupWork, target: Target) -> tuple[int, int]:
    """What a search for a trace may take: steps of the trace, and nodes of the unrolling."""
    return depth_for(state, target), int(NODES * state.work.task.search_seconds)


def in_vain(state: GroupWork, target: Target) -> None:
    """Remember that no trace was found."""
    known = searched(state, target)
    state.work.hints.in_vain |= {known, known[1:]}


def searched(state: GroupWork, target: Target) -> tuple[str, str, str, str, Target]:
    """What a search in vain is remembered by."""
    group = state.group
    return state.model.layout.arch.name, group.level, group.encoding, group.code, target
