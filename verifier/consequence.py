# SPDX-License-Identifier: GPL-2.0-or-later
"""What a bad state leads to: a store that another process sees, or content that is lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from verifier.bits import FALSE, Bits
from verifier.errors import SolverError
from verifier.follow import steps_here
from verifier.machine import LIFTED, Key
from verifier.obligations import Group
from verifier.path import of_step, prefixed, settled
from verifier.prove import graph_inputs, replay, step_move
from verifier.results import Move
from verifier.scopes import Model
from verifier.sequences import Labels, steps_named
from verifier.solve import BitsSolver, Sat
from verifier.steps import Instance, Step, key_name, run, state_keys
from verifier.syntax import BOOL
from verifier.trace import Layer, Search

__all__ = ["NEAR", "Consequences"]

NEAR = 2  # steps, at most, to a consequence
ENDS = ("store-leak", "dropped-newer")
Found = tuple[tuple[Move, ...], str]  # the steps, and what the last one is


class Consequences(Search):
    """What bad states of one group lead to: the search starts anywhere, and one unrolling serves every state.

    Steps may break properties here: one of them has been broken already.
    """

    good = False

    def __init__(self, model: Model, group: Group) -> None:
        super().__init__(model, group, set())
        self._layer: Layer | None = None
        self._endings: list[list[tuple[Instance, int]]] = []  # of each layer: steps that may be a consequence, and when

    def of(
        self, move: Move, last: Sequence[Move] = (), known: Iterable[Labels] = (), depth: int = NEAR,
    ) -> Found:
        """Steps from where a move came to, to a store that leaks or content that is lost, and which; nothing where none is near.

        last    such steps from another state: tried first, as they are
        known   what such steps were elsewhere: tried then, with other values
        """
        bad = _Bad(move.after, {name: value for name, value in move.inputs.items() if name.startswith(LIFTED)})
        found = _again(self.model, self.group, bad, last) if last else None
        if found is not None:
            return found
        for labels in known:
            found = _along(self.model, self.group, bad, steps_named(self.model, labels))
            if found is not None:
                return found
        for number in range(depth):
            if number == len(self._endings):
                self._unroll()
            found = self._ending(bad, number)
            if found is not None:
                return found
        return (), ""

    def _unroll(self) -> None:
        """One step more; the first one from any state."""
        if self._layer is not None:
            self._advance(self._layer)
        else:
            self._restart()
            self.depth = 1  # the failure was the first step
            inputs = self._fresh(self.depth)
            self.state = self.anywhere = {key: inputs(key_name(key), kind) for key, kind in state_keys(self.model)}
        self._layer = layer = self._deepen()
        self._endings.append([
            (step.instance, self.graph.conj(enabled, bad))
            for step, enabled in zip(layer.steps, layer.enabled, strict=True) for bad in _ends(step)
        ])

    def _ending(self, bad: _Bad, number: int) -> Found | None:
        """Steps from the state of which the last, in this layer, is a consequence. Their values are asked for anew."""
        given = [*self._is(bad.state), *bad.as_open(self.graph), *self.given[:number]]
        if not isinstance(self.solver.check([*given, self.graph.any(*(ends for _, ends in self._endings[number]))], ()), Sat):
            return None
        for instance, ends in self._endings[number]:
            answer = self.solver.check([*given, ends], [f"{d}/choice" for d in range(2, number + 2)])
            if isinstance(answer, Sat):
                path = [s[int(answer.model.get(f"{d}/choice", 0))] for d, s in enumerate(self.choices[:number], 2)]
                found = _along(self.model, self.group, bad, [*path, instance])
                if found is None:
                    raise SolverError(f"{self.group}: {instance.label} after a failure cannot be followed")
                return found
        return None

    def _is(self, state: Mapping[Key, int | bool]) -> list[int]:
        """The conditions that the unrolling starts in this state."""
        found = []
        for key, kind in state_keys(self.model):
            bits = (self.anywhere[key],) if kind == BOOL else self.anywhere[key].bits
            found += [bit ^ (not int(state[key]) >> i & 1) for i, bit in enumerate(bits)]
        return found


@dataclass(frozen=True, slots=True)
class _Bad:
    """A bad state, and what lifted helpers left open on the way there: it stays as it was."""

    state: Mapping[Key, int | bool]
    open: Mapping[str, int | bool]

    def as_open(self, graph: Bits) -> list[int]:
        """The conditions that it is so; what no step on the way has asked for is 0, as it is there."""
        return [bit ^ (not int(self.open.get(name, 0)) >> i & 1)
                for name, bits in graph.inputs.items() if name.startswith(LIFTED) for i, bit in enumerate(bits)]


def _constant(model: Model, graph: Bits, state: Mapping[Key, int | bool]) -> dict[Key, Any]:
    return {key: graph.truth(bool(state[key])) if kind == BOOL else graph.word(int(state[key]), kind)
            for key, kind in state_keys(model)}


def _ends(step: Step) -> list[int]:
    """The conditions that the step is a consequence."""
    return [bad for prop in ENDS if (bad := step.violations.get(prop, FALSE)) != FALSE]


def _along(model: Model, group: Group, bad: _Bad, instances: Sequence[Instance] | None) -> Found | None:
    """These steps from this state, with values of their own; nothing if they do not lead there, or are none of this model."""
    if instances is None:
        return None
    graph = Bits()
    present, given, inputs = _constant(model, graph, bad.state), [], graph_inputs(graph)
    memo = model.memory(graph, inputs)
    for number, instance in enumerate(instances, 2):
        step = run(model, graph, present, instance, group.code, prefixed(inputs, number), memo)
        given += step.assumed
        present = step.after
    given += [settled(graph, memo), *bad.as_open(graph)]
    solver = BitsSolver(graph)
    for ends in _ends(step):
        answer = solver.check([*given, ends])
        if isinstance(answer, Sat):
            return _followed(model, group, bad, instances, answer.model)
    return None


def _followed(
    model: Model, group: Group, bad: _Bad, path: Sequence[Instance], values: Mapping[str, int | bool]
) -> Found:
    """The steps that a solver found, as plain integers give them. SolverError where these differ."""
    moves: list[Move] = []
    present = dict(bad.state)
    for number, instance in enumerate(path, 2):
        moves.append(step_move(model, group, instance, present, {**of_step(values, number), **bad.open}))
        present = dict(moves[-1].after)
    found = _again(model, group, bad, moves)
    if found is None:
        raise SolverError(f"{group}: {', '.join(move.transition for move in moves)} after a failure cannot be followed")
    return found


def _again(model: Model, group: Group, bad: _Bad, hint: Sequence[Move]) -> Found | None:
    """The steps of a hint from this state, if they still end in a store that leaks or in lost content."""
    instances = steps_here(model, hint)
    if instances is None:
        return None
    moves: list[Move] = []
    violated: set[str] = set()
    present = dict(bad.state)
    for instance, old in zip(instances, hint, strict=True):
        own = {name: value for name, value in old.inputs.items() if not name.startswith(LIFTED)}
        move = step_move(model, group, instance, present, {**own, **bad.open})
        violated, allowed, after = replay(model, group, move)
        if not allowed:
            return None
        moves.append(move)
        present = after
    return next(((tuple(moves), p) for p in ENDS if p in violated), None)
