# SPDX-License-Identifier: GPL-2.0-or-later
"""One step of the world over an algebra: states before and after, assumptions, violations.

An instance is a transition with its roles bound to processes. Everything that a step leaves open
(its inputs, observations, what the hardware does in between) is a named input, asked of `fresh`. So
the same step is a formula over symbolic inputs, and a replay over the values of a model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic

from verifier.language.algebra import Algebra, B, W
from verifier.language.evaluate import call, truth_of
from verifier.language.machine import HUGE, Key, Memory
from verifier.language.syntax import BOOL
from verifier.language.values import Fresh, Value, as_truth, as_word
from verifier.model.scope import TRACKS
from verifier.model.spec import INVARIANT, LEMMA, STATIC, THIRD, Property, Transition
from verifier.model.typed import OF_VMA, Model
from verifier.model.world import ACTED, LEFT, SINCE, World

__all__ = ["Instance", "Step", "applies", "applying", "asked", "instances", "invariants",
           "level_of", "run", "step_names"]

PROCESSES = ("A", "B")


@dataclass(frozen=True, slots=True)
class Instance:
    """A transition with its roles bound to processes, or the hardware event `event`."""

    name: str
    transition: Transition | None
    event: str | None = None
    roles: tuple[int, ...] = (0,)
    tracks_new: bool = False
    level: str = ""  # of the roles' entries, where levels are mixed and it takes one alone

    @property
    def label(self) -> str:
        """The name in reports: fork-pte[AB], or fork-pte[AB+] where the new page is tracked."""
        names = "".join("AB3"[r] for r in self.roles)
        tracked = "+" if self.tracks_new else ""
        level = f":{self.level}" if self.level and self.event else ""
        return f"{self.name}[{names}{tracked}{level}]"


def instances(model: Model, actor: int = 0) -> Iterator[Instance]:
    """Every step of the model in which the process `actor` acts.

    By symmetry of the two processes, A (0) is enough for a proof.
    """
    for transition in model.spec.transitions.values():
        if any(need in model.layout.variant.absent for need in transition.needs):
            continue
        for tracks in transition.tracks:
            for roles in _bindings(transition, actor):
                yield Instance(transition.name, transition, None, roles, tracks == "new",
                               level_of(model, transition))
    for event in model.layout.variant.hardware:
        for level in model.level.present():
            yield Instance(f"hw-{event}", None, event, (actor,), level=level if model.mixed else "")


def level_of(model: Model, transition: Transition) -> str:
    """The only level that a transition's entries can have in a model of two; else ""."""
    found = [name for name in model.level.present() if name in transition.levels]
    return found[0] if model.mixed and len(found) == 1 else ""


def _bindings(transition: Transition, actor: int) -> list[tuple[int, ...]]:
    count = len(transition.roles)
    found = [(actor, 1 - actor)[:count]]
    for role in transition.third:
        where = transition.roles.index(role)
        found.append(tuple(THIRD if i == where else actor for i in range(count)))
    return found


@dataclass(slots=True)
class Step(Generic[W, B]):
    """The result of one step; all conditions are booleans of the algebra."""

    instance: Instance
    before: dict[Key, Value]
    after: dict[Key, Value]
    assumed: list[B]  # requires, and the axioms of what was observed
    violations: dict[str, B]
    named: dict[str, B] = field(default_factory=dict)  # name of each assumption -> it
    # property -> the state in which an assert of it is known to fail
    moments: dict[str, dict[Key, Value]] = field(default_factory=dict)
    # process -> its entry before the step, as the hardware changed it within
    left: dict[int, W] = field(default_factory=dict)
    # hardware event -> the condition under which it happened within the step
    acted: dict[str, B] = field(default_factory=dict)
    # the state after, with the state before under was_; made when it is asked for
    world: World[W, B] | None = None
    # the same, but the entries under was_ are those in `left`: the step is not blamed for them
    blameless: World[W, B] | None = None


def applies(model: Model, prop: Property, code: str) -> bool:
    """Does the property say anything for this variant, encoding and code?"""
    if ((prop.encodings and model.encoding.name not in prop.encodings)
            or (prop.codes and code not in prop.codes)):
        return False
    return not prop.lacks(model.layout.variant.name, model.layout.variant.absent)


def applying(model: Model, code: str) -> list[Property]:
    """The properties that say anything for this variant, encoding and code, in the order of specs/.
    """
    if code not in model.applying:
        model.applying[code] = [p for p in model.spec.properties.values()
                                if applies(model, p, code)]
    return model.applying[code]


def asked(model: Model, name: str, code: str) -> list[Property]:
    """The properties of the obligations of a transition, an hw-EVENT, `init` or `static`.

    They include the effects that a transition is there for.
    """
    found = applying(model, code)
    if name == "init":
        return [p for p in found if p.kind in (INVARIANT, LEMMA)]
    if name == "static":
        return [p for p in found if p.kind == STATIC]
    transition = model.spec.transitions.get(name)
    effects = () if transition is None else model.effects(transition, code)
    return [*(p for p in found if p.kind != STATIC), *(effect.as_property() for effect in effects)]


