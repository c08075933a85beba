# SPDX-License-Identifier: GPL-2.0-or-later
"""One step of the world over an algebra: states before and after, assumptions, violations.

An instance is a transition with its roles bound to processes. Everything that a step leaves open
(its inputs, observations, what the hardware does in between) is a named input, asked of `fresh`. So
the same step is a formula over symbolic inputs, and a replay over the values of a model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from verifier.language.algebra import Algebra
from verifier.language.evaluate import call
from verifier.language.machine import HUGE, WAS, Key, Machine, Memory
from verifier.language.syntax import BOOL, INDEX, Function
from verifier.model.scope import TRACKS
from verifier.model.spec import INVARIANT, LEMMA, STATIC, THIRD, Level, Property, Transition
from verifier.model.typed import OF_VMA, Model

__all__ = ["Fresh", "Instance", "Step", "World", "applies", "applying", "asked", "instances",
           "invariants", "key_name", "level_of", "run", "state_keys", "step_names"]

Fresh = Callable[[str, int], Any]  # name and type of an input -> its value
PROCESSES = ("A", "B")
# the actions that end translations at once: asked for, and by what a helper does
FLUSHES = ("flush", "flushed")
# what is kept beside the state while a code runs, by process and by event
LEFT, ACTED = "left", "acted"


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
class Step:
    """The result of one step; all conditions are booleans of the algebra."""

    instance: Instance
    before: dict[Key, Any]
    after: dict[Key, Any]
    assumed: list[Any]  # requires, and the axioms of what was observed
    violations: dict[str, Any]
    named: dict[str, Any] = field(default_factory=dict)  # name of each assumption -> it
    # property -> the state in which an assert of it is known to fail
    moments: dict[str, dict[Key, Any]] = field(default_factory=dict)
    # process -> its entry before the step, as the hardware changed it within
    left: dict[int, Any] = field(default_factory=dict)
    # hardware event -> the condition under which it happened within the step
    acted: dict[str, Any] = field(default_factory=dict)
    # the state after, with the state before under was_; made when it is asked for
    world: World | None = None
    # the same, but the entries under was_ are those in `left`: the step is not blamed for them
    blameless: World | None = None


def key_name(key: Key) -> str:
    """How a state variable is called in inputs and reports.

    >>> key_name(("entry", 0)), key_name("pfn")
    ('entry.A', 'pfn')
    """
    return key if isinstance(key, str) else f"{key[0]}.{'AB3'[key[1]]}"


def state_keys(model: Model) -> list[tuple[Key, int]]:
    """Every state variable with its type."""
    found: list[tuple[Key, int]] = []
    for name in model.variables:
        variable = model.variable(name)
        assert variable is not None
        if variable.count is None:
            found.append((name, variable.type))
        else:
            found += [((name, i), variable.type) for i in range(variable.count)]
    return found


def symbolic_state(model: Model, fresh: Fresh) -> dict[Key, Any]:
    """A state in which every variable is an input."""
    return {key: fresh(key_name(key), kind) for key, kind in state_keys(model)}


class World(Machine):
    """The machine that transitions run on: state, observations with their axioms, hardware."""

    def __init__(self, model: Model, alg: Algebra[Any, Any], state: dict[Key, Any], fresh: Fresh,
                 memo: Memory) -> None:
        kinds = {name: variable.type for name in model.variables
                 if (variable := model.variable(name)) is not None}
        super().__init__(alg, dict(state), {**kinds, TRACKS: INDEX, LEFT: kinds.get("entry", BOOL),
                                            ACTED: BOOL,
                                            **{WAS + n: k for n, k in kinds.items()}})
        self.model = model
        self.fresh = fresh
        self.memo = memo
        self.named: dict[str, Any] = {}
        self.dropped: frozenset[str] = frozenset()
        self.lazy = False  # are inputs asked for only where the entry lets the hardware act?
        # process -> the entry that a late handler has loaded and not stored yet, and its level
        self.loaded: dict[int, tuple[Any, Level]] = {}
        self.started: dict[int, Level] = {}  # the levels of entries before a code ran
        self.flushed: dict[int, Any] = {}  # where a flush has waited for it

    def mark(self) -> Callable[[], None]:
        """A function that puts the world back to how it is now."""
        named, flushed, machine = dict(self.named), dict(self.flushed), super().mark()

        def back() -> None:
            machine()
            self.named, self.flushed = named, flushed

        return back

    def assume(self, name: str, condition: Any) -> None:
        """Take a condition as given from here on; `name` tells reports where it comes from."""
        if name in self.dropped:
            return
        self.assumed.append(condition)
        before = self.named.get(name)
        self.named[name] = condition if before is None else self.alg.all(before, condition)

    def observe(self, name: str, args: tuple[Any, ...], label: str) -> Any:
        """A fresh boolean input; its axioms are assumed at this point."""
        value = self.fresh(f"{name}@{label}", BOOL)
        for axiom, function in self.model.axioms(name):
            holds = call(self, function, (*args, value))
            self.assume(f"axiom {name}.{axiom}", self.alg.any(self.alg.neg(self.path), holds))
        return value

    def hardware(self, process: Any, entry: Any, label: str) -> Any:
        """The entry of a process after this CPU's hardware may have acted on it.

        Each event of the variant may happen once, and then a walk may load the translation. With
        one CPU, which runs the kernel, nothing happens: nobody else stores, and TLB refills are for
        user mode.
        """
        if process is None or process == THIRD or self.model.layout.variant.one_cpu:
            return entry
        self.state["entry", process] = entry
        for event in self.model.layout.variant.hardware:
            if not self.lazy or self.may_happen(event, process):
                self.happen(event, process, self.fresh(f"{event}@{label}", BOOL))
        chosen = self.fresh(f"load@{label}", BOOL)
        for level, where in self.levels(process):
            self.within(self.alg.all(chosen, where), self.procedure("hardware_load", level),
                        (process,))
        return self.state["entry", process]

    def entering(self, name: str, process: Any, site: int) -> None:
        """Let a flush wait for handlers under way.

        What such a handler stores comes before the flush and not after it, unless the event is
        `past_flush`.
        """
        if process in self.loaded and (name in FLUSHES or name in self.model.waits):
            if name in FLUSHES:
                self.late(process, self.label(site))
            self.flushed[process] = self.alg.any(self.flushed[process], self.path)

    def leaving(self, helper: Function, process: Any, before: Any, result: Any, site: int) -> None:
        """Run what `flushes` says of a helper that has changed the entry."""
        effect = None if process is None or process == THIRD else self.model.beside(helper)
        if effect is not None:
            self.stack.append(str(site))
            after = (result,) if len(effect.params) == 2 else (before, self.state["entry", process])
            call(self, effect, (process, *after))
            self.stack.pop()

    def late(self, process: int, label: str) -> None:
        """Let a late handler store over what the step has made of the entry.

        The handler holds no lock, and loaded the entry before the step.
        """
        alg, width = self.alg, self.model.layout.width
        old, level = self.loaded[process]
        # Where the entry is as it was loaded, the store is an event like any other.
        changed = alg.neg(alg.eq(self.state["entry", process], old, width))
        for event in self.model.layout.variant.hardware:
            record, when, after = self.model.event(event, level)
            if record.late:
                chosen = self.fresh(f"{event}-late@{label}", BOOL)
                open_ = alg.truth(True) if record.past_flush else alg.neg(self.flushed[process])
                occurs = alg.all(self.path, chosen, changed, open_, call(self, when, (old,)))
                entry = self.state["entry", process]
                self.state["entry", process] = alg.ite(occurs, call(self, after, (old,)), entry,
                                                       width)
                huge = level is self.model.level
                # The entry comes back at the level that it had.
                if self.model.mixed and alg.known(self.state[HUGE, process]) is not huge:
                    self.state[HUGE, process] = alg.choose(occurs, alg.truth(huge),
                                                           self.state[HUGE, process])

    def level(self, process: int) -> Level:
        """The level of a process's entry, which has to be known here."""
        found = self.levels(process)
        assert len(found) == 1, "the level of an entry that is acted on is known"
        return found[0][0]

    def levels(self, process: int) -> list[tuple[Level, Any]]:
        """The levels that a process's entry may have here, and where."""
        model, yes = self.model, self.alg.truth(True)
        if not model.mixed:
            return [(model.level, yes)]
        huge = self.state[HUGE, process]
        known = self.alg.known(huge)
        if known is not None:
            return [(model.level if known else model.base, yes)]
        return [(model.level, huge), (model.base, self.alg.neg(huge))]

    def procedure(self, name: str, level: Level) -> Function:
        """The typed procedure of this name at a level."""
        found = self.model.definition("procedures", name, level=level)
        assert found is not None, name
        return found

    def within(self, where: Any, procedure: Function, args: tuple[Any, ...]) -> None:
        """Run a procedure; its changes apply only where the condition holds."""
        if self.alg.known(where) is False:
            return
        path, before = self.path, dict(self.state)
        self.path = self.alg.all(path, where)
        call(self, procedure, args)
        self.path = path
        for key, value in self.state.items():
            old = before[key]
            if old is not value:
                kind = self.kinds[key if isinstance(key, str) else key[0]]
                choose = self.alg.choose
                self.state[key] = (choose(where, value, old) if kind == BOOL
                                   else self.alg.ite(where, value, old, kind))

    def may_happen(self, event: str, process: int) -> bool:
        """Is it possible, as far as is known, that the entry lets the event happen?"""
        entry = self.state["entry", process]
        conditions = (self.alg.all(where, call(self, self.model.event(event, level)[1], (entry,)))
                      for level, where in self.levels(process))
        return any(self.alg.known(condition) is not False for condition in conditions)

    def happen(self, event: str, process: int, chosen: Any) -> None:
        """Let an event happen to a process's entry, where it is chosen and its condition holds."""
        for level, where in self.levels(process):
            record, when, after = self.model.event(event, level)
            entry = self.state["entry", process]
            occurs = self.alg.all(chosen, where, call(self, when, (entry,)))
            if self.alg.known(occurs) is not False:
                args = (process, call(self, after, (entry,)), self.alg.truth(record.stores))
                self.within(occurs, self.procedure("hardware_event", level), args)
                if process in self.started:
                    self.keep(event, process, level, occurs)

    def keep(self, event: str, process: int, level: Level, occurs: Any) -> None:
        """Record an event within a code, and let it happen to the kept entry from before as well.

        Its condition has to hold of that entry too.
        """
        number = self.model.layout.variant.hardware.index(event)
        self.state[ACTED, number] = self.alg.any(self.state[ACTED, number], occurs)
        if level is self.started[process]:
            _, when, after = self.model.event(event, level)
            left = self.state[LEFT, process]
            seen = self.alg.all(occurs, call(self, when, (left,)))
            self.state[LEFT, process] = self.alg.ite(seen, call(self, after, (left,)), left,
                                                     self.model.layout.width)


