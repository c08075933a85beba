# SPDX-License-Identifier: GPL-2.0-or-later
"""All ways through a thread's code, if each read may give any value that its location may have."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias, TypeVar

from verifier.base.errors import UsageError
from verifier.races.events import MemoryEvent, Walked
from verifier.races.functions import FENCES, LOADS, STORES, Atomic, atomic
from verifier.races.program import (
    Decide,
    Evaluated,
    Expression,
    Follow,
    Identifier,
    Invoke,
    Litmus,
    Number,
    Operator,
    Put,
    Statement,
    Value,
)

__all__ = ["Domain", "domains", "runs"]

MAX_RUNS = 20_000  # of one thread
T = TypeVar("T")
_BINARY: Mapping[str, Callable[[int, int], int]] = MappingProxyType({
    "+": operator.add, "-": operator.sub, "&": operator.and_, "|": operator.or_,
    "^": operator.xor, "<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge,
})

_Tainted = tuple[Value, frozenset[int]]  # a value, and the reads that it depends on
_NONE: frozenset[int] = frozenset()
Sites: TypeAlias = frozenset[tuple[int, int]]  # writes, each by its thread and its statement
_NO_SITES: Sites = frozenset()
Given: TypeAlias = tuple[Value, Sites]  # a value, and the writes that it comes from


@dataclass(frozen=True, slots=True)
class Domain:
    """What reads may give: of each location its first value, all values, and which threads write
    it.
    """

    first: Mapping[str, Value]
    values: Mapping[str, Sequence[Given]]
    writers: Mapping[str, frozenset[int]]


class _Choices:
    """Which values the reads of one run give: those of a list, then the first ones."""

    def __init__(self, given: Sequence[int]) -> None:
        self.taken = list(given)
        self.open: list[int] = []  # how many there were to choose from
        self.at = 0

    def choose(self, values: Sequence[T]) -> T:
        if self.at == len(self.taken):
            self.taken.append(0)
        found = self.taken[self.at]
        self.open.append(len(values))
        self.at += 1
        return values[found]

    def next(self) -> list[int] | None:
        """The choices of the next run, or None behind the last."""
        taken = self.taken[:self.at]
        while taken:
            if taken[-1] + 1 < self.open[len(taken) - 1]:
                return [*taken[:-1], taken[-1] + 1]
            taken.pop()
        return None


class _Walk:
    """One run of a thread."""

    def __init__(
        self, name: str, thread: int, choices: _Choices, domain: Domain,
    ) -> None:
        self.name, self.thread, self.choices, self.domain = name, thread, choices, domain
        self.run = Walked()
        self.taint: dict[str, frozenset[int]] = {}
        self.control = _NONE
        self.own: dict[str, Given] = {}  # what this run put there last
        self.statement = 0  # which one is executed: none is executed twice
        self.sites: dict[int, Sites] = {}  # of each read, where its value comes from
        self.written: list[tuple[str, Given]] = []

    def wrong(self, what: str) -> UsageError:
        return UsageError(f"{self.name}: not covered: {what}")

    # events

    def fence(self, tag: str) -> None:
        self._event(MemoryEvent(self.thread, "F", tag))

    def _event(self, event: MemoryEvent) -> int:
        self.run.events.append(event)
        place = len(self.run.events) - 1
        self.run.ctrl |= {(read, place) for read in self.control}
        return place

    def _located(self, pointer: _Tainted) -> str:
        location, _ = pointer
        if not isinstance(location, str):
            raise self.wrong(f"{location} is followed as a pointer")
        return location

    def load(
        self, pointer: _Tainted, tag: str, only: Value | None = None, atomic: bool = False,
    ) -> _Tainted:
        location = self._located(pointer)
        value, sites = (only, _NO_SITES) if only is not None else self.read(location)
        place = self._event(MemoryEvent(self.thread, "R", tag, location, value, atomic))
        self.sites[place] = sites
        self.run.addr |= {(read, place) for read in pointer[1]}
        return value, frozenset((place,))

    def read(self, location: str) -> Given:
        """What is read: a location that no other thread writes has what this one put there."""
        if self.domain.writers[location] <= {self.thread}:
            return self.own.get(location) or (self.domain.first[location], _NO_SITES)
        return self.choices.choose(self.domain.values[location])

    def store(
        self, pointer: _Tainted, tag: str, value: _Tainted, own: frozenset[int] = _NONE,
        atomic: bool = False,
    ) -> int:
        """`own` is the read of the same operation: its value is in what is written."""
        location = self._located(pointer)
        place = self._event(MemoryEvent(self.thread, "W", tag, location, value[0],
                                  atomic))
        self.run.addr |= {(read, place) for read in pointer[1]}
        self.run.data |= {(read, place) for read in value[1]}
        before = _NO_SITES.union(*(self.sites[read] for read in value[1] | own))
        site = (self.thread, self.statement)
        self.own[location] = value[0], before | {site}
        if site not in before:
            self.written.append((location, self.own[location]))
        return place

    # expressions

    def value(self, of: Expression) -> _Tainted:
        match of:
            case Number(value):
                return value, _NONE
            case Identifier(name):
                if name in self.run.registers:
                    return self.run.registers[name], self.taint[name]
                if name in self.domain.first:
                    return name, _NONE
                return 0, _NONE  # a register before anything is put into it
            case Follow(pointer):
                return self.load(self.value(pointer), "plain")
            case Operator(sign, operands):
                return self.operation(sign, operands)
            case Invoke(name, arguments):
                found = self.call(name, arguments)
                if found is None:
                    raise self.wrong(f"the value of {name}()")
                return found

    def operation(self, sign: str, operands: Sequence[Expression]) -> _Tainted:
        some = [self.value(operand) for operand in operands]
        taint = _NONE.union(*(taint for _, taint in some))
        values = [value for value, _ in some]
        if sign in ("==", "!="):
            return int((values[0] == values[1]) == (sign == "==")), taint
        if sign in ("&&", "||", "!"):
            truths = [value != 0 for value in values]
            return int(not truths[0] if sign == "!" else all(truths) if sign == "&&"
                       else any(truths)), taint
        numbers = [value for value in values if isinstance(value, int)]
        if len(numbers) < len(values):
            raise self.wrong(f"{sign} of a pointer")
        if len(numbers) == 1:
            return (-numbers[0] if sign == "-" else ~numbers[0]), taint
        return int(_BINARY[sign](*numbers)), taint

    def call(self, name: str, arguments: Sequence[Expression]) -> _Tainted | None:
        if name in FENCES:
            self.fence(FENCES[name])
            return None
        if name in LOADS:
            return self.load(self.pointer(arguments[0]), LOADS[name])
        if name in STORES or name == "smp_store_mb":
            self.store(self.pointer(arguments[0]), STORES.get(name, "once"),
                       self.value(arguments[1]))
            if name == "smp_store_mb":
                self.fence("mb")
            return None
        if name.startswith("spin_"):
            return self.lock(name, arguments)
        found = atomic(name)
        if found is None:
            raise self.wrong(f"{name}()")
        return self.atomic(found, arguments)

    def pointer(self, of: Expression) -> _Tainted:
        """The address of a place (*x), or the address that a register holds (x)."""
        return self.value(of.pointer if isinstance(of, Follow) else of)

    def lock(self, name: str, arguments: Sequence[Expression]) -> _Tainted | None:
        pointer = self.value(arguments[0])
        if name == "spin_unlock":
            self.store(pointer, "unlock", (0, _NONE))
            return None
        if name == "spin_is_locked":
            return self.load(pointer, "probe")
        if name not in ("spin_lock", "spin_trylock"):
            raise self.wrong(f"{name}()")
        if name == "spin_trylock" and self.choices.choose((0, 1)):
            _, taint = self.load(pointer, "probe", 1)
            return 0, taint
        _, taint = self.load(pointer, "lock", 0)
        place = self.store(pointer, "lock", (1, _NONE))
        self.run.rmw.append((place - 1, place))
        return (1, taint) if name == "spin_trylock" else None

    def atomic(self, of: Atomic, arguments: Sequence[Expression]) -> _Tainted | None:
        """Where it is fully ordered and writes, a full fence stands on both sides."""
        at_end = of.kind in ("add", "add_unless")
        places = arguments[-1:] if at_end and of.kind == "add" else arguments[:1]
        pointer = self.pointer(places[0])
        others = [self.value(a) for a in (arguments[:-1] if of.kind == "add" else arguments[1:])]
        fence_at = len(self.run.events)
        full = of.order == "mb"
        if full:
            self.fence("mb")
        tag = of.order if of.order in ("acquire", "noreturn") else "once"
        old, taint = self.load(pointer, tag, atomic=True)
        read_at = len(self.run.events) - 1
        new, done = self._new(of, old, others)
        if not done:
            if full:
                self._drop(fence_at)
                taint = frozenset((fence_at,))
            return (old, taint) if of.gives == "old" else (0, taint)
        own = frozenset((read_at,)) if of.kind in ("add", "add_unless") else _NONE
        place = self.store(pointer, "release" if of.order == "release" else "once",
                           (new, _NONE.union(*(t for _, t in others))), own, True)
        self.run.rmw.append((read_at, place))
        if full:
            self.fence("mb")
        assert isinstance(new, int) or of.gives in ("nothing", "old")
        given = {"nothing": None, "old": old, "new": new, "test": int(new == 0), "done": 1,
                 "negative": int(isinstance(new, int) and new < 0)}[of.gives]
        return None if given is None else (given, taint)

    def _new(self, of: Atomic, old: Value, others: Sequence[_Tainted]) -> tuple[Value, bool]:
        """What is written, and whether anything is."""
        if of.kind == "xchg":
            return others[0][0], True
        if of.kind == "cmpxchg":
            return others[1][0], old == others[0][0]
        amount = of.amount if of.amount is not None else others[0][0]
        if not isinstance(amount, int) or not isinstance(old, int):
            raise self.wrong("arithmetic on a pointer")
        done = of.kind == "add" or old != others[1][0]
        return old + (-amount if of.negated and of.amount is None else amount), done

    def _drop(self, place: int) -> None:
        """Takes the fence at a place away again, where only a read stands behind it."""
        run = self.run
        del run.events[place]

        def moved(pairs: set[tuple[int, int]]) -> set[tuple[int, int]]:
            return {(a, b - (b > place)) for a, b in pairs}

        run.addr, run.data, run.ctrl = moved(run.addr), moved(run.data), moved(run.ctrl)
        self.sites[place] = self.sites.pop(place + 1)

    # statements

    def walk(self, body: Sequence[Statement]) -> None:
        for statement in body:
            self.statement = id(statement)
            match statement:
                case Evaluated(Invoke(name, arguments)):
                    self.call(name, arguments)
                case Evaluated(value):
                    self.value(value)
                case Put(Identifier(name), value):
                    found, taint = self.value(value)
                    self.run.registers[name], self.taint[name] = found, taint
                case Put(Follow(pointer), value):
                    written = self.value(value)
                    self.store(self.value(pointer), "plain", written)
                case Decide(condition, then, other):
                    found, taint = self.value(condition)
                    outside, self.control = self.control, self.control | taint
                    self.walk(then if found != 0 else other)
                    self.control = outside


def _walks(litmus: Litmus, thread: int, domain: Domain) -> Iterator[_Walk]:
    given: list[int] | None = []
    for _ in range(MAX_RUNS):
        if given is None:
            return
        choices = _Choices(given)
        walk = _Walk(litmus.name, thread, choices, domain)
        walk.walk(litmus.threads[thread].body)
        yield walk
        given = choices.next()
    raise UsageError(f"{litmus.name}: more than {MAX_RUNS} ways through thread {thread}")


def runs(litmus: Litmus, thread: int, domain: Domain) -> Iterator[Walked]:
    """Every way through the thread's code. UsageError where there are too many."""
    for walk in _walks(litmus, thread, domain):
        yield walk.run


