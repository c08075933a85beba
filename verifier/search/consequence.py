# SPDX-License-Identifier: GPL-2.0-or-later
"""What a bad state leads to: a store that another process sees, or content that is lost.

Steps on the way may fail themselves, since a failure often loses content only together with another
one. A loss that has nothing to do with the failure must not be shown. So the solver is asked for
the same steps from the state before the failing step, with inputs of their own. If a later step
breaks something more, it is also asked for the rest of the steps from any state that satisfies the
invariant. Where these can end so, or where the solver gives up, the steps are no consequence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from verifier.language.algebra import Integers
from verifier.language.machine import Key
from verifier.model.spec import ADVISORY, INVARIANT, LEMMA
from verifier.model.step import Instance, invariants
from verifier.model.typed import Model
from verifier.model.world import World
from verifier.prove.obligations import Group
from verifier.prove.recompute import input_reader, replay
from verifier.prove.results import Move
from verifier.search.endings import BadState, Found, again, along, sound_ends, without
from verifier.search.follow import steps_here
from verifier.search.near import Near, Tried, ready_steps
from verifier.search.ready_steps import ReadySteps
from verifier.search.sequences import Labels, steps_named

__all__ = ["NEAR", "Consequences", "Ending"]

NEAR = 5  # steps, at most, to a consequence


@dataclass(frozen=True, slots=True)
class Ending:
    """What a failure leads to.

    steps     the steps from the bad state; empty where none were found
    ends      the property that the last one violates
    searched  steps up to which all was searched in vain; 0: one was found, or nothing was searched
    rejected  the number of sequences that end so, but may without the failure as well
    """

    steps: tuple[Move, ...] = ()
    ends: str = ""
    searched: int = 0
    rejected: int = 0


class Consequences:
    """What bad states of one group lead to, each alone: it does not depend on what else is asked.
    """

    def __init__(self, model: Model, group: Group) -> None:
        self.model, self.group = model, group
        # labels of steps -> may they end so from some state that satisfies the invariant?
        self._known: dict[Labels, bool] = {}
        # What the search from a bad state found: properties that one step breaks often share it.
        self._found: dict[tuple[object, ...], Ending] = {}

    def of(self, move: Move, last: Sequence[Move] = (), known: Iterable[Labels] = (),
           depth: int = NEAR) -> Ending:
        """Steps from a failing move to a store that leaks or to lost content, and which it is.

        last   such steps from another state: tried first, as they are
        known  such steps from elsewhere: tried then, with other values
        """
        bad, tried = BadState.of(move), Tried()
        found = self.again(move, last)
        if found[0] and self._follows(bad, found[0], tried):
            return Ending(*found)
        for labels in known:
            if tried.enough():
                tried.rejected.clear()  # sequences known elsewhere do not count as searched
            way = along(self.model, self.group, bad, steps_named(self.model, labels))
            if way is not None and self._follows(bad, way[0], tried):
                return Ending(*way, rejected=len(tried.rejected))
        key = (*(tuple(part.items()) for part in (bad.state, bad.before, bad.open)),
               frozenset(tried.rejected), frozenset(tried.avoided), depth)
        if key not in self._found:
            self._found[key] = self._searched(bad, tried, depth)
        return self._found[key]

    def _searched(self, bad: BadState, tried: Tried, depth: int) -> Ending:
        """What a search finds, of at most `depth` steps; it takes no sequence that was tried."""
        searched, near = 0, Near(self.model, self.group, bad, self._ready) if depth else None
        while near is not None and searched < depth:
            for found in near.candidates(searched, tried):
                if self._follows(bad, found[0], tried):
                    return Ending(*found, rejected=len(tried.rejected))
            if tried.enough() or not near.decided:
                break
            searched += 1
        return Ending(searched=searched, rejected=len(tried.rejected))

    @cached_property
    def _ready(self) -> ReadySteps:
        """The steps that there are, built once for all bad states."""
        return ready_steps(self.model, self.group)

    def again(self, move: Move, steps: Sequence[Move]) -> Found:
        """These steps from where a failing move came to, if they end so, recomputed.

        Whether they follow from it is not asked.
        """
        return (again(self.model, self.group, BadState.of(move), steps) if steps else None) or (
            (),
            "",
        )

    def _follows(self, bad: BadState, steps: Sequence[Move], tried: Tried) -> bool:
        """Is the ending a consequence of the failure?

        It is not where the same steps, or a part of them alone, may end so without it. Then the
        step that does the damage is avoided, and the search goes on.
        """
        path = steps_here(self.model, steps)
        assert path is not None, "they have just been followed"
        labels = tuple(instance.label for instance in path)
        if labels in tried.rejected:
            return False
        moves = without(self.model, self.group, bad, path)
        if moves is not None:
            culprit = next((label for label, move in zip(labels, moves, strict=False)
                            if self._breaks(move)), "")
        else:
            culprit = next((labels[i] for i in range(len(path)) if self._breaks_more(steps[i])
                            and self._alone(path[i:])), "")
            if not culprit:
                return True
        tried.rejected.add(labels)
        if culprit:
            tried.avoided.add(culprit)
        return False

    def _breaks(self, move: Move) -> bool:
        """Does the move violate a property?"""
        violated, _, _ = replay(self.model, self.group, move)
        return any(self.model.spec.properties[name].kind != ADVISORY for name in violated)

    def _breaks_more(self, move: Move) -> bool:
        """Does the move violate what held before it?"""
        violated, _, after = replay(self.model, self.group, move)
        steps = {name for name in violated
                 if self.model.spec.properties[name].kind not in (INVARIANT, LEMMA, ADVISORY)}
        return (bool(steps - {*self.model.spec.ends})
                or bool(self._lost(after, move) - self._lost(move.before, move)))

    def _lost(self, state: Mapping[Key, int | bool], move: Move) -> set[tuple[str, int]]:
        """The invariants that do not hold in a state, and of whom."""
        reader = input_reader(dict(move.inputs))
        world = World(self.model, Integers(), dict(state), reader,
                      self.model.memory(Integers(), reader))
        return {(name, process)
                for name, process, holds in invariants(self.model, world, self.group.code)
                if not holds}

    def _alone(self, path: Sequence[Instance]) -> bool:
        """May the steps end so from a state that satisfies the invariant?"""
        labels = tuple(instance.label for instance in path)
        if labels not in self._known:
            self._known[labels] = sound_ends(self.model, self.group, path)
        return self._known[labels]