def applies(model: Model, prop: Property, code: str) -> bool:
    """Does the property say anything for this variant, encoding and code?"""
    if ((prop.encodings and model.encoding.name not in prop.encodings)
            or (prop.codes and code not in prop.codes)):
        return False
    return not prop.lacks(model.layout.variant.name, model.layout.variant.absent)


def applying(model: Model, code: str) -> list[Property]:
    """The properties that say anything for this variant, encoding and code, in the order of specs/."""
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


def invariants(model: Model, world: World, code: str) -> Iterator[tuple[str, int, Any]]:
    """Each invariant and lemma for each process in the world's state: name, process, condition."""
    for prop in applying(model, code):
        if prop.kind in (INVARIANT, LEMMA):
            function = model.property(prop)
            for process in (0, 1):
                yield prop.name, process, call(world, function, (process,))


def run(
    model: Model, alg: Algebra[Any, Any], state: dict[Key, Any], instance: Instance, code: str,
    fresh: Fresh,
    memo: Memory, dropped: frozenset[str] = frozenset(), lazy: bool = False,
) -> Step:
    """One step from a state.

    `dropped` names assumptions to leave out, to see what needs them. With `lazy`, no input is asked
    for an event that the entry is known not to allow; without, all algebras ask for the same
    inputs.
    """
    world = World(model, alg, state, fresh, memo)
    world.dropped, world.lazy = dropped, lazy
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
        world.assume("event", call(world, when, (world.state[("entry", instance.roles[0])],)))
        world.happen(instance.event, instance.roles[0], alg.truth(True))
    else:
        _run_code(world, instance, code)
    after = {key: world.state[key] for key in state}
    left = {process: world.state[LEFT, process] for process in world.started}
    acted = {event: world.state[ACTED, n] for n, event in enumerate(model.layout.variant.hardware)
             if world.started}
    return Step(instance, dict(state), after, world.assumed, world.violations, world.named,
                world.moments, left, acted)


