# SPDX-License-Identifier: GPL-2.0-or-later
"""World, encoding, transition, property: what specs/ says, as frozen data.

verifier.model.read_specs makes these records. Their texts are typed later, against one variant's
layout (verifier.model.typed).
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from verifier.base.errors import Where
from verifier.language.read_yaml import Source
from verifier.model.first import First
from verifier.model.texts import Axiom, Definition, Elsewhere, Flush, Observation, Variable, name_of

__all__ = ["Around", "Code", "Effect", "Encoding", "Level", "Property", "Spec", "Thread",
           "Transition", "Turn", "rank"]

T = TypeVar("T")

# texts call the last one THIRD, which stands for all other processes
ACTOR, BYSTANDER, THIRD = 0, 1, 2
PTE = "pte"
INVARIANT, LEMMA, STEP, ADVISORY, STATIC = "invariant", "lemma", "step", "advisory", "static"
END, NONE = "end", "none"  # what may be said of a property's consequence
# the kind of an effect's obligation, and how its name starts
EFFECT, REACHES = "effect", "reaches-"


@dataclass(frozen=True, slots=True)
class Sentence:
    """A statement about entries alone: it holds for all parameters for which `given` holds."""

    signature: str
    at: Where
    given: Source | None
    holds: Source
    levels: tuple[str, ...] = ()  # none: all
    needs: tuple[str, ...] = ()  # of an architecture; a level may have a name of its own for it


@dataclass(frozen=True, slots=True)
class Property:
    """What has to hold; of each process p, where the text names p.

    The kinds are

    - invariant, which holds in every reachable state: part of the theorem
    - lemma, which strengthens the invariant
    - step, which compares the state after a step with the one before (was_...)
    - advisory, a step property that never fails a run
    - static, which is about entries alone
    - effect, what a step is there for: some state leads to one in which it holds
    """

    name: str
    kind: str
    holds: Source | None  # None: recorded by asserts of actions and codes
    claim: str
    because: str
    encodings: tuple[str, ...]
    where: Where = field(compare=False)
    needs: tuple[str, ...] = ()  # features of an architecture without which it says nothing
    codes: tuple[str, ...] = ()  # the codes that it is about; none: all
    # component of an entry -> the view that reads it
    compares: Mapping[str, str] = field(default_factory=dict)
    comparable: str = ""  # the view that holds of both entries where they are compared
    hardware_changes: tuple[str, ...] = ()  # components that an event of the hardware may change
    # the entries of processes that the step does not name stay the same, bit by bit
    others_stay: bool = False
    sentences: tuple[Sentence, ...] = ()  # of a static property
    causes: tuple[str, ...] = ()  # what a transition may name as the reason why it dirties
    levels: tuple[str, ...] = ()  # the levels at which it says something; none: all
    # of a step property: inputs of transitions that the sentence names
    inputs: tuple[str, ...] = ()
    # of one that asserts record: the sentence that fails then, for reports
    shows: Source | None = None
    # what had better hold after the step, so that a reader understands the counterexample
    prefers: Source | None = None
    # glob of variants -> why it says nothing there
    not_on: Mapping[str, str] = field(default_factory=dict)
    # END: other failures lead to it; NONE: it leads to nothing worse; else that is searched for
    consequence: str = ""
    thread: str = ""  # whose locals it names: it says nothing where that thread is not

    def lacks(self, variant: str, absent: Iterable[str]) -> list[str]:
        """Why it says nothing of a variant that lacks `absent`; empty where it says something."""
        why = [text for glob, text in self.not_on.items() if fnmatch.fnmatchcase(variant, glob)]
        return why + [f"has no {need}" for need in self.needs if need in absent]


@dataclass(frozen=True, slots=True)
class Effect:
    """What a step is there for: some state leads to one in which the sentence holds."""

    name: str
    holds: Source
    needs: tuple[str, ...] = ()  # of an architecture, as a transition's
    codes: tuple[str, ...] = ()  # none: all
    # glob of variants -> why no state leads there
    not_on: Mapping[str, str] = field(default_factory=dict)
    hardware: tuple[str, ...] = ()  # events that it takes, from another CPU within the step

    def lacks(self, variant: str, absent: Iterable[str], events: Iterable[str]) -> str:
        """Why no such state is asked for on a variant that lacks `absent`; empty where one is.

        `events` are the hardware events that other CPUs may cause within a step.
        """
        why = [text for glob, text in self.not_on.items() if fnmatch.fnmatchcase(variant, glob)]
        why += [f"has no {need}" for need in self.needs if need in absent]
        why += [f"no other CPU's event {event!r} comes between" for event in self.hardware
                if event not in events]
        return why[0] if why else ""

    def as_property(self) -> Property:
        """The property of its obligation, named reaches-NAME."""
        return Property(REACHES + self.name, EFFECT, self.holds, self.holds.text.strip(), "", (),
                        self.holds.where)


@dataclass(frozen=True, slots=True)
class Code:
    """A name under which steps have texts.

    `order` is the name itself, then those whose text runs where a step has none under it.
    """

    name: str
    words: str
    describe: str
    order: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Encoding:
    """Where the kernel keeps "exclusive"."""

    name: str
    describe: str
    overlay: str | None
    state: tuple[Variable, ...]
    definitions: tuple[Definition, ...]
    codes: tuple[str, ...]
    where: Where = field(compare=False)


@dataclass(frozen=True, slots=True)
class Level:
    """A level of leaf entries, and how texts that are written about ptes read there.

    Where it stands `beside` another level, the entry of a process is of either level, and a
    variable of the world says of which.
    """

    name: str
    describe: str
    needs: tuple[str, ...]  # what an architecture must not lack
    beside: str
    # what an architecture may lack -> the helper by which texts then read what memory holds
    through: Mapping[str, str]
    names: Mapping[str, str]  # name, or start of a name that ends in _ -> what it is here
    state: tuple[Variable, ...]
    views: tuple[Definition, ...]  # in the place of the world's of the same name
    readings: tuple[Definition, ...]
    covers_not: tuple[str, ...]  # what no transition here is about
    where: Where = field(compare=False)
    like: str = ""  # the level whose entries it has, and so whose texts and steps
    threads: tuple[str, ...] = ()  # those that run beside the steps, and inside them

    @property
    def kind(self) -> str:
        """The name by which transitions and properties know its entries."""
        return self.like or self.name

    def translated(self, name: str) -> str:
        """The name that a text about ptes means here."""
        if name in self.names:
            return self.names[name]
        start = next((s for s in self.names if s.endswith("_") and name.startswith(s)), None)
        return name if start is None else self.names[start] + name.removeprefix(start)

    def present(self) -> tuple[str, ...]:
        """The levels that entries have in this world."""
        return (self.beside, self.kind) if self.beside else (self.kind,)


@dataclass(frozen=True, slots=True)
class Turn:
    """When a thread takes a step: where it stands `number` of `count`, counted from 0."""

    thread: str
    position: str  # the variable that says where a process's thread stands
    number: int
    count: int
    walks: str = ""  # the variable that says whether it walks over entries of the larger level

    @property
    def following(self) -> int:
        """Where it stands afterwards; behind its last step it is where it began."""
        return (self.number + 1) % self.count


@dataclass(frozen=True, slots=True)
class Around:
    """What surrounds a transition and is seen by a thread: texts that run before it and behind."""

    transition: str
    because: str
    begin: Source
    end: Source
    where: Where = field(compare=False)


@dataclass(frozen=True, slots=True)
class Transition:
    """One atomic step of the world, with its codes; a code is looked up along `fallback`."""

    name: str
    catalogue: tuple[str, ...]
    site: str
    describe: str
    roles: tuple[str, ...]
    tracks: tuple[str, ...]
    inputs: Mapping[str, str]
    requires: tuple[Axiom, ...]
    gives_up: Mapping[str, str]
    changes: Mapping[str, Source]
    baseline: Mapping[str, str]
    dirties: str
    third: tuple[str, ...]
    needs: tuple[str, ...]
    codes: Mapping[str, Source]
    notes: Mapping[str, str]
    where: Where = field(compare=False)
    levels: tuple[str, ...] = (PTE,)  # those that the entries of its roles may have
    into: str = ""  # the level of an entry afterwards, where it is another: both have to be there
    reaches: tuple[Effect, ...] = ()
    # code -> itself, then the codes whose text runs in its place
    fallback: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    pages: tuple[str, ...] = ()  # parameters that are pages of a block: the step is about these
    turn: Turn | None = None  # of a step of a thread

    @property
    def walks(self) -> str:
        """The variable that says of a thread's step which level it walks over, or nothing."""
        return self.turn.walks if self.turn is not None else ""

    def at(self, level: Level) -> bool:
        """Is it about entries of this level, or of one beside it?"""
        there = level.present()
        if self.turn is not None and self.turn.thread not in level.threads:
            return False
        return bool(set(self.levels) & set(there)) and (not self.into or self.into in there)

    def takes(self, level: Level) -> bool:
        """Is it about entries of this level itself, before the step or after?

        What a level has from the one that it is like is that one's.
        """
        own = not level.like or self.turn is not None
        return own and self.at(level) and level.kind in {*self.levels, self.into}

    def code(self, name: str) -> tuple[str, Source] | None:
        """The text that runs under this code name, behind the name that it is written under.

        None where no text runs.
        """
        for candidate in self.fallback[name]:
            if candidate in self.codes:
                return candidate, self.codes[candidate]
        return None


