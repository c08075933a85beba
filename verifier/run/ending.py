# SPDX-License-Identifier: GPL-2.0-or-later
"""What a failure leads to: a store that another process sees, or lost content."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from verifier.base.errors import USERS, internal
from verifier.model.spec import ADVISORY, EFFECT, END, NONE, STATIC
from verifier.model.step import asked
from verifier.prove.obligations import obligation_id
from verifier.prove.results import Counterexample, Move, Refuted
from verifier.run.deciding import new_prover
from verifier.run.group_work import GroupWork
from verifier.run.hinting import known_steps
from verifier.search.consequence import Consequences
from verifier.search.rules import Target
from verifier.search.sequences import LEADS_TO

__all__ = ["with_consequence"]


def _leads_somewhere(state: GroupWork, target: Target) -> bool:
    """May the failure lead to a store that another process sees, or to lost content?

    No, where the search on another variant found nothing near.
    """
    last = state.work.hints.consequences.get(
        (state.group.level, state.group.encoding, state.group.code, target)
    )
    searched = state.model.spec.properties[target[1]].consequence not in (END, NONE)
    return searched and (last != () or bool(state.cache.hint(_leads_to(target))))


def with_consequence(
    state: GroupWork, target: Target, counterexample: Counterexample
) -> Counterexample:
    """What it leads to: a store that another process sees, or content that is lost."""
    if not state.work.task.thorough:
        return replace(counterexample, thorough=False)
    if not _leads_somewhere(state, target):
        return counterexample
    group = state.group
    last = state.work.hints.consequences.get((group.level, group.encoding, group.code, target))
    known = known_steps(state, state.work.hints.endings.get((group.encoding, group.code), ()),
                        group, LEADS_TO)
    try:
        end = state.consequences.of(counterexample.move, state.cache.hint(_leads_to(target)) or last
                                    or (), known)
        unproved = _unproved(state, end.steps)
    except USERS:
        raise
    except Exception as error:  # the failure stays refuted without a consequence
        state.wrong[target] = internal(error)
        state.consequences = Consequences(state.model, group)
        return counterexample
    state.work.hints.keep_consequence(state.model, group, target, end.steps)
    if end.steps:
        state.cache.keep_hint(_leads_to(target), end.steps)
    return replace(counterexample, leads_to=end.steps, consequence=end.ends, searched=end.searched,
                   rejected=end.rejected, unproved=unproved)


def _unproved(state: GroupWork, steps: Iterable[Move]) -> tuple[str, ...]:
    """Of the steps that a failure leads to: obligations of their own that are not proved.

    Those that are not asked for are decided.
    """
    names = list(dict.fromkeys(move.transition for move in steps))
    for name in names:
        if name not in state.unproved:
            state.unproved[name] = _failing(state, name)
    return tuple(found for name in names for found in state.unproved[name])


def _failing(state: GroupWork, name: str) -> tuple[str, ...]:
    """The obligations of a step that induction does not prove, advice left out."""
    props = [p for p in asked(state.model, name, state.group.code)
             if p.kind not in (ADVISORY, EFFECT, STATIC)]
    task = state.work.task
    failing = {prop for transition, prop in state.failed | state.refuted if transition == name}
    left = {p.name for p in props if p.name not in failing
            and state.cache.proved(name, p.name) is False
            and (not task.filters.wants(name, p.name)
                 or obligation_id(state.group, name, p.name) in task.skip)}
    if left:
        prover = new_prover(state)
        questions = prover.builder.questions(lambda transition, prop: transition == name
                                             and prop in left)
        failing |= {q.property.name for q in questions if isinstance(prover.decide(q), Refuted)}
    return tuple(obligation_id(state.group, name, p.name) for p in props if p.name in failing)


def _leads_to(target: Target) -> str:
    """Under what the steps are kept that a failure leads to."""
    return f"{LEADS_TO}/{'/'.join(target)}"
