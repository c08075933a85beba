# SPDX-License-Identifier: GPL-2.0-or-later
"""A fixed sequence of steps from a bad state: does it end in a leaking store or in lost content?

Whatever a solver finds is recomputed with plain integers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from verifier.base.errors import SolverError
from verifier.engine.answers import Sat, Unsat
from verifier.engine.bits import FALSE, Bits, Word
from verifier.engine.bits_solver import BitsSolver
from verifier.language.machine import LIFTED, Key
from verifier.language.syntax import BOOL
from verifier.language.values import Value
from verifier.model.step import Instance, Step, invariants, run
from verifier.model.typed import Model
from verifier.model.world import World, key_name, state_keys
from verifier.prove.bits_way import graph_inputs
from verifier.prove.obligations import Group
from verifier.prove.recompute import replay, step_move
from verifier.prove.results import Move
from verifier.search.follow import steps_here
from verifier.search.path import of_step, prefixed, settled

__all__ = ["BadState", "Found", "again", "along", "constant", "ends", "sound_ends", "without"]

HARD = 200_000  # conflicts for the question whether the same steps end so without the failure

Found = tuple[tuple[Move, ...], str]  # the steps, and the property that the last one violates


@dataclass(frozen=True, slots=True)
class BadState:
    """A bad state, the state before the failing step, and what lifted helpers left open there.

    The latter keeps its values in later steps.
    """

    state: Mapping[Key, int | bool]
    before: Mapping[Key, int | bool]
    open: Mapping[str, int | bool]

    @staticmethod
    def of(move: Move) -> BadState:
        """The bad state that a failing move comes to."""
        return BadState(move.after, move.before,
                   {name: value for name, value in move.inputs.items() if name.startswith(LIFTED)})

    def as_open(self, graph: Bits) -> list[int]:
        """The conditions that lifted helpers behave as there; an input that it lacks is 0."""
        return [bit ^ (not int(self.open.get(name, 0)) >> i & 1)
                for name, bits in graph.inputs.items() if name.startswith(LIFTED)
                for i, bit in enumerate(bits)]


def constant(model: Model, graph: Bits, state: Mapping[Key, int | bool]) -> dict[Key, Value]:
    """A state of plain values, as constants of a graph."""
    return {key: graph.truth(bool(state[key])) if kind == BOOL
            else graph.word(int(state[key]), kind)
            for key, kind in state_keys(model)}


def ends(model: Model, step: Step[Word, int]) -> list[int]:
    """The conditions that the step leaks a store or loses content."""
    return [bad for prop in model.spec.ends if (bad := step.violations.get(prop, FALSE)) != FALSE]


def along(
    model: Model, group: Group, bad: BadState, path: Sequence[Instance] | None
) -> Found | None:
    """These steps from this state, with values of their own, and how they end.

    None if they do not end so, or are no steps of this model.
    """
    if path is None:
        return None
    values, _ = _values(model, group, bad, bad.state, path)
    if values is None:
        return None
    moves = _moves(model, group, bad, bad.state, path, values)
    found = again(model, group, bad, moves)
    if found is None:
        raise SolverError(f"{group}: {', '.join(move.transition for move in moves)} after a "
                          "failure cannot be followed")
    return found


def without(
    model: Model, group: Group, bad: BadState, path: Sequence[Instance]
) -> list[Move] | None:
    """The same steps from the state before the failure, if they may end so as well.

    None where the solver decides that they cannot. An empty list where it gives up.
    """
    values, decided = _values(model, group, bad, bad.before, path, HARD)
    if values is None:
        return None if decided else []
    return _moves(model, group, bad, bad.before, path, values)


def _values(
    model: Model,
    group: Group,
    bad: BadState,
    start: Mapping[Key, int | bool],
    path: Sequence[Instance],
    limit: int = 0,
) -> tuple[Mapping[str, int | bool] | None, bool]:
    """Values under which the steps end so from a state, or None; and whether that was decided."""
    graph = Bits()
    return _ending(model, group, graph, constant(model, graph, start), path, limit, bad)


def sound_ends(model: Model, group: Group, path: Sequence[Instance]) -> bool:
    """May the steps end so from some state that satisfies the invariant?

    The answer is yes as well where the solver gives up.
    """
    graph = Bits()
    inputs = graph_inputs(graph)
    start = {key: inputs(key_name(key), kind) for key, kind in state_keys(model)}
    values, decided = _ending(model, group, graph, start, path, HARD)
    return values is not None or not decided


def _ending(
    model: Model, group: Group, graph: Bits, start: dict[Key, Value], path: Sequence[Instance],
    limit: int, bad: BadState | None = None,
) -> tuple[Mapping[str, int | bool] | None, bool]:
    """Values under which the steps end so, if there are any, and whether that was decided.

    Without a bad state: from any state that satisfies the invariant.
    """
    inputs = graph_inputs(graph)
    memo = model.memory(graph, inputs)
    present, given = start, []
    if bad is None:
        given += [
            c for _, _, c in invariants(model, World(model, graph, start, inputs, memo), group.code)
        ]
    for number, instance in enumerate(path, 2):
        step = run(model, graph, present, instance, group.code, prefixed(inputs, number), memo)
        given += step.assumed
        present = step.after
    given += [settled(graph, memo), *(bad.as_open(graph) if bad else ())]
    solver, decided = BitsSolver(graph, limit=limit), True
    for end in ends(model, step):
        answer = solver.check([*given, end])
        if isinstance(answer, Sat):
            return answer.model, True
        decided &= isinstance(answer, Unsat)
    return None, decided


def _moves(
    model: Model,
    group: Group,
    bad: BadState,
    start: Mapping[Key, int | bool],
    path: Sequence[Instance],
    values: Mapping[str, int | bool],
) -> list[Move]:
    """The steps that a solver found, as plain integers give them."""
    moves: list[Move] = []
    present = dict(start)
    for number, instance in enumerate(path, 2):
        moves.append(
            step_move(model, group, instance, present, {**of_step(values, number), **bad.open})
        )
        present = dict(moves[-1].after)
    return moves


def again(model: Model, group: Group, bad: BadState, hint: Sequence[Move]) -> Found | None:
    """The steps of a hint, recomputed from this state, and how they end; None if they do not."""
    path = steps_here(model, hint)
    if path is None:
        return None
    moves: list[Move] = []
    violated: set[str] = set()
    present = dict(bad.state)
    for instance, old in zip(path, hint, strict=True):
        own = {name: value for name, value in old.inputs.items() if not name.startswith(LIFTED)}
        move = step_move(model, group, instance, present, {**own, **bad.open})
        violated, allowed, after = replay(model, group, move)
        if not allowed:
            return None
        moves.append(move)
        present = after
    return next(((tuple(moves), p) for p in model.spec.ends if p in violated), None)
