# SPDX-License-Identifier: GPL-2.0-or-later
"""What has to be proved: for each step of a group, each property, as one question to the solver.

A group is a theorem: variant x level x encoding x code. Its questions share one symbolic state, in which
the whole invariant is assumed; an obligation is proved where no such state violates its property.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from verifier.algebra import Algebra
from verifier.evaluate import call
from verifier.machine import HUGE, WAS, Key, Memory
from verifier.model import ADVISORY, INVARIANT, LEMMA, STATIC, STEP, THIRD, Property
from verifier.scopes import Model
from verifier.steps import Fresh, Instance, Step, World, applies, arguments, instances, invariants, run, symbolic_state
from verifier.syntax import BOOL

__all__ = ["Group", "Obligation", "Question", "Way", "count", "obligation_id"]


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


def count(model: Model, code: str, steps: Callable[[str], bool], props: Callable[[str], bool]) -> int:
    """How many questions a Builder makes of these steps and properties, without building one."""
    kinds = [p.kind for p in model.spec.properties.values() if applies(model, p, code) and props(p.name)]
    names = filter(steps, ["init", "static", *dict.fromkeys(instance.name for instance in instances(model))])
    return sum(asks(name, kind) for name in names for kind in kinds)


def asks(step: str, kind: str) -> bool:
    """Is there a question about a property of this kind and a step? Of initial states, and entries alone, not about all."""
    return kind in (INVARIANT, LEMMA) if step == "init" else (kind == STATIC) == (step == "static")


@dataclass(slots=True)
class Way:
    """One way to violate an obligation: an instance of its step, and a process."""

    instance: Instance | None
    process: int | None
    step: Step | None
    bad: Any
    sentence: str = ""  # of a static property

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
    effects: dict[str, list[tuple[str, Any]]] = field(default_factory=dict)  # what the step is there for: label, condition
    unsettled: tuple[Any, ...] = ()  # where what a helper does is not known; the question says nothing there


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
        return (
            f"On {group.variant}, for all {self.width}-bit entries at level {group.level} and every state that satisfies the "
            f"invariant, all inputs and observations that the axioms allow: after {self.transition} (code {group.code}, "
            f"encoding {group.encoding}), {self.says}."
        )


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

    def asked(self, step: str) -> list[Property]:
        """The properties that there is a question about, of a step by its name."""
        return [p for p in self.properties() if asks(step, p.kind)]

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
        for prop in self.properties():
            if prop.kind in (INVARIANT, LEMMA) and wanted("init", prop.name):
                question = Question(obligation_id(self.group, "init", prop.name), "init", prop)
                for process in (0, 1):
                    bad = self.alg.neg(self.invariant[prop.name, process])
                    question.ways.append(Way(None, process, None, bad))
                question.given["init"] = given
                unsettled = question.unsettled = (*self.unsettled, *unsettled, *self.memory.take())
                yield question

    def _static(self, wanted: Callable[[str, str], bool]) -> Iterator[Question]:
        """Statements about entries alone: no state, no step."""
        for prop in self.properties():
            if prop.kind != STATIC or not wanted("static", prop.name):
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
        effects: dict[str, list[tuple[str, Any]]] = {}
        questions = {p.name: Question(obligation_id(self.group, name, p.name), name, p, effects=effects) for p in props}
        for instance in found:
            step = run(self.model, self.alg, self.state, instance, self.group.code, self.fresh, self.memory,
                       self.dropped)
            given = (*self.hypothesis, *step.assumed)
            for effect, condition in self.effects(step):
                effects.setdefault(effect, []).append((instance.label, condition))
            for prop in props:
                question = questions[prop.name]
                question.given[instance.label] = given
                question.instances[instance.label] = instance
                question.ways += self.ways(prop, step)
        unsettled = (*self.unsettled, *self.memory.take())
        for question in questions.values():
            question.unsettled = unsettled
            yield question

    def effects(self, step: Step) -> Iterator[tuple[str, Any]]:
        """What the step's transition is there for, as conditions on the state after; not of a process that is summed up."""
        transition = step.instance.transition
        if transition is None or THIRD in step.instance.roles:
            return
        for name, sentence in self.model.effects(transition, self.group.code):
            yield name, call(self.after(step), sentence, arguments(self.model, step.instance, self.fresh))

    def ways(self, prop: Property, step: Step) -> Iterator[Way]:
        recorded = step.violations.get(prop.name)
        if recorded is not None:
            yield Way(step.instance, None, step, recorded)
        if prop.kind in (INVARIANT, LEMMA, ADVISORY) and prop.holds is not None:
            if prop.kind == ADVISORY and step.instance.transition is not None and step.instance.transition.dirties:
                return
            world = self.after(step)
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
            if process != THIRD and step.before["entry", process] is not step.after["entry", process]:
                holds = call(self.after(step), self.model.property(prop), (process, *inputs))
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
            base = self._baseline(step, process)
            for component, view in prop.compares.items():
                bad = self._differs(prop, step, process, component, view, base, after)
                if bad is not None:
                    yield Way(step.instance, process, step, bad)

    def _baseline(self, step: Step, process: int) -> Any:
        """What a role's entry is compared with: its own entry before, or the one that it is copied from."""
        transition = step.instance.transition
        if transition is not None:
            role = transition.roles[step.instance.roles.index(process)]
            source = transition.baseline.get(role)
            if source is not None:
                process = step.instance.roles[transition.roles.index(source)]
        return step.before[("entry", process)]

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

    def _world_before(self, step: Step) -> World:
        return World(self.model, self.alg, step.before, self.fresh, self.memory)

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
