# SPDX-License-Identifier: GPL-2.0-or-later
"""What a bad state leads to: a store that another process sees, or content that is lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from verifier.bits import FALSE, TRUE, Bits
from verifier.errors import SolverError
from verifier.follow import steps_here
from verifier.machine import Key, Memory
from verifier.obligations import Group
from verifier.path import prefixed
from verifier.prove import graph_inputs, replay, step_move
from verifier.results import Move
from verifier.scopes import Model
from verifier.solve import BitsSolver, Sat
from verifier.steps import Instance, Step, run, state_keys
from verifier.syntax import BOOL
from verifier.trace import Search

__all__ = ["consequence"]

ENDS = ("store-leak", "dropped-newer")
Found = tuple[tuple[Move, ...], str]  # the steps, and what the last one is


def consequence(
    model: Model, group: Group, state: Mapping[Key, int | bool], hints: Iterable[tuple[Move, ...]] = (), depth: int = 2,
) -> Found:
    """Steps from a bad state to a store that leaks or content that is lost, and which; nothing where none is near.

    hints   such steps from other states: tried first, as they are and with other values
    """
    for hint in hints:
        found = _again(model, group, state, hint) or _along(model, group, state, hint)
        if found is not None:
            return found
    search = _After(model, group, state)
    for _ in range(depth):
        layer = search._deepen()
        for number, step in enumerate(layer.steps):
            for bad in _ends(step):
                answer = search.solver.check([*search.given, layer.enabled[number], bad], None)
                if isinstance(answer, Sat):
                    path = [steps[int(answer.model.get(f"{d}/choice", 0))] for d, steps in enumerate(search.choices, 2)]
                    return _followed(model, group, state, [*path, step.instance], answer.model)
        search._advance(layer)
    return (), ""


class _After(Search):
    """A search that starts in a known state, and lets steps break properties."""

    good = False

    def __init__(self, model: Model, group: Group, state: Mapping[Key, int | bool]) -> None:
        super().__init__(model, group, set())
        self._restart()
        self.given, self.depth = [TRUE], 1
        self.state = _constant(model, self.graph, state)


def _constant(model: Model, graph: Bits, state: Mapping[Key, int | bool]) -> dict[Key, Any]:
    return {key: graph.truth(bool(state[key])) if kind == BOOL else graph.word(int(state[key]), kind)
            for key, kind in state_keys(model)}


def _ends(step: Step) -> list[int]:
    """The conditions that the step is a consequence."""
    return [bad for prop in ENDS if (bad := step.violations.get(prop, FALSE)) != FALSE]


def _along(model: Model, group: Group, state: Mapping[Key, int | bool], hint: Sequence[Move]) -> Found | None:
    """The steps of a hint from this state, with values of their own."""
    instances = steps_here(model, hint)
    if instances is None:
        return None
    graph, memo = Bits(), Memory()
    present, given, inputs = _constant(model, graph, state), [], graph_inputs(graph)
    for number, instance in enumerate(instances, 2):
        step = run(model, graph, present, instance, group.code, prefixed(inputs, number), memo)
        given += step.assumed
        present = step.after
    solver = BitsSolver(graph)
    for bad in _ends(step):
        answer = solver.check([*given, bad])
        if isinstance(answer, Sat):
            return _followed(model, group, state, instances, answer.model)
    return None


def _followed(
    model: Model, group: Group, state: Mapping[Key, int | bool], path: Sequence[Instance], values: Mapping[str, int | bool]
) -> Found:
    """The steps that a solver found, as plain integers give them. SolverError where these differ."""
    moves: list[Move] = []
    present = dict(state)
    for number, instance in enumerate(path, 2):
        mark = f"{number}/"
        inputs = {n.removeprefix(mark): v for n, v in values.items() if n.startswith(mark) and n != f"{mark}choice"}
        moves.append(step_move(model, group, instance, present, inputs))
        present = dict(moves[-1].after)
    found = _again(model, group, state, moves)
    if found is None:
        raise SolverError(f"{group}: {', '.join(move.transition for move in moves)} after a failure cannot be followed")
    return found


def _again(model: Model, group: Group, state: Mapping[Key, int | bool], hint: Sequence[Move]) -> Found | None:
    """The steps of a hint from this state, if they still end in a store that leaks or in lost content."""
    instances = steps_here(model, hint)
    if instances is None:
        return None
    moves: list[Move] = []
    violated: set[str] = set()
    present = dict(state)
    for instance, old in zip(instances, hint, strict=True):
        move = step_move(model, group, instance, present, dict(old.inputs))
        violated, allowed, after = replay(model, group, move)
        if not allowed:
            return None
        moves.append(move)
        present = after
    return next(((tuple(moves), p) for p in ENDS if p in violated), None)