def _fix_levels(world: World, instance: Instance) -> None:
    """Assume that the roles' entries are of the instance's level, if it has one.

    The level is put in as a constant too, so that texts fold.
    """
    alg = world.alg
    fixed = alg.truth(instance.level == world.model.level.name)
    world.state[HUGE, THIRD] = fixed
    if instance.level:
        for process in instance.roles:
            if process != THIRD:
                world.assume("level", alg.same(world.state[HUGE, process], fixed))
                world.state[HUGE, process] = fixed


def _run_code(world: World, instance: Instance, code: str) -> None:
    model, transition = world.model, instance.transition
    assert transition is not None
    args = arguments(model, instance, world.fresh)
    for name, sentence in model.requires(transition):
        world.assume(f"requires {name}", call(world, sentence, args))
    function = model.code(transition, code)
    assert function is not None
    events = () if model.layout.variant.one_cpu else model.layout.variant.hardware
    fixed = instance.level or not model.mixed  # else the step is about no entry, and changes none
    if fixed and any(model.layout.arch.events[event].late for event in events):
        world.loaded = {p: (world.state["entry", p], world.level(p)) for p in instance.roles
                        if p != THIRD}
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
    call(world, function, args)
    for process in world.loaded:
        world.late(process, f"end.{PROCESSES[process]}")


def arguments(model: Model, instance: Instance, fresh: Fresh) -> tuple[Any, ...]:
    """The values of a transition's parameters: its roles, then its inputs."""
    assert instance.transition is not None
    params = model.params(instance.transition)
    count = len(instance.roles)
    return (*instance.roles, *(fresh(p.name, p.type) for p in params[count:]))
