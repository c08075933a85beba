# SPDX-License-Identifier: GPL-2.0-or-later
"""The machine that transitions run on: state, observations with their axioms, hardware, threads.

Everything that a step leaves open (its inputs, observations, what others do in between) is
a named input, asked of `fresh`. So the same step is a formula over symbolic inputs, and a replay
over the values of a model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from verifier.language.algebra import Algebra, B, W
from verifier.language.evaluate import call, truth_of, word_of
from verifier.language.machine import HUGE, WAS, Key, Machine, Memory
from verifier.language.syntax import BOOL, INDEX, Function
from verifier.language.values import Fresh, Value, as_truth, as_word, picked
from verifier.model.scope import TRACKS
from verifier.model.spec import THIRD, Level, Thread, Transition
from verifier.model.typed import Model

__all__ = ["ACTED", "LEFT", "SINCE", "World", "key_name", "plain", "state_keys", "symbolic_state",
           "turn_name"]

# what is kept beside the state while a code runs, by process and by event
LEFT, ACTED = "left", "acted"
# by process: was its entry accessed since threads could go on?
SINCE = "since"


def key_name(key: Key) -> str:
    """How a state variable is called in inputs and reports.

    >>> key_name(("entry", 0)), key_name("pfn")
    ('entry.A', 'pfn')
    """
    return key if isinstance(key, str) else f"{key[0]}.{'AB3'[key[1]]}"


def turn_name(step: Transition, process: int) -> str:
    """How the input begins that lets a process's thread take a step inside another step.

    What follows is @ and the place.
    """
    return f"{step.name}.{'AB'[process]}"


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


def plain(state: Mapping[Key, Value]) -> dict[Key, int | bool]:
    """A state over plain integers, as the numbers and booleans that its values are."""
    found: dict[Key, int | bool] = {}
    for key, value in state.items():
        assert isinstance(value, int), f"{key_name(key)} is no plain value"
        found[key] = value
    return found


def symbolic_state(model: Model, fresh: Fresh) -> dict[Key, Value]:
    """A state in which every variable is an input."""
    return {key: fresh(key_name(key), kind) for key, kind in state_keys(model)}


class World(Machine[W, B]):
    """The machine that transitions run on: state, observations with their axioms, hardware."""

    def __init__(
        self, model: Model, alg: Algebra[W, B], state: Mapping[Key, Value], fresh: Fresh,
        memo: Memory[W, B],
    ) -> None:
        kinds = {name: variable.type for name in model.variables
                 if (variable := model.variable(name)) is not None}
        super().__init__(alg, dict(state), {**kinds, TRACKS: INDEX, LEFT: kinds.get("entry", BOOL),
                                            ACTED: BOOL, SINCE: BOOL,
                                            **{WAS + n: k for n, k in kinds.items()}})
        self.model = model
        self.fresh = fresh
        self.memo = memo
        self.named: dict[str, B] = {}
        self.dropped: frozenset[str] = frozenset()
        self.lazy = False  # are inputs asked for only where the entry lets the hardware act?
        # process -> the entry that a late handler has loaded and not stored yet, and its level
        self.loaded: dict[int, tuple[W, Level]] = {}
        self.started: dict[int, Level] = {}  # the levels of entries before a code ran
        self.flushed: dict[int, B] = {}  # where a flush has waited for it
        self.code = ""  # whose texts run
        self.alone = False  # does a thread take a step, inside which nobody comes?

    def mark(self) -> Callable[[], None]:
        """A function that puts the world back to how it is now."""
        named, flushed, machine = dict(self.named), dict(self.flushed), super().mark()

        def back() -> None:
            machine()
            self.named, self.flushed = named, flushed

        return back

    def entry(self, process: int) -> W:
        """The entry of a process."""
        return as_word(self.alg, self.state["entry", process])

    def huge(self, process: int) -> B:
        """The condition that the entry of a process is of the larger level."""
        return as_truth(self.alg, self.state[HUGE, process])

    def open(self, name: str) -> B:
        """A boolean input of this name."""
        return as_truth(self.alg, self.fresh(name, BOOL))

    def assume(self, name: str, condition: B) -> None:
        """Take a condition as given from here on; `name` tells reports where it comes from."""
        if name in self.dropped:
            return
        self.assumed.append(condition)
        before = self.named.get(name)
        self.named[name] = condition if before is None else self.alg.all(before, condition)

    def observe(self, name: str, args: tuple[Value, ...], label: str) -> B:
        """A fresh boolean input; its axioms are assumed at this point."""
        counted = self.model.threads and name in self.model.counted
        if counted:
            self.between(f"{label}.before", (0, 1), lambda thread: len(thread.steps))
        value = self.open(f"{name}@{label}")
        for axiom, function in self.model.axioms(name):
            holds = truth_of(self, function, (*args, value))
            self.assume(f"axiom {name}.{axiom}", self.alg.any(self.alg.neg(self.path), holds))
        if counted:
            self.between(f"{label}.after", (0, 1), lambda thread: thread.shows)
        return value

    def ended(self, name: str, args: tuple[Value, ...], site: int) -> None:
        """Let threads go on where the encoding's state was set; tell them of an action."""
        if not self.model.threads:
            return
        for function in self.model.with_action(name):
            call(self, function, args)
        if name in self.model.setters:
            self.between(f"{self.label(site)}.set", (0, 1), self.model.asks)

    def between(
        self, label: str, processes: tuple[int, ...], first: Callable[[Thread], int],
        looked: bool = False,
    ) -> None:
        """Let threads that take no lock go on here: each may take each of its steps, in order.

        `first` is the number of the first step to which it matters what has happened since the last
        such place. Those before it could come there, unless the entry was accessed since. `looked`:
        an access of it comes next.
        """
        if self.alone or not self.model.threads or (SINCE, processes[0]) not in self.state:
            return
        for process in processes:
            since = as_truth(self.alg, self.state[SINCE, process])
            for thread, steps in self.model.threads:
                for number, step in enumerate(steps):
                    here = self.alg.truth(True) if number >= first(thread) else since
                    self.offer(step, process, here, label)
            self.state[SINCE, process] = self.alg.truth(looked)

    def offer(self, step: Transition, process: int, where: B, label: str) -> None:
        """Let a process's thread take a step here, if it is its turn."""
        if self.alg.known(where) is False:
            return
        where = self.alg.all(where, self.has_turn(step, process))
        if not self.lazy or self.alg.known(where) is not False:
            place = f"{turn_name(step, process)}@{label}"
            chosen = self.open(place)
            given = tuple(self.fresh(f"{place}/{param.name}", param.type)
                          for param in self.model.params(step)[1:])
            self.within(self.alg.all(chosen, where), partial(self.go_on, step, process, given))

    def has_turn(self, step: Transition, process: int) -> B:
        """The condition that a process's thread stands before this step."""
        assert step.turn is not None
        kind = self.kinds[step.turn.position]
        return self.alg.eq(as_word(self.alg, self.state[step.turn.position, process]),
                           self.alg.word(step.turn.number, kind), kind)

    def go_on(self, step: Transition, process: int, given: tuple[Value, ...]) -> None:
        """A thread takes a step; where its text does not say so itself, the next one comes next."""
        assert step.turn is not None
        self.state[step.turn.position, process] = self.alg.word(
            step.turn.following, self.kinds[step.turn.position])
        alone, self.alone = self.alone, True
        for level, where in self.walked(step, process):
            function = self.model.code(step, self.code, level)
            assert function is not None
            act = partial(call, self, function, (process, *given))
            if where is None:
                act()
            else:
                self.within(where, act)
        self.alone = alone

    def walked(self, step: Transition, process: int) -> list[tuple[Level | None, B | None]]:
        """The levels that a thread may walk over, and where; a walk is of the level it begins at.
        """
        assert step.turn is not None
        if not (self.model.mixed and step.walks):
            return [(None, None)]
        if step.turn.number == 0:
            self.state[step.walks, process] = self.state[HUGE, process]
        huge = as_truth(self.alg, self.state[step.walks, process])
        return [(self.model.level, huge), (self.model.base, self.alg.neg(huge))]

    def hardware(self, process: int | None, entry: W, label: str) -> W:
        """The entry of a process after this CPU's hardware may have acted on it.

        Each event of the variant may happen once, and then a walk may load the translation. With
        one CPU, which runs the kernel, nothing happens: nobody else stores, and TLB refills are for
        user mode.
        """
        if (process is None or process == THIRD or self.alone
                or self.model.layout.variant.one_cpu):
            return entry
        self.state["entry", process] = entry
        for event in self.model.layout.variant.hardware:
            if not self.lazy or self.may_happen(event, process):
                self.happen(event, process, self.open(f"{event}@{label}"))
        chosen = self.open(f"load@{label}")
        for level, where in self.levels(process):
            self.within(self.alg.all(chosen, where),
                        partial(call, self, self.procedure("hardware_load", level), (process,)))
        self.between(label, (process,), lambda thread: 0, looked=True)
        return self.entry(process)

    def entering(self, name: str, process: Value, site: int) -> None:
        """Let a flush wait for handlers under way.

        What such a handler stores comes before the flush and not after it, unless the event is
        `past_flush`.
        """
        if not isinstance(process, int) or process not in self.loaded:
            return
        waiting = self.model.spec.waiting
        if name in waiting or name in self.model.waits:
            if name in waiting:
                self.late(process, self.label(site))
            self.flushed[process] = self.alg.any(self.flushed[process], self.path)

    def leaving(
        self, helper: Function, process: int | None, before: W, result: Value, site: int
    ) -> None:
        """Run what `flushes` says of a helper that has changed the entry."""
        if process is None or process == THIRD:
            return
        effect = self.model.beside(helper)
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
        changed = alg.neg(alg.eq(self.entry(process), old, width))
        for event in self.model.layout.variant.hardware:
            record, when, after = self.model.event(event, level)
            if record.late:
                chosen = self.open(f"{event}-late@{label}")
                open_ = alg.truth(True) if record.past_flush else alg.neg(self.flushed[process])
                occurs = alg.all(self.path, chosen, changed, open_, truth_of(self, when, (old,)))
                self.state["entry", process] = alg.ite(
                    occurs, word_of(self, after, (old,)), self.entry(process), width)
                huge = level is self.model.level
                # The entry comes back at the level that it had.
                if self.model.mixed and alg.known(self.huge(process)) is not huge:
                    self.state[HUGE, process] = alg.choose(
                        occurs, alg.truth(huge), self.huge(process))

    def level(self, process: int) -> Level:
        """The level of a process's entry, which has to be known here."""
        found = self.levels(process)
        assert len(found) == 1, "the level of an entry that is acted on is known"
        return found[0][0]

    def levels(self, process: int) -> list[tuple[Level, B]]:
        """The levels that a process's entry may have here, and where."""
        model, yes = self.model, self.alg.truth(True)
        if not model.mixed:
            return [(model.level, yes)]
        huge = self.huge(process)
        known = self.alg.known(huge)
        if known is not None:
            return [(model.level if known else model.base, yes)]
        return [(model.level, huge), (model.base, self.alg.neg(huge))]

    def procedure(self, name: str, level: Level) -> Function:
        """The typed procedure of this name at a level."""
        found = self.model.definition("procedures", name, level=level)
        assert found is not None, name
        return found

    def within(self, where: B, act: Callable[[], object]) -> None:
        """Do something whose changes apply only where the condition holds."""
        if self.alg.known(where) is False:
            return
        path, before = self.path, dict(self.state)
        self.path = self.alg.all(path, where)
        act()
        self.path = path
        for key, value in self.state.items():
            old = before[key]
            if old is not value:
                kind = self.kinds[key if isinstance(key, str) else key[0]]
                self.state[key] = picked(self.alg, where, value, old, kind)

    def may_happen(self, event: str, process: int) -> bool:
        """Is it possible, as far as is known, that the entry lets the event happen?"""
        entry = self.state["entry", process]
        conditions = (
            self.alg.all(where, truth_of(self, self.model.event(event, level)[1], (entry,)))
            for level, where in self.levels(process)
        )
        return any(self.alg.known(condition) is not False for condition in conditions)

    def happen(self, event: str, process: int, chosen: B) -> None:
        """Let an event happen to a process's entry, where it is chosen and its condition holds."""
        for level, where in self.levels(process):
            record, when, after = self.model.event(event, level)
            entry = self.state["entry", process]
            occurs = self.alg.all(chosen, where, truth_of(self, when, (entry,)))
            if self.alg.known(occurs) is not False:
                args = (process, call(self, after, (entry,)), self.alg.truth(record.stores))
                self.within(occurs, partial(call, self, self.procedure("hardware_event", level),
                                            args))
                if process in self.started:
                    self.keep(event, process, level, occurs)

    def keep(self, event: str, process: int, level: Level, occurs: B) -> None:
        """Record an event within a code, and let it happen to the kept entry from before as well.

        Its condition has to hold of that entry too.
        """
        number = self.model.layout.variant.hardware.index(event)
        acted = as_truth(self.alg, self.state[ACTED, number])
        self.state[ACTED, number] = self.alg.any(acted, occurs)
        if level is self.started[process]:
            _, when, after = self.model.event(event, level)
            left = as_word(self.alg, self.state[LEFT, process])
            seen = self.alg.all(occurs, truth_of(self, when, (left,)))
            self.state[LEFT, process] = self.alg.ite(seen, word_of(self, after, (left,)), left,
                                                     self.model.layout.width)
