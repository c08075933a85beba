# SPDX-License-Identifier: GPL-2.0-or-later
"""What has to be proved: for each step of a group, each property, as one question to the solver.

A group is a theorem: variant x level x encoding x code. Its questions share one symbolic state, in which
the whole invariant is assumed; an obligation is proved where no such state violates its property.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from verifier.language.algebra import Algebra
from verifier.language.evaluate import call
from verifier.language.machine import HUGE, WAS, Key, Memory
from verifier.language.syntax import BOOL
from verifier.model.spec import ADVISORY, EFFECT, INVARIANT, LEMMA, STATIC, STEP, THIRD, Property
from verifier.model.step import (
    Fresh,
    Instance,
    Step,
    World,
    applies,
    arguments,
    asked,
    instances,
    invariants,
    run,
    state_keys,
    symbolic_state,
)
from verifier.model.typed import OF_VMA, Model

__all__ = ["Aim", "Builder", "Group", "Obligation", "Question", "Way", "obligation_id"]


@dataclass(frozen=True, slots=True)
class Group:
    """A theorem: initial states and every step of this code keep the whole invariant."""

    variant: str
    level: str
    encoding: str
    code: str

    def __str__(self) -> str:
        return f"{self.variant}/{self.level}/{self.encoding}/{self.code}"


def obligation_id(group: Group, transition: str, prop: str) -> str:
    """variant/level/encoding/transition/code/property."""
    return f"{group.variant}/{group.level}/{group.encoding}/{transition}/{group.code}/{prop}"


@dataclass(slots=True)
class Way:
    """One way to violate an obligation: an instance of its step, and a process."""

    instance: Instance | None
    process: int | None
    step: Step | None
    bad: Any
    sentence: str = ""  # of a static property
    component: str = ""  # of the entry, which the step changes as it must not

    def __str__(self) -> str:
        """What tells it apart from the other ways of its question."""
        return " ".join(part for part in (self.label, "" if self.process is None else "AB"[self.process], self.component) if part)

    @builtins.property
    def label(self) -> str:
        """Under what its question keeps what may be assumed."""
        return self.instance.label if self.instance is not None else self.sentence or "init"


@dataclass(slots=True)
class Question:
    """An obligation with its formulas. `given` is what may be assumed, by instance label."""

    id: str
    transition: str
    property: Property
    ways: list[Way] = field(default_factory=list)
    given: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    instances: dict[str, Instance] = field(default_factory=dict)
    unsettled: Mapping[str, Any] = field(default_factory=dict)  # why what a helper does is not known, and where: no verdict there


@dataclass(slots=True)
class Aim:
    """An obligation that some state leads a step to what it is there for. `shown`: by which instance, assuming what, where."""

    id: str
    transition: str
    property: Property
    shown: list[tuple[Instance, tuple[Any, ...], Any]] = field(default_factory=list)
    unsettled: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Obligation:
    """What a question asks. There are many: its id and its claim are made when somebody wants to read them.

    says   what the property claims
    width  bits of an entry
    """

    group: Group
    transition: str
    catalogue: tuple[str, ...]
    property: str
    kind: str
    says: str
    width: int

    @builtins.property
    def id(self) -> str:
        return obligation_id(self.group, self.transition, self.property)

    @builtins.property
    def claim(self) -> str:
        """One sentence with its quantifiers."""
        group = self.group
        if self.transition == "static":
            return f"On {group.variant}, for all values of the parameters: {self.says}."
        if self.transition == "init":
            return f"On {group.variant}, in every fresh address space: {self.says}."
        if self.kind == EFFECT:
            return (
                f"On {group.variant}, some state of {self.width}-bit entries at level {group.level} that satisfies the "
                f"invariant, with some inputs and observations that the axioms allow, leads {self.transition} "
                f"(code {group.code}, encoding {group.encoding}) to where this holds: {' '.join(self.says.split())}."
            )
        return (
            f"On {group.variant}, for all {self.width}-bit entries at level {group.level} and every state that satisfies the "
            f"invariant, all inputs and observations that the axioms allow: after {self.transition} (code {group.code}, "
            f"encoding {group.encoding}), {self.says}."
        )


def either(alg: Algebra[Any, Any], *found: Mapping[str, Any]) -> dict[str, Any]:
    """Reasons with their conditions; one that is given more than once holds where any of these does."""
    merged: dict[str, list[Any]] = {}
    for one in found:
        for reason, condition in one.items():
            merged.setdefault(reason, []).append(condition)
    return {reason: alg.any(*conditions) for reason, conditions in merged.items()}


class Builder:
    """Builds the questions of one group over an algebra."""

    def __init__(
        self, model: Model, group: Group, alg: Algebra[Any, Any], fresh: Fresh, memo: Memory | None = None,
        dropped: frozenset[str] = frozenset(),
    ) -> None:
        self.model = model
        self.group = group
        self.alg = alg
        self.fresh = fresh
        self.memory = model.memory(alg, fresh) if memo is None else memo
        self.dropped = dropped
        self._kept: tuple[str, tuple[list[tuple[Step, tuple[Any, ...]]], dict[str, Any]]] | None = None
        self.state: dict[Key, Any] = symbolic_state(model, fresh)
        world = World(model, alg, self.state, fresh, self.memory)
        self.invariant = {
            (name, process): condition for name, process, condition in invariants(model, world, group.code)
        }
        self.unsettled = self.memory.take()
        self.hypothesis = tuple(
            condition for (name, _), condition in self.invariant.items() if f"lemma {name}" not in dropped
        )

    @classmethod
    def of_steps(cls, model: Model, group: Group, alg: Algebra[Any, Any], fresh: Fresh, memory: Memory) -> Builder:
        """One that has no state of its own: it only says how steps that are run elsewhere violate properties."""
        builder = cls.__new__(cls)
        builder.model, builder.group, builder.alg, builder.fresh = model, group, alg, fresh
        builder.memory, builder.dropped = memory, frozenset()
        return builder

    def properties(self) -> list[Property]:
        return [p for p in self.model.spec.properties.values() if applies(self.model, p, self.group.code)]

    def questions(self, wanted: Callable[[str, str], bool] = lambda transition, prop: True) -> Iterator[Question]:
        """Every question whose transition and property are wanted."""
        yield from self._initial(wanted)
        yield from self._static(wanted)
        by_name: dict[str, list[Instance]] = {}
        for instance in instances(self.model):
            by_name.setdefault(instance.name, []).append(instance)
        for name, found in by_name.items():
            props = [p for p in self.properties() if p.kind != STATIC and wanted(name, p.name)]
            if props:
                yield from self._of_transition(name, found, props)

    def _initial(self, wanted: Callable[[str, str], bool]) -> Iterator[Question]:
        world = World(self.model, self.alg, self.state, self.fresh, self.memory)
        given = tuple(call(world, function, ()) for _, function in self.model.init())
        unsettled = self.memory.take()
        for prop in asked(self.model, "init", self.group.code):
            if wanted("init", prop.name):
                question = Question(obligation_id(self.group, "init", prop.name), "init", prop)
                for process in (0, 1):
                    bad = self.alg.neg(self.invariant[prop.name, process])
                    question.ways.append(Way(None, process, None, bad))
                question.given["init"] = given
                unsettled = question.unsettled = either(self.alg, self.unsettled, unsettled, self.memory.take())
                yield question

    def _static(self, wanted: Callable[[str, str], bool]) -> Iterator[Question]:
        """Statements about entries alone: no state, no step."""
        for prop in asked(self.model, "static", self.group.code):
            if not wanted("static", prop.name):
                continue
            question = Question(obligation_id(self.group, "static", prop.name), "static", prop)
            world = World(self.model, self.alg, {}, self.fresh, self.memory)
            for name, given, function in self.model.sentences(prop):
                args = tuple(self.fresh(f"{name}.{p.name}", p.type) for p in function.params)
                question.given[name] = () if given is None else (call(world, given, args),)
                question.ways.append(Way(None, None, None, self.alg.neg(call(world, function, args)), name))
            question.unsettled = self.memory.take()
            yield question

    def _of_transition(self, name: str, found: list[Instance], props: list[Property]) -> Iterator[Question]:
        questions = {p.name: Question(obligation_id(self.group, name, p.name), name, p) for p in props}
        steps, unsettled = self._steps(name, found)
        for step, given in steps:
            label = step.instance.label
            for prop in props:
                question = questions[prop.name]
                question.given[label] = given
                question.instances[label] = step.instance
                question.ways += self.ways(prop, step)
        unsettled = either(self.alg, unsettled, self.memory.take())
        for question in questions.values():
            question.unsettled = unsettled
            yield question

    def keep_nothing(self) -> None:
        """The steps that are kept are another model's."""
        self._kept = None

    def _steps(self, name: str, found: list[Instance]) -> tuple[list[tuple[Step, tuple[Any, ...]]], dict[str, Any]]:
        """The steps of a name with what may be assumed of each, and where they are not settled. The last are kept."""
        if self._kept is None or self._kept[0] != name:
            steps = [run(self.model, self.alg, self.state, instance, self.group.code, self.fresh, self.memory, self.dropped)
                     for instance in found]
            rows = [(step, (*self.hypothesis, *step.assumed)) for step in steps]
            self._kept = name, (rows, either(self.alg, self.unsettled, self.memory.take()))
        return self._kept[1]

    def aims(self, wanted: Callable[[str, str], bool] = lambda transition, prop: True) -> Iterator[Aim]:
        """What the steps are there for: the effects that are wanted, as questions of their own."""
        by_name: dict[str, list[Instance]] = {}
        for instance in instances(self.model):
            by_name.setdefault(instance.name, []).append(instance)
        for name, found in by_name.items():
            props = [p for p in asked(self.model, name, self.group.code) if p.kind == EFFECT and wanted(name, p.name)]
            if not props:
                continue
            steps, unsettled = self._steps(name, found)
            rows = [(step, given, dict(self.effects(step))) for step, given in steps]
            unsettled = either(self.alg, unsettled, self.memory.take())
            for prop in props:
                shown = [(step.instance, given, reached[prop.name]) for step, given, reached in rows if prop.name in reached]
                yield Aim(obligation_id(self.group, name, prop.name), name, prop, shown, unsettled)

    def effects(self, step: Step) -> Iterator[tuple[str, Any]]:
        """What the step's transition is there for, as conditions on the state after; not of a process that is summed up.

        A step that changes nothing shows no effect, although the state may have been as the effect has it before.
        """
        transition = step.instance.transition
        if transition is None or THIRD in step.instance.roles:
            return
        alg, keys = self.alg, [(k, kind) for k, kind in state_keys(self.model) if step.after[k] is not step.before[k]]
        stays = [alg.same(step.before[k], step.after[k]) if kind == BOOL else alg.eq(step.before[k], step.after[k], kind)
                 for k, kind in keys]
        changed = alg.neg(alg.all(*stays))
        for effect in self.model.effects(transition, self.group.code):
            args = arguments(self.model, step.instance, self.fresh)
            reached = call(self.after(step), self.model.effect(transition, effect), args)
            alone = [alg.neg(acted) for event, acted in step.acted.items() if event not in effect.hardware]
            yield effect.as_property().name, alg.all(reached, changed, *alone)

    def ways(self, prop: Property, step: Step) -> Iterator[Way]:
        recorded = step.violations.get(prop.name)
        if recorded is not None:
            yield Way(step.instance, None, step, recorded)
        if prop.kind in (INVARIANT, LEMMA, ADVISORY) and prop.holds is not None:
            if prop.kind == ADVISORY and step.instance.transition is not None and step.instance.transition.dirties:
                return
            world = self.seen(step, prop)
            for process in (0, 1):
                holds = call(world, self.model.property(prop), (process,))
                yield Way(step.instance, process, step, self.alg.neg(holds))
        elif prop.kind == STEP and prop.compares:
            yield from self._compared(prop, step)
        elif prop.kind == STEP and prop.holds is not None:
            yield from self._of_roles(prop, step)

    def _of_roles(self, prop: Property, step: Step) -> Iterator[Way]:
        """What has to hold of each role after a step that has the inputs which the sentence names."""
        transition = step.instance.transition
        if transition is None or not set(prop.inputs) <= transition.inputs.keys():
            return
        inputs = [self.fresh(name, BOOL) for name in prop.inputs]
        for process in step.instance.roles:
            if process != THIRD:
                holds = call(self.seen(step, prop), self.model.property(prop), (process, *inputs))
                yield Way(step.instance, process, step, self.alg.neg(holds))

    def after(self, step: Step) -> World:
        """The world after a step, with the state before under was_."""
        if step.world is not None:
            return step.world
        state: dict[Key, Any] = dict(step.after)
        for key, value in step.before.items():
            state[WAS + key if isinstance(key, str) else (WAS + key[0], key[1])] = value
        step.world = World(self.model, self.alg, state, self.fresh, self.memory)
        return step.world

    def seen(self, step: Step, prop: Property) -> World:
        """The world after a step as a property sees it. One that compares takes what the hardware did to an entry within the
        step for what was there before: the step is not blamed for it."""
        if prop.kind not in (STEP, ADVISORY) or not step.left:
            return self.after(step)
        if step.blameless is None:
            world = step.blameless = World(self.model, self.alg, self.after(step).state, self.fresh, self.memory)
            world.state.update({(WAS + "entry", process): entry for process, entry in step.left.items()})
        return step.blameless

    def _compared(self, prop: Property, step: Step) -> Iterator[Way]:
        """Components of the entries change only as the transition says; other processes' entries not at all."""
        alg, width = self.alg, self.model.layout.width
        roles = step.instance.roles
        for process in (0, 1):
            before, after = step.before[("entry", process)], step.after[("entry", process)]
            if process not in roles:
                if prop.name == "frame" and before is not after:
                    yield Way(step.instance, process, step, alg.neg(alg.eq(before, after, width)))
                continue
            for component, view in prop.compares.items():
                found = [self._differs(prop, step, process, component, view, base, after)
                         for base in self._baselines(step, process)]
                bad = [one for one in found if one is not None]
                if len(bad) == len(found):
                    yield Way(step.instance, process, step, alg.all(*bad), component=component)

    def _baselines(self, step: Step, process: int) -> list[Any]:
        """What a role's entry is compared with: its own entry before, or the one that it is copied from. And the same with
        what the hardware did to it within the step: a component may be what it was, or what the hardware made of it."""
        transition = step.instance.transition
        if transition is not None:
            role = transition.roles[step.instance.roles.index(process)]
            source = transition.baseline.get(role)
            if source is not None:
                process = step.instance.roles[transition.roles.index(source)]
        before, left = step.before["entry", process], step.left.get(process)
        return [before] if left is None or left is before else [left, before]

    def _differs(
        self, prop: Property, step: Step, process: int, component: str, view: str, before: Any, after: Any
    ) -> Any | None:
        alg = self.alg
        if before is after:
            return None
        reading = self.model.reading(view)
        one, two = self._read_before(step, view, before), self._read_after(step, view, process, after)
        test = "pte_present" if prop.name == "frame" else "some_entry"
        comparable = alg.all(self._read_before(step, test, before), self._read_after(step, test, process, after))
        transition = step.instance.transition
        if transition is not None and component in transition.changes:
            args = arguments(self.model, step.instance, self.fresh)
            holds = call(self._world_before(step), self.model.change(transition, component, reading.returns),
                         (*args, one, two))
        elif transition is None and component == "young":
            return None
        else:
            holds = alg.same(one, two) if reading.returns == BOOL else alg.eq(one, two, reading.returns)
        changed = alg.neg(alg.eq(before, after, self.model.layout.width))
        return alg.all(changed, comparable, alg.neg(holds))

    def compared(self, step: Step, process: int, view: str) -> tuple[Any, Any]:
        """What a view says of a role's entry after the step, and before that of what it is compared with."""
        base, after = self._baselines(step, process)[0], step.after["entry", process]
        return self._read_before(step, view, base), self._read_after(step, view, process, after)

    def _world_before(self, step: Step) -> World:
        """The world before a step; of a third process, what its vma says."""
        of_third: dict[Key, Any] = {(flag, THIRD): self.fresh(f"{flag}.3", BOOL) for flag in OF_VMA}
        return World(self.model, self.alg, step.before | of_third, self.fresh, self.memory)

    def _read_before(self, step: Step, view: str, entry: Any) -> Any:
        """What a view or helper says of an entry before a step. A step that takes entries of any level changes none."""
        assert step.instance.level or not self.model.mixed, f"{step.instance.label} changes an entry of no known level"
        level = self.model.named_level(step.instance.level)
        return call(self.after(step), self.model.reading(view, level), (self.model.seen(self.after(step), entry, level),))

    def _read_after(self, step: Step, view: str, process: int, entry: Any) -> Any:
        """And after it, when the entry may be of another level."""
        world, plain, huge = (self.after(step), *(self.model.reading(view, x) for x in (self.model.base, self.model.level)))
        if not self.model.mixed:
            return call(world, plain, (self.model.seen(world, entry),))
        test = step.after[HUGE, process]
        known = self.alg.known(test)
        if known is not None:
            return call(world, huge if known else plain, (entry,))
        one, two = call(world, huge, (entry,)), call(world, plain, (entry,))
        return self.alg.choose(test, one, two) if plain.returns == BOOL else self.alg.ite(test, one, two, plain.returns)