def domains(litmus: Litmus) -> Domain:
    """The values that each location may have.

    A value comes from a chain of writes in which each write stands once: no execution of any of
    the models has a value that depends on itself. So a write is passed over where its value comes
    from itself in every way, and there are no more rounds than writes.
    """
    first = litmus.initial
    found: dict[str, dict[Value, Sites]] = {x: {value: _NO_SITES} for x, value in first.items()}
    writers: dict[str, frozenset[int]] = dict.fromkeys(first, frozenset())
    grown, rounds, writes = True, 0, 0
    while grown and rounds <= writes:
        grown, rounds, writes = False, rounds + 1, 0
        fixed = Domain(first, {x: tuple(values.items()) for x, values in found.items()},
                       dict(writers))
        for thread in range(len(litmus.threads)):
            most = 0
            for walk in _walks(litmus, thread, fixed):
                most = max(most, sum(event.kind == "W" for event in walk.run.events))
                for location, (value, sites) in walk.written:
                    old = found[location].get(value)
                    new = sites if old is None else old & sites
                    if new != old or thread not in writers[location]:
                        found[location][value], grown = new, True
                        writers[location] |= {thread}
            writes += most
    return Domain(first, {x: tuple((value, _NO_SITES) for value in values)
                          for x, values in found.items()}, writers)