@dataclass(frozen=True, slots=True)
class Thread:
    """Code that takes no lock, as steps between which, and inside which, all others may come."""

    name: str
    describe: str
    variables: tuple[Variable, ...]  # its position, then its locals
    walks: Variable | None  # which level it walks over, where there are two
    holds: tuple[Definition, ...]  # what axioms and properties may say of where it stands
    steps: tuple[Transition, ...]
    shows: int  # the number of the step by which observations come to count it
    around: tuple[Around, ...]
    beside: tuple[Definition, ...]  # what else happens to it with an action of that name
    lemmas: tuple[Property, ...]
    counted: Mapping[str, tuple[Axiom, ...]]  # observation -> what it shows of the thread
    apart: Mapping[str, tuple[Axiom, ...]]  # the same of those that its steps do not change
    init: tuple[Axiom, ...]
    where: Where = field(compare=False)

    def variables_at(self, level: Level) -> tuple[Variable, ...]:
        """Its variables where entries are of this level."""
        return (*self.variables, *((self.walks,) if self.walks and level.beside else ()))

    def axioms(self, observation: str) -> tuple[Axiom, ...]:
        """What an observation says of the thread."""
        return (*self.counted.get(observation, ()), *self.apart.get(observation, ()))


@dataclass(frozen=True, slots=True)
class Spec:
    """All of specs/."""

    variables: Mapping[str, Variable]
    views: tuple[Definition, ...]
    readings: tuple[Definition, ...]
    truths: tuple[Definition, ...]
    actions: tuple[Definition, ...]
    procedures: tuple[Definition, ...]
    flushes: tuple[Flush, ...]
    elsewhere: tuple[Elsewhere, ...]
    observations: Mapping[str, Observation]
    init: tuple[Axiom, ...]
    properties: Mapping[str, Property]
    encodings: Mapping[str, Encoding]
    transitions: Mapping[str, Transition]
    levels: Mapping[str, Level]
    codes: Mapping[str, Code]
    first: First
    # actions that end translations at once, and wait for what the hardware stores late
    waiting: tuple[str, ...]
    # variable or input of transitions -> the number of it that a reader recognises
    shown: Mapping[str, int]
    threads: Mapping[str, Thread] = field(default_factory=dict)

    @property
    def ends(self) -> tuple[str, ...]:
        """The properties at which a search for what failures lead to ends, in their order."""
        return tuple(p.name for p in self.properties.values() if p.consequence == END)

    def actions_of(self, variant: str) -> tuple[Definition, ...]:
        """The actions as a variant has them."""
        own = {name_of(text): text for one in self.elsewhere if one.on(variant)
               for text in one.actions}
        return tuple(own.get(name_of(text), text) for text in self.actions)

    def first_level(self, transition: Transition) -> Level:
        """The level at which a transition's effects are asked for."""
        return next(level for kind in transition.levels for level in self.levels.values()
                    if kind in level.present() and transition.at(level))

    def at(self, level: Level) -> Spec:
        """The part of specs/ that is about entries of this level, with the threads that it has."""
        threads = {name: self.threads[name] for name in level.threads}
        return replace(
            self, properties={n: p for n, p in self.properties.items()
                              if (not p.levels or level.kind in p.levels)
                              and (not p.thread or p.thread in level.threads)},
            transitions={n: t for n, t in self.transitions.items() if t.at(level)},
            variables=dict(self.variables) | {v.name: v for t in threads.values()
                                              for v in t.variables_at(level)},
            observations={n: replace(o, axioms=(*o.axioms, *(axiom for t in threads.values()
                                                             for axiom in t.axioms(n))))
                          for n, o in self.observations.items()},
            init=(*self.init, *(axiom for t in threads.values() for axiom in t.init)),
            threads=threads,
        )


def rank(one: T, first: Sequence[T]) -> int:
    """Where it stands among the first; what does not stand there comes behind them, all alike.

    >>> rank("b", ("a", "b")), rank("c", ("a", "b")), rank("d", ("a", "b"))
    (1, 2, 2)
    """
    return first.index(one) if one in first else len(first)


