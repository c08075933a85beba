# SPDX-License-Identifier: GPL-2.0-or-later
"""Steps recomputed with plain integers, without the solver whose values they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias
from weakref import WeakKeyDictionary

from verifier.language.algebra import Integers
from verifier.language.evaluate import truth_of
from verifier.language.machine import HUGE, Key
from verifier.language.syntax import BOOL
from verifier.language.values import Fresh
from verifier.model.spec import Property
from verifier.model.step import Instance, Step, invariants, level_of, run
from verifier.model.typed import Model
from verifier.model.world import World, key_name, plain, state_keys
from verifier.prove.obligations import Group
from verifier.prove.results import Move, State
from verifier.prove.step_judge import StepJudge

__all__ = ["fails", "input_reader", "instance_of", "leads_to", "plain_state", "replay",
           "step_move", "violates"]


def input_reader(values: Mapping[str, int | bool]) -> Fresh:
    """The inputs of a model, for plain integers; one that the model does not name is 0."""
    return (lambda name, kind: bool(values.get(name, False)) if kind == BOOL
            else int(values.get(name, 0)))


def plain_state(model: Model, values: Mapping[str, int | bool]) -> dict[Key, int | bool]:
    """The state that values of inputs name, for plain integers; one that they do not name is 0."""
    inputs = input_reader(values)
    return plain({key: inputs(key_name(key), kind) for key, kind in state_keys(model)})


def fails(model: Model, properties: Iterable[Property], sentence: str,
          values: dict[str, int | bool]) -> bool:
    """Does a static sentence fail, with plain integers, for these parameters?"""
    reader = input_reader(values)
    for name, given, function in (s for prop in properties for s in model.sentences(prop)):
        if name == sentence:
            args = tuple(reader(f"{name}.{p.name}", p.type) for p in function.params)
            machine = model.machine(Integers(), reader)
            holds, applies = (truth_of(machine, function, args),
                              given is None or truth_of(machine, given, args))
            return bool(applies and not holds and not any(machine.memo.take().values()))
    return False


def step_move(
    model: Model, group: Group, instance: Instance, state: Mapping[Key, int | bool],
    inputs: dict[str, int | bool]
) -> Move:
    """A step with plain integers, as a Move."""
    reader = input_reader(inputs)
    step = run(model, Integers(), state, instance, group.code, reader,
               model.memory(Integers(), reader))
    return Move(instance.name, instance.event is not None, instance.roles, instance.tracks_new,
                inputs, dict(state),
                plain(step.after))


Replayed: TypeAlias = tuple[set[str], bool, dict[Key, int | bool]]
# What was computed of moves; each model has its own.
_REPLAYED: WeakKeyDictionary[Model, dict[object, Replayed]] = WeakKeyDictionary()


def replay(model: Model, group: Group, move: Move) -> Replayed:
    """A move recomputed with plain integers: its violations, if it is allowed, the state after.

    It is not allowed where an assumption fails, or where a helper's behaviour is not settled.
    """
    key = (group, move.transition, move.roles, move.tracks_new, tuple(move.inputs.items()),
           tuple(move.before.values()))
    known = _REPLAYED.setdefault(model, {})
    if key not in known:
        known[key] = _replay(model, group, move)
    return known[key]


def _replay(model: Model, group: Group, move: Move) -> Replayed:
    step, judge = _recomputed(model, group, move)
    violated = {
        prop.name for prop in judge.properties() if any(way.bad for way in judge.ways(prop, step))
    }
    return violated, all(step.assumed) and _settled(judge), plain(step.after)


def _settled(judge: StepJudge[int, bool]) -> bool:
    """Are the answers of helpers settled, with plain integers?

    Else they say nothing of the step.
    """
    return not any(judge.memory.take().values())


def _recomputed(
    model: Model, group: Group, move: Move
) -> tuple[Step[int, bool], StepJudge[int, bool]]:
    """The step of a move with plain integers, and the judge of its violations and effects."""
    reader, alg = input_reader(move.inputs), Integers()
    judge = StepJudge(model, group, alg, reader, model.memory(alg, reader))
    instance = instance_of(model, move)
    return run(model, alg, dict(move.before), instance, group.code, reader, judge.memory), judge


def leads_to(model: Model, group: Group, move: Move, effect: str) -> bool:
    """Does the move, recomputed, satisfy its assumptions and the invariant, and show the effect?"""
    step, judge = _recomputed(model, group, move)
    shown = any(bool(condition) for name, condition in judge.effects(step) if name == effect)
    return shown and all(step.assumed) and _keeps(judge, move.before) and _settled(judge)


def _keeps(judge: StepJudge[int, bool], state: State) -> bool:
    """Does a state satisfy the whole invariant?"""
    world = World(judge.model, judge.alg, dict(state), judge.fresh, judge.memory)
    return all(holds for _, _, holds in invariants(judge.model, world, judge.group.code))


def violates(model: Model, group: Group, move: Move, prop: str) -> bool:
    """Does the move, recomputed, satisfy its assumptions and violate the property?"""
    violated, allowed, _ = replay(model, group, move)
    return allowed and prop in violated


def instance_of(model: Model, move: Move) -> Instance:
    """The instance that a move is one of."""
    if move.event:
        level = ("" if not model.mixed
                 else (model.level if move.before[HUGE, move.roles[0]] else model.base).name)
        return Instance(move.transition, None, move.transition.removeprefix("hw-"), move.roles,
                        level=level)
    transition = model.spec.transitions[move.transition]
    return Instance(move.transition, transition, None, move.roles, move.tracks_new,
                    level_of(model, transition))
