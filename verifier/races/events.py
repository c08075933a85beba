# SPDX-License-Identifier: GPL-2.0-or-later
"""Events of one execution: what threads read, write and order, and how the events depend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from verifier.races.program import Value
from verifier.races.relations import Relation

__all__ = ["MemoryEvent", "Execution", "Scene", "Walked"]


@dataclass(frozen=True, slots=True)
class MemoryEvent:
    """One access of memory, or a fence.

    kind    R, W or F
    tag     how it is marked: once, acquire, release, plain, noreturn (the read of an operation that
            gives nothing back), lock, unlock, probe (spin_is_locked), init; of a fence its name
    atomic  is it of an atomic operation, done or failed?
    """

    thread: int
    kind: str
    tag: str
    location: str = ""
    value: Value = 0
    atomic: bool = False


@dataclass(slots=True)
class Walked:
    """One way through the code of a thread: its events in order, and what depends on what.

    Pairs are of positions in `events`.
    """

    events: list[MemoryEvent] = field(default_factory=list)
    rmw: list[tuple[int, int]] = field(default_factory=list)
    addr: set[tuple[int, int]] = field(default_factory=set)
    data: set[tuple[int, int]] = field(default_factory=set)
    ctrl: set[tuple[int, int]] = field(default_factory=set)
    registers: dict[str, Value] = field(default_factory=dict)


class Scene:
    """Runs of all threads together, with the relations that do not depend on who reads from whom.

    Events are numbered: the initial writes first, then thread by thread.
    """

    def __init__(self, initial: Sequence[MemoryEvent], runs: Sequence[Walked]) -> None:
        self.events = [*initial, *(event for run in runs for event in run.events)]
        self.n = len(self.events)
        self._starts: list[int] = []
        start = len(initial)
        for run in runs:
            self._starts.append(start)
            start += len(run.events)
        self._runs = runs

    def where(self, of: Callable[[MemoryEvent], bool]) -> int:
        """The events of which something is so, as a mask."""
        return sum(1 << i for i, event in enumerate(self.events) if of(event))

    def fences(self, *names: str) -> int:
        """The fences of these names."""
        return self.where(lambda e: e.kind == "F" and e.tag in names)

    def tagged(self, kind: str, *tags: str) -> int:
        """Reads (R) or writes (W) of these marks."""
        return self.where(lambda e: e.kind == kind and e.tag in tags)

    def _moved(self, pairs: Callable[[Walked], set[tuple[int, int]]]) -> Relation:
        return Relation.of(self.n, ((start + a, start + b)
                                    for start, run in zip(self._starts, self._runs, strict=True)
                                    for a, b in pairs(run)))

    @cached_property
    def po(self) -> Relation:
        """Program order."""
        return Relation.of(self.n, ((a, b)
                                    for start, run in zip(self._starts, self._runs, strict=True)
                                    for a in range(start, start + len(run.events))
                                    for b in range(a + 1, start + len(run.events))))

    @cached_property
    def internal(self) -> Relation:
        """Two events of one thread."""
        return self.po | self.po.inverse() | Relation.on(self.n, self.all)

    @cached_property
    def same_location(self) -> Relation:
        """Two accesses of one location."""
        places: dict[str, int] = {}
        for i, event in enumerate(self.events):
            if event.kind != "F":
                places[event.location] = places.get(event.location, 0) | 1 << i
        return Relation(tuple(places[event.location] if event.kind != "F" else 0
                              for event in self.events))

    @cached_property
    def rmw(self) -> Relation:
        """The read of an atomic operation, and its write."""
        return self._moved(lambda run: set(run.rmw))

    @cached_property
    def addr(self) -> Relation:
        """A read whose value is in the address of an access."""
        return self._moved(lambda run: run.addr)

    @cached_property
    def data(self) -> Relation:
        """A read whose value is in what is written."""
        return self._moved(lambda run: run.data)

    @cached_property
    def ctrl(self) -> Relation:
        """A read whose value decides whether something happens."""
        return self._moved(lambda run: run.ctrl)

    @cached_property
    def atomics(self) -> int:
        """What belongs to atomic operations, done or failed; locks are apart."""
        return self.where(lambda e: e.atomic)

    @cached_property
    def all(self) -> int:
        """Every event."""
        return (1 << self.n) - 1

    @cached_property
    def reads(self) -> int:
        """Every read."""
        return self.where(lambda e: e.kind == "R")

    @cached_property
    def writes(self) -> int:
        """Every write, the initial ones among them."""
        return self.where(lambda e: e.kind == "W")

    @cached_property
    def memory(self) -> int:
        """Every access."""
        return self.reads | self.writes

    @cached_property
    def plain(self) -> int:
        """Accesses that are not marked."""
        return self.where(lambda e: e.tag == "plain")

    @cached_property
    def marked(self) -> int:
        """All others, fences among them."""
        return self.all & ~self.plain

    def fenced(self, names: int) -> Relation:
        """What stands before one of these fences, and what stands behind it."""
        return self.po.before(names) @ self.po

    @cached_property
    def sections(self) -> Relation:
        """Each rcu_read_lock() and the rcu_read_unlock() that ends it."""
        pairs = []
        for start, run in zip(self._starts, self._runs, strict=True):
            open_: list[int] = []
            for i, event in enumerate(run.events, start):
                if event.tag == "rcu-lock":
                    open_.append(i)
                elif event.tag == "rcu-unlock" and open_:
                    pairs.append((open_.pop(), i))
        return Relation.of(self.n, pairs)


@dataclass(frozen=True)
class Execution:
    """A frame in which each read has its write (rf), and the writes of each location their order
    (co).
    """

    frame: Scene
    rf: Relation
    co: Relation

    @cached_property
    def fr(self) -> Relation:
        """A read, and a write that comes after the one that it has read."""
        return self.rf.inverse() @ self.co

    @cached_property
    def com(self) -> Relation:
        """Who communicates with whom."""
        return self.rf | self.co | self.fr

    def external(self, relation: Relation) -> Relation:
        """Only between two threads."""
        return relation - self.frame.internal
