# SPDX-License-Identifier: GPL-2.0-or-later
"""Candidate executions of a litmus test: who reads from whom, and in which order writes stand.

Only those are made in which each location alone is coherent and atomic operations are atomic: all
models ask for that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product

from verifier.races.events import Execution, MemoryEvent, Scene, Walked
from verifier.races.program import Condition, Litmus, Value, holds
from verifier.races.relations import Relation
from verifier.races.runs import domains, runs

__all__ = ["candidates"]

Pairs = tuple[tuple[int, int], ...]


def candidates(
    litmus: Litmus, wanted: Condition, expected: bool = True,
) -> Iterator[Execution]:
    """The coherent executions at whose end the filter lets through and `wanted` is `expected`."""

    def may(thread: int, run: Walked) -> bool:
        known = {thread: run.registers}
        return (holds(wanted, known) in (expected, None)
                and (litmus.filters is None or holds(litmus.filters, known) is not False))

    domain = domains(litmus)
    some = [[run for run in runs(litmus, thread, domain) if may(thread, run)]
            for thread in range(len(litmus.threads))]
    initial = [MemoryEvent(-1, "W", "init", location, value)
               for location, value in litmus.initial.items()]
    for together in _fitting(initial, some):
        registers = dict(enumerate(run.registers for run in together))
        yield from _of_runs(
            litmus, Scene(initial, together),
            lambda memory, registers=registers: (  # type: ignore[misc]
                holds(wanted, registers, memory) is expected
                and (litmus.filters is None or holds(litmus.filters, registers, memory) is True)))


def _fitting(
    initial: Sequence[MemoryEvent], some: Sequence[Sequence[Walked]],
) -> Iterator[tuple[Walked, ...]]:
    """A run of each thread, where every value that one reads is written by some."""
    accesses = [[(run, _accesses(run.events, "R"), _accesses(run.events, "W")) for run in runs]
                for runs in some]
    start = _accesses(initial, "W")
    for together in product(*accesses):
        written = start.union(*(writes for _, _, writes in together))
        if all(reads <= written for _, reads, _ in together):
            yield tuple(run for run, _, _ in together)


def _accesses(events: Sequence[MemoryEvent], kind: str) -> frozenset[tuple[str, Value]]:
    return frozenset((event.location, event.value) for event in events if event.kind == kind)


def _of_runs(
    litmus: Litmus, frame: Scene, ends: Callable[[Mapping[str, Value]], bool],
) -> Iterator[Execution]:
    partner = {b: a for a, b in frame.rmw.pairs()}
    ways: list[list[tuple[Pairs, tuple[int, ...]]]] = []
    for location in litmus.initial:
        places = [i for i, event in enumerate(frame.events)
                  if event.kind != "F" and event.location == location]
        found = list(_of_location(frame, places, partner))
        if not found:
            return
        ways.append(found)
    for way in product(*ways):
        memory = {frame.events[order[-1]].location: frame.events[order[-1]].value
                  for _, order in way}
        if ends(memory):
            yield Execution(
                frame, Relation.of(frame.n, (pair for rf, _ in way for pair in rf)),
                Relation.of(frame.n, ((a, b) for _, order in way for x, a in enumerate(order)
                                      for b in order[x + 1:])))


def _of_location(
    frame: Scene, places: Sequence[int], partner: Mapping[int, int],
) -> Iterator[tuple[Pairs, tuple[int, ...]]]:
    """Each coherent choice of who reads from whom, and of the order of writes, at one location."""
    events = frame.events
    writes = [i for i in places if events[i].kind == "W"]
    reads = [i for i in places if events[i].kind == "R"]
    sources = [[w for w in writes if events[w].value == events[r].value] for r in reads]
    if not all(sources):
        return
    for order in _orders(frame, [w for w in writes if events[w].thread < 0],
                         [w for w in writes if events[w].thread >= 0]):
        rank = {w: at for at, w in enumerate(order)}
        for picked in product(*sources):
            rf = dict(zip(reads, picked, strict=True))
            if all(rank[rf[partner[w]]] == rank[w] - 1 for w in order if w in partner) and (
                    _coherent(frame, places, rank, rf)):
                yield tuple((w, r) for r, w in rf.items()), order


def _orders(
    frame: Scene, placed: Sequence[int], left: Sequence[int],
) -> Iterator[tuple[int, ...]]:
    """Every order of writes that keeps the order of each thread."""
    if not left:
        yield tuple(placed)
        return
    seen = set()
    for write in left:
        thread = frame.events[write].thread
        if thread not in seen:
            seen.add(thread)
            yield from _orders(frame, [*placed, write], [w for w in left if w != write])


def _coherent(
    frame: Scene, places: Sequence[int], rank: Mapping[int, int], rf: Mapping[int, int],
) -> bool:
    """No thread sees the writes of one location go backwards, nor reads from its own future."""
    latest: dict[int, int] = {}
    for place in places:
        event = frame.events[place]
        at = rank[place] if event.kind == "W" else rank[rf[place]]
        if event.kind == "R" and frame.events[rf[place]].thread == event.thread and (
                rf[place] > place):
            return False
        if at < latest.get(event.thread, 0) or (
                event.kind == "W" and event.thread >= 0 and at <= latest.get(event.thread, -1)):
            return False
        latest[event.thread] = at
    return True