def step_names(model: Model) -> list[str]:
    """The names of everything that has obligations: `init`, `static`, transitions, hw-EVENTs."""
    return ["init", "static", *dict.fromkeys(instance.name for instance in instances(model))]


def invariants(
    model: Model, world: World[W, B], code: str
) -> Iterator[tuple[str, int, B]]:
    """Each invariant and lemma for each process in the world's state: name, process, condition."""
    for prop in applying(model, code):
        if prop.kind in (INVARIANT, LEMMA):
            function = model.property(prop)
            for process in (0, 1):
                yield prop.name, process, truth_of(world, function, (process,))


def run(
    model: Model, alg: Algebra[W, B], state: Mapping[Key, Value], instance: Instance, code: str,
    fresh: Fresh,
    memo: Memory[W, B], dropped: frozenset[str] = frozenset(), lazy: bool = False,
) -> Step[W, B]:
    """One step from a state.

    `dropped` names assumptions to leave out, to see what needs them. With `lazy`, no input is asked
    for an event that the entry is known not to allow; without, all algebras ask for the same
    inputs.
    """
    world = World(model, alg, state, fresh, memo)
    world.dropped, world.lazy, world.code = dropped, lazy, code
    world.skipped = frozenset(name.removeprefix("action ") for name in dropped
                              if name.startswith("action "))
    world.state[TRACKS] = int(instance.tracks_new)
    level = model.named_level(instance.level)
    world.state[("entry", THIRD)] = alg.word(
        model.layout.variant.constants[level.translated("EMPTY")], model.layout.width
    )
    for flag in OF_VMA:
        world.state[(flag, THIRD)] = fresh(f"{flag}.3", BOOL)
    if model.mixed:
        _fix_levels(world, instance)
    if instance.transition is None:
        assert instance.event is not None
        _, when, _ = model.event(instance.event, world.level(instance.roles[0]))
        world.assume("event", truth_of(world, when, (world.entry(instance.roles[0]),)))
        world.happen(instance.event, instance.roles[0], alg.truth(True))
    else:
        _run_code(world, instance, code)
    after = {key: world.state[key] for key in state}
    left = {process: as_word(alg, world.state[LEFT, process]) for process in world.started}
    acted = {event: as_truth(alg, world.state[ACTED, number])
             for number, event in enumerate(model.layout.variant.hardware) if world.started}
    return Step(instance, dict(state), after, world.assumed, world.violations, world.named,
                world.moments, left, acted)


def _fix_levels(world: World[W, B], instance: Instance) -> None:
    """Assume that the roles' entries are of the instance's level, if it has one.

    The level is put in as a constant too, so that texts fold.
    """
    alg = world.alg
    fixed = alg.truth(instance.level == world.model.level.kind)
    world.state[HUGE, THIRD] = fixed
    if instance.level:
        for process in instance.roles:
            if process != THIRD:
                world.assume("level", alg.same(world.huge(process), fixed))
                world.state[HUGE, process] = fixed


def _run_code(world: World[W, B], instance: Instance, code: str) -> None:
    model, transition = world.model, instance.transition
    assert transition is not None
    args = arguments(model, instance, world.fresh)
    for name, sentence in model.requires(transition):
        world.assume(f"requires {name}", truth_of(world, sentence, args))
    if transition.turn is not None:
        world.assume("turn", world.has_turn(transition, instance.roles[0]))
    events = () if model.layout.variant.one_cpu else model.layout.variant.hardware
    fixed = instance.level or not model.mixed  # else the step is about no entry, and changes none
    if fixed and any(model.layout.arch.events[event].late for event in events):
        world.loaded = {p: (world.entry(p), world.level(p)) for p in instance.roles if p != THIRD}
        world.flushed = {p: world.alg.truth(False) for p in world.loaded}
    if fixed and not model.layout.variant.one_cpu:
        for process in (0, 1):
            if process in instance.roles:
                world.started[process], world.state[LEFT, process] = (
                    world.level(process), world.state["entry", process]
                )
        world.state.update(
            {(ACTED, number): world.alg.truth(False) for number in range(len(events))}
        )
    if model.threads:
        world.state.update({(SINCE, p): world.alg.truth(p in instance.roles) for p in (0, 1)})
    around = model.around(transition)
    for begin, _ in around:
        call(world, begin, args)
    if transition.turn is not None:
        world.go_on(transition, instance.roles[0], args[1:])
    else:
        function = model.code(transition, code)
        assert function is not None
        call(world, function, args)
    for _, end in around:
        call(world, end, args)
    for process in world.loaded:
        world.late(process, f"end.{PROCESSES[process]}")


def arguments(model: Model, instance: Instance, fresh: Fresh) -> tuple[Value, ...]:
    """The values of a transition's parameters: its roles, then its inputs."""
    assert instance.transition is not None
    params = model.params(instance.transition)
    count = len(instance.roles)
    return (*instance.roles, *(fresh(p.name, p.type) for p in params[count:]))
