# SPDX-License-Identifier: GPL-2.0-or-later
"""The step of specs/ that says what a function of mm/ does, run on the function's own inputs.

No hardware acts within the step, and what the step observes is what the function observes: the
first observation of a name is the first, and so on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from verifier.kernel.conform.decide import Setting
from verifier.kernel.mm.functions import Condition, MmFunction
from verifier.kernel.mm.lifted import observation
from verifier.language.evaluate import call, truth_of
from verifier.language.machine import Memory
from verifier.language.parse import Signature
from verifier.language.syntax import BOOL
from verifier.language.values import Value
from verifier.model import sections as may
from verifier.model.scope import TRACKS, ModelScope
from verifier.model.spec import Transition
from verifier.model.step import PROCESSES, Instance, Step, arguments, invariants, level_of, run
from verifier.model.typed import Model
from verifier.model.world import World, symbolic_state
from verifier.prove.obligations import Group
from verifier.prove.step_judge import StepJudge

__all__ = ["SpecSide", "process_names", "spec_side"]


@dataclass(frozen=True, slots=True)
class SpecSide:
    """What specs/ says of a function.

    given    name -> what is taken for given: requirements, axioms, invariants and premises
    entries  role -> its entry after the step; before it, where only a result is compared
    flags    visible state -> its truth after the step; what the encoding has not got is not here
    result   what the function returns, where the record says so. It then changes nothing
    effects  name of an effect that the step is there for -> where it shows
    step     the step itself, and who judges it
    """

    given: Mapping[str, Any]
    entries: Mapping[str, Any]
    flags: Mapping[str, Any]
    result: Any
    effects: Mapping[str, Any]
    step: Step[Any, Any]
    judge: StepJudge[Any, Any]


def process_names(transition: Transition) -> dict[str, str]:
    """The letter of the process that has each role of a step that is looked at alone."""
    return {role: PROCESSES[number] for number, role in enumerate(transition.roles)}


class _Inputs:
    """The inputs of a step, by the names that the lifted function has them under."""

    def __init__(self, function: MmFunction, model: Model, setting: Setting) -> None:
        self.function = function
        self.setting = setting
        self.events = frozenset(model.layout.variant.hardware)
        self._numbers: dict[str, tuple[str, int]] = {}
        self._counts: dict[str, int] = {}

    def __call__(self, name: str, kind: int) -> Value:
        free, truth = self.setting.free, self.setting.alg.truth
        observed, at, _ = name.partition("@")
        if at:
            if observed in self.events or observed == "load" or observed.endswith("-late"):
                return truth(False)
            if observed in self.function.always:
                return truth(True)
            if observed in self.function.never:
                return truth(False)
            return free.input_bool(self._numbered(observed, name))
        found: Value = free.input_bool(name) if kind == BOOL else free.input_word(name, kind)
        return found

    def _numbered(self, observed: str, name: str) -> str:
        if name not in self._numbers:
            self._counts[observed] = self._counts.get(observed, 0) + 1
            self._numbers[name] = observed, self._counts[observed]
        return observation(*self._numbers[name])


def spec_side(
    function: MmFunction, model: Model, group: Group, setting: Setting
) -> SpecSide:
    """The step under the group's encoding and code. SpecError where a text of the record is wrong.
    """
    alg, fresh = setting.alg, _Inputs(function, model, setting)
    transition = model.spec.transitions[function.transition]
    roles = tuple(range(len(transition.roles)))
    instance = Instance(transition.name, transition, None, roles, function.tracks_new,
                        level_of(model, transition))
    memory: Memory[Any, Any] = Memory()
    state = symbolic_state(model, fresh)
    step = run(model, alg, state, instance, group.code, fresh, memory)
    before = World(model, alg, state, fresh, memory)
    before.state[TRACKS] = int(instance.tracks_new)
    given = dict(step.named)
    for name, process, holds in invariants(model, before, group.code):
        given[f"{name} of {PROCESSES[process]}"] = holds
    args = arguments(model, instance, fresh)
    for name, feature in function.world.lacking.items():
        if feature in model.layout.variant.absent:
            given[f"no {feature}"] = alg.neg(setting.free.input_bool(name))
    for kind, conditions in (("premise", function.world.premises), ("where", function.where)):
        given |= _conditions(kind, conditions, model, transition, before, args)
    judge: StepJudge[Any, Any] = StepJudge(model, group, alg, fresh, memory)
    after = step.after if function.result is None else step.before
    return SpecSide(
        given,
        {role: after["entry", number] for number, role in enumerate(transition.roles)},
        {name: after[name] for name in function.compare if name in after},
        None if function.result is None else _result(function, model, transition, before, args),
        dict(judge.effects(step)) if function.result is None else {}, step, judge,
    )


def _conditions(
    kind: str, conditions: Sequence[Condition], model: Model, transition: Transition,
    world: World[Any, Any], args: tuple[Value, ...],
) -> dict[str, Any]:
    params, level = model.params(transition), model.level_of(transition)
    return {
        f"{kind} {one.name}": truth_of(
            world, model.sentence(one.holds, may.REQUIRES, params, level), args
        )
        for one in conditions
    }


def _result(
    function: MmFunction, model: Model, transition: Transition, world: World[Any, Any],
    args: tuple[Value, ...],
) -> Any:
    """What the record says of the result: code of the step's language, before the step."""
    assert function.result is not None
    scope = ModelScope(model, may.CODE, model.level_of(transition))
    signature = Signature(f"result of {function.name}", model.params(transition))
    return call(world, model.parse(signature, function.result, scope), args)
