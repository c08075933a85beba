# SPDX-License-Identifier: GPL-2.0-or-later
"""Sequences of steps followed with plain integers: no trace is believed otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from verifier.language.algebra import Integers
from verifier.language.evaluate import call
from verifier.language.machine import Key
from verifier.model.step import Instance, instances, invariants
from verifier.model.typed import Model
from verifier.model.world import World
from verifier.prove.obligations import Group
from verifier.prove.recompute import input_reader, instance_of, replay, step_move
from verifier.prove.results import Move

__all__ = ["Plan", "belongs", "broken", "follow", "is_fresh", "labels", "lost", "retrace",
           "steps_here"]

Plan = tuple[tuple[Instance, Mapping[str, int | bool]], ...]


def follow(
    model: Model, group: Group, plan: Plan, start: Mapping[Key, int | bool], prop: str,
    through: bool = False,
) -> tuple[Move, ...] | None:
    """A trace recomputed with plain integers, or None if it is none.

    Every step has to be allowed, with lifted helpers settled in it. All but the last have to keep
    every property, and the last has to violate `prop`.

    through   steps before the last may break properties; `prop` has to hold before the last one
    """
    state = dict(start)
    moves: list[Move] = []
    for number, (instance, inputs) in enumerate(plan, 1):
        move = step_move(model, group, instance, state, dict(inputs))
        violated, allowed, after = replay(model, group, move)
        serious = (set() if through
                   else {v for v in violated if model.spec.properties[v].kind != "advisory"})
        if (not allowed or (number < len(plan) and serious)
                or (number == len(plan) and prop not in violated)):
            return None
        if through and number == len(plan) and prop in lost(model, group, state, inputs):
            return None
        moves.append(move)
        state = after
    return tuple(moves)


def _world(model: Model, state: Mapping[Key, int | bool],
           inputs: Mapping[str, int | bool]) -> World[int, bool]:
    alg, reader = Integers(), input_reader(dict(inputs))
    return World(model, alg, dict(state), reader, model.memory(alg, reader))


def lost(model: Model, group: Group, state: Mapping[Key, int | bool],
         inputs: Mapping[str, int | bool]) -> set[str]:
    """The invariants that do not hold in a state; `inputs` say what lifted helpers leave open."""
    world = _world(model, state, inputs)
    return {name for name, _, holds in invariants(model, world, group.code) if not holds}


def belongs(model: Model, instance: Instance) -> bool:
    """Is it a step of this model? Another variant may have what this one lacks."""
    return any(instance == own for actor in (0, 1) for own in instances(model, actor))


def steps_here(model: Model, trace: Sequence[Move]) -> list[Instance] | None:
    """What the steps of a trace are in this model; None where one of them is none of its own."""
    try:
        instances = [instance_of(model, move) for move in trace]
    except KeyError:
        return None
    return instances if all(belongs(model, instance) for instance in instances) else None


def labels(model: Model, trace: Sequence[Move]) -> tuple[str, ...]:
    """What the steps of a trace of this model are called."""
    return tuple(instance_of(model, move).label for move in trace)


def is_fresh(model: Model, state: Mapping[Key, int | bool],
             inputs: Mapping[str, int | bool] = MappingProxyType({})) -> bool:
    """Is it an initial state of this model? Other variants may have other empty entries."""
    world = _world(model, state, inputs)
    return all(call(world, function, ()) for _, function in model.init())


def broken(
    model: Model, group: Group, plan: Plan, start: Mapping[Key, int | bool]
) -> set[tuple[str, str]]:
    """The properties that the steps of a plan break, all but the last step's and advisory ones."""
    state = dict(start)
    found: set[tuple[str, str]] = set()
    for instance, inputs in plan[:-1]:
        move = step_move(model, group, instance, state, dict(inputs))
        violated, _, after = replay(model, group, move)
        found |= {
            (instance.name, v) for v in violated if model.spec.properties[v].kind != "advisory"
        }
        state = after
    return found


def retrace(
    model: Model, group: Group, trace: tuple[Move, ...], prop: str, through: bool = False,
) -> tuple[Move, ...] | None:
    """The same choices as in a trace, followed anew in this group; None if they lead elsewhere."""
    instances = steps_here(model, trace)
    if instances is None or not is_fresh(model, trace[0].before, trace[0].inputs):
        return None
    plan = tuple((instance, move.inputs) for instance, move in zip(instances, trace, strict=True))
    return follow(model, group, plan, trace[0].before, prop, through)
