# SPDX-License-Identifier: GPL-2.0-or-later
"""Steps and properties become questions.

The questions of a group share one symbolic state, in which the whole invariant is assumed; an
obligation is proved where no such state violates its property.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from typing import Generic

from verifier.language.algebra import Algebra, B, W
from verifier.language.evaluate import truth_of
from verifier.language.machine import Key, Memory
from verifier.language.values import Fresh, Value
from verifier.model.spec import EFFECT, STATIC, Property
from verifier.model.step import Instance, Step, asked, instances, invariants, run
from verifier.model.typed import Model
from verifier.model.world import World, symbolic_state
from verifier.prove.obligations import Aim, Group, Question, Way, obligation_id
from verifier.prove.step_judge import StepJudge

__all__ = ["Builder"]


def either(alg: Algebra[W, B], *found: Mapping[str, B]) -> dict[str, B]:
    """Reasons with their conditions.

    One that is given more than once holds where any of these does.
    """
    merged: dict[str, list[B]] = {}
    for one in found:
        for reason, condition in one.items():
            merged.setdefault(reason, []).append(condition)
    return {reason: alg.any(*conditions) for reason, conditions in merged.items()}


class Builder(Generic[W, B]):
    """Builds the questions of one group over an algebra."""

    def __init__(
        self, model: Model, group: Group, alg: Algebra[W, B], fresh: Fresh,
        memo: Memory[W, B] | None = None,
        dropped: frozenset[str] = frozenset(),
    ) -> None:
        self.model = model
        self.group = group
        self.alg = alg
        self.fresh = fresh
        self.memory = model.memory(alg, fresh) if memo is None else memo
        self.dropped = dropped
        self.judge = StepJudge(model, group, alg, fresh, self.memory)
        self._kept: (
            tuple[str, tuple[list[tuple[Step[W, B], tuple[B, ...]]], dict[str, B]]] | None) = None
        self.state: dict[Key, Value] = symbolic_state(model, fresh)
        world = World(model, alg, self.state, fresh, self.memory)
        self.invariant = {
            (name, process): condition
            for name, process, condition in invariants(model, world, group.code)
        }
        self.unsettled = self.memory.take()
        self.hypothesis = tuple(
            condition for (name, _), condition in self.invariant.items()
            if f"lemma {name}" not in dropped
        )

    def with_model(self, model: Model, memory: Memory[W, B]) -> Builder[W, B]:
        """A builder with the same state and assumptions, whose steps are another model's."""
        found = copy(self)
        found.model, found.memory, found._kept = model, memory, None
        found.judge = StepJudge(model, self.group, self.alg, self.fresh, memory)
        return found

    def questions(self, wanted: Callable[[str, str], bool] = lambda transition,
                  prop: True) -> Iterator[Question[W, B]]:
        """Every question whose transition and property are wanted."""
        yield from self._initial(wanted)
        yield from self._static(wanted)
        by_name: dict[str, list[Instance]] = {}
        for instance in instances(self.model):
            by_name.setdefault(instance.name, []).append(instance)
        for name, found in by_name.items():
            props = [p for p in self.judge.properties() if p.kind != STATIC
                     and wanted(name, p.name)]
            if props:
                yield from self._of_transition(name, found, props)

    def _initial(self, wanted: Callable[[str, str], bool]) -> Iterator[Question[W, B]]:
        world = World(self.model, self.alg, self.state, self.fresh, self.memory)
        given = tuple(truth_of(world, function, ()) for _, function in self.model.init())
        unsettled = self.memory.take()
        for prop in asked(self.model, "init", self.group.code):
            if wanted("init", prop.name):
                question: Question[W, B] = Question(obligation_id(self.group, "init", prop.name),
                                                    "init", prop)
                for process in (0, 1):
                    bad = self.alg.neg(self.invariant[prop.name, process])
                    question.ways.append(Way(None, process, None, bad))
                question.given["init"] = given
                unsettled = question.unsettled = either(self.alg, self.unsettled, unsettled,
                                                        self.memory.take())
                yield question

    def _static(self, wanted: Callable[[str, str], bool]) -> Iterator[Question[W, B]]:
        """Statements about entries alone: no state, no step."""
        for prop in asked(self.model, "static", self.group.code):
            if not wanted("static", prop.name):
                continue
            question: Question[W, B] = Question(obligation_id(self.group, "static", prop.name),
                                                "static", prop)
            world = World(self.model, self.alg, {}, self.fresh, self.memory)
            for name, given, function in self.model.sentences(prop):
                args = tuple(self.fresh(f"{name}.{p.name}", p.type) for p in function.params)
                question.given[name] = () if given is None else (truth_of(world, given, args),)
                question.ways.append(
                    Way(None, None, None, self.alg.neg(truth_of(world, function, args)), name)
                )
            question.unsettled = self.memory.take()
            yield question

    def _of_transition(self, name: str, found: list[Instance],
                       props: list[Property]) -> Iterator[Question[W, B]]:
        questions: dict[str, Question[W, B]] = {
            p.name: Question(obligation_id(self.group, name, p.name), name, p) for p in props
        }
        steps, unsettled = self._steps(name, found)
        for step, given in steps:
            label = step.instance.label
            for prop in props:
                question = questions[prop.name]
                question.given[label] = given
                question.instances[label] = step.instance
                question.ways += self.judge.ways(prop, step)
        unsettled = either(self.alg, unsettled, self.memory.take())
        for question in questions.values():
            question.unsettled = unsettled
            yield question

    def _steps(
        self, name: str, found: list[Instance]
    ) -> tuple[list[tuple[Step[W, B], tuple[B, ...]]], dict[str, B]]:
        """The steps of a name with what may be assumed of each, and where they are not settled.

        The last are kept.
        """
        if self._kept is None or self._kept[0] != name:
            steps = [run(self.model, self.alg, self.state, instance, self.group.code, self.fresh,
                         self.memory, self.dropped)
                     for instance in found]
            rows = [(step, (*self.hypothesis, *step.assumed)) for step in steps]
            self._kept = name, (rows, either(self.alg, self.unsettled, self.memory.take()))
        return self._kept[1]

    def aims(self, wanted: Callable[[str, str], bool] = lambda transition,
             prop: True) -> Iterator[Aim[B]]:
        """What the steps are there for: the effects that are wanted, as questions of their own."""
        by_name: dict[str, list[Instance]] = {}
        for instance in instances(self.model):
            by_name.setdefault(instance.name, []).append(instance)
        for name, found in by_name.items():
            props = [p for p in asked(self.model, name, self.group.code) if p.kind == EFFECT
                     and wanted(name, p.name)]
            if not props:
                continue
            steps, unsettled = self._steps(name, found)
            rows = [(step, given, dict(self.judge.effects(step))) for step, given in steps]
            unsettled = either(self.alg, unsettled, self.memory.take())
            for prop in props:
                shown = [(step.instance, given, reached[prop.name]) for step, given, reached in rows
                         if prop.name in reached]
                yield Aim(obligation_id(self.group, name, prop.name), name, prop, shown, unsettled)
