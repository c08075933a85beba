# SPDX-License-Identifier: GPL-2.0-or-later
"""What a load may find in memory: an entry at rest, or one that a change has stored in part.

The parts are those of the change's own text: what the entry is at each hardware() on the way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic

from verifier.halves.model import WordModel
from verifier.halves.two_words import WordWay
from verifier.language.algebra import Algebra, B, W
from verifier.language.evaluate import evaluated, truth_of, word_of
from verifier.language.machine import Machine
from verifier.language.syntax import Function
from verifier.language.values import Fresh, Value, as_word

__all__ = ["EVENT", "STAGES", "Moment", "Moments", "Recorder", "stages"]

EVENT = "hw-"  # begins the name of a change that the hardware makes
STAGES = 3  # bits of a stage's number


class Recorder(Machine[W, B]):
    """A machine that keeps what an entry is at each point where others may act on it."""

    def __init__(self, alg: Algebra[W, B]) -> None:
        super().__init__(alg)
        self.seen: list[tuple[B, W]] = []

    def hardware(self, process: int | None, entry: W, label: str) -> W:
        self.seen.append((self.path, entry))
        return entry


def stages(alg: Algebra[W, B], function: Function, args: Mapping[str, Value]
           ) -> list[tuple[B, W]]:
    """What memory has while a text changes the entry `ptep`: first what it had, last what it gets.

    Each stage has the condition of coming there.
    """
    machine = Recorder(alg)
    old = as_word(alg, args["ptep"])
    _, after = evaluated(machine, function, args)
    found: list[tuple[B, W]] = [(alg.truth(True), old)]
    for where, entry in [*machine.seen, (alg.truth(True), as_word(alg, after["ptep"]))]:
        if alg.known(where) is not False:
            found.append((where, entry))
    return found


@dataclass(slots=True)
class Moment(Generic[W, B]):
    """Memory at one load, while a change goes on.

    change   its number
    before   the entry that it found
    after    the entry that it leaves
    stage    how far it has come, from 0; begun where it is not 0
    memory   what the load finds
    given    that all of this is as it may be
    """

    change: W
    before: W
    after: W
    stage: W
    begun: B
    memory: W
    given: list[B]


class Moments(Generic[W, B]):
    """Makes moments over an algebra, of inputs that `fresh` gives."""

    def __init__(self, model: WordModel, way: WordWay, alg: Algebra[W, B], fresh: Fresh) -> None:
        self.model, self.way, self.alg, self.fresh = model, way, alg, fresh
        self.width = model.layout.width
        self.events = [model.layout.event(name) for name in model.layout.variant.hardware]
        self.kinds = list(model.words.values)
        self.changes = [*model.words.changes, *(EVENT + e.name for e, _, _ in self.events)]

    def _number(self, value: W, number: int, width: int) -> B:
        return self.alg.eq(value, self.alg.word(number, width), width)

    def _inputs(self, prefix: str, function: Function, names: Sequence[str]) -> dict[str, Value]:
        return {p.name: self.fresh(f"{prefix}.{p.name}", p.type)
                for p in function.params if p.name in names}

    def value(self, prefix: str) -> tuple[W, Mapping[str, B]]:
        """An entry that the kernel makes, and the condition that it is of each kind."""
        alg, machine = self.alg, Machine(self.alg)
        selector = as_word(alg, self.fresh(f"{prefix}.kind", 2))
        word, of = alg.word(0, self.width), {}
        for number, name in enumerate(self.kinds):
            code, when = self.model.values[name]
            takes = list(self.model.words.values[name].takes)
            inputs = self._inputs(f"{prefix}.{name}", code, takes)
            chosen = self._number(selector, number, 2)
            word = alg.ite(chosen, word_of(machine, code, tuple(inputs.values())), word, self.width)
            of[name] = chosen if when is None else alg.all(
                chosen, truth_of(machine, when, tuple(inputs.values())))
        return word, of

    def moment(self, number: int) -> Moment[W, B]:
        """The moment of a load."""
        alg = self.alg
        prefix = str(number)
        before, kind = self.value(f"{prefix}/before")
        value, to = self.value(f"{prefix}/value")
        change = as_word(alg, self.fresh(f"{prefix}/change", 4))
        stage = as_word(alg, self.fresh(f"{prefix}/stage", STAGES))
        memory = after = before
        fits: list[B] = []
        for place, name in enumerate(self.changes):
            here = self._number(change, place, 4)
            steps, allowed = self._steps(name, prefix, before, kind, value, to)
            assert len(steps) <= 1 << STAGES, f"{name} has too many stages"
            last = len(steps) - 1
            reached = [alg.all(self._number(stage, at, STAGES), where)
                       for at, (where, _) in enumerate(steps)]
            fits.append(alg.all(here, allowed, alg.any(*reached)))
            found = steps[last][1]
            after = alg.ite(here, found, after, self.width)
            for at, (_, entry) in enumerate(steps[1:], 1):
                memory = alg.ite(alg.all(here, self._number(stage, at, STAGES)), entry, memory,
                                 self.width)
        return Moment(change, before, after, stage, alg.neg(self._number(stage, 0, STAGES)), memory,
                      [alg.any(*fits)])

    def _steps(self, name: str, prefix: str, before: W, kind: Mapping[str, B], value: W,
               to: Mapping[str, B]) -> tuple[list[tuple[B, W]], B]:
        alg, yes = self.alg, self.alg.truth(True)
        if name.startswith(EVENT):
            return self._event(name, before, kind)
        change = self.model.words.changes[name]
        code = self.model.changes[name]
        inputs = self._inputs(f"{prefix}/{name}", code, list(change.takes))
        steps = stages(alg, code, {"ptep": before, "value": value, **inputs})
        last = steps[-1][1]
        if name in self.way.turned:
            steps = [steps[0], *((where, self._turned(before, last, entry))
                                 for where, entry in steps[1:-1]), steps[-1]]
        if name in self.way.lowered:
            steps = [steps[0], (yes, self.halves(last, before)), steps[-1]]
        allowed = alg.any(*(kind[one] for one in change.of))
        if change.to:
            allowed = alg.all(allowed, alg.any(*(to[one] for one in change.to)))
        return steps, allowed

    def _turned(self, before: W, last: W, entry: W) -> W:
        """What memory has where the other halves are stored: half of it is old and half new."""
        alg, width = self.alg, self.width
        return alg.ite(alg.eq(entry, before, width), before,
                       alg.bxor(alg.bxor(before, last, width), entry, width), width)

    def _event(self, name: str, before: W, kind: Mapping[str, B]) -> tuple[list[tuple[B, W]], B]:
        alg, yes, machine = self.alg, self.alg.truth(True), Machine(self.alg)
        _, when, entry = next(e for e in self.events if EVENT + e[0].name == name)
        after = word_of(machine, entry, (before,))
        steps = [(yes, before), (yes, after)]
        if self.model.words.layouts[self.model.layout.variant.name].handlers:
            steps.insert(1, (yes, self.halves(after, before)))
        return steps, alg.all(kind["present"], truth_of(machine, when, (before,)))

    def halves(self, low: W, high: W) -> W:
        """The low word of the one and the high word of the other."""
        alg = self.alg
        return alg.concat(alg.extract(high, 32, 32), alg.extract(low, 0, 32), 32, 32)
