# SPDX-License-Identifier: GPL-2.0-or-later
"""Traces that need no search: those found elsewhere, and steps that led to a similar failure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain, islice, takewhile
from typing import TypeAlias

from verifier.base.errors import USERS, SpecError, internal
from verifier.model.step import instances
from verifier.prove.obligations import Group
from verifier.prove.results import Counterexample, Move, Refuted
from verifier.run.depths import searched
from verifier.run.group_work import GroupWork, target_of
from verifier.run.messages import At, Unreached
from verifier.search.path import Paths
from verifier.search.rules import Rules, Target
from verifier.search.sequences import KIN, Labels, akin
from verifier.search.trace import Search

__all__ = ["all_hinted", "along", "known_steps", "reached", "remember", "searcher"]


def all_hinted(
    state: GroupWork, rules: Rules, targets: list[Target],
) -> dict[Target, tuple[Move, ...]]:
    """Traces that need no search, by target; what their steps have in common is built once."""
    if not targets:
        return {}
    thorough = state.work.task.thorough
    found, paths = {}, Paths(state.model, state.group, thorough)
    for target in targets:
        search = searcher(state, rules.also({target}))
        search.paths = paths
        try:
            trace = _hinted(state, search, target)
        except USERS:
            raise
        except Exception as error:
            state.wrong[target] = internal(error)
            trace, paths = (), Paths(state.model, state.group, thorough)
        if trace:
            found[target] = trace
            reached(state, rules, target, trace)
        elif state.work.task.search_seconds and search.late():
            state.cut.add(target)
    return found


# how many steps a hint has, and what follows it to a target
_Way: TypeAlias = tuple[int, Callable[[Target], tuple[Move, ...] | None]]


def _hinted(state: GroupWork, search: Search, target: tuple[str, str]) -> tuple[Move, ...]:
    """A trace from elsewhere that leads there too: as it is, or its steps with other values."""
    name, group = search.rules.mark + "/".join(target), state.group
    known = [state.cache.hint(name),
             state.work.hints.traces.get((group.level, group.encoding, group.code, name), ())]
    steps = known_steps(state, state.work.hints.others.get((group.encoding, group.code, name), ()),
                        group, name)
    ways: list[_Way] = [
        (len(t), partial(search.retrace, t)) for t in known if t
    ]
    others: Iterator[_Way] = (
        (len(s), partial(search.along, s)) for s in chain(steps, _akin(state, search, target))
    )
    for length, way in chain(ways, others):
        try:
            again = way(target) if length <= state.work.task.depth else None
        except (KeyError, IndexError, TypeError, SpecError):  # no trace of this model
            continue
        if again is not None:
            remember(state, name, again)
            return again
    return ()


def known_steps(state: GroupWork, found: Iterable[Labels], group: Group, name: str) -> list[Labels]:
    """Steps that this run has found, and those of specs/ after them."""
    return list(dict.fromkeys(
        [*found, *state.work.library.sequences().get((group.encoding, group.code, name), ())]
    ))


def _akin(state: GroupWork, search: Search, target: Target) -> Iterator[Labels]:
    """Steps that led to a similar failure, while there is time.

    There are none where another variant was searched in vain, none where there are no seconds for a
    search, and none for traces after another failure, which are looked for where nothing else was
    found.
    """
    if (search.rules.mark or not state.work.task.search_seconds
            or searched(state, target)[1:] in state.work.hints.in_vain):
        return
    last = [i.label for i in instances(state.model) if i.name == target[0]]
    found = akin(state.work.library.sequences(), state.group.encoding, state.group.code, target,
                 last)
    yield from takewhile(lambda _: not search.late(), islice(found, KIN))


def searcher(state: GroupWork, rules: Rules) -> Search:
    """A search with the time limit of the task, which tells how deep it is."""
    search = Search(
        state.model, state.group, rules, state.work.task.search_seconds,
        lambda d: state.work.say(
            At(f"{state.group}: traces of {d} steps{rules.words}", state.group, stage="searching")
        ))
    search.paths = Paths(state.model, state.group, state.work.task.thorough)
    return search


def remember(state: GroupWork, name: str, trace: tuple[Move, ...]) -> None:
    """Keep a trace as a hint: for the other groups of this process, and for later runs."""
    state.work.hints.keep(state.model, state.group, name, trace)
    if state.work.task.thorough:  # later runs take its values as they are
        state.cache.keep_hint(name, trace)


def reached(state: GroupWork, rules: Rules, target: Target, trace: tuple[Move, ...]) -> None:
    """Tell that a failure is reached before anything else is searched for.

    If the search is cut short, this is kept.
    """
    if rules.mark:
        return  # after a step that breaks a property
    for result in state.open:
        if target_of(result) == target and isinstance(result.verdict, Refuted):
            verdict = Refuted(along(result.verdict.counterexample, trace))
            state.work.say(Unreached((replace(result, verdict=verdict),)))


def along(before: Counterexample, trace: tuple[Move, ...]) -> Counterexample:
    """A counterexample as it is reached from a fresh mapping; what it leads to is not said."""
    return Counterexample(trace[-1], before.process, trace, True, len(trace), replayed=True)
