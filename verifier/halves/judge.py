# SPDX-License-Identifier: GPL-2.0-or-later
"""Claims about what a reader reads, decided for any number of changes meanwhile.

Each load meets one moment. Between two of them lies the same change, or any others: what the rule
lets follow can be reached by taking an entry away and storing another. So as many moments as there
are loads stand for every run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations, pairwise
from typing import Generic

from verifier.base.errors import Contradiction, SolverError
from verifier.engine.answers import Sat, Undecided
from verifier.engine.bits import Bits, Word
from verifier.engine.bits_solver import BitsSolver
from verifier.engine.least_model import minimise
from verifier.halves.model import WordModel
from verifier.halves.moments import STAGES, Moments
from verifier.halves.two_words import (
    BOTH,
    HALVES,
    HIGH,
    LOCKED,
    LOW,
    NO_LOOK,
    ReadRule,
    WordClaim,
    WordReader,
    WordWay,
)
from verifier.language.algebra import Algebra, B, Integers, W
from verifier.language.evaluate import call, truth_of
from verifier.language.machine import Machine
from verifier.language.syntax import BOOL, Function
from verifier.language.values import Fresh, as_truth, as_word
from verifier.prove.bits_way import graph_inputs
from verifier.prove.recompute import input_reader

__all__ = ["JudgedRead", "Met", "judge", "loads_of"]

# what a trace has, where it may: a page above 4 GByte, and what a vma allows
_SHOWN: Mapping[str, int | bool] = {"of_page": 0x512345, "vm_read": True,
                                    "vm_write": True, "young": True}
FIRST_LOW = "look.low-first"  # the order of the second look's loads


@dataclass(frozen=True, slots=True)
class Met:
    """What one load met: which change, how far it had come, and what the load gave."""

    load: str
    same: bool  # the change of the load before it
    change: str
    stage: int
    before: int
    after: int
    memory: int
    read: int


@dataclass(frozen=True, slots=True)
class JudgedRead:
    """One claim: it holds, or there is a run of loads with what each met, and what was read."""

    variant: str
    encoding: str  # that the claim depends on; "" where it depends on none
    reader: str
    rule: str
    way: str
    kind: str
    claim: str
    run: tuple[Met, ...]
    read: int

    @property
    def shown(self) -> str:
        """The claim, with the encoding where that matters."""
        return f"{self.claim} ({self.encoding})" if self.encoding else self.claim

    @property
    def holds(self) -> bool:
        """Is there no such run?"""
        return not self.run


def loads_of(model: WordModel, way: WordWay) -> list[str]:
    """The loads of a way, one after the other; of a second look by halves, either order."""
    reads = list(model.words.layouts[model.layout.variant.name].reads)
    if way.unchecked and len(reads) > 1:
        reads = reads[:-1]
    if way.look == NO_LOOK:
        return reads
    if way.look != HALVES or reads == [BOTH]:
        return [*reads, BOTH]
    return [*reads, HALVES, HALVES]


def judge(model: WordModel, way: WordWay, reader: WordReader, rule: ReadRule,
          only: Collection[str] = ()) -> Iterator[JudgedRead]:
    """Each claim of a reader under a rule, in one way of reading and storing.

    What holds of a first read holds of the same read with a second look behind it. So the second
    look is asked about where the first read breaks a claim.
    """
    asked = [_Asked(model, one, reader, rule) for one in
             ([way] if way.look == NO_LOOK else [replace(way, look=NO_LOOK), way])]
    for claim in reader.claims:
        if not only or claim.name in only:
            run: tuple[Met, ...] = ()
            read = 0
            if all(one.broken(claim) for one in asked):
                run, read = asked[-1].run(claim)
            encoding = model.model.encoding.name if model.of_encoding(claim) else ""
            yield JudgedRead(model.layout.variant.name, encoding, reader.name, rule.name,
                             way.name, way.kind, claim.name, run, read)


class _Asked:
    """The questions about one way of reading, which share a graph."""

    def __init__(self, model: WordModel, way: WordWay, reader: WordReader, rule: ReadRule) -> None:
        self.model, self.way, self.reader, self.rule = model, way, reader, rule
        self.graph = Bits()
        self.solver = BitsSolver(self.graph)

    @cached_property
    def question(self) -> _Question[Word, int]:
        """Built when it is first asked for."""
        return _Question(self.model, self.way, self.reader, self.rule, self.graph,
                         graph_inputs(self.graph))

    def _bad(self, claim: WordClaim) -> list[int]:
        return [*self.question.given, *self.question.broken(self.reader, claim)]

    def broken(self, claim: WordClaim) -> bool:
        """Is there a run that breaks the claim?"""
        answer = self.solver.check(self._bad(claim))
        if isinstance(answer, Undecided):
            raise SolverError(f"{self.reader.name}/{claim.name}: {answer.reason}")
        return isinstance(answer, Sat)

    def run(self, claim: WordClaim) -> tuple[tuple[Met, ...], int]:
        """A run that breaks it, as plain as it may be, and what it reads."""
        bad = self._bad(claim)
        bad += self._plainest(bad)
        values = minimise(self.solver, bad, sorted(self.graph.support(bad)))
        return _followed(self.model, self.way, self.reader, self.rule, claim, values)

    def _plainest(self, bad: list[int]) -> list[int]:
        """Conditions that make a run easy to read: of each group all, or each that may be."""
        found: list[int] = []
        for group in self.question.plain():
            if isinstance(self.solver.check([*bad, *found, *group]), Sat):
                found += group
                continue
            for condition in group:
                if isinstance(self.solver.check([*bad, *found, condition]), Sat):
                    found.append(condition)
        return found


def _followed(model: WordModel, way: WordWay, reader: WordReader, rule: ReadRule, claim: WordClaim,
              values: Mapping[str, int | bool]) -> tuple[tuple[Met, ...], int]:
    """The run again with plain integers; Contradiction where they do not lead there."""
    question = _Question(model, way, reader, rule, Integers(), input_reader(values))
    if not all(question.given) or not all(question.broken(reader, claim)):
        raise Contradiction(f"{reader.name}/{claim.name}: what the solver found cannot be followed")
    return tuple(question.met()), question.read


class _Question(Generic[W, B]):
    """Loads with what each meets, over an algebra."""

    def __init__(self, model: WordModel, way: WordWay, reader: WordReader, rule: ReadRule,
                 alg: Algebra[W, B], fresh: Fresh) -> None:
        self.model, self.alg, self.fresh, self.way = model, alg, fresh, way
        self.loads = loads_of(model, way)
        self.makes = Moments(model, way, alg, fresh)
        self.moments = [self.makes.moment(n) for n in range(len(self.loads))]
        self.same = [as_truth(alg, fresh(f"{n}/same", BOOL)) for n in range(1, len(self.loads))]
        self.given: list[B] = [g for moment in self.moments for g in moment.given]
        self._link()
        self.stood = self._standing()
        self._ruled(reader, rule)
        self.read, agreed = self._read()
        self.given += agreed
        if way.look == LOCKED:
            self.given.append(alg.neg(self.moments[-1].begun))

    def _word(self, one: W, two: W) -> B:
        return self.alg.eq(one, two, self.model.layout.width)

    def _link(self) -> None:
        alg = self.alg
        for same, (one, two) in zip(self.same, pairwise(self.moments), strict=True):
            alike = alg.all(self._word(one.before, two.before), self._word(one.after, two.after),
                            alg.eq(one.change, two.change, 4),
                            alg.neg(alg.ult(two.stage, one.stage, STAGES)))
            self.given.append(alg.any(alg.neg(same), alike))

    def _standing(self) -> list[tuple[B, W]]:
        """Entries in the order in which they stand there, each with whether it does."""
        alg, yes = self.alg, self.alg.truth(True)
        found: list[tuple[B, W]] = []
        for number, moment in enumerate(self.moments):
            found.append((alg.neg(self.same[number - 1]) if number else yes, moment.before))
            found.append((moment.begun, moment.after))
        return found

    def _holds(self, function: Function, *args: W) -> B:
        return truth_of(Machine(self.alg), function, args)

    def _ruled(self, reader: WordReader, rule: ReadRule) -> None:
        alg, layout = self.alg, self.model.words.layouts[self.model.layout.variant.name]
        axioms = layout.axioms if reader.flushed else ()
        texts = [self.model.rules[rule.name], *(self.model.axioms[name] for name in axioms)]
        for (here, a), (there, b) in combinations(self.stood, 2):
            apart = alg.any(alg.neg(here), alg.neg(there))
            for text in texts:
                self.given.append(alg.any(apart, self._holds(text, a, b)))
        if not rule.returns:
            present = self.model.layout.helper("pte_present")
            is_there = [self._holds(present, word) for _, word in self.stood]
            for one, two, three in combinations(range(len(self.stood)), 3):
                stand = [self.stood[n][0] for n in (one, two, three)]
                self.given.append(alg.neg(alg.all(
                    *stand, is_there[one], alg.neg(is_there[two]), is_there[three])))

    def _read(self) -> tuple[W, list[B]]:
        """What was read, and that the reader goes on with it."""
        alg, memory = self.alg, [moment.memory for moment in self.moments]
        if self.loads[0] == BOTH:
            read, agreed, rest = memory[0], [], memory[1:]
        else:
            read = self.makes.halves(memory[0], memory[1])
            first = self.loads.count(LOW) + self.loads.count(HIGH)
            agreed = [self._half(read, memory[2], 0)] if first == 3 else []
            rest = memory[first:]
        if len(rest) == 1:
            agreed.append(self._word(read, rest[0]))
        elif rest:
            low_first = as_truth(alg, self.fresh(FIRST_LOW, BOOL))
            agreed.append(alg.choose(
                low_first, alg.all(self._half(read, rest[0], 0), self._half(read, rest[1], 32)),
                alg.all(self._half(read, rest[0], 32), self._half(read, rest[1], 0))))
        return read, agreed

    def _half(self, one: W, two: W, start: int) -> B:
        alg = self.alg
        return alg.eq(alg.extract(one, start, 32), alg.extract(two, start, 32), 32)

    def broken(self, reader: WordReader, claim: WordClaim) -> list[B]:
        """The conditions under which a claim is not so of what was read."""
        alg = self.alg
        asks, of = self.model.claims[reader.name, claim.name]
        found = [self._asked(asks, "read", (self.read,))]
        # where a change goes on from an earlier load, what it began with stood there before
        stood = [one for moment in self.moments for one in (
            (alg.truth(True), moment.before), (moment.begun, moment.after))]
        for number, (stands, entry) in enumerate(stood):
            found.append(alg.neg(alg.all(
                stands, self._asked(of, f"{number}", (self.read, entry)))))
        return found

    def _asked(self, function: Function, name: str, args: tuple[W, ...]) -> B:
        """A sentence, with the encoding's state as it is of the page that the last entry names."""
        alg, machine = self.alg, Machine(self.alg)
        pfn = self.model.layout.helper("pte_pfn")
        for variable in self.model.model.encoding.state:
            mine = as_truth(alg, self.fresh(f"flag.read.{variable.name}", BOOL))
            if name != "read":
                frames = [call(Machine(alg), pfn, (word,)) for word in args]
                one_page = alg.eq(as_word(alg, frames[0]), as_word(alg, frames[1]), pfn.returns)
                other = as_truth(alg, self.fresh(f"flag.{name}.{variable.name}", BOOL))
                mine = alg.choose(one_page, mine, other)
            machine.state[variable.name] = mine
        return truth_of(machine, function, args)

    def plain(self) -> Iterator[list[B]]:
        """What a run is to be like, if it may: no swap entries, what is stored is stored whole, and
        pages that a reader recognises.
        """
        alg = self.alg
        each = [(n, which) for n in range(len(self.moments)) for which in ("before", "value")]
        kinds = [as_word(alg, self.fresh(f"{n}/{which}.kind", 2)) for n, which in each]
        swapped = self.makes.kinds.index("swapped")
        yield [alg.neg(alg.eq(kind, alg.word(swapped, 2), 2)) for kind in kinds]
        yield [alg.neg(moment.begun) for moment in self.moments]
        yield [as_truth(alg, self.fresh(FIRST_LOW, BOOL))]
        for name, value in _SHOWN.items():
            width = BOOL if isinstance(value, bool) else self.model.layout.ulong
            given = [self.fresh(f"{n}/{which}.present.{name}", width) for n, which in each]
            yield [as_truth(alg, one) if width == BOOL else
                   alg.eq(as_word(alg, one), alg.word(value, width), width) for one in given]

    def met(self) -> Iterator[Met]:
        """What each load met, where the algebra is that of plain integers."""
        low_first = bool(self.fresh(FIRST_LOW, BOOL))
        looked = iter((LOW, HIGH) if low_first else (HIGH, LOW))
        for number, (load, moment) in enumerate(zip(self.loads, self.moments, strict=True)):
            word = next(looked) if load == HALVES else load
            memory = _int(moment.memory)
            read = (memory if word == BOTH else memory >> 32 if word == HIGH
                    else memory & 0xFFFFFFFF)
            yield Met(word, bool(number and self.same[number - 1]),
                      self.makes.changes[_int(moment.change)], _int(moment.stage),
                      _int(moment.before), _int(moment.after), memory, read)


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value
